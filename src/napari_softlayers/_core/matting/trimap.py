"""Trimaps: checking them, making them from masks, widening them.

A trimap is a label image: 0 where the matte is unknown, 1..K where the picture shows one
layer alone (1 background and 2 foreground in the usual case).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from ..picture import as_image

TrimapArray = NDArray[np.int32]
_MOST_LABELS = 64
_CLASSIC = {0, 127, 128, 255}


def as_trimap(array: ArrayLike, shape: tuple[int, int] | None = None) -> TrimapArray:
    """Check a trimap and bring it to labels 0..K.

    Parameters
    ----------
    array : array_like (H, W)
        Labels (0 unknown, 1..K), in integers or whole floats; or a classic trimap:
        0 background, 127 or 128 unknown, 255 foreground, or the same in 0, 0.5, 1.
        Classic trimaps may have a last axis of three equal channels.
    shape : (H, W), optional
        Size of the picture that it belongs to.

    Returns
    -------
    int32 array (H, W)
        0 unknown, otherwise the label as it came (numbers may be skipped).

    Raises
    ------
    TypeError
        When the values are not numbers.
    ValueError
        When size or values do not make a trimap.
    """
    trimap = np.asarray(array)
    if trimap.dtype.kind not in "iuf":
        raise TypeError(
            f"The trimap has dtype {trimap.dtype}; integers or floats are needed: 0 "
            "unknown, 1 background, 2 foreground."
        )
    if trimap.ndim == 3 and trimap.shape[2] in (3, 4):
        trimap = _one_channel(trimap)
    if trimap.ndim != 2 or trimap.size == 0:
        raise ValueError(
            f"The trimap has shape {trimap.shape}; one value a pixel (H, W) is needed."
        )
    if shape is not None and trimap.shape != tuple(shape):
        raise ValueError(
            f"The trimap is {trimap.shape[0]}x{trimap.shape[1]} pixels, the picture "
            f"{shape[0]}x{shape[1]}; both need the same height and width."
        )
    return _labels(trimap)


def layer_labels(trimap: TrimapArray) -> tuple[TrimapArray, list[int]]:
    """Number the labels of a trimap without gaps.

    Returns
    -------
    labels : int32 array (H, W)
        0 unknown, 1..K.
    present : list of int
        The K labels as they were in the trimap.

    Raises
    ------
    ValueError
        When there are fewer than two labels, or far too many.
    """
    values = _distinct(trimap)
    present = [int(value) for value in values if value != 0]
    if len(present) < 2:
        what = f"only label {present[0]}" if present else "no label at all"
        raise ValueError(
            f"The trimap has {what}; at least two are needed: paint 1 where there is "
            "nothing but background and 2 where there is nothing but foreground."
        )
    if len(present) > _MOST_LABELS:
        raise ValueError(
            f"The trimap has {len(present)} different labels, at most {_MOST_LABELS} "
            "are possible; a picture or a matte needs trimap_from_mask first."
        )
    if present == list(range(1, len(present) + 1)):
        return trimap, present
    number = np.searchsorted(present, trimap).astype(np.int32) + 1
    return np.where(trimap == 0, 0, number).astype(np.int32), present


def trimap_from_mask(
    mask: ArrayLike, band: int | None = None, *, picture: ArrayLike | None = None
) -> TrimapArray:
    """Make a trimap from a mask, from labels or from an alpha.

    Parameters
    ----------
    mask : array_like (H, W)
        bool mask, or labels (0 is the background, each further label becomes a layer),
        or an alpha in floats from 0 to 1 (what lies between stays unknown).
    band : int, optional
        Half width of the unknown band along every boundary, in pixels. Adaptive when
        not given: about 1 % of the longer side, narrower in small parts (never more than
        half of their thickness), and with a picture or an alpha up to twice as wide
        where the boundary is soft.
    picture : array_like (H, W, 3), optional
        The picture, for the adaptive band.

    Returns
    -------
    int32 array (H, W)
        0 unknown, 1 background, 2.. foreground.

    Raises
    ------
    TypeError, ValueError
        When the mask, the band or the picture do not fit.
    """
    labels, soft = _regions(np.asarray(mask))
    if band is not None and band < 0:
        raise ValueError(f"band={band} pixels; it must be 0 or more.")
    inner = _distance_to_other(labels)
    widths: Any = band
    if band is None:
        widths = _adaptive_widths(labels, soft, inner, picture)
    trimap = np.where((inner <= widths) | soft, 0, labels + 1)
    return trimap.astype(np.int32)


def trimap_tolerance(trimap: ArrayLike, pixels: int) -> TrimapArray:
    """Widen the unknown band of a trimap, for one that was drawn sloppily.

    Parameters
    ----------
    trimap : array_like (H, W)
        See `as_trimap`.
    pixels : int
        Known pixels that are this near to an unknown pixel, or to another label, become
        unknown. A label that would vanish keeps its innermost pixels.

    Returns
    -------
    int32 array (H, W)
    """
    labels = as_trimap(trimap)
    if pixels < 0:
        raise ValueError(f"pixels={pixels}; it must be 0 or more.")
    if pixels == 0:
        return labels
    depth = _distance_to_other(labels)
    result = np.where(depth > pixels, labels, 0).astype(np.int32)
    for label in np.unique(labels[labels != 0]):
        inside = labels == label
        if not (result == label).any():
            result[inside & (depth == depth[inside].max())] = label
    return result


def _distinct(trimap: NDArray[Any]) -> NDArray[Any]:
    """Sorted distinct values; counting small integers is ten times faster."""
    if trimap.dtype.kind in "iu" and trimap.min() >= 0 and trimap.max() < 65536:
        return np.flatnonzero(np.bincount(trimap.ravel().astype(np.intp)))
    return np.unique(trimap)


def _one_channel(trimap: NDArray[Any]) -> NDArray[Any]:
    """First channel of a trimap that was saved as RGB."""
    if (trimap[..., :1] != trimap[..., :3]).any():
        raise ValueError(
            f"The trimap has shape {trimap.shape} with different channels; one value "
            "a pixel (H, W) is needed: 0 unknown, 1..K layers."
        )
    return trimap[..., 0]


def _labels(trimap: NDArray[Any]) -> TrimapArray:
    """Labels from label images and classic trimaps."""
    if not np.isfinite(trimap).all():
        raise ValueError(
            "The trimap has NaN or infinite values; whole numbers are needed: 0 "
            "unknown, 1..K layers."
        )
    values = _distinct(trimap)
    if trimap.dtype.kind == "f" and {0.5} < set(values.tolist()) <= {0, 0.5, 1}:
        return np.where(trimap == 0.5, 0, trimap + 1).astype(np.int32)
    if 255 in values and set(values.tolist()) <= _CLASSIC:
        classic = np.where(trimap == 255, 2, np.where(trimap == 0, 1, 0))
        return classic.astype(np.int32)
    if values[0] < 0:
        raise ValueError(
            f"The trimap has the label {values[0]}; labels must not be negative: 0 is "
            "unknown, 1..K are layers."
        )
    if (values != np.round(values)).any():
        odd = values[values != np.round(values)][0]
        raise ValueError(
            f"The trimap has the value {odd:g}; whole numbers are needed (0 unknown, "
            "1..K layers), or 0, 0.5 and 1. Make a trimap of a matte or a mask with "
            "trimap_from_mask."
        )
    if values[-1] > np.iinfo(np.int32).max:
        raise ValueError(f"The trimap has the label {values[-1]}, which is too large.")
    return trimap.astype(np.int32)


def _regions(mask: NDArray[Any]) -> tuple[TrimapArray, NDArray[np.bool_]]:
    """Regions 0, 1, .. of a mask, of labels or of an alpha, and where it is soft."""
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"The mask has shape {mask.shape}; (H, W) is needed.")
    if mask.dtype.kind not in "biuf":
        raise TypeError(f"The mask has dtype {mask.dtype}; bool or numbers are needed.")
    soft = np.zeros(mask.shape, bool)
    if mask.dtype.kind == "f":
        if not np.isfinite(mask).all() or mask.min() < 0:
            raise ValueError("The mask has negative, NaN or infinite values.")
        if mask.max() <= 1:
            soft = (mask > 0.02) & (mask < 0.98)
            mask = mask >= 0.5
    _, inverse = np.unique(mask.astype(np.int64), return_inverse=True)
    labels = np.asarray(inverse, np.int32).reshape(mask.shape)
    if labels.max() == 0:
        raise ValueError(
            "The mask has one value only; it needs a background and a foreground."
        )
    if labels.max() >= _MOST_LABELS:
        raise ValueError(
            f"The mask has {labels.max() + 1} different values, at most {_MOST_LABELS} "
            "are possible; an alpha must be in floats from 0 to 1."
        )
    return labels, soft


def _distance_to_other(labels: TrimapArray) -> NDArray[np.float64]:
    """Distance of every pixel to the nearest one with another label."""
    distance = np.zeros(labels.shape)
    for label in np.unique(labels):
        inside = labels == label
        if not inside.all():
            distance += ndimage.distance_transform_edt(inside)
    return distance


def _adaptive_widths(
    labels: TrimapArray,
    soft: NDArray[np.bool_],
    depth: NDArray[np.float64],
    picture: ArrayLike | None,
) -> NDArray[np.float64]:
    """Half width of the band at every pixel."""
    base = max(3.0, 0.01 * max(labels.shape))
    # Soft alphas already are unknown; their neighbourhood gets up to twice the width.
    widths = base * (1 + np.clip(5 * ndimage.gaussian_filter(soft * 1.0, base), 0, 1))
    if picture is not None:
        texture = _texture(labels, depth, base, picture)
        usual = max(float(np.median(texture[depth <= 1.5])), 1e-6)
        widths = np.maximum(widths, base * np.clip(texture / usual, 1, 2))
    # Thickness of the part that a pixel belongs to: the largest depth around it.
    thickness = ndimage.maximum_filter(depth, size=2 * int(np.ceil(2 * base)) + 1)
    return np.minimum(widths, 0.5 * thickness)


def _texture(
    labels: TrimapArray,
    depth: NDArray[np.float64],
    base: float,
    picture: ArrayLike,
) -> NDArray[np.float64]:
    """How much colour still changes beside the boundary: high in hair, low on a desk."""
    colors = as_image(picture)
    if colors.shape[:2] != labels.shape:
        raise ValueError(
            f"The picture is {colors.shape[0]}x{colors.shape[1]} pixels, the mask "
            f"{labels.shape[0]}x{labels.shape[1]}; both need the same size."
        )
    change = np.zeros(labels.shape)
    for channel in range(3):
        change += ndimage.gaussian_gradient_magnitude(
            colors[..., channel].astype(float), 1.0
        )
    near = ((depth > 2) & (depth <= 2 * base)).astype(float)
    weight = ndimage.gaussian_filter(near, base)
    blurred = ndimage.gaussian_filter(near * change, base)
    return blurred / np.maximum(weight, 1e-6)
