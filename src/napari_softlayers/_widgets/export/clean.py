"""Clean colours for any RGBA layer, as a command and for the docks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_softlayers._bridge.places import SPATIAL_KEYS
from napari_softlayers._bridge.results import stored_frame
from napari_softlayers._bridge.show import limits_of

from ..parts.desk import Desk

if TYPE_CHECKING:
    import napari


def is_rgba(layer: Any) -> bool:
    """Accept RGBA images of one frame."""
    try:
        return stored_frame(layer).shape[-1] == 4
    except (AttributeError, TypeError):
        return False


def clean_layer(layer: Any, desk: Desk) -> None:
    """Clean a layer's colours in a dock's thread; the result is a new layer."""
    from napari_softlayers._core.layers.decontaminate import decontaminate

    data = stored_frame(layer)

    def done(cleaned: Any) -> None:
        if layer in desk.viewer.layers:
            add_cleaned(desk.viewer, layer, cleaned)
            desk.say(f"'{layer.name}' was cleaned; the layer it came from is hidden.")

    desk.compute(lambda run, _post: decontaminate(data, run), done, sources=(layer,))


def add_cleaned(viewer: Any, layer: Any, cleaned: Any) -> Any:
    """Show cleaned colours right above the layer that they came from, and hide that."""
    from napari.layers import Image

    made = Image(
        cleaned.reshape(layer.data.shape),
        rgb=True,
        name=f"{layer.name} · clean",
        blending=layer.blending,
        opacity=layer.opacity,
        contrast_limits=limits_of(cleaned.dtype),
        **{key: getattr(layer, key) for key in SPATIAL_KEYS},
    )
    viewer.layers.insert(viewer.layers.index(layer) + 1, made)
    layer.visible = False
    return made


def clean_active(viewer: napari.viewer.Viewer) -> None:
    """Menu command: clean the colours of the active RGBA layer."""
    from napari.utils.notifications import show_warning

    from napari_softlayers._core.layers.decontaminate import decontaminate

    layer = viewer.layers.selection.active
    if layer is None or not is_rgba(layer):
        show_warning("Select an RGBA layer first; its colours are cleaned.")
        return
    try:
        add_cleaned(viewer, layer, decontaminate(stored_frame(layer)))
    except ValueError as error:
        show_warning(str(error))
