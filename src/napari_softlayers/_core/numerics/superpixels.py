"""Superpixels: the small regions between which long-range affinities are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import DoubleArray, FloatArray

LARGEST_SLIC_PICTURE = 640 * 480
"""Pixels above which SLIC runs on a smaller copy of the picture."""


@dataclass(frozen=True)
class Superpixels:
    """A partition of the picture into small regions.

    ``labels`` int ``(H, W)``: region numbers ``0..n-1``, every one present.
    """

    labels: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of regions, ``n``."""
        return int(self.labels.max()) + 1

    @cached_property
    def sizes(self) -> DoubleArray:
        """Pixels in each region, ``(n,)``."""
        return np.asarray(np.bincount(self.labels.ravel()), dtype=np.float64)

    @cached_property
    def centroids(self) -> DoubleArray:
        """Mean row and column of each region, ``(n, 2)``.

        Many lie just between two pixels. They are summed in the order of the published
        code (down the columns, from 1), whose rounding decides which pixel is nearer.
        """
        labels = self.labels.ravel(order="F")
        places = np.indices(self.labels.shape) + 1
        shares = [place.ravel(order="F") / self.sizes[labels] for place in places]
        means = [np.bincount(labels, share) - 1.0 for share in shares]
        return np.stack(means, axis=-1)

    def means(self, values: NDArray[Any]) -> DoubleArray:
        """Average ``(H, W, C)`` values over each region, ``(n, C)``."""
        flat = self.labels.ravel()
        channels = values.reshape(flat.size, -1).T
        sums = [np.bincount(flat, weights=channel) for channel in channels]
        return np.stack(sums, axis=-1) / self.sizes[:, None]

    def neighbours(self) -> NDArray[np.int64]:
        """Pairs ``(m, 2)`` of regions that touch (8-connected), the smaller first."""
        labels = self.labels
        sides = (
            (labels[:, :-1], labels[:, 1:]),
            (labels[:-1], labels[1:]),
            (labels[:-1, :-1], labels[1:, 1:]),
            (labels[:-1, 1:], labels[1:, :-1]),
        )
        codes = []
        for one, other in sides:
            differ = one != other
            low = np.minimum(one[differ], other[differ])
            high = np.maximum(one[differ], other[differ])
            codes.append(low * self.count + high)
        unique = np.unique(np.concatenate(codes))
        return np.stack([unique // self.count, unique % self.count], axis=-1)


def slic_superpixels(picture: FloatArray, count: int = 2500) -> Superpixels:
    """Compute SLIC superpixels with adaptive compactness (SLICO).

    ``picture`` ``(H, W, 3)``: values in [0, 1]. ``count``: number of regions asked for;
    a small picture gets fewer, at least about eight pixels each. Returns Superpixels:
    pictures above `LARGEST_SLIC_PICTURE` are divided on a smaller copy, and the labels
    enlarged by repetition.

    See Achanta et al., SLIC superpixels compared to state-of-the-art superpixel
    methods, IEEE TPAMI 34(11), 2012, doi:10.1109/TPAMI.2012.120.
    """
    from skimage.segmentation import slic

    height, width = picture.shape[:2]
    step = int(np.ceil(np.sqrt(height * width / LARGEST_SLIC_PICTURE)))
    small = picture if step == 1 else block_means(picture, step)
    count = max(1, min(count, small.shape[0] * small.shape[1] // 8))
    labels = slic(small, n_segments=count, slic_zero=True, start_label=0)
    if step > 1:
        labels = labels.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    return numbered_regions(labels)


def numbered_regions(labels: NDArray[Any]) -> Superpixels:
    """Make superpixels of the regions of a label image, numbered without gaps."""
    _, inverse = np.unique(labels, return_inverse=True)
    return Superpixels(inverse.reshape(labels.shape).astype(np.int64))


def block_means(values: NDArray[Any], step: int) -> FloatArray:
    """Average ``(H, W, C)`` over ``step`` x ``step`` blocks; the last may be smaller.

    Returns float32 ``(ceil(H / step), ceil(W / step), C)``.
    """
    result: FloatArray = values.astype(np.float32, copy=False)
    if step == 1:
        return result
    for axis in (0, 1):
        length = result.shape[axis]
        starts = np.arange(0, length, step)
        counts = np.diff(np.append(starts, length)).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = len(counts)
        sums: FloatArray = np.add.reduceat(result, starts, axis=axis)
        result = sums / counts.reshape(shape)
    return result


def thinned(labels: NDArray[Any], step: int) -> NDArray[Any]:
    """Take the label in the middle of each block of `block_means`."""
    rows, columns = (
        np.minimum(np.arange(0, side, step) + step // 2, side - 1)
        for side in labels.shape
    )
    return labels[np.ix_(rows, columns)]
