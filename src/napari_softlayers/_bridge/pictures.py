"""The one reader of pictures: napari layers and arrays -> what the screen shows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.arrays import FloatArray, to_numpy
from napari_softlayers._core.cache import content_key
from napari_softlayers._core.checks import whole, wholes
from napari_softlayers._core.picture import (
    check_channels,
    fill_hidden,
    largest,
    read_picture,
)
from napari_softlayers._recipes import Frame, Input, Look

from .places import (
    Grid,
    frame_shape,
    identity_of,
    is_layer,
    levels_of,
    not_a,
    step_of,
    viewer_of,
)

GRAY = "gray"
SINCE = "these layers had been computed, which show what it held before; compute them"


@dataclass(frozen=True)
class Picture:
    """One frame of an image as float32 RGB, and where it came from.

    ``data`` ``(H, W, 3)``, in [0, 1]: as the screen shows it: contrast limits, gamma and
    colormap are in it. ``alpha`` ``(H, W)``: the picture's own; None where it is opaque.
    ``dtype``: uint8, uint16 or float32: what results are shown in. ``layer``, ``grid``:
    the source and its pixels in the world; None for an array. ``frame``: how it was
    taken. ``input``: what tells it from any other.
    """

    data: FloatArray
    alpha: FloatArray | None = None
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    name: str = "picture"
    layer: Any = None
    grid: Grid | None = None
    frame: Frame = Frame()
    input: Input = Input(value="array")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.data.shape[0], self.data.shape[1]

    @property
    def words(self) -> str:
        """Which plane of a stack it is, in words; none where there is but one."""
        return "" if self.grid is None else self.grid.words()


def picture_of(
    source: Any,
    *,
    channels: tuple[int, ...] | None = None,
    step: Sequence[int] | None = None,
    megapixels: float | None = None,
    level: int | None = None,
    nan: str = "refuse",
    look: Look | None = None,
) -> Picture:
    """Read a picture from a napari image layer or an array.

    ``source`` napari Image layer, array_like or Picture: see `read_picture` for arrays;
    of a layer, what the screen shows: the values between its contrast limits, with its
    gamma and its colormap. ``channels``: one to three as red, green and blue, along the
    last axis of an array or the third-last of a layer. ``step``: frame of a stack, one
    index for every axis before the picture's own; the one that the layer's viewer shows
    by default. ``megapixels``: working size: of a multiscale layer, the smallest level
    that still has it is read; ``level`` instead names the level; the full one by
    default. ``nan`` {"refuse", "fill"}: NaN and infinite values are an error, or
    transparent pixels. ``look``: instead of the layer's own. Raises TypeError,
    ValueError when the layer is no image, or the values or the shape do not fit.
    """
    if isinstance(source, Picture):
        return source
    if not is_layer(source):
        if step is not None or level is not None:
            raise ValueError(
                f"step={step}, level={level} came with an array; they choose a frame of "
                "a napari layer. Index the array instead."
            )
        data, alpha = read_picture(source, channels, nan)
        frame = Frame(channels=channels, nan=nan)
        return Picture(data, alpha, result_dtype_of(source), frame=frame)
    if not hasattr(source, "rgb") or not hasattr(levels_of(source)[0], "shape"):
        raise not_a("an Image layer", source)
    grid, level = grid_of(
        source, channels=channels, step=step, megapixels=megapixels, level=level
    )
    values = _frame_values(source, level, grid, channels)
    look = look_of(source, values) if look is None else look
    try:
        data, alpha = looked(values, look, channels, nan, source.colormap)
    except (TypeError, ValueError) as error:
        raise type(error)(f"'{source.name}': {error}") from error
    frame = Frame(
        step=grid.step or None, channels=channels, level=level, nan=nan, look=look
    )
    digest = content_key(np.asarray(values))
    given = Input(name=source.name, id=identity_of(source), digest=digest)
    dtype = result_dtype_of(source)
    return Picture(data, alpha, dtype, source.name, source, grid, frame, given)


def picture_again(source: Any, frame: Frame) -> Picture:
    """Read the frame of an image that a result was made from, as it was taken then.

    The layer's contrast limits, gamma and colormap of now do not matter.
    """
    return picture_of(
        source,
        channels=frame.channels,
        step=frame.step,
        level=frame.level,
        nan=frame.nan,
        look=frame.look or Look(),
    )


class ChangedError(ValueError):
    """A layer holds another picture than the one that was read from it."""


def check_unchanged(picture: Picture, since: str) -> None:
    """Make sure that a picture's layer still holds what was read from it.

    ``since``: for the message: what happened after reading it, and what to do "again".
    Raises ChangedError when it holds anything else.
    """
    layer, frame = picture.layer, picture.frame
    if layer is None:
        return
    try:
        grid, level = grid_of(
            layer, channels=frame.channels, step=frame.step, level=frame.level
        )
        values = _frame_values(layer, level, grid, frame.channels)
        if content_key(np.asarray(values)) == picture.input.digest:
            return
    except (ValueError, IndexError):  # it has no such frame any more
        pass
    raise ChangedError(f"'{layer.name}' was changed after {since} again.")


def warn_if_changed(picture: Picture) -> None:
    """Say where a picture's layer holds another one than was read from it."""
    try:
        check_unchanged(picture, SINCE)
    except ChangedError as error:
        warnings.warn(str(error), UserWarning, stacklevel=3)


def result_dtype_of(array: Any) -> np.dtype[Any]:
    """Choose uint8, uint16 or float32 for results of an array or an image layer."""
    array = levels_of(array)[0] if is_layer(array) else array
    own = getattr(array, "dtype", None)
    dtype = own if isinstance(own, np.dtype) else to_numpy(array, "picture").dtype
    if dtype.kind == "f":
        return np.dtype(np.float32)
    return np.dtype(np.uint8 if dtype.itemsize == 1 else np.uint16)


def grid_of(
    layer: Any,
    *,
    channels: tuple[int, ...] | None = None,
    step: Sequence[int] | None = None,
    megapixels: float | None = None,
    level: int | None = None,
) -> tuple[Grid, int]:
    """The pixel grid of a frame of an image layer, and its level; reads no pixel.

    Raises ValueError when the layer has no such frame, level or axis of channels.
    """
    levels = levels_of(layer)
    if level is None:
        level = _nearest_level(layer, megapixels)
    level = whole(level, "level")
    if not 0 <= level < len(levels):
        raise ValueError(
            f"'{layer.name}' has {len(levels)} levels and level={level} was asked for; "
            "they are numbered from 0, the full one."
        )
    axis = channels is not None and not layer.rgb
    if axis and layer.ndim < 3:
        raise ValueError(
            f"'{layer.name}' has no channel axis (shape {tuple(levels[0].shape)}); "
            "leave channels empty."
        )
    leading = int(layer.ndim) - (3 if axis else 2)
    index = _frame_index(layer, levels[level].shape[:leading], step)
    many = int(levels[level].shape[-3]) if axis else 0
    return Grid(layer, frame_shape(layer, level), index, many), level


def _nearest_level(layer: Any, megapixels: float | None) -> int:
    """Choose the coarsest level that still has the working size."""
    if megapixels is None:
        return 0
    sizes = [math.prod(frame_shape(layer, k)) for k in range(len(levels_of(layer)))]
    enough = [k for k, size in enumerate(sizes) if size >= megapixels * 1e6]
    return max(enough, default=0)


def _frame_index(
    layer: Any, leading: tuple[int, ...], step: Sequence[int] | None
) -> tuple[int, ...]:
    """Index of the wanted frame along the leading axes, checked."""
    if not leading:
        return ()
    if step is None:
        step = step_of(viewer_of(layer), layer)
    index = tuple(wholes(step, "step"))[: len(leading)]
    inside = all(-n <= i < n for i, n in zip(index, leading, strict=False))
    if len(index) < len(leading) or not inside:
        raise ValueError(
            f"'{layer.name}' is a stack of shape {tuple(leading)} and frame "
            f"{index} was asked for; give one index inside the shape for each of "
            "these axes."
        )
    return tuple(i % n for i, n in zip(index, leading, strict=True))


def _frame_values(
    layer: Any, level: int, grid: Grid, channels: tuple[int, ...] | None
) -> NDArray[Any]:
    """Values of a frame as the layer has them, channels last."""
    array = levels_of(layer)[level]
    frame = array[grid.step] if grid.step else array
    frame = frame if isinstance(frame, np.ma.MaskedArray) else np.asarray(frame)
    return np.moveaxis(frame, 0, -1) if grid.channels else frame


def look_of(layer: Any, values: NDArray[Any]) -> Look | None:
    """What a layer does to its values on the way to the screen; None where nothing.

    napari shows ``clip((value - low) / (high - low)) ** gamma``, also of colours, and of
    a single channel the colormap's colour of that.
    """
    low, high = (float(value) for value in layer.contrast_limits)
    plain = values.dtype.itemsize == 1 and (low, high) == (0.0, largest(values.dtype))
    limits = None if plain or high <= low else (low, high)
    gamma = float(layer.gamma)
    name = None if layer.rgb else str(layer.colormap.name)
    if limits is None and gamma == 1 and name in (None, GRAY):
        return None
    return Look(limits=limits, gamma=gamma, colormap=None if name == GRAY else name)


def looked(
    values: NDArray[Any],
    look: Look | None,
    channels: tuple[int, ...] | None = None,
    nan: str = "refuse",
    colormap: Any = None,
) -> tuple[FloatArray, FloatArray | None]:
    """Colours and alpha of a frame as the screen shows them."""
    if channels is not None:
        check_channels(channels)
    data, alpha = read_picture(_within(values, look), channels, nan)
    if look is None:
        return data, alpha
    if look.gamma != 1:
        data = data ** np.float32(look.gamma)
    if look.colormap is not None and channels is None:
        data, clear = _mapped(colormap, look.colormap, data[..., 0])
        if clear is not None:
            alpha = clear if alpha is None else alpha * clear
            data = fill_hidden(data, alpha > 0)
    return data, alpha


def _within(values: NDArray[Any], look: Look | None) -> NDArray[Any]:
    """Values between the contrast limits as [0, 1]; an alpha keeps its own range."""
    if look is None or look.limits is None:
        return values
    low, high = look.limits
    scaled = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    if values.dtype.kind == "f":
        scaled[np.isinf(values)] = np.nan  # refused or filled as NaN is
    if values.ndim == 3 and values.shape[-1] == 4:
        own = values[..., 3] / largest(values.dtype)
        scaled[..., 3] = np.clip(own, 0, 1)
    return scaled


def _mapped(
    own: Any, name: str, values: FloatArray
) -> tuple[FloatArray, FloatArray | None]:
    """Colours of a colormap, and its alpha where it has one."""
    from napari.utils.colormaps import ensure_colormap

    try:
        same = str(getattr(own, "name", "")) == name
        colormap = own if same else ensure_colormap(name)
    except KeyError as error:
        raise ValueError(
            f"There is no colormap {name!r} here; give the layer the colormap that it had."
        ) from error
    colors = np.asarray(colormap.map(values.ravel()), np.float32)
    colors = np.clip(colors.reshape(*values.shape, 4), 0, 1)
    alpha = colors[..., 3]
    rgb = np.ascontiguousarray(colors[..., :3])
    return rgb, None if bool((alpha >= 1).all()) else np.ascontiguousarray(alpha)
