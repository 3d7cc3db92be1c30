"""The one reader of pixel values: any array -> float32 in [0, 1] with its coverage.

Also the way back to a dtype. What has to be guessed is said in a warning.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrays import FloatArray, Mask, as_numbers
from .checks import one_of, wholes

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

    ``source`` array_like: ``(H, W)`` or ``(H, W, 1)`` grey, ``(H, W, 3)`` RGB, ``(H, W,
    4)`` RGBA or, with ``channels``, ``(H, W, C)``: NumPy, dask, zarr, masked arrays
    (masked is transparent), torch tensors, nested lists. ``channels``: one to three
    (last axis) as red, green and blue; one channel becomes grey, a missing third one is
    black. ``nan`` {"refuse", "fill"}: NaN and infinite values are an error, or
    transparent pixels. ``white``: the value that means 1, where it is known; see
    `to_unit`, also for the values.

    Returns ``rgb`` float32 ``(H, W, 3)``: sRGB values as stored, in [0, 1]. Where
    nothing is covered, the colours of the nearest pixels that are: what is hidden takes
    no part in anything. ``alpha`` float32 ``(H, W)``: the picture's own; None where it
    is opaque. Raises TypeError when the values are not real numbers, ValueError when
    the shape does not fit or the values make no picture.
    """
    array, hole = seen_values(source, channels, nan)
    alpha: FloatArray | None = None
    if array.shape[-1] == 4:
        rgb, alpha = with_alpha(array, white)
    else:
        rgb = to_unit(array, white)
    if hole is not None:
        alpha = np.where(hole, np.float32(0), np.float32(1) if alpha is None else alpha)
    if alpha is None or bool((alpha >= 1).all()):
        return rgb, None
    if not alpha.any():
        raise NothingSeen(
            "Every pixel of the picture is transparent (or masked, or NaN); there is "
            "nothing to take apart. Make it opaque first, for example with "
            "image[..., :3]."
        )
    return fill_hidden(rgb, alpha > 0), alpha


def with_alpha(array: NDArray[Any], white: int | None) -> tuple[FloatArray, FloatArray]:
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
    """White of values whose colours and alpha (0: none) reach so far; guesses are said."""
    own = white_of(colors, dtype)
    top = max(colors, alpha)
    white = white_of(max(top, own), dtype)
    if own != white and colors > 0:
        _say(
            f"The picture has dtype {dtype} and colours up to {colors:g} below an alpha "
            f"up to {alpha:g}; {white} was taken as white of both. Of colours with fewer "
            f"bits, divide by {own} first."
        )
    elif top > 0 and white != largest(dtype):
        _say(
            f"The picture has dtype {dtype} and values up to {top:g}; {white} was taken "
            f"as white ({white.bit_length()} bits a channel)."
        )
    return white


def seen_values(
    source: Any, channels: tuple[int, ...] | None = None, nan: str = "refuse"
) -> tuple[NDArray[Any], Mask | None]:
    """The numbers of a picture that are seen; the others are 0.

    ``source``, ``channels``, ``nan``: see `read_picture`. Returns ``values``
    ``(H, W, 3)`` or, with an alpha, ``(H, W, 4)``: of the source's dtype, not scaled.
    ``hole`` bool ``(H, W)``, or None: where it is masked, or NaN or infinite.
    """
    one_of(nan, "nan", NAN_RULES)
    array, masked = as_numbers(_in_rgb(source), "picture")
    _check_shape(array.shape, channels)
    array = _choose_channels(np.atleast_3d(array), channels)
    hole: Mask = np.zeros(array.shape[:2], bool)
    if masked is not None:
        hole = np.any(_choose_channels(np.atleast_3d(masked), channels), axis=-1)
    hidden = hole | (array[..., 3] == 0) if array.shape[-1] == 4 else hole
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        broken = ~finite.all(axis=-1)
        count = int((broken & ~hidden).sum())  # what is hidden may be anything
        if nan == "refuse" and count:
            raise ValueError(
                f"The picture has NaN or infinite values in {count} pixels; use "
                "nan='fill' to take these as transparent, or replace the values first, "
                "for example with numpy.nan_to_num."
            )
        hole, hidden = hole | broken, hidden | broken
    if hidden.any():
        array = np.where(hidden[..., None], np.zeros((), array.dtype), array)
    return array, hole if hole.any() else None


def as_image(image: Any, channels: tuple[int, ...] | None = None) -> FloatArray:
    """Only the colours ``(H, W, 3)`` of `read_picture`."""
    return read_picture(image, channels)[0]


def fill_hidden(values: FloatArray, visible: Mask) -> FloatArray:
    """Give hidden pixels the values of the nearest visible ones, ``(H, W, C)``."""
    if visible.all() or not visible.any():
        return values
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(
        ~visible, return_distances=False, return_indices=True
    )
    return np.ascontiguousarray(values[tuple(nearest)])


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
    if (
        len(shape) == 3
        and shape[0] <= MOST_CHANNELS_FIRST
        and shape[0] < min(shape[1:])
    ):
        fits = channels is None or max(check_channels(channels)) < shape[0]
        if fits and shape[2] not in (1, 3, 4):
            raise ValueError(
                f"The picture has shape {shape}: its {shape[0]} channels come first. Put "
                "them last with np.moveaxis(image, 0, -1), or choose one plane."
            )
    if len(shape) != 3 and (len(shape) != 2 or channels is not None):
        more = " and no channels" if len(shape) == 2 else ""
        raise ValueError(
            f"The picture has shape {shape}{more}; (H, W), (H, W, 3) or (H, W, 4) is "
            "needed. Choose one frame of a stack first."
        )


def _choose_channels(
    array: NDArray[Any], channels: tuple[int, ...] | None
) -> NDArray[Any]:
    """Three channels of ``(H, W, C)``, or four where the last one is an alpha."""
    count = array.shape[-1]
    if channels is not None:
        wanted = check_channels(channels)
        if any(not -count <= c < count for c in wanted):
            raise ValueError(
                f"channels={channels} does not fit a picture with {count} channels; give "
                f"one to three numbers from 0 to {count - 1}."
            )
        array = array[..., list(wanted)]
    elif count not in (1, 3, 4):
        raise ValueError(
            f"The picture has {count} channels; 1, 3 or 4 are needed. Name up to three "
            "of them with channels=(red, green, blue); where they come first, put them "
            "last with np.moveaxis(image, 0, -1)."
        )
    if array.shape[-1] == 1:
        return np.repeat(array, 3, axis=-1)
    if array.shape[-1] == 2:
        return np.concatenate([array, np.zeros_like(array[..., :1])], axis=-1)
    return array


def check_channels(channels: Any) -> tuple[int, ...]:
    """One to three whole numbers. Raises TypeError, ValueError."""
    wanted = wholes(channels, "channels")
    if not 1 <= len(wanted) <= 3:
        raise ValueError(
            f"channels={channels!r} names {len(wanted)} channels; one to three can be "
            "shown as red, green and blue."
        )
    return tuple(wanted)


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
        scales.append(int(largest(dtype)))
    fitting = [scale for scale in scales if scale >= top]
    if not fitting:
        raise ValueError(
            f"The picture has dtype {dtype} and values up to {top:g}; it is not known "
            "what white is above 65535. Divide by the largest possible value first."
        )
    return fitting[0] if top > 0 else max(scales)


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
        white = common_white(high, 0, array.dtype)
    if high > white * (1 + ROUNDING):
        raise ValueError(
            f"The picture has {array.dtype} values from {low:g} to {high:g}; values in "
            f"[0, {white}] are needed. Clip them with numpy.clip, or divide by the "
            "largest possible value."
        )
    scaled = array if white == 1 else array / np.float64(white)
    return np.clip(scaled, 0, 1).astype(np.float32, copy=False)


def _say(words: str) -> None:
    warnings.warn(words, UserWarning, stacklevel=5)


def largest(dtype: DTypeLike) -> float:
    """What means 1 in a dtype: 1 for floats and bool, else the largest integer."""
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "ui" else 1.0


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
    """A dtype that layers can have: uint8, uint16 or floats; ValueError for others."""
    target = None
    if dtype is not None:
        with suppress(TypeError):
            target = np.dtype(dtype)
    if target is None or not (target.kind == "f" or target in (np.uint8, np.uint16)):
        name = repr(dtype) if target is None else target
        raise ValueError(
            f"dtype {name} is not supported for layers; use uint8, uint16 or float32."
        )
    return target


def from_dtype(values: NDArray[Any]) -> FloatArray:
    """Stored values of a layer (uint8, uint16, float) -> float32 in [0, 1]."""
    if values.dtype.kind == "f":
        return np.clip(np.nan_to_num(values), 0, 1).astype(np.float32)
    return (values / np.float64(largest(values.dtype))).astype(np.float32)
