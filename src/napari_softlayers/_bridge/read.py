"""Layers and arrays -> a float32 picture, a label image, a mask."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.picture import as_image

from .space import frame_shape, is_layer, levels_of, place_in_space

FloatArray = NDArray[np.float32]
DIM_PART = 0.25


@dataclass
class Picture:
    """One frame of an image as float32 RGB, and what is needed to show results on it.

    Parameters
    ----------
    data : ndarray of float32, ``(H, W, 3)``, in [0, 1]
    spatial : dict
        scale, translate, rotate, shear, affine, units, axis_labels of a 2-D layer.
    dtype : dtype
        uint8, uint16 or float32: what results are shown in.
    name : str
    layer : napari layer, optional
        The source; None for an array.
    parameters : dict
        How the frame was taken: ``step``, ``channels``, ``limits``, ``level``; only what
        differs from a plain picture.
    """

    data: FloatArray
    spatial: dict[str, Any] = field(default_factory=dict)
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    name: str = "picture"
    layer: Any = None
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.data.shape[0], self.data.shape[1]


def picture_of(
    source: Any,
    *,
    channels: tuple[int, ...] | None = None,
    step: Sequence[int] | None = None,
    megapixels: float | None = None,
    level: int | None = None,
) -> Picture:
    """Read a picture from a napari image layer or an array.

    Parameters
    ----------
    source : napari Image layer, array_like or Picture
        uint8, uint16, signed, float or bool; grey, RGB, RGBA (alpha is dropped);
        NumPy, dask or zarr; multiscale; a stack, of which one frame is read. Floats
        outside [0, 1], negative integers and integers whose contrast limits end below a
        quarter of their range (a 12-bit camera) are scaled by the contrast limits.
    channels : tuple of int, optional
        One to three channels as red, green and blue: along the last axis of an array or
        the third-last axis of a layer.
    step : sequence of int, optional
        Frame of a stack: one index for every axis before the picture's own. By default
        the frame that the viewer shows.
    megapixels : float, optional
        Working size: of a multiscale layer, the smallest level with at least so many
        megapixels is read. The full level by default.
    level : int, optional
        Level of a multiscale layer, instead of a working size.

    Raises
    ------
    TypeError, ValueError
        When the layer is no image, or the values or the shape do not fit.
    """
    if isinstance(source, Picture):
        return source
    if not is_layer(source):
        return Picture(as_image(source, channels), dtype=_result_dtype(source))
    if not hasattr(source, "rgb") or not hasattr(source.data, "shape"):
        raise TypeError(
            f"'{source.name}' is a {type(source).__name__} layer; an Image layer is "
            "needed."
        )
    if level is None:
        level = _nearest_level(source, megapixels)
    parameters: dict[str, Any] = {"level": level} if level else {}
    if channels is not None:
        parameters["channels"] = tuple(int(c) for c in channels)
    frame, index = _frame_of(source, level, channels, step)
    if index:
        parameters["step"] = index
    frame, limits = _within_limits(source, frame)
    if limits is not None:
        parameters["limits"] = limits
    try:
        data = as_image(frame, channels)
    except ValueError as error:
        raise ValueError(f"'{source.name}': {error}") from error
    place = place_in_space(source, data.shape[:2] if level else None)
    dtype = _result_dtype(levels_of(source)[0])
    return Picture(data, place, dtype, source.name, source, parameters)


def _result_dtype(array: Any) -> np.dtype[Any]:
    """Choose uint8, uint16 or float32 for results of a picture of some dtype."""
    dtype = np.dtype(getattr(array, "dtype", None) or np.asarray(array).dtype)
    if dtype.kind == "f":
        return np.dtype(np.float32)
    return np.dtype(np.uint8 if dtype.itemsize == 1 else np.uint16)


def _nearest_level(layer: Any, megapixels: float | None) -> int:
    """Choose the coarsest level that still has the working size."""
    if megapixels is None or not getattr(layer, "multiscale", False):
        return 0
    enough = 0
    for level in range(len(levels_of(layer))):
        height, width = frame_shape(layer, level)
        if height * width >= megapixels * 1e6:
            enough = level
    return enough


def _frame_of(
    layer: Any,
    level: int,
    channels: tuple[int, ...] | None,
    step: Sequence[int] | None,
) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Cut one frame from a layer, channels last; gives it and its index."""
    array = levels_of(layer)[level]
    inner = 3 if layer.rgb or channels is not None else 2
    if array.ndim < inner:
        raise ValueError(
            f"'{layer.name}' has no channel axis (shape {tuple(array.shape)}); leave "
            "channels empty."
        )
    leading = array.shape[: array.ndim - inner]
    index = _frame_index(layer, leading, step)
    frame = np.asarray(array[index] if index else array)
    if channels is not None and not layer.rgb:
        frame = np.moveaxis(frame, 0, -1)
    return frame, index


def _frame_index(
    layer: Any, leading: tuple[int, ...], step: Sequence[int] | None
) -> tuple[int, ...]:
    """Index of the wanted frame along the leading axes, checked."""
    if not leading:
        return ()
    if step is None:
        step = step_of(_viewer_of(layer), layer)
    index = tuple(int(i) for i in tuple(step)[: len(leading)])
    inside = all(-n <= i < n for i, n in zip(index, leading, strict=False))
    if len(index) < len(leading) or not inside:
        raise ValueError(
            f"'{layer.name}' is a stack of shape {leading} and frame {tuple(step)} was "
            "asked for; give one index inside the shape for each of these axes."
        )
    return index


def step_of(viewer: Any, layer: Any) -> tuple[int, ...]:
    """Frame of a stack that a viewer shows: its index along all but the last two axes.

    Without a viewer, the first frame.
    """
    leading = int(layer.ndim) - 2
    if leading <= 0:
        return ()
    if viewer is None:
        return (0,) * leading
    point = tuple(viewer.dims.point)[-int(layer.ndim) :]
    place = np.asarray(layer.world_to_data(point))[:leading]
    shape = levels_of(layer)[0].shape[:leading]
    return tuple(
        int(np.clip(np.rint(value), 0, size - 1))
        for value, size in zip(place, shape, strict=True)
    )


def _viewer_of(layer: Any) -> Any:
    """Find the open viewer that holds a layer, if there is one."""
    napari = sys.modules.get("napari")
    viewer = napari.current_viewer() if napari is not None else None
    return viewer if viewer is not None and layer in viewer.layers else None


def _within_limits(
    layer: Any, frame: NDArray[Any]
) -> tuple[NDArray[Any], tuple[float, float] | None]:
    """Scale values by the contrast limits where their dtype alone has no meaning."""
    low, high = (float(value) for value in layer.contrast_limits)
    kind = frame.dtype.kind
    if kind == "f":
        if not np.isfinite(frame).all() or frame.size == 0:
            return frame, None
        needed = frame.min() < -1e-4 or frame.max() > 1 + 1e-4
    elif kind in "ui" and frame.dtype.itemsize > 1:
        needed = low < 0 or high < DIM_PART * np.iinfo(frame.dtype).max
    else:
        needed = kind == "i" and low < 0
    if not needed or not high > low:
        return frame, None
    scaled = (frame.astype(np.float64) - low) / (high - low)
    return np.clip(scaled, 0, 1).astype(np.float32), (low, high)


def labels_of(
    source: Any,
    *,
    step: Sequence[int] | None = None,
    shape: tuple[int, int] | None = None,
) -> NDArray[Any]:
    """Cut a label image from a Labels or Image layer or an array, as it is.

    Parameters
    ----------
    source : napari layer or array_like
        ``(H, W)``, or ``(H, W, C)`` in colours; a two-dimensional one serves every frame
        of a stack.
    step : sequence of int, optional
        Frame of a stack; by default the one that the viewer shows.
    shape : (int, int), optional
        When it is a coarser level of the source's own size, the labels are thinned to it
        (nearest pixel).
    """
    if not is_layer(source):
        labels = np.asarray(source)
    else:
        array = levels_of(source)[0]
        rgb = bool(getattr(source, "rgb", False))
        leading = array.shape[: array.ndim - (3 if rgb else 2)]
        index = _frame_index(source, leading, step)
        labels = np.asarray(array[index] if index else array)
    if labels.ndim != 2 and not (labels.ndim == 3 and labels.shape[-1] <= 4):
        raise ValueError(
            f"The labels have shape {labels.shape}; (H, W) is needed. Choose one frame "
            "first."
        )
    if (
        shape is not None
        and labels.shape[:2] != tuple(shape)
        and _is_level(labels, shape)
    ):
        rows = (np.arange(shape[0]) + 0.5) * labels.shape[0] / shape[0]
        columns = (np.arange(shape[1]) + 0.5) * labels.shape[1] / shape[1]
        labels = labels[np.ix_(rows.astype(int), columns.astype(int))]
    return labels


def _is_level(labels: NDArray[Any], shape: tuple[int, int]) -> bool:
    """Tell whether ``shape`` is a whole-number reduction of the labels' shape."""
    factors = [have / want for have, want in zip(labels.shape[:2], shape, strict=True)]
    return min(factors) > 1.4 and abs(factors[0] / factors[1] - 1) < 0.05


def mask_of(source: Any, like: Any, *, step: Sequence[int] | None = None) -> Any:
    """Read a mask or a label image over an image from any layer that marks a region.

    Parameters
    ----------
    source : napari layer
        Labels; Shapes (each shape becomes a label, in the image's own pixels); an RGBA
        image (its alpha); a grey or bool image.
    like : napari Image layer
        The image that the mask belongs to.

    Returns
    -------
    ndarray, ``(H, W)``
        Integer labels or float alpha in [0, 1].
    """
    if hasattr(source, "to_labels"):
        return _shapes_to_labels(source, like)
    if hasattr(source, "selected_label"):
        return labels_of(source, step=step)
    if not hasattr(source, "rgb"):
        raise TypeError(
            f"'{source.name}' is a {type(source).__name__} layer; Labels, Shapes or an "
            "image with alpha is needed to make a trimap."
        )
    frame, _ = _frame_of(source, 0, None, step)
    if not source.rgb:
        return picture_of(source, step=step).data[..., 0]
    if frame.shape[-1] != 4:
        raise ValueError(
            f"'{source.name}' is an RGB image without alpha; choose a Labels, Shapes, "
            "grey or RGBA layer to make a trimap from."
        )
    top = 1.0 if frame.dtype.kind == "f" else float(np.iinfo(frame.dtype).max)
    return (frame[..., 3] / top).astype(np.float32)


def _shapes_to_labels(shapes: Any, like: Any) -> NDArray[Any]:
    """Draw the shapes of a layer on an image's pixel grid, one label a shape."""
    from napari.layers import Shapes

    if len(shapes.data) == 0:
        raise ValueError(
            f"'{shapes.name}' has no shapes; draw one around the object first."
        )
    moved = [
        np.array(
            [_to_pixels(shapes, like, corner) for corner in np.asarray(corners)],
            dtype=float,
        )
        for corners in shapes.data
    ]
    drawn = Shapes(moved, shape_type=list(shapes.shape_type))
    return np.asarray(drawn.to_labels(labels_shape=frame_shape(like)))


def _to_pixels(shapes: Any, like: Any, corner: NDArray[Any]) -> NDArray[Any]:
    """Move one corner from a shapes layer to an image's last two data axes."""
    world = np.asarray(shapes.data_to_world(corner), dtype=float)
    missing = int(like.ndim) - len(world)
    world = np.concatenate([np.zeros(max(missing, 0)), world])[-int(like.ndim) :]
    return np.asarray(like.world_to_data(world), dtype=float)[-2:]
