"""The lower half of the segments dock: level, layers, merge, split, by-products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QComboBox, QLabel, QSlider, QSpinBox, QVBoxLayout, QWidget

from napari_softlayers._bridge import show
from napari_softlayers._bridge.by_products import BY_PRODUCTS, show_by_product
from napari_softlayers._bridge.results import results_for

from ..parts.base import row
from ..parts.layer_table import LayerTable
from ..parts.settings import result_dtype
from .model import MOST_LAYERS, SegmentsModel

if TYPE_CHECKING:
    from .dock import SegmentsWidget

SLIDER_DELAY_MS = 120


class SegmentsPanel(QWidget):
    """Shows a `SegmentsModel` and edits it.

    Parameters
    ----------
    dock : SegmentsWidget
        Computes and says.
    """

    def __init__(self, dock: SegmentsWidget) -> None:
        super().__init__()
        self.dock = dock
        self.viewer = dock.viewer
        self.kind = dock.kind
        self.model: SegmentsModel | None = None
        self.after = QVBoxLayout(self)
        self.after.setContentsMargins(0, 0, 0, 0)
        self._fill()

    def _fill(self) -> None:
        self.level = QSlider(Qt.Orientation.Horizontal)
        self.level.setRange(2, MOST_LAYERS)
        self.level.setToolTip(
            "Walk the merge tree: fewer, larger or more, smaller layers"
        )
        self.level.valueChanged.connect(self._on_level)
        self.level_label = QLabel("")
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(SLIDER_DELAY_MS)
        self._delay.timeout.connect(self._recut)
        self.after.addLayout(row(QLabel("Level"), self.level, self.level_label))
        self.table = LayerTable()
        self.table.setToolTip("Names can be edited; J and K go through the layers")
        self.table.renamed.connect(self._rename)
        self.table.chosen.connect(self._choose)
        self.table.itemSelectionChanged.connect(self.enable)
        self.after.addWidget(self.table)
        self.merge_button = self.dock.button(
            "Merge", self.merge, "Join the selected layers into one"
        )
        self.split_button = self.dock.button(
            "Split", self.split, "Take the selected layer apart along the merge tree"
        )
        self.after.addLayout(row(self.merge_button, self.split_button))
        self.what = QComboBox()
        self.what.addItems(list(BY_PRODUCTS))
        self.what.setToolTip("Steps of the method to look at")
        self.number = QSpinBox()
        self.number.setRange(1, 200)
        self.number.setToolTip("Which eigenvector")
        self.what.currentTextChanged.connect(
            lambda text: self.number.setVisible(text == "eigenvector")
        )
        self.number.setVisible(False)
        self.show_button = self.dock.button("Show", self.inspect, "Add it as a layer")
        self.after.addLayout(row(self.what, self.number, self.show_button))

    def show_model(self, model: SegmentsModel) -> bool:
        """Show layers, unless their image has gone meanwhile."""
        image = model.picture.layer
        if image not in self.viewer.layers:
            self.dock.say(
                "The image was removed meanwhile; nothing was added.", "warning"
            )
            return False
        self._delay.stop()  # a level asked for before is not wanted any more
        self.model = model
        show(
            self.viewer,
            model.layers,
            like=model.picture,
            dtype=result_dtype(),
            fresh=True,
        )
        self.dock.view.after_show()
        self._fill_table()
        return True

    def forget(self) -> None:
        """Show nothing."""
        self._delay.stop()
        self.model = None
        self._fill_table()

    def _fill_table(self) -> None:
        model = self.model
        if model is None:
            self.table.show_layers([], [], [])
            self.enable()
            return
        layers = model.layers
        shown = results_for(self.viewer, model.picture.layer, self.kind)
        colors = [layer.metadata["napari-softlayers"]["color"] for layer in shown]
        if len(colors) == len(layers):
            self.table.show_layers(layers.names, colors, layers.coverage)
        self.level.blockSignals(True)
        self.level.setRange(2, model.most)
        self.level.setValue(len(layers))
        self.level.blockSignals(False)
        self.enable()

    def _on_level(self, value: int) -> None:
        self.level_label.setText(str(value))
        if self.model is not None:
            self._delay.start()

    def _recut(self) -> None:
        self._delay.stop()
        model, count = self.model, int(self.level.value())
        if model is not None and (model.edited or count != len(model.layers)):
            self.dock.compute(
                lambda run, _post: model.level(count, run),
                self._show_edited,
                sources=(model.picture.layer,),
            )

    def split(self) -> None:
        """Take the selected layer apart."""
        model, rows = self.model, self.table.rows
        if model is None or len(rows) != 1:
            self.dock.say("Select one layer in the table to split it.", "error")
            return
        self.dock.compute(
            lambda run, _post: model.split(rows[0], run),
            self._show_edited,
            sources=(model.picture.layer,),
        )

    def merge(self) -> None:
        """Join the selected layers."""
        model, rows = self.model, self.table.rows
        if model is None:
            self.dock.say("There are no layers yet; press Compute first.", "error")
            return
        try:
            self._show_edited(model.merge(rows))
        except ValueError as error:
            self.dock.say(str(error), "error")

    def _show_edited(self, model: SegmentsModel) -> None:
        if self.show_model(model):
            self.dock.say(f"{len(model.layers)} layers.")

    def _rename(self, index: int, name: str) -> None:
        model = self.model
        if model is None or not name or index >= len(model.layers):
            return
        model.rename(index, name)
        shown = results_for(self.viewer, model.picture.layer, self.kind)
        if index < len(shown):
            shown[index].name = f"{model.picture.name} · {name}"

    def _choose(self, index: int) -> None:
        """Select the layer of a table row in the viewer."""
        if self.model is None:
            return
        shown = results_for(self.viewer, self.model.picture.layer, self.kind)
        if index < len(shown):
            self.viewer.layers.selection.active = shown[index]

    def inspect(self) -> None:
        """Add a step of the method as a layer."""
        if self.model is None:
            self.dock.say("There are no layers yet; press Compute first.", "error")
            return
        try:
            made = show_by_product(
                self.viewer,
                self.model.layers,
                self.model.picture.layer,
                self.what.currentText(),
                int(self.number.value()),
            )
        except ValueError as error:
            self.dock.say(str(error), "error")
            return
        self.dock.say(f"Added '{made.name}'.")

    def enable(self) -> None:
        model, rows = self.model, self.table.rows
        tree = model is not None and bool(model.groups)
        self.level.setEnabled(tree)
        self.level_label.setText(str(self.level.value()) if tree else "")
        self.merge_button.setEnabled(len(rows) > 1)
        one = model is not None and len(rows) == 1
        self.split_button.setEnabled(bool(one and model and model.can_split(rows[0])))
        self.show_button.setEnabled(model is not None)
