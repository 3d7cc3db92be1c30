"""Where layers lie: all meet in world coordinates, whatever their transforms.

A `Grid` is the pixel grid of one frame of an image. Labels, masks, shapes and points are
brought onto it through the world; results are shown on the plane that it is.
"""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPATIAL = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
NO_LABEL = re.compile(r"(axis )?-?\d+")
"""What napari calls an axis that was given no name."""
ALIGNED = 1e-4
"""Grids that differ by less than this part of a pixel are the same."""


def is_layer(thing: Any) -> bool:
    """Tell whether something is a napari layer (an array otherwise)."""
    return hasattr(thing, "as_layer_data_tuple")


def identity_of(layer: Any) -> str:
    """A text that stays with a layer when it is renamed."""
    return str(getattr(layer, "unique_id", id(layer)))


def set_visible(layer: Any, visible: bool) -> None:
    """Show or hide a layer; napari redraws at every assignment, so only on a change."""
    if bool(layer.visible) != visible:
        layer.visible = visible


def not_a(needed: str, layer: Any) -> TypeError:
    """The error that says that a layer is of another kind than is needed."""
    kind = type(layer).__name__
    return TypeError(f"'{layer.name}' is a {kind} layer; {needed} is needed.")


def overlap(one: Any, other: Any) -> bool:
    """Whether two layers share a part of the plane of their last two axes."""
    first, second = (np.asarray(x.extent.world)[:, -2:] for x in (one, other))
    return bool((first[0] <= second[1]).all() and (second[0] <= first[1]).all())


def levels_of(layer: Any) -> list[Any]:
    """Arrays of a layer, the full-size one first; one entry unless multiscale."""
    return list(layer.data) if getattr(layer, "multiscale", False) else [layer.data]


def frame_shape(layer: Any, level: int = 0) -> tuple[int, int]:
    """Height and width of one frame of an image or labels layer."""
    shape = levels_of(layer)[level].shape
    height, width = shape[-3:-1] if getattr(layer, "rgb", False) else shape[-2:]
    return int(height), int(width)


def check_viewer(viewer: Any) -> None:
    """Raise TypeError when what came is no viewer."""
    if not hasattr(viewer, "layers") or not hasattr(viewer, "dims"):
        raise TypeError(
            f"viewer={viewer!r} came; a napari viewer is needed, such as napari.Viewer()."
        )


def viewer_of(layer: Any) -> Any:
    """The viewer whose layer list holds a layer, whichever is current; None without one.

    napari connects a viewer to the events of each of its layers: there it is found.
    """
    napari = sys.modules.get("napari")
    current = napari.current_viewer() if napari is not None else None
    if current is not None and layer in current.layers:
        return current
    for callback in layer.events.data.callbacks:
        reference = callback[0] if isinstance(callback, tuple) else None
        owner = reference() if callable(reference) else None
        holder = getattr(owner, "layers", None)
        if holder is not None and hasattr(owner, "dims") and layer in holder:
            return owner
    return None


def step_of(viewer: Any, layer: Any) -> tuple[int, ...]:
    """Frame of a stack that a viewer shows: its index along all but the last two axes.

    Without a viewer, the first frame. Raises ValueError when the viewer shows other
    axes of the layer than its last two.
    """
    leading = int(layer.ndim) - 2
    if leading <= 0:
        return ()
    if viewer is None:
        return (0,) * leading
    _check_displayed(viewer, layer)
    point = tuple(viewer.dims.point)[-int(layer.ndim) :]
    place = np.asarray(layer.world_to_data(point))[:leading]
    shape = levels_of(layer)[0].shape[:leading]
    return tuple(
        int(np.clip(np.rint(value), 0, size - 1))
        for value, size in zip(place, shape, strict=True)
    )


def _check_displayed(viewer: Any, layer: Any) -> None:
    """Refuse a stack of which the viewer shows other axes; say what 3-D means."""
    dims = viewer.dims
    last = {int(dims.ndim) - 2, int(dims.ndim) - 1}
    shown = set(map(int, dims.displayed))
    if len(shown) == 2 and shown != last:
        raise ValueError(
            f"The viewer shows axes {tuple(map(int, dims.displayed))} of "
            f"'{layer.name}', but a picture lies in its last two; roll the axes back "
            "(Ctrl+E), or move the layer's axes with numpy.moveaxis."
        )
    if len(shown) == 3:
        warnings.warn(
            f"The viewer is in 3-D; the plane of '{layer.name}' where its sliders stand "
            "is taken.",
            UserWarning,
            stacklevel=3,
        )


@dataclass(frozen=True)
class Grid:
    """The pixels of one frame of an image layer, in the world.

    ``shape`` ``(int, int)``: height and width in pixels: of the level that was read.
    ``step``: index along all of the layer's leading axes but the one of channels.
    ``channels``: length of the axis of channels, the third-last one, where one is; 0
    otherwise.
    """

    layer: Any
    shape: tuple[int, int]
    step: tuple[int, ...] = ()
    channels: int = 0

    @property
    def index(self) -> tuple[int, ...]:
        """Index along all leading axes of the layer."""
        return (*self.step, 0) if self.channels else self.step

    def to_world(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matrix ``(n, 2)`` and offset ``(n,)`` from (row, column) to the world."""
        full = np.array(frame_shape(self.layer), float)
        factor = full / np.array(self.shape, float)
        origin = np.array([*self.index, *((factor - 1) / 2)], float)
        matrix, offset = affine_of(self.layer.data_to_world, int(self.layer.ndim))
        return matrix[:, -2:] * factor, matrix @ origin + offset

    def data_of(self, world: Any) -> NDArray[np.float64]:
        """Places ``(n, d)`` in the world as data coordinates of the layer.

        Places with fewer axes than the layer lie on this plane.
        """
        places = np.atleast_2d(np.asarray(world, float))
        dims = int(self.layer.ndim)
        missing = max(dims - places.shape[1], 0)
        _, offset = self.to_world()
        plane = np.repeat(offset[None, :missing], len(places), axis=0)
        places = np.concatenate([plane, places], axis=1)[:, -dims:]
        matrix, shift = affine_of(self.layer.world_to_data, dims)
        return np.asarray(places @ matrix.T + shift)

    def pixels_of(self, world: Any) -> NDArray[np.float64]:
        """Rows and columns ``(n, 2)`` of places ``(n, d)`` in the world."""
        ratio = np.array(self.shape) / np.array(frame_shape(self.layer), float)
        return np.asarray((self.data_of(world)[:, -2:] + 0.5) * ratio - 0.5)

    def on_plane(self, world: Any) -> NDArray[np.bool_]:
        """Which places ``(n, d)`` lie on this plane of the stack."""
        apart = self.data_of(world)[:, : len(self.step)] - np.array(self.step)
        return np.asarray((np.abs(apart) < 0.5 + ALIGNED).all(axis=1))

    def place(self) -> dict[str, Any]:
        """Spatial arguments of a layer ``(1, ..., H, W)`` on this plane."""
        return place_of_plane(self.layer, self.index, self.shape, self.channels)

    def words(self) -> str:
        """The plane, such as "z = 7"; empty where the picture has no others."""
        named = zip(self.layer.axis_labels, self.step, strict=False)
        return ", ".join(
            f"plane {value}" if NO_LABEL.fullmatch(label) else f"{label} = {value}"
            for label, value in named
        )


def affine_of(
    transform: Any, dims: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and offset of an affine map of points, from its values."""
    offset = np.asarray(transform((0.0,) * dims), float)
    columns = [
        np.asarray(transform(tuple(row)), float) - offset for row in np.eye(dims)
    ]
    return np.stack(columns, axis=1), offset


def place_of_plane(
    layer: Any, index: tuple[int, ...], shape: tuple[int, int], channels: int = 0
) -> dict[str, Any]:
    """Spatial arguments for one plane of a layer, with leading axes of length one.

    ``index``: place of the plane along the layer's leading axes. ``shape``
    ``(int, int)``: height and width of the data; where they differ from the full
    frame's (a coarser level), both cover the same area, pixel edges on pixel edges.
    ``channels``: length of the third-last axis, where the plane stands for all of it.
    """
    from napari.utils.transforms import Affine

    dims = int(layer.ndim)
    factor = np.ones(dims)
    factor[-2:] = np.array(frame_shape(layer), float) / np.array(shape, float)
    origin = np.zeros(dims)
    origin[: len(index)] = index
    origin[-2:] = (factor[-2:] - 1) / 2
    if channels:
        factor[-3], origin[-3] = channels, (channels - 1) / 2
    spatial = spatial_of(layer)
    linear = Affine(
        scale=layer.scale, rotate=layer.rotate, shear=layer.shear, ndim=dims
    ).linear_matrix
    spatial["scale"] = np.asarray(layer.scale, float) * factor
    spatial["translate"] = np.asarray(layer.translate, float) + linear @ origin
    return spatial


def spatial_of(layer: Any) -> dict[str, Any]:
    """Spatial arguments for a layer with the same axes."""
    return {key: getattr(layer, key) for key in SPATIAL}


def with_axes(data: Any, place: dict[str, Any]) -> Any:
    """Pixels ``(H, W, C)`` with the leading axes of a place in space, of length one."""
    return data[(None,) * (len(place["scale"]) + 1 - data.ndim)] if place else data


def put_frame(layer: Any, frame: NDArray[Any]) -> None:
    """Give a layer of one frame other pixels ``(H, W, C)``."""
    leading = (1,) * (len(np.shape(layer.data)) - 3)
    layer.data = frame.reshape(*leading, *frame.shape)


def place_in_space(layer: Any, shape: tuple[int, int] | None = None) -> dict[str, Any]:
    """Spatial arguments for a two-dimensional layer over a layer's last two axes.

    It is seen on every plane; see `place_of_plane` for one that is not.
    """
    full = shape or frame_shape(layer)
    dims = int(layer.ndim)
    place = place_of_plane(layer, (0,) * (dims - 2), full)
    shear = np.atleast_1d(np.asarray(layer.shear, float))
    return {
        "scale": place["scale"][-2:],
        "translate": place["translate"][-2:],
        "rotate": np.asarray(layer.rotate, float)[-2:, -2:],
        "shear": shear[-2:, -2:] if shear.ndim == 2 else shear[-1:],
        "affine": layer.affine.set_slice([dims - 2, dims - 1]),
        "units": tuple(layer.units)[-2:],
        "axis_labels": tuple(layer.axis_labels)[-2:],
    }


def on_plane(data: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Data of a frame with the leading axes of its layer, ``(1, ..., H, W[, C])``."""
    return data[(None,) * len(grid.index)]


def resampled(
    layer: Any, grid: Grid, channels: int = 0
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values of a layer at the pixels of a grid, the nearest ones.

    ``layer`` napari Image or Labels layer. ``channels``: 1 where its third-last axis
    holds channels. Returns ``values`` ``(H, W)``, or ``(H, W, C)`` of RGB or channels: 0
    where the layer does not reach. ``inside`` bool ``(H, W)``: where it does.
    """
    array = levels_of(layer)[0]
    dims = int(layer.ndim)
    matrix, offset = _between(grid, layer)
    leading = dims - 2 - channels
    if np.abs(matrix[:-2]).max(initial=0) >= ALIGNED:
        raise ValueError(
            f"'{layer.name}' is turned out of the plane of '{grid.layer.name}'; give "
            "both the same orientation along the sliders' axes."
        )
    index = np.floor(offset[:leading] + 0.5 + ALIGNED).astype(int)
    size = array.shape[:leading]
    if any(not 0 <= i < n for i, n in zip(index, size, strict=True)):
        rest = array.shape[leading:-2] if channels else array.shape[dims:]
        return np.zeros((*grid.shape, *rest), array.dtype), np.zeros(grid.shape, bool)
    frame = np.asarray(array[tuple(int(i) for i in index)] if leading else array)
    frame = np.moveaxis(frame, 0, -1) if channels else frame
    rows, columns = np.indices(grid.shape, sparse=True)
    turned = max(abs(matrix[-2, 1]), abs(matrix[-1, 0])) > ALIGNED / max(grid.shape)
    places = [matrix[-2, 0] * rows, matrix[-1, 1] * columns]
    if turned:
        places = [down * rows + right * columns for down, right in matrix[-2:]]
    at = [
        np.floor(place + offset[k] + 0.5 + ALIGNED).astype(np.intp)
        for place, k in zip(places, (-2, -1), strict=True)
    ]
    good = [(x >= 0) & (x < n) for x, n in zip(at, frame.shape, strict=False)]
    inside = np.broadcast_to(good[0] & good[1], grid.shape)
    values = frame[tuple(np.clip(x, 0, n - 1) for x, n in zip(at, frame.shape))]  # noqa: B905
    if inside.all():
        return values, inside
    keep = inside if values.ndim == 2 else inside[..., None]
    return np.where(keep, values, np.zeros((), values.dtype)), inside


def _between(grid: Grid, layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix ``(n, 2)`` and offset from a grid's pixels to a layer's data."""
    dims = int(layer.ndim)
    matrix, offset = grid.to_world()
    missing = dims - len(offset)
    if missing > 0:
        viewer = viewer_of(layer)
        point = (0.0,) * dims if viewer is None else tuple(viewer.dims.point)[-dims:]
        matrix = np.concatenate([np.zeros((missing, 2)), matrix])
        offset = np.concatenate([np.asarray(point, float)[:missing], offset])
    inverse, shift = affine_of(layer.world_to_data, dims)
    return inverse @ matrix[-dims:], inverse @ offset[-dims:] + shift
