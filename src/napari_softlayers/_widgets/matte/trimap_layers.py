"""Trimaps as layers: made for an image, and found again by it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._bridge import (
    Grid,
    Picture,
    identity_of,
    mask_of,
    picture_of,
    place_in_space,
    source_of,
)
from napari_softlayers._bridge.places import frame_shape, on_plane, overlap
from napari_softlayers._bridge.record import helper_of, write_record
from napari_softlayers._bridge.results import layer_with_id
from napari_softlayers._recipes.record import HelperRecord

from ..parts.combos import is_picture

TRIMAP = "trimap"
REPAIRED = "repaired"
LABEL_COLORS = {
    1: (0.90, 0.20, 0.18, 1.0),
    2: (0.18, 0.75, 0.30, 1.0),
    3: (0.20, 0.45, 0.95, 1.0),
    4: (0.95, 0.75, 0.15, 1.0),
    5: (0.70, 0.30, 0.85, 1.0),
    6: (0.15, 0.80, 0.85, 1.0),
    7: (0.95, 0.50, 0.15, 1.0),
    8: (0.95, 0.45, 0.70, 1.0),
}
OTHER_COLOR = (0.60, 0.60, 0.60, 1.0)
TRIMAP_OPACITY = 0.5
REPAIRED_CONTOUR = 2
MIDDLE = (0.49, 0.51)
"""Grey of a trimap that is black, grey and white."""


def trimap_colormap() -> Any:
    """Colour map of a trimap layer: 1 red, 2 green, others their own, 0 clear."""
    from napari.utils.colormaps import DirectLabelColormap

    others: dict[int | None, Any] = {0: (0.0, 0.0, 0.0, 0.0), None: OTHER_COLOR}
    return DirectLabelColormap(color_dict=others | LABEL_COLORS)


def may_serve(layer: Any, image: Any) -> bool:
    """Accept Labels and grey images, but no trimap that was made for another image."""
    helper = helper_of(layer)
    if helper is not None:
        owner = "" if image is None else identity_of(image)
        return helper.kind == TRIMAP and helper.source_id == owner
    if layer is image:
        return False
    return hasattr(layer, "selected_label") or is_picture(layer) and not layer.rgb


def how_well(layer: Any, image: Any) -> int:
    """How well a layer serves as trimap of an image; 0 where it is not to be chosen.

    One that was made for it is best, then labels of its very place, then those that lie
    somewhere over it.
    """
    if not hasattr(layer, "selected_label"):
        return 0
    if image is None:
        return 1
    helper = helper_of(layer)
    if helper is not None:
        return 1 if helper.what == REPAIRED else 3
    if not overlap(layer, image):
        return 0
    return 2 if _same_place(layer, image) else 1


def image_for(viewer: Any, layer: Any) -> Any:
    """The image that a layer belongs to: its source, or the one that it lies over."""
    helper = helper_of(layer)
    found = source_of(viewer, layer)
    if found is None and helper is not None:
        found = layer_with_id(viewer, helper.source_id)
    if found is not None:
        return found
    images = [x for x in viewer.layers if is_picture(x) and x is not layer]
    if len(images) == 1:
        return images[0]
    over = [x for x in reversed(images) if overlap(layer, x)]
    return max(over, key=lambda x: _same_place(layer, x), default=None)


def _same_place(one: Any, other: Any) -> bool:
    """Whether two layers cover the same area of the plane."""
    first, second = (np.asarray(x.extent.world)[:, -2:] for x in (one, other))
    pixel = float(np.abs(np.asarray(other.scale)[-2:]).max())
    return bool(np.allclose(first, second, rtol=0, atol=pixel / 2))


def add_trimap(
    viewer: Any, image: Any, labels: NDArray[Any], grid: Grid | None = None
) -> Any:
    """Add a trimap layer over an image, ready to be painted on.

    ``labels`` ``(H, W)``: 0 unknown, 1 background, 2 foreground, ... ``grid``: the
    plane that it is for; by default all planes of a stack. Returns
    napari.layers.Labels: selected, in paint mode with label 2.
    """
    layer = _labels_layer(image, labels, grid, opacity=TRIMAP_OPACITY)
    layer.brush_size = max(4, round(max(labels.shape) / 40))
    layer.selected_label = 2
    viewer.layers.append(layer)
    return _to_be_painted(viewer, layer)


def new_trimap(viewer: Any, image: Any) -> Any:
    """An empty trimap over an image; one that has not been painted on is used again."""
    record = HelperRecord(kind=TRIMAP, source_id=identity_of(image))
    for layer in viewer.layers:
        unused = helper_of(layer) == record and not np.any(layer.data)
        if unused and _same_place(layer, image):
            layer.visible = True
            return _to_be_painted(viewer, layer)
    return add_trimap(viewer, image, np.zeros(frame_shape(image), np.uint8))


def show_repaired_trimap(
    viewer: Any, picture: Picture, labels: NDArray[Any], used: Any = None
) -> Any:
    """Show the trimap that a method made of the painted one, as contours.

    It is a Labels layer like any other trimap: it can be corrected, chosen and solved
    again. A later one takes its place, but never that of the one that was ``used``.
    """
    active = viewer.layers.selection.active
    made = _labels_layer(picture.layer, labels, picture.grid, REPAIRED)
    made.contour = REPAIRED_CONTOUR
    for layer in list(viewer.layers):
        if helper_of(layer) == helper_of(made) and layer is not used:
            viewer.layers.remove(layer)
    viewer.layers.append(made)
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return made


def trimap_from_layer(
    viewer: Any, layer: Any, image: Any = None, band: int | None = None
) -> Any:
    """Add a trimap made from labels, shapes, an alpha or a mask.

    ``layer``: what marks the object. ``image`` napari Image layer or Picture: the image
    it belongs to; the one that it lies over by default. ``band``: half width of the
    unknown band in pixels; adaptive by default. Raises TypeError, ValueError when there
    is no image, or the layer marks nothing over it.
    """
    from napari_softlayers._core.matting import trimap_from_mask

    image = image_for(viewer, layer) if image is None else image
    if image is None:
        raise ValueError(
            f"'{layer.name}' lies over no image; open the image that it belongs to first."
        )
    picture = picture_of(image)
    if picture.grid is None:
        raise TypeError("An array came as image; a napari Image layer is needed.")
    mask = mask_of(layer, picture.grid)
    labels = _as_grey_trimap(mask) if band is None else None
    if labels is None:
        labels = trimap_from_mask(mask, band, picture=picture.data)
    return add_trimap(viewer, picture.layer, labels, picture.grid)


def _as_grey_trimap(mask: NDArray[Any]) -> NDArray[Any] | None:
    """Labels of a mask that is black, middle grey and white; None for any other."""
    values = mask if mask.dtype.kind == "f" else mask / 255
    middle = (values > MIDDLE[0]) & (values < MIDDLE[1])
    if not middle.any() or not (middle | (values == 0) | (values == 1)).all():
        return None
    return np.where(middle, 0, np.where(values == 1, 2, 1))


def _labels_layer(
    image: Any, labels: NDArray[Any], grid: Grid | None, what: str = "", **settings: Any
) -> Any:
    """A Labels layer with the colours of trimaps that knows its image."""
    from napari.layers import Labels

    data = labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.int32)
    place = place_in_space(image, data.shape) if grid is None else grid.place()
    layer = Labels(
        data if grid is None else on_plane(data, grid),
        name=f"{image.name} · {f'{what} trimap'.lstrip()}",
        colormap=trimap_colormap(),
        **settings,
        **place,
    )
    record = HelperRecord(kind=TRIMAP, source_id=identity_of(image), what=what)
    write_record(layer, record)
    return layer


def _to_be_painted(viewer: Any, layer: Any) -> Any:
    viewer.layers.selection.active = layer
    layer.mode = "paint"
    return layer
