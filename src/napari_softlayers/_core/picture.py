"""Any picture array -> float32 RGB in [0, 1], and the way back to its dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

FloatArray = NDArray[np.float32]


def as_image(image: Any, channels: tuple[int, ...] | None = None) -> FloatArray:
    """Convert a picture to float32 RGB.

    Parameters
    ----------
    image : array_like
        ``(H, W)`` grey, ``(H, W, 1)`` grey, ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA
        (alpha is dropped) or, with ``channels``, ``(H, W, C)``. Unsigned integers are
        divided by their largest value; floats must lie in [0, 1]; bool is 0 and 1.
    channels : tuple of int, optional
        One to three channels (last axis) to be used as red, green and blue; one channel
        becomes grey, a missing third one is black.

    Returns
    -------
    ndarray of float32, ``(H, W, 3)``
        sRGB values as stored, in [0, 1].

    Raises
    ------
    TypeError
        When the values are not real numbers.
    ValueError
        When the shape does not fit, values are NaN, infinite or outside the range.
    """
    array = np.asarray(image)
    if array.dtype.kind not in "uifb":
        raise TypeError(
            f"The picture has dtype {array.dtype}; integers, floats or bool are needed."
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.size == 0:
        raise ValueError(
            f"The picture has shape {np.shape(image)}; (H, W), (H, W, 3) or (H, W, 4) "
            "is needed. Choose one frame of a stack first."
        )
    return _to_unit_range(_choose_channels(array, channels))


def _choose_channels(
    array: NDArray[Any], channels: tuple[int, ...] | None
) -> NDArray[Any]:
    """Reduce ``(H, W, C)`` to three channels."""
    count = array.shape[-1]
    if channels is None:
        if count == 1:
            return np.repeat(array, 3, axis=-1)
        if count in (3, 4):
            return array[..., :3]
        raise ValueError(
            f"The picture has {count} channels; 1, 3 or 4 are needed. Name up to three "
            "of them with channels=(red, green, blue)."
        )
    if not 1 <= len(channels) <= 3 or any(not -count <= c < count for c in channels):
        raise ValueError(
            f"channels={channels} does not fit a picture with {count} channels; give "
            f"one to three numbers from 0 to {count - 1}."
        )
    chosen = array[..., list(channels)]
    if len(channels) == 1:
        return np.repeat(chosen, 3, axis=-1)
    if len(channels) == 2:
        return np.concatenate([chosen, np.zeros_like(chosen[..., :1])], axis=-1)
    return chosen


def _to_unit_range(array: NDArray[Any]) -> FloatArray:
    """Scale to [0, 1] by dtype; refuse values that have no meaning."""
    if array.dtype.kind == "b":
        return array.astype(np.float32)
    if array.dtype.kind == "u":
        return (array / np.float64(np.iinfo(array.dtype).max)).astype(np.float32)
    if array.dtype.kind == "i":
        if array.min() < 0:
            raise ValueError(
                f"The picture has dtype {array.dtype} and values down to "
                f"{array.min()}; values from 0 are needed. Rescale it first."
            )
        return (array / np.float64(np.iinfo(array.dtype).max)).astype(np.float32)
    if not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise ValueError(
            f"The picture has {bad} NaN or infinite values; replace them first, for "
            "example with numpy.nan_to_num."
        )
    low, high = float(array.min()), float(array.max())
    if low < -1e-4 or high > 1 + 1e-4:
        raise ValueError(
            f"The picture has float values from {low:g} to {high:g}; values in [0, 1] "
            "are needed. Divide by the largest value first."
        )
    return np.clip(array, 0, 1).astype(np.float32)


def to_dtype(values: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Convert values in [0, 1] to uint8, uint16 or a float dtype, with rounding."""
    target = np.dtype(dtype)
    if target.kind == "f":
        return values.astype(target)
    if target.kind != "u":
        raise ValueError(
            f"dtype {target} is not supported for layers; use uint8, uint16 or float32."
        )
    top = float(np.iinfo(target).max)
    kind = np.float32 if target.itemsize == 1 else np.float64
    scaled = np.clip(values, 0, 1).astype(kind) * kind(top) + kind(0.5)
    return scaled.astype(target)
