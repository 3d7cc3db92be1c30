"""Making a trimap and painting on it: the buttons and keys of the matte dock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_softlayers._bridge import Picture
from napari_softlayers._bridge.places import levels_of

from ..parts.combos import LayerCombo
from ..parts.desk import Desk
from ..parts.layout import column, push_button, row, whole_number
from .trimap_layers import new_trimap, trimap_from_layer


class TrimapTools(QWidget):
    """New trimaps for an image, and the labels to paint with.

    ``image``, ``trimap``: choose the layers; a new trimap is chosen. ``picture``: reads
    the picture as the dock would.
    """

    def __init__(
        self,
        desk: Desk,
        image: LayerCombo,
        trimap: LayerCombo,
        picture: Callable[[], Picture],
    ) -> None:
        super().__init__()
        self._desk = desk
        self._image, self._trimap, self._picture = image, trimap, picture
        self._painted_label = 2
        new = push_button(
            "New trimap", self.new_trimap, "An empty trimap over the image (key: N)"
        )
        made = push_button(
            "Trimap from selection",
            self.trimap_from_selection,
            "From the selected Labels, Shapes, mask or RGBA layer: a band along the "
            "boundary stays unknown",
        )
        self.unknown_button = push_button(
            "Paint unknown",
            self.toggle_unknown,
            "Paint label 0 (key: U)",
            checkable=True,
        )
        self.band = whole_number(0, 500, "Half width of the unknown band", "adaptive")
        self.band.setSuffix(" px")
        column(self, row(new, made), row("Unknown band", self.band))

    def new_trimap(self) -> None:
        """Add an empty trimap over the image and paint on it."""
        image = self._image.layer
        if image is None:
            self._desk.say(
                "Choose an image first; then a trimap can be painted over it.", "error"
            )
            return
        self._trimap.layer = new_trimap(self._desk.viewer, image)
        self._desk.say("Paint 1 on the background and 2 on the object, then Solve.")

    def trimap_from_selection(self) -> None:
        """Make a trimap from the active layer."""
        viewer, image = self._desk.viewer, self._image.layer
        active = viewer.layers.selection.active
        if active is None or active is image and not _has_alpha(image):
            self._desk.say(
                "Select a Labels, Shapes, mask or RGBA layer that marks the object first.",
                "error",
            )
            return
        try:
            picture, band = self._picture(), self.band.value() or None
            made = trimap_from_layer(viewer, active, picture, band)
        except (TypeError, ValueError) as error:
            self._desk.say(str(error), "error")
            return
        self._trimap.layer = made
        where = f" on {picture.words}" if picture.words else ""
        self._desk.say(f"Trimap made from '{active.name}'{where}.")

    def next_label(self, most: int) -> None:
        """Paint with the next label of ``most`` and a new one; or on a new trimap."""
        layer = self._trimap.layer
        if not hasattr(layer, "selected_label"):
            self.new_trimap()
            return
        layer.selected_label = layer.selected_label % (most + 1) + 1

    def toggle_unknown(self) -> None:
        """Paint label 0, or the label before that again."""
        layer = self._trimap.layer
        label = getattr(layer, "selected_label", None)
        if label is not None:
            self._painted_label = int(label) or self._painted_label
            layer.selected_label = 0 if label else self._painted_label
        self.unknown_button.setChecked(bool(label))


def _has_alpha(image: Any) -> bool:
    return bool(image.rgb) and levels_of(image)[0].shape[-1] == 4
