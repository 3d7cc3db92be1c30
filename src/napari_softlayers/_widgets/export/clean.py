"""Clean colours for any RGBA layer, as a command and for the docks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_softlayers._bridge import place_in_space
from napari_softlayers._bridge.show import limits_of

if TYPE_CHECKING:
    import napari


def is_rgba(layer: Any) -> bool:
    """Accept two-dimensional RGBA images."""
    shape: tuple[int, ...] = getattr(getattr(layer, "data", None), "shape", ())
    return bool(getattr(layer, "rgb", False)) and len(shape) == 3 and shape[-1] == 4


def clean_layer(viewer: Any, layer: Any, dock: Any) -> None:
    """Clean a layer's colours in a dock's thread; the result is a new layer."""
    from napari_softlayers._core.layers.decontaminate import decontaminate

    data = np.asarray(layer.data)

    def done(cleaned: Any) -> None:
        if layer in viewer.layers:
            add_cleaned(viewer, layer, cleaned)
            dock.say(f"'{layer.name}' was cleaned; the layer it came from is hidden.")

    dock.compute(lambda run, _post: decontaminate(data, run), done, sources=(layer,))


def add_cleaned(viewer: Any, layer: Any, cleaned: Any) -> Any:
    """Show cleaned colours right above the layer that they came from, and hide that."""
    from napari.layers import Image

    made = Image(
        cleaned,
        rgb=True,
        name=f"{layer.name} · clean",
        blending=layer.blending,
        opacity=layer.opacity,
        contrast_limits=limits_of(cleaned.dtype),
        **place_in_space(layer),
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
        add_cleaned(viewer, layer, decontaminate(np.asarray(layer.data)))
    except ValueError as error:
        show_warning(str(error))
