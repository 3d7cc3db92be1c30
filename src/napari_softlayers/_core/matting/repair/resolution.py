"""The working resolution: where trimaps are judged, about a tenth of a megapixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...arrays import FloatArray, Floats
from ..system import Labels

#: Pixels of the working resolution.
WORKING_PIXELS = 130_000


def working_factor(shape: tuple[int, ...]) -> int:
    """Whole number by which a picture is shrunk to the working resolution."""
    return max(1, round(float(np.sqrt(shape[0] * shape[1] / WORKING_PIXELS))))


def shrunk(picture: FloatArray, factor: int) -> FloatArray:
    """Mean of squares of pixels; the last ones may hang over the border."""
    if factor == 1:
        return picture
    return np.asarray(_squares(picture, factor).mean(axis=(1, 3), dtype=np.float32))


def shrunk_labels(labels: Labels, factor: int) -> NDArray[np.int32]:
    """Most common label of squares of pixels; unknown where half of them are."""
    if factor == 1:
        return labels.astype(np.int32)
    squares = _squares(labels, factor)
    numbers = range(max(labels.max(), 1) + 1)  # there may be no label at all
    votes = np.stack([(squares == k).sum((1, 3)) for k in numbers])
    best = votes[1:].argmax(axis=0) + 1
    return np.where(2 * votes[0] >= factor**2, 0, best).astype(np.int32)


def enlarged(values: NDArray[Any], shape: tuple[int, ...], factor: int) -> NDArray[Any]:
    """A mask or labels of the working resolution at the picture's own."""
    fine = np.kron(values, np.ones((factor, factor), values.dtype))
    return fine[: shape[0], : shape[1]]


def enlarged_layers(
    layers: FloatArray, shape: tuple[int, ...], factor: int
) -> FloatArray:
    """Layers (K, h, w) of a smaller resolution at the picture's own, bilinearly."""
    if factor == 1:
        return layers
    fine = [
        ndimage.zoom(one, factor, order=1, grid_mode=True, mode="nearest")
        for one in layers
    ]
    return np.stack(fine)[:, : shape[0], : shape[1]]


def _squares(values: NDArray[Any], side: int) -> NDArray[Any]:
    """Pixels in squares, (h, side, w, side, ...); the border is repeated to fill them."""
    missing = [(0, -n % side) for n in values.shape[:2]]
    padded = np.pad(values, [*missing, *[(0, 0)] * (values.ndim - 2)], mode="edge")
    height, width = (n // side for n in padded.shape[:2])
    return padded.reshape(height, side, width, side, *values.shape[2:])


def blurred(values: Floats, sigma: float) -> Floats:
    """Wide Gaussian blur, computed on a coarser grid."""
    step = max(1, int(sigma / 4))
    if step == 1:
        return np.asarray(ndimage.gaussian_filter(values, sigma, mode="nearest"))
    coarse = _squares(values, step).mean((1, 3))
    coarse = ndimage.gaussian_filter(coarse, sigma / step, mode="nearest")
    return np.asarray(enlarged_layers(coarse[None], values.shape, step)[0])
