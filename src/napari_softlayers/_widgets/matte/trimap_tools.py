"""Making a trimap and painting on it: the buttons and keys of the matte dock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QLabel, QSpinBox, QVBoxLayout, QWidget

from napari_softlayers._bridge import Picture
from napari_softlayers._bridge.places import levels_of

from ..parts.base import LayersWidget
from ..parts.combos import LayerCombo
from ..parts.layout import push_button, row
from .trimap_layers import new_trimap, trimap_from_layer


class TrimapTools(QWidget):
    """New trimaps for an image, and the labels to paint with.

    Parameters
    ----------
    desk : LayersWidget
    image, trimap : LayerCombo
        The chosen layers; a new trimap is chosen.
    picture : callable
        Reads the picture as the dock would.
    """

    def __init__(
        self,
        desk: LayersWidget,
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
        self.band = QSpinBox()
        self.band.setRange(0, 500)
        self.band.setSpecialValueText("adaptive")
        self.band.setSuffix(" px")
        self.band.setToolTip("Half width of the unknown band")
        lines = QVBoxLayout(self)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.addLayout(row(new, made))
        lines.addLayout(row(QLabel("Unknown band"), self.band))

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
            picture = self._picture()
            band = self.band.value() or None
            made = trimap_from_layer(viewer, active, picture, band)
        except (TypeError, ValueError) as error:
            self._desk.say(str(error), "error")
            return
        self._trimap.layer = made
        plane = plane_of(picture)
        where = f" on {plane}" if plane else ""
        self._desk.say(f"Trimap made from '{active.name}'{where}.")

    def next_label(self, most: int) -> None:
        """Paint with the next label of ``most`` and a new one; or on a new trimap."""
        layer = self._trimap.layer
        if layer is None or not hasattr(layer, "selected_label"):
            self.new_trimap()
            return
        layer.selected_label = layer.selected_label % (most + 1) + 1

    def toggle_unknown(self) -> None:
        """Paint label 0, or the label before that again."""
        layer = self._trimap.layer
        if layer is None or not hasattr(layer, "selected_label"):
            self.unknown_button.setChecked(False)
            return
        if layer.selected_label != 0:
            self._painted_label = int(layer.selected_label)
            layer.selected_label = 0
        else:
            layer.selected_label = self._painted_label
        self.unknown_button.setChecked(layer.selected_label == 0)


def plane_of(picture: Picture) -> str:
    """The plane of a stack in words."""
    return "" if picture.grid is None else picture.grid.words()


def _has_alpha(image: Any) -> bool:
    return bool(image.rgb) and levels_of(image)[0].shape[-1] == 4
