"""The one reader of pixel values: any array -> float32 in [0, 1] with its coverage.

Also the way back to a dtype. What has to be guessed is said in a warning.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrays import FloatArray, to_numpy

SCALES = (255, 1023, 4095, 16383, 65535)
"""Largest values of 8, 10, 12, 14 and 16 bits."""
ROUNDING = 1e-4
"""So far may floats lie outside of [0, 1]."""
LEAST_SCALED = 16
"""Floats must reach this to be taken for 0..255: below, they may be overshoots of 1."""
MOST_CHANNELS_FIRST = 16
NAN_RULES = ("refuse", "fill")


class NothingSeen(ValueError):
    """A picture of which every pixel is transparent."""


def read_picture(
    source: Any,
    channels: tuple[int, ...] | None = None,
    nan: str = "refuse",
    white: int | None = None,
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
    white : int, optional
        The value that means 1, where it is known; see `to_unit`.

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
    array, hole = seen_values(source, channels, nan)
    rgb, alpha = (
        _with_alpha(array, white)
        if array.shape[-1] == 4
        else (to_unit(array, white), None)
    )
    if hole is not None:
        alpha = (
            (~hole).astype(np.float32) if alpha is None else np.where(hole, 0, alpha)
        )
    if alpha is None or bool((alpha >= 1).all()):
        return rgb, None
    if not alpha.any():
        raise NothingSeen(
            "Every pixel of the picture is transparent (or masked, or NaN); there is "
            "nothing to take apart. Make it opaque first, for example with "
            "image[..., :3]."
        )
    return fill_hidden(rgb, alpha > 0), alpha.astype(np.float32)


def _with_alpha(
    array: NDArray[Any], white: int | None
) -> tuple[FloatArray, FloatArray]:
    """Colours and alpha of ``(H, W, 4)``; the alpha may have a scale of its own.

    Floats to 255 often come with an alpha to 1. Of integers, an alpha of 65535 says that
    white is 65535, also for dark colours; one that ends at 1, 255, ... is opaque there.
    """
    colors, alpha = array[..., :3], array[..., 3]
    if array.dtype.kind in "fb" or array.dtype.itemsize == 1 and alpha.max() != 1:
        return to_unit(colors, white), to_unit(alpha)
    top, dtype = float(alpha.max()), array.dtype
    if white is None:
        white = common_white(float(colors.max()), top, dtype)
    opaque = white
    if top < white and top in (1, *SCALES):
        opaque = int(top)
        _say(
            f"The picture's alpha has dtype {dtype} and values up to {top:g}, its colours "
            f"have {white} as white; {top:g} was taken as opaque."
        )
    return to_unit(colors, white), to_unit(alpha.astype(np.int64), opaque)


def common_white(colors: float, alpha: float, dtype: np.dtype[Any]) -> int:
    """White of integers whose colours and alpha (0 for none) reach so far; said."""
    own = white_of(colors, dtype)
    white = white_of(max(colors, alpha, own), dtype)
    if own == white or colors == 0:
        say_white(white, max(colors, alpha), dtype)
    else:
        _say(
            f"The picture has dtype {dtype} and colours up to {colors:g} below an alpha "
            f"up to {alpha:g}; {white} was taken as white of both. Of colours with fewer "
            f"bits, divide by {own} first."
        )
    return white


def seen_values(
    source: Any, channels: tuple[int, ...] | None = None, nan: str = "refuse"
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The numbers of a picture that are seen; the others are 0.

    ``source``, ``channels``, ``nan``: see `read_picture`. Returns ``values``
    ``(H, W, 3)`` or, with an alpha, ``(H, W, 4)``: of the source's dtype, not scaled.
    ``hole`` bool ``(H, W)``, or None: where it is masked, or NaN or infinite.
    """
    if nan not in NAN_RULES:
        raise ValueError(f"nan={nan!r} is not known; use 'refuse' or 'fill'.")
    array, masked = as_numbers(source, "picture")
    _check_shape(array.shape, channels)
    array = _choose_channels(array if array.ndim == 3 else array[..., None], channels)
    hole: NDArray[np.bool_] | None = None
    if masked is not None:
        masked = masked if masked.ndim == 3 else masked[..., None]
        hole = np.any(_choose_channels(masked, channels), axis=-1)
    if array.dtype.kind == "f":
        hole = _with_broken(array, hole, nan)
    seen = None if hole is None else ~hole[..., None]
    if array.shape[-1] == 4:
        shown = array[..., 3:] != 0
        seen = shown if seen is None else seen & shown
    if seen is not None:
        array = np.where(seen, array, np.zeros((), array.dtype))
    return array, hole


def as_image(image: Any, channels: tuple[int, ...] | None = None) -> FloatArray:
    """Only the colours ``(H, W, 3)`` of `read_picture`."""
    return read_picture(image, channels)[0]


def fill_hidden(values: FloatArray, visible: NDArray[np.bool_]) -> FloatArray:
    """Give hidden pixels the values of the nearest visible ones, ``(H, W, C)``."""
    if visible.all() or not visible.any():
        return values
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(
        ~visible, return_distances=False, return_indices=True
    )
    return np.ascontiguousarray(values[tuple(nearest)])


def as_numbers(source: Any, what: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Read any array of numbers, and where it is masked.

    Raises TypeError, ValueError when it is no array of real numbers with something in
    it.
    """
    mask = None
    if isinstance(source, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(source)
        source = source.filled(0) if mask.any() else source.data
        mask = mask if mask.any() else None
    array = to_numpy(_in_rgb(source), what)
    if array.size == 0:
        raise ValueError(
            f"The {what} has shape {array.shape}: there is nothing in it; at least one "
            "pixel is needed."
        )
    return array, mask


def _in_rgb(source: Any) -> Any:
    """A PIL image of palette indices or other colours as RGB; all else as it came."""
    mode = getattr(source, "mode", None)
    if not isinstance(mode, str) or not hasattr(source, "getbands"):
        return source
    if mode == "1" or mode[0] in "LIF" and len(source.getbands()) == 1:
        return source
    return source.convert("RGBA" if source.has_transparency_data else "RGB")


def _check_shape(shape: tuple[int, ...], channels: tuple[int, ...] | None) -> None:
    """Refuse shapes that are no picture; planes first are recognised and named."""
    if len(shape) == 3 and _planes_first(shape, channels):
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


def _planes_first(shape: tuple[int, ...], channels: tuple[int, ...] | None) -> bool:
    """Whether a shape is much rather ``(C, H, W)`` than ``(H, W, C)``."""
    few = shape[0] <= MOST_CHANNELS_FIRST and shape[0] < min(shape[1:])
    if not few or shape[2] in (1, 3, 4):
        return False
    return channels is None or max(check_channels(channels)) < shape[0]


def _choose_channels(
    array: NDArray[Any], channels: tuple[int, ...] | None
) -> NDArray[Any]:
    """Three channels of ``(H, W, C)``, or four where the last one is an alpha."""
    count = array.shape[-1]
    if channels is None:
        if count == 1:
            return np.repeat(array, 3, axis=-1)
        if count in (3, 4):
            return array
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
    """One to three whole numbers. Raises TypeError, ValueError."""
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


def _with_broken(
    array: NDArray[Any], hole: NDArray[np.bool_] | None, nan: str
) -> NDArray[np.bool_] | None:
    """Holes, and where values are NaN or infinite; an error unless to be filled.

    What lies below an alpha of 0 or a mask is not seen and may be anything.
    """
    broken = ~np.isfinite(array)
    if not broken.any():
        return hole
    count = broken if hole is None else broken & ~hole[..., None]
    if array.shape[-1] == 4:
        count = count & (array[..., 3:] != 0)
    if nan == "refuse" and count.any():
        raise ValueError(
            f"The picture has NaN or infinite values in {int(count.any(-1).sum())} "
            "pixels; use nan='fill' to take these as transparent, or replace the values "
            "first, for example with numpy.nan_to_num."
        )
    bad = broken.any(axis=-1)
    return bad if hole is None else hole | bad


def white_of(top: float, dtype: np.dtype[Any]) -> int:
    """The value that means 1 for numbers that reach ``top``.

    Raises ValueError when it cannot be known.
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


def to_unit(array: NDArray[Any], white: int | None = None) -> FloatArray:
    """Scale pixel values to [0, 1]; refuse values that have no meaning.

    uint8 and bool by their dtype. Wider integers, and floats that reach 16 and more, by
    the smallest of 255, 1023, 4095, 16383, 65535 (8 to 16 bits) that holds the largest
    one, which is said in a warning unless it is the dtype's own. Other floats must lie
    in [0, 1].

    ``white``: the value that means 1, where it is known; larger ones are an error.
    Returns float32 of the same shape. Raises ValueError when values are negative, NaN,
    or too large to say what white is.
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
    if white is None:
        white = white_of(high, array.dtype)
        say_white(white, high, array.dtype)
    if high > white * (1 + ROUNDING):
        raise ValueError(
            f"The picture has {array.dtype} values from {low:g} to {high:g}; values in "
            f"[0, {white}] are needed. Clip them with numpy.clip, or divide by the "
            "largest possible value."
        )
    return np.clip(array / np.float64(white), 0, 1).astype(np.float32)


def say_white(white: int, top: float, dtype: np.dtype[Any]) -> None:
    """Warn of what was taken as white, unless the dtype says it or all is black."""
    if top > 0 and white != largest(dtype):
        _say(
            f"The picture has dtype {dtype} and values up to {top:g}; {white} was taken "
            f"as white ({white.bit_length()} bits a channel)."
        )


def _say(words: str) -> None:
    warnings.warn(words, UserWarning, stacklevel=5)


def largest(dtype: DTypeLike) -> float:
    """What means 1 in a dtype: 1 for floats and bool, else the largest integer."""
    kind = np.dtype(dtype)
    return float(np.iinfo(kind).max) if kind.kind in "ui" else 1.0


def to_dtype(values: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Convert values in [0, 1] to uint8, uint16 or a float dtype, with rounding."""
    target = layer_dtype(dtype)
    if target.kind == "f":
        return values.astype(target)
    top = largest(target)
    kind = np.float32 if target.itemsize == 1 else np.float64
    scaled = np.clip(values, 0, 1).astype(kind) * kind(top) + kind(0.5)
    return scaled.astype(target)


def layer_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """A dtype that layers can have: uint8, uint16 or floats.

    Raises
    ------
    ValueError
    """
    try:
        target = np.dtype(dtype)
    except TypeError:
        target = None
    if (
        dtype is None
        or target is None
        or not (target.kind == "f" or target in (np.uint8, np.uint16))
    ):
        name = repr(dtype) if target is None or dtype is None else str(target)
        raise ValueError(
            f"dtype {name} is not supported for layers; use uint8, uint16 or float32."
        )
    return target


def from_dtype(values: NDArray[Any]) -> FloatArray:
    """Stored values of a layer (uint8, uint16, float) -> float32 in [0, 1]."""
    if values.dtype.kind == "f":
        return np.clip(np.nan_to_num(values), 0, 1).astype(np.float32)
    return (values / np.float64(largest(values.dtype))).astype(np.float32)
