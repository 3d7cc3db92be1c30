"""User masks of palette layers (Fig. 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray
from .selection import merge_duplicates

Masks = ArrayLike | Mapping[int, ArrayLike]


def as_masks(
    mask: Masks | None, colors: NDArray[Any], picture: FloatArray
) -> FloatArray | None:
    """Check the user's masks and bring them to one form.

    ``mask`` ``(K, H, W)``, dict of int to ``(H, W)``, or None. ``colors`` ``(K, 3)``:
    the palette that the masks were made for; masks of equal colours unite. ``picture``
    ``(H, W, 3)``. Returns float32 ``(K', H, W)``, or None: in [0, 1], one mask a
    distinct colour. Raises ValueError when sizes, numbers or values do not fit.
    """
    if mask is None:
        return None
    size = picture.shape[:2]
    if isinstance(mask, Mapping):
        masks = np.ones((len(colors), *size), np.float32)
        for place, values in mask.items():
            if not 0 <= place < len(colors):
                raise ValueError(
                    f"A mask came for colour {place}; the palette has {len(colors)}, "
                    "numbered from 0."
                )
            masks[place] = _one_mask(values, size)
    else:
        stack = np.asarray(mask)
        if stack.ndim != 3 or len(stack) != len(colors):
            raise ValueError(
                f"mask has shape {stack.shape}; one mask a palette colour is needed: "
                f"{(len(colors), *size)}, or a dict of place to mask."
            )
        masks = np.stack([_one_mask(values, size) for values in stack])
    distinct, index = merge_duplicates(colors)
    merged = np.zeros((len(distinct), *size), np.float32)
    np.maximum.at(merged, index, masks)
    return merged


def _one_mask(values: ArrayLike, size: tuple[int, ...]) -> FloatArray:
    """One mask as float32 in [0, 1]; 8-bit masks are divided by 255."""
    mask = np.asarray(values)
    if mask.shape != size:
        raise ValueError(
            f"A mask has shape {mask.shape}; the picture is {size[0]}x{size[1]}, and a "
            "mask must have the same height and width. Resize it first."
        )
    if mask.dtype == np.uint8:
        mask = mask / np.float32(255)
    mask = mask.astype(np.float32)
    if not np.isfinite(mask).all() or mask.min() < 0 or mask.max() > 1:
        raise ValueError(
            f"A mask has values from {mask.min():g} to {mask.max():g}; values in [0, 1] "
            "are needed."
        )
    return mask
