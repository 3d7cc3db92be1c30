"""Menu commands: trimaps for and from layers, alpha as a layer, recompose, merge.

napari hands in the viewer; what cannot be done is said as a notification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_softlayers._bridge import is_result, layers_from_napari, record_of
from napari_softlayers._bridge.edits import replace_set
from napari_softlayers._bridge.places import SPATIAL_KEYS, levels_of
from napari_softlayers._bridge.results import rgba_of
from napari_softlayers._bridge.show import limits_of
from napari_softlayers._core.picture import to_dtype

from .matte import trimap_layers
from .parts.combos import is_picture

if TYPE_CHECKING:
    import napari


def _tell(message: str) -> None:
    from napari.utils.notifications import show_warning

    show_warning(message)


def new_trimap(viewer: napari.viewer.Viewer) -> None:
    """Add an empty trimap for the active image (or the topmost one)."""
    active = viewer.layers.selection.active
    images = [layer for layer in viewer.layers if is_picture(layer)]
    if not images:
        _tell("There is no image to make a trimap for; open one first.")
        return
    trimap_layers.new_trimap(viewer, active if active in images else images[-1])


def trimap_from_active(viewer: napari.viewer.Viewer) -> None:
    """Make a trimap from the active Labels, Shapes or RGBA layer."""
    active = viewer.layers.selection.active
    if active is None:
        _tell("No layer is selected; select one that marks the object.")
        return
    try:
        trimap_layers.trimap_from_layer(viewer, active)
    except (TypeError, ValueError) as error:
        _tell(str(error))


def alpha_to_image(viewer: napari.viewer.Viewer) -> None:
    """Add the alpha of the active RGBA layer as a grey image."""
    active = viewer.layers.selection.active
    array = levels_of(active)[0] if getattr(active, "rgb", False) else None
    if array is None or array.shape[-1] != 4:
        _tell("Select an RGBA layer first; its alpha becomes a grey image.")
        return
    viewer.add_image(
        array[..., 3].copy(),
        name=f"{active.name} · alpha",
        contrast_limits=limits_of(array.dtype),
        **_place_of(active),
    )


def alpha_to_labels(viewer: napari.viewer.Viewer) -> None:
    """Add a Labels layer with the strongest layer of a result at every pixel, 1..K."""
    chosen = _selected_results(viewer)
    if not chosen:
        _tell("Select a layer of a result first.")
        return
    try:
        alphas = layers_from_napari(chosen).alphas
    except (TypeError, ValueError) as error:
        _tell(str(error))
        return
    winner = np.where(alphas.max(axis=0) > 0, alphas.argmax(axis=0) + 1, 0)
    viewer.add_labels(
        winner.astype(np.uint8).reshape(chosen[0].data.shape[:-1]),
        name=_name_of(chosen[0], "labels"),
        **_place_of(chosen[0]),
    )


def recompose_visible(viewer: napari.viewer.Viewer) -> None:
    """Add the sum of the visible layers of one image's results as one RGB image."""
    chosen = [layer for layer in viewer.layers if is_result(layer) and layer.visible]
    if not chosen:
        _tell("No result layer is visible; there is nothing to add up.")
        return
    active = viewer.layers.selection.active
    first = active if active in chosen else chosen[0]
    same = [layer for layer in chosen if _origin(layer) == _origin(first)]
    total: Any = 0.0
    try:
        for layer in same:
            rgba = rgba_of(layer)
            alpha = layer.opacity * rgba[..., 3:]
            below = 1.0 if layer.blending == "additive" else 1 - alpha
            total = total * below + alpha * rgba[..., :3]
    except TypeError as error:
        _tell(str(error))
        return
    dtype = first.data.dtype
    data = to_dtype(np.clip(total, 0, 1), dtype)
    viewer.add_image(
        data.reshape(*first.data.shape[:-1], 3),
        rgb=True,
        name=_name_of(first, "recomposed"),
        contrast_limits=limits_of(dtype),
        visible=False,
        **_place_of(first),
    )


def merge_selected(viewer: napari.viewer.Viewer) -> None:
    """Join the selected layers of one result into one."""
    family = _selected_results(viewer)
    chosen = [i for i, x in enumerate(family) if x in viewer.layers.selection]
    if len(chosen) < 2:
        _tell("Select two or more layers of one result to merge them.")
        return
    try:
        merged = layers_from_napari(family).merge([chosen])
    except (TypeError, ValueError) as error:
        _tell(str(error))
        return
    replace_set(viewer, family, merged)


def _selected_results(viewer: Any) -> list[Any]:
    """All layers of the result that the active (or a selected) layer belongs to."""
    candidates = [viewer.layers.selection.active, *viewer.layers.selection]
    run = next((r.run for r in map(record_of, candidates) if r is not None), None)
    found = [(record_of(layer), layer) for layer in viewer.layers]
    family = [(r.index, x) for r, x in found if r is not None and r.run == run]
    return [layer for _, layer in sorted(family, key=lambda pair: pair[0])]


def _origin(layer: Any) -> tuple[Any, ...]:
    """What layers have in common that add up to one picture."""
    record = record_of(layer)
    return () if record is None else (record.source_id, record.plane, layer.data.shape)


def _name_of(layer: Any, what: str) -> str:
    record = record_of(layer)
    return f"{record.source} · {what}" if record and record.source else what


def _place_of(layer: Any) -> dict[str, Any]:
    """Spatial arguments of a layer with the same axes."""
    return {key: getattr(layer, key) for key in SPATIAL_KEYS}
