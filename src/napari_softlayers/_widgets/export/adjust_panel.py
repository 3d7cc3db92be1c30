"""Sliders for a layer's colours."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QFormLayout, QWidget
from superqt import QLabeledDoubleSlider

from napari_softlayers._core.layers.edit import Adjustment

from ..parts.layout import push_button, row

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
