"""Arrays that hold one value a pixel: labels, trimaps and masks of any origin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import as_numbers

TrimapArray = NDArray[np.int32]


def read_labels(array: ArrayLike, shape: tuple[int, int] | None = None) -> TrimapArray:
    """Read regions of a picture, one number a pixel.

    ``array`` ``(H, W)``: integers from 0, whole floats or bool. Masked pixels become 0.
    ``shape`` ``(H, W)``: size of the picture that they belong to. Returns int32
    ``(H, W)``: the numbers as they came. Raises TypeError when the values are not
    numbers; ValueError when size or values do not make a label image.
    """
    values, _ = plain_array(array, "label image", shape)
    values = one_channel(values, "label image")
    if not is_whole(values):
        odd = float(values[values != np.rint(values)][0])
        raise ValueError(
            f"The label image has the value {odd:g}; whole numbers are needed, one for "
            "each region."
        )
    return as_int32(values, "label image")


def plain_array(
    array: Any, what: str, shape: tuple[int, int] | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Bring anything like an array to finite numbers from 0.

    ``array`` ``(H, W)`` or ``(H, W, C)``: lists, arrays, masked arrays, tensors of any
    device. ``what``: its name in messages. ``shape`` ``(H, W)``: the height and width
    that are needed. Returns ``values`` ``(H, W)`` or ``(H, W, C)``, C from 1 to 4:
    bool, integers or floats. ``hidden`` bool ``(H, W)`` or None: the pixels of a masked
    array that are masked, if there are any.
    """
    values, mask = as_numbers(array, what)
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    _check_axes(values, what)
    if shape is not None and values.shape[:2] != tuple(shape):
        raise ValueError(
            f"The {what} is {values.shape[0]}x{values.shape[1]} pixels, the picture "
            f"{shape[0]}x{shape[1]}; both need the same height and width."
        )
    hidden: NDArray[np.bool_] | None = None
    if mask is not None:
        hidden = np.any(mask.reshape(*values.shape[:2], -1), axis=2)
        if hidden.all():
            raise ValueError(f"Every pixel of the {what} is masked; nothing is known.")
        values[hidden] = 0
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        raise ValueError(
            f"The {what} has {bad} NaN or infinite values; numbers from 0 are needed. "
            "Replace them first, for example with numpy.nan_to_num."
        )
    low = values.min()
    if low < -1e-4:
        raise ValueError(
            f"The {what} has negative values, down to {low:g}; values must not be "
            "below 0. Choose another number for them, or clip them with numpy.clip."
        )
    return np.maximum(values, 0) if low < 0 else values, hidden


def one_channel(values: NDArray[Any], what: str) -> NDArray[Any]:
    """Take the only channel (H, W) of an array; refuse colours."""
    if values.ndim == 2:
        return values
    if values.shape[2] == 1:
        return values[..., 0]
    raise ValueError(
        f"The {what} has shape {values.shape}, which are colours; one value a pixel "
        "(H, W) is needed. Give one channel of it; array[..., -1] is the alpha of RGBA."
    )


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Sorted distinct values; counting small integers is ten times faster."""
    if values.dtype.kind in "biu" and values.min() >= 0 and values.max() < 65536:
        return np.flatnonzero(np.bincount(values.ravel().astype(np.intp, copy=False)))
    return np.unique(values)


def is_whole(values: NDArray[Any]) -> bool:
    """Tell whether every value is a whole number."""
    return values.dtype.kind != "f" or bool((values == np.rint(values)).all())


def as_int32(values: NDArray[Any], what: str) -> TrimapArray:
    """Convert whole numbers; refuse those that are too large."""
    if values.max() >= 2**31:
        raise ValueError(
            f"The {what} has the label {values.max():g}, which is too large; number "
            "the labels 1, 2, 3, ..."
        )
    return values.astype(np.int32)


def _check_axes(values: NDArray[Any], what: str) -> None:
    """Refuse what is not (H, W) or (H, W, channels)."""
    size = values.shape
    if values.ndim == 2 or values.ndim == 3 and size[2] <= 4:
        return
    advice = ""
    if values.ndim == 3 and size[0] in (3, 4):
        advice = " Channels come last: np.moveaxis(array, 0, -1)."
    elif values.ndim > 2:
        advice = " Choose one frame first: array[0]."
    raise ValueError(
        f"The {what} has shape {size}; one value a pixel (H, W) is needed.{advice}"
    )
