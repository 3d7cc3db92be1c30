"""Menu commands: trimaps for and from layers, alpha as a layer, recompose, merge, clean.

napari hands in the viewer; what cannot be done is said as a notification.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_softlayers._bridge import is_result, layers_from_napari, record_of
from napari_softlayers._bridge.edits import add_cleaned, is_rgba, replace_set
from napari_softlayers._bridge.places import levels_of, spatial_of
from napari_softlayers._bridge.record import in_order, recorded
from napari_softlayers._bridge.results import full_name, rgba_of, stored_frame
from napari_softlayers._bridge.show import limits_of
from napari_softlayers._core.picture import to_dtype

from .matte import trimap_layers
from .parts.combos import is_picture

if TYPE_CHECKING:
    import napari


def _tell(message: str) -> None:
    from napari.utils.notifications import show_warning

    show_warning(message)


def _saying(command: Callable[[Any], None]) -> Callable[[Any], None]:
    """Let a command say what does not fit, instead of raising it."""

    @wraps(command)
    def said(viewer: Any) -> None:
        try:
            command(viewer)
        except (TypeError, ValueError) as error:
            _tell(str(error))

    return said


@_saying
def new_trimap(viewer: napari.viewer.Viewer) -> None:
    """Add an empty trimap for the active image (or the topmost one)."""
    active = viewer.layers.selection.active
    images = [layer for layer in viewer.layers if is_picture(layer)]
    if not images:
        raise ValueError("There is no image to make a trimap for; open one first.")
    trimap_layers.new_trimap(viewer, active if active in images else images[-1])


@_saying
def trimap_from_active(viewer: napari.viewer.Viewer) -> None:
    """Make a trimap from the active Labels, Shapes or RGBA layer."""
    active = viewer.layers.selection.active
    if active is None:
        raise ValueError("No layer is selected; select one that marks the object.")
    trimap_layers.trimap_from_layer(viewer, active)


@_saying
def alpha_to_image(viewer: napari.viewer.Viewer) -> None:
    """Add the alpha of the active RGBA layer as a grey image."""
    active = viewer.layers.selection.active
    array = levels_of(active)[0] if getattr(active, "rgb", False) else None
    if array is None or array.shape[-1] != 4:
        raise ValueError("Select an RGBA layer first; its alpha becomes a grey image.")
    viewer.add_image(
        array[..., 3].copy(),
        name=f"{active.name} · alpha",
        contrast_limits=limits_of(array.dtype),
        **spatial_of(active),
    )


@_saying
def alpha_to_labels(viewer: napari.viewer.Viewer) -> None:
    """Add a Labels layer with the strongest layer of a result at every pixel, 1..K."""
    chosen = _selected_results(viewer)
    if not chosen:
        raise ValueError("Select a layer of a result first.")
    alphas = layers_from_napari(chosen).alphas
    winner = np.where(alphas.max(axis=0) > 0, alphas.argmax(axis=0) + 1, 0)
    viewer.add_labels(
        winner.astype(np.uint8).reshape(chosen[0].data.shape[:-1]),
        name=full_name(chosen[0], "labels"),
        **spatial_of(chosen[0]),
    )


@_saying
def recompose_visible(viewer: napari.viewer.Viewer) -> None:
    """Add the sum of the visible layers of one image's results as one RGB image."""
    chosen = [layer for layer in viewer.layers if is_result(layer) and layer.visible]
    if not chosen:
        raise ValueError("No result layer is visible; there is nothing to add up.")
    active = viewer.layers.selection.active
    first = active if active in chosen else chosen[0]
    same = [layer for layer in chosen if _origin(layer) == _origin(first)]
    total: Any = 0.0
    for layer in same:
        rgba = rgba_of(layer)
        alpha = layer.opacity * rgba[..., 3:]
        below = 1.0 if layer.blending == "additive" else 1 - alpha
        total = total * below + alpha * rgba[..., :3]
    dtype = first.data.dtype
    data = to_dtype(np.clip(total, 0, 1), dtype)
    viewer.add_image(
        data.reshape(*first.data.shape[:-1], 3),
        rgb=True,
        name=full_name(first, "recomposed"),
        contrast_limits=limits_of(dtype),
        visible=False,
        **spatial_of(first),
    )


@_saying
def merge_selected(viewer: napari.viewer.Viewer) -> None:
    """Join the selected layers of one result into one."""
    family = _selected_results(viewer)
    chosen = [i for i, x in enumerate(family) if x in viewer.layers.selection]
    if len(chosen) < 2:
        raise ValueError("Select two or more layers of one result to merge them.")
    replace_set(viewer, family, layers_from_napari(family).merge([chosen]))


@_saying
def clean_active(viewer: napari.viewer.Viewer) -> None:
    """Clean the colours of the active RGBA layer."""
    from napari_softlayers._core.layers.decontaminate import decontaminate

    layer = viewer.layers.selection.active
    if not is_rgba(layer):
        raise ValueError("Select an RGBA layer first; its colours are cleaned.")
    add_cleaned(viewer, layer, decontaminate(stored_frame(layer)))


def _selected_results(viewer: Any) -> list[Any]:
    """All layers of the result that the active (or a selected) layer belongs to."""
    candidates = [viewer.layers.selection.active, *viewer.layers.selection]
    run = next((record.run for record, _ in recorded(candidates)), None)
    return in_order(x for record, x in recorded(viewer.layers) if record.run == run)


def _origin(layer: Any) -> tuple[Any, ...]:
    """What layers have in common that add up to one picture."""
    record = record_of(layer)
    return () if record is None else (record.source_id, record.plane, layer.data.shape)
