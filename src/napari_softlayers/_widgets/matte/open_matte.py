"""From a result to the next dock: an object's alpha becomes a trimap for a matte."""

from __future__ import annotations

from typing import Any

from napari_softlayers._bridge import Picture

from .trimap_layers import add_trimap

PLUGIN = "napari-softlayers"
MATTE = "Matte from trimap"


def open_matte(viewer: Any, picture: Picture, alpha: Any) -> Any:
    """Make an adaptive trimap of an object and choose it in the matte dock.

    ``picture``: with its layer. ``alpha`` float ``(H, W)``: the object. Returns
    MatteWidget: opened, where it was not; image and trimap are chosen in it.
    """
    from napari_softlayers._core.matting import trimap_from_mask

    labels = trimap_from_mask(alpha, None, picture=picture.data)
    dock = matte_dock(viewer)
    trimap = add_trimap(viewer, picture.layer, labels)
    dock.image.layer = picture.layer
    dock.trimap.layer = trimap
    return dock


def matte_dock(viewer: Any) -> Any:
    """Find the matte dock of a viewer, or open it."""
    from .dock import MatteWidget

    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, MatteWidget):
            return widget
    try:
        return viewer.window.add_plugin_dock_widget(PLUGIN, MATTE, tabify=True)[1]
    except (KeyError, ValueError):
        widget = MatteWidget(viewer)
        viewer.window.add_dock_widget(widget, name=MATTE, tabify=True)
        return widget
