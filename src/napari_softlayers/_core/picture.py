"""The one reader of pixel values: any array -> float32 in [0, 1] with its coverage.

Also the way back to a dtype. What has to be guessed is said in a warning.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrays import FloatArray

SCALES = (255, 1023, 4095, 16383, 65535)
"""Largest values of 8, 10, 12, 14 and 16 bits."""
ROUNDING = 1e-4
"""So far may floats lie outside of [0, 1]."""
LEAST_SCALED = 16
"""Floats must reach this to be taken for 0..255: below, they may be overshoots of 1."""
MOST_CHANNELS_FIRST = 16
NAN_RULES = ("refuse", "fill")


def read_picture(
    source: Any, channels: tuple[int, ...] | None = None, nan: str = "refuse"
) -> tuple[FloatArray, FloatArray | None]:
    """Read a picture and how much of each pixel it covers.

    Parameters
    ----------
    source : array_like
        ``(H, W)`` or ``(H, W, 1)`` grey, ``(H, W, 3)`` RGB, ``(H, W, 4)`` RGBA or, with
        ``channels``, ``(H, W, C)``: NumPy, dask, zarr, masked arrays (masked is
        transparent), torch tensors, nested lists. See `to_unit` for the values.
    channels : tuple of int, optional
        One to three channels (last axis) as red, green and blue; one channel becomes
        grey, a missing third one is black.
    nan : {"refuse", "fill"}
        What NaN and infinite values are: an error, or transparent pixels.

    Returns
    -------
    rgb : ndarray of float32, ``(H, W, 3)``
        sRGB values as stored, in [0, 1]. Where nothing is covered, the colours of the
        nearest pixels that are: what is hidden takes no part in anything.
    alpha : ndarray of float32, ``(H, W)``, or None
        The picture's own alpha; None where it is opaque.

    Raises
    ------
    TypeError
        When the values are not real numbers.
    ValueError
        When the shape does not fit or the values make no picture.
    """
    if nan not in NAN_RULES:
        raise ValueError(f"nan={nan!r} is not known; use 'refuse' or 'fill'.")
    array, holes = as_numbers(source, "picture")
    _check_shape(array.shape, channels)
    if array.ndim == 2:
        array = array[..., None]
        holes = None if holes is None else holes[..., None]
    broken = _broken(array, nan, channels)
    if broken is not None:
        holes = broken if holes is None else holes | broken
        array = np.where(broken, 0, array)
    alpha = None
    if channels is None and array.shape[-1] == 4:
        alpha = _alpha_of(array)
        if holes is None and not alpha.any():
            raise ValueError(
                "Every pixel of the picture is transparent; there is nothing to take "
                "apart. Make it opaque first, for example with image[..., :3]."
            )
    colors = _choose_channels(array, channels)
    seen = True if alpha is None else alpha[..., None] > 0
    rgb = to_unit(
        colors if alpha is None else np.where(seen, colors, np.zeros((), colors.dtype))
    )
    if holes is not None and holes.any():
        hole = holes.any(axis=-1)
        whole = np.ones(hole.shape, np.float32) if alpha is None else alpha
        alpha = np.where(hole, np.float32(0), whole)
    if alpha is None or bool((alpha >= 1).all()):
        return rgb, None
    return fill_hidden(rgb, alpha > 0), alpha


def as_image(image: Any, channels: tuple[int, ...] | None = None) -> FloatArray:
    """Only the colours ``(H, W, 3)`` of `read_picture`."""
    return read_picture(image, channels)[0]


def fill_hidden(rgb: FloatArray, visible: NDArray[np.bool_]) -> FloatArray:
    """Give hidden pixels the colours of the nearest visible ones, ``(H, W, 3)``."""
    if visible.all() or not visible.any():
        return rgb
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(
        ~visible, return_distances=False, return_indices=True
    )
    return np.ascontiguousarray(rgb[tuple(nearest)])


def as_numbers(source: Any, what: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Read any array of numbers, and where it is masked.

    Raises
    ------
    TypeError, ValueError
        When it is no array of real numbers with something in it.
    """
    if hasattr(source, "detach"):
        source = source.detach().cpu().numpy()
    mask = None
    if isinstance(source, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(source)
        source = source.filled(0) if mask.any() else source.data
        mask = mask if mask.any() else None
    try:
        array = np.asarray(source)
    except (ValueError, TypeError) as error:
        raise TypeError(
            f"The {what} is a {type(source).__name__} that is no array ({error}); an "
            "array of numbers is needed."
        ) from error
    if array.dtype.kind not in "uifb":
        raise TypeError(
            f"The {what} has dtype {array.dtype}; integers, floats or bool are needed."
        )
    if array.size == 0:
        raise ValueError(
            f"The {what} has shape {array.shape}: there is nothing in it; at least one "
            "pixel is needed."
        )
    return array, mask


def _check_shape(shape: tuple[int, ...], channels: tuple[int, ...] | None) -> None:
    """Refuse shapes that are no picture; planes first are recognised and named."""
    first = (
        len(shape) == 3
        and shape[0] <= MOST_CHANNELS_FIRST
        and shape[0] < min(shape[1:])
        and shape[2] > MOST_CHANNELS_FIRST
    )
    if first:
        raise ValueError(
            f"The picture has shape {shape}: its {shape[0]} channels come first. Put "
            "them last with np.moveaxis(image, 0, -1), or choose one plane."
        )
    if len(shape) not in (2, 3) or (len(shape) == 2 and channels is not None):
        more = " and no channels" if channels is not None and len(shape) == 2 else ""
        raise ValueError(
            f"The picture has shape {shape}{more}; (H, W), (H, W, 3) or (H, W, 4) is "
            "needed. Choose one frame of a stack first."
        )


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
            "of them with channels=(red, green, blue); where they come first, put them "
            "last with np.moveaxis(image, 0, -1)."
        )
    wanted = check_channels(channels)
    if any(not -count <= c < count for c in wanted):
        raise ValueError(
            f"channels={channels} does not fit a picture with {count} channels; give "
            f"one to three numbers from 0 to {count - 1}."
        )
    chosen = array[..., list(wanted)]
    if len(wanted) == 1:
        return np.repeat(chosen, 3, axis=-1)
    if len(wanted) == 2:
        return np.concatenate([chosen, np.zeros_like(chosen[..., :1])], axis=-1)
    return chosen


def check_channels(channels: Any) -> tuple[int, ...]:
    """One to three whole numbers.

    Raises
    ------
    TypeError, ValueError
    """
    try:
        wanted = tuple(channels)
    except TypeError:
        wanted = (None,)
    if any(isinstance(c, bool) or not isinstance(c, (int, np.integer)) for c in wanted):
        raise TypeError(
            f"channels={channels!r} came; one to three whole numbers are needed, such "
            "as (0, 1, 2)."
        )
    if not 1 <= len(wanted) <= 3:
        raise ValueError(
            f"channels={channels!r} names {len(wanted)} channels; one to three can be "
            "shown as red, green and blue."
        )
    return tuple(int(c) for c in wanted)


def _broken(
    array: NDArray[Any], nan: str, channels: tuple[int, ...] | None
) -> NDArray[np.bool_] | None:
    """Where values are NaN or infinite; an error unless hidden or to be filled."""
    if array.dtype.kind != "f":
        return None
    broken = ~np.isfinite(array)
    if not broken.any():
        return None
    if channels is None and array.shape[-1] == 4:
        if not (broken & (array[..., 3:] != 0)).any():
            return broken
    elif channels is not None:
        chosen = np.zeros(array.shape[-1], bool)
        chosen[[c for c in check_channels(channels) if c < len(chosen)]] = True
        broken &= chosen
    count = int(broken.sum())
    if count == 0:
        return None
    if nan == "refuse" or count == array.size:
        raise ValueError(
            f"The picture has {count} NaN or infinite values; use nan='fill' to take "
            "their pixels as transparent, or replace them first, for example with "
            "numpy.nan_to_num."
        )
    return broken


def _alpha_of(array: NDArray[Any]) -> FloatArray:
    """Fourth channel in [0, 1], by the dtype or the scale that all channels share."""
    alpha = array[..., 3]
    scale = white_of(float(array.max()), array.dtype)
    return np.clip(alpha.astype(np.float64) / scale, 0, 1).astype(np.float32)


def white_of(top: float, dtype: np.dtype[Any]) -> int:
    """The value that means 1 for numbers that reach ``top``.

    Raises
    ------
    ValueError
        When it cannot be known.
    """
    if dtype.kind == "f" and top < LEAST_SCALED:
        return 1
    if dtype.kind == "b" or dtype.kind in "ui" and dtype.itemsize == 1:
        return int(largest(dtype))
    scales = [s for s in SCALES if dtype.kind == "f" or s <= np.iinfo(dtype).max]
    if dtype == np.int16:
        scales.append(int(np.iinfo(dtype).max))
    fitting = [scale for scale in scales if scale >= top]
    if not fitting:
        raise ValueError(
            f"The picture has dtype {dtype} and values up to {top:g}; it is not known "
            "what white is above 65535. Divide by the largest possible value first."
        )
    if top <= 0:
        return max(scales)
    return fitting[0]


def to_unit(array: NDArray[Any]) -> FloatArray:
    """Scale pixel values to [0, 1]; refuse values that have no meaning.

    uint8 and bool by their dtype. Wider integers, and floats that reach 16 and more, by
    the smallest of 255, 1023, 4095, 16383, 65535 (8 to 16 bits) that holds the largest
    one, which is said in a warning unless it is the dtype's own. Other floats must lie
    in [0, 1].

    Returns
    -------
    ndarray of float32, of the same shape

    Raises
    ------
    ValueError
        When values are negative, NaN, or too large to say what white is.
    """
    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.float32)
    if kind == "u" and array.dtype.itemsize == 1:
        return (array / np.float32(255)).astype(np.float32)
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("The picture has NaN or infinite values; replace them first.")
    if low < (-ROUNDING if kind == "f" else 0):
        raise ValueError(
            f"The picture has values down to {low:g} (dtype {array.dtype}); values from "
            "0 are needed. Rescale it first."
        )
    if kind == "f" and high <= 1 + ROUNDING:
        return np.clip(array, 0, 1).astype(np.float32)
    if kind == "f" and high < LEAST_SCALED:
        raise ValueError(
            f"The picture has float values from {low:g} to {high:g}; values in [0, 1] "
            "are needed. Clip them with numpy.clip, or divide by the largest value."
        )
    scale = white_of(high, array.dtype)
    if high > 0 and (kind == "f" or scale != largest(array.dtype)):
        warnings.warn(
            f"The picture has dtype {array.dtype} and values up to {high:g}; "
            f"{scale} was taken as white ({int(scale).bit_length()} bits a channel).",
            UserWarning,
            stacklevel=3,
        )
    return np.clip(array / np.float64(scale), 0, 1).astype(np.float32)


def largest(dtype: DTypeLike) -> float:
    """What means 1 in a dtype: 1 for floats and bool, else the largest integer."""
    kind = np.dtype(dtype)
    return float(np.iinfo(kind).max) if kind.kind in "ui" else 1.0


def to_dtype(values: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Convert values in [0, 1] to uint8, uint16 or a float dtype, with rounding."""
    target = np.dtype(dtype)
    if target.kind == "f":
        return values.astype(target)
    if target not in (np.uint8, np.uint16):
        raise ValueError(
            f"dtype {target} is not supported for layers; use uint8, uint16 or float32."
        )
    top = largest(target)
    kind = np.float32 if target.itemsize == 1 else np.float64
    scaled = np.clip(values, 0, 1).astype(kind) * kind(top) + kind(0.5)
    return scaled.astype(target)


def from_dtype(values: NDArray[Any]) -> FloatArray:
    """Stored values of a layer (uint8, uint16, float) -> float32 in [0, 1]."""
    if values.dtype.kind == "f":
        return np.clip(np.nan_to_num(values), 0, 1).astype(np.float32)
    return (values / np.float64(largest(values.dtype))).astype(np.float32)
