"""Controls of the export dock: a layer's colours, and the background."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QFormLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_softlayers._bridge import picture_of
from napari_softlayers._core.layers.compositing import BACKGROUNDS
from napari_softlayers._core.layers.edit import Adjustment

from ..parts.combos import LayerCombo, is_picture
from ..parts.layout import choice, choose_next, column, push_button, row

SLIDERS = {
    "exposure": (-3.0, 3.0, "In stops: 1 doubles the light"),
    "saturation": (-1.0, 1.0, "-1 is grey, 1 twice as colourful"),
    "hue": (-180.0, 180.0, "Turns all hues, in degrees"),
    "blur": (0.0, 40.0, "In pixels; nothing of the other layers comes in"),
}


class AdjustPanel(QWidget):
    """Exposure, saturation, hue and blur of one layer, with Reset and Bake."""

    changed = Signal(object)
    baked = Signal()

    def __init__(self) -> None:
        super().__init__()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        self.sliders: dict[str, QLabeledDoubleSlider] = {}
        for name, (low, high, tip) in SLIDERS.items():
            slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
            slider.setRange(low, high)
            slider.setDecimals(0 if high > 100 else 1 if high > 10 else 2)
            slider.setToolTip(tip)
            slider.valueChanged.connect(lambda *_: self.changed.emit(self.value()))
            form.addRow(name.capitalize(), slider)
            self.sliders[name] = slider
        self.reset_button = push_button(
            "Reset", self.reset, "Back to the layer's own colours"
        )
        self.bake_button = push_button(
            "Bake",
            self.baked.emit,
            "Make the adjusted colours of all layers their own, for good",
        )
        form.addRow(row(self.reset_button, self.bake_button))

    def value(self) -> Adjustment:
        """The sliders' adjustment."""
        values = {name: slider.value() for name, slider in self.sliders.items()}
        return Adjustment(**values)

    def show_value(self, adjustment: Adjustment) -> None:
        """Set the sliders without telling anybody."""
        for name, slider in self.sliders.items():
            with QSignalBlocker(slider):
                slider.setValue(getattr(adjustment, name))

    def reset(self) -> None:
        """Set all sliders to nothing."""
        self.show_value(Adjustment())
        self.changed.emit(self.value())


OFF, COLOR, PICTURE = "off", "on a colour", "on a picture"
CHOICES = (OFF, *(f"on {name}" for name in BACKGROUNDS), COLOR, PICTURE)


class PreviewBar(QWidget):
    """Choice of a background: plain ones, a colour, another picture."""

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.choice = choice(
            CHOICES,
            "Show the selected layers (all but the bottom one when none is selected) on "
            "another background (key: H)",
        )
        self.color = QColor("#3a7d44")
        self.color_button = push_button("Colour …", self.pick_color)
        self.picture = LayerCombo(viewer, is_picture, parent=self)
        self.picture.setToolTip("Scaled to cover the layers")
        top = row("Preview", self.choice)
        top.setStretch(1, 1)
        column(self, top, self.color_button, self.picture)
        self.choice.currentTextChanged.connect(self._chosen)
        self.picture.layer_changed.connect(self._picture_changed)
        self._show_parts()

    @property
    def is_on(self) -> bool:
        """Whether a preview is wanted."""
        return self.choice.currentText() != OFF

    def background(self) -> Any:
        """What `composite_over` takes; ValueError, TypeError when there is no picture."""
        choice = self.choice.currentText()
        if choice == COLOR:
            return self.color.getRgbF()[:3]
        if choice == PICTURE:
            if self.picture.layer is None:
                raise ValueError("Open a picture first; it becomes the background.")
            return picture_of(self.picture.layer).data
        return choice.removeprefix("on ")

    def next_choice(self) -> None:
        """Key H: the next background."""
        choose_next(self.choice)

    def pick_color(self) -> None:
        """Ask for a colour."""
        color = QColorDialog.getColor(self.color, self)
        if color.isValid():
            self.color = color
            self._chosen()

    def _chosen(self) -> None:
        self._show_parts()
        self.changed.emit()

    def _picture_changed(self) -> None:
        if self.choice.currentText() == PICTURE:
            self.changed.emit()

    def _show_parts(self) -> None:
        choice = self.choice.currentText()
        self.color_button.setVisible(choice == COLOR)
        self.color_button.setStyleSheet(f"background-color: {self.color.name()};")
        self.picture.setVisible(choice == PICTURE)
