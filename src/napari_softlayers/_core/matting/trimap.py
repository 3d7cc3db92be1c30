"""Trimaps: numbering their labels, making them from masks, widening them.

A trimap is a label image: 0 where the matte is unknown, 1..K where the picture shows one
layer alone (1 background and 2 foreground in the usual case).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from ..arrays import DoubleArray, Mask
from ..checks import whole
from ..label_images import (
    TrimapArray,
    as_int32,
    distinct,
    is_whole,
    one_channel,
    plain_array,
)
from ..picture import as_image
from .read_trimap import (
    BLACK,
    MOST_LABELS,
    SELECTION_ADVICE,
    WHITE,
    grey_or_labels,
    read_trimap,
    say_grey,
    white_of,
)


def layer_labels(trimap: TrimapArray) -> tuple[TrimapArray, list[int]]:
    """Number the labels of a trimap without gaps.

    Returns them, 1..K, and the K labels as they were. Raises ValueError when there are
    fewer than two labels, or far too many.
    """
    present = [int(value) for value in distinct(trimap) if value != 0]
    if len(present) < 2:
        what = f"only label {present[0]}" if present else "no label at all"
        raise ValueError(
            f"The trimap has {what}; at least two are needed: paint 1 where there is "
            "nothing but background and 2 where there is nothing but foreground."
            + (" " + SELECTION_ADVICE if present else "")
        )
    if len(present) > MOST_LABELS:
        raise ValueError(
            f"The trimap has {len(present)} different labels, at most {MOST_LABELS} "
            "are possible; a picture or a matte needs trimap_from_mask first."
        )
    if present == list(range(1, len(present) + 1)):
        return trimap, present
    number = np.searchsorted(present, trimap).astype(np.int32) + 1
    return np.where(trimap == 0, 0, number).astype(np.int32), present


def trimap_from_mask(
    mask: ArrayLike,
    band: int | None = None,
    *,
    picture: ArrayLike | None = None,
    labels: bool | None = None,
) -> TrimapArray:
    """Make a trimap from a mask, from labels or from an alpha.

    Parameters
    ----------
    mask : array_like (H, W)
        bool mask, or labels (0 is the background, each further label becomes a layer),
        or an alpha in floats from 0 to 1 (what lies between stays unknown). Integers
        that span their range, such as 0 and 255, are taken as an alpha, with a warning.
        Masked pixels stay unknown.
    band : int, optional
        Half width of the unknown band along every boundary, in pixels. Adaptive when
        not given: about 1 % of the longer side, narrower in small parts (never more than
        half of their thickness), and with a picture or an alpha up to twice as wide
        where the boundary is soft.
    picture : array_like (H, W, 3), optional
        The picture, for the adaptive band.
    labels : bool, optional
        True where the mask comes from a label image, so that 255 is a label as well.

    Returns
    -------
    int32 array (H, W)
        0 unknown, 1 background, 2.. foreground.

    Raises
    ------
    TypeError, ValueError
        When the mask, the band or the picture do not fit.
    """
    if labels not in (None, True, False):
        raise TypeError(f"labels={labels!r} came; use True, False or None.")
    widths: Any = None if band is None else _whole_pixels(band, "band")
    regions, soft = _regions(mask, labels)
    inner = _distance_to_other(regions)
    if widths is None:
        widths = _adaptive_widths(regions, soft, inner, picture)
    trimap = np.where((inner <= widths) | soft, 0, regions + 1)
    return trimap.astype(np.int32)


def trimap_tolerance(trimap: ArrayLike, pixels: int) -> TrimapArray:
    """Widen the unknown band of a trimap, for one that was drawn sloppily.

    ``trimap`` ``(H, W)``: see `read_trimap`. ``pixels``: known pixels that are this
    near to an unknown pixel, or to another label, become unknown. A label that would
    vanish keeps its innermost pixels. Returns int32 ``(H, W)``.
    """
    pixels = _whole_pixels(pixels, "pixels")
    labels = read_trimap(trimap)
    if pixels == 0:
        return labels
    depth = _distance_to_other(labels)
    result = np.where(depth > pixels, labels, 0).astype(np.int32)
    for label in np.unique(labels[labels != 0]):
        inside = labels == label
        if not (result == label).any():
            result[inside & (depth == depth[inside].max())] = label
    return result


def _whole_pixels(value: Any, name: str) -> int:
    """Check a number of pixels."""
    pixels = whole(value, name)
    if pixels < 0:
        raise ValueError(f"{name}={value} pixels; it must be 0 or more.")
    return min(pixels, 1 << 31)


def _regions(mask: ArrayLike, labels: bool | None) -> tuple[TrimapArray, Mask]:
    """Regions 0, 1, .. of a mask, of labels or of an alpha, and where it is soft."""
    values, hidden = plain_array(mask, "mask")
    values = one_channel(values, "mask")
    soft = np.zeros(values.shape, bool) if hidden is None else hidden
    if values.dtype.kind == "f" and not labels and values.max() <= 1:
        soft |= (values > 0.02) & (values < 0.98)
        values = values >= 0.5
    elif values.dtype.kind != "b":
        # Other than in a trimap, labels that do not reach white may be large.
        dark = is_whole(values) and white_of(values) is None
        white = grey_or_labels(values, "mask", labels or dark)
        if white is not None:
            say_grey(values, white, "mask", "unknown")
            soft |= (values > BLACK * white) & (values < WHITE * white)
            values = values >= white / 2
    regions = as_int32(values, "mask")
    present = distinct(regions)
    if len(present) == 1:
        raise ValueError(
            "The mask has one value only; it needs a background and a foreground."
        )
    if len(present) > MOST_LABELS:
        raise ValueError(
            f"The mask has {len(present)} different values, at most {MOST_LABELS} are "
            "possible; an alpha must be in floats from 0 to 1."
        )
    return np.searchsorted(present, regions).astype(np.int32), soft


def _distance_to_other(labels: TrimapArray) -> DoubleArray:
    """Distance of every pixel to the nearest one with another label."""
    distance = np.zeros(labels.shape)
    for label in np.unique(labels):
        inside = labels == label
        if not inside.all():
            distance += ndimage.distance_transform_edt(inside)
    return distance


def _adaptive_widths(
    labels: TrimapArray, soft: Mask, depth: DoubleArray, picture: ArrayLike | None
) -> DoubleArray:
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
    labels: TrimapArray, depth: DoubleArray, base: float, picture: ArrayLike
) -> DoubleArray:
    """How much colour still changes beside the boundary: high in hair, low on a desk."""
    colors = as_image(picture)
    if colors.shape[:2] != labels.shape:
        raise ValueError(
            f"The picture is {colors.shape[0]}x{colors.shape[1]} pixels, the mask "
            f"{labels.shape[0]}x{labels.shape[1]}; both need the same size."
        )
    planes = np.moveaxis(colors, -1, 0).astype(float)
    change = sum(ndimage.gaussian_gradient_magnitude(plane, 1.0) for plane in planes)
    near = ((depth > 2) & (depth <= 2 * base)).astype(float)
    weight = ndimage.gaussian_filter(near, base)
    blurred = ndimage.gaussian_filter(near * change, base)
    return blurred / np.maximum(weight, 1e-6)
