"""The lower half of the segments dock: level, layers, merge, split, by-products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QLabel, QSlider, QWidget

from napari_softlayers._bridge import record_of, results_for
from napari_softlayers._bridge.by_products import BY_PRODUCTS, show_by_product
from napari_softlayers._bridge.edits import rename_set
from napari_softlayers._bridge.show import hidden_words
from napari_softlayers._core.run import Run
from napari_softlayers._recipes import recipe_of

from ..parts.desk import Desk
from ..parts.layer_table import LayerTable
from ..parts.layout import choice, column, push_button, row, single_shot, whole_number
from .model import MOST_LAYERS, SegmentsModel

SLIDER_DELAY_MS = 120
NO_LAYERS = "There are no layers yet; press Compute first."


class SegmentsPanel(QWidget):
    """Shows a `SegmentsModel` and edits it; ``put``: see `PictureWidget`."""

    def __init__(self, desk: Desk, put: Callable[..., list[Any]]) -> None:
        super().__init__()
        self.desk = desk
        self.viewer = desk.viewer
        self.put = put
        self.model: SegmentsModel | None = None
        self._fill()

    def _fill(self) -> None:
        self.level = QSlider(Qt.Orientation.Horizontal)
        self.level.setRange(2, MOST_LAYERS)
        self.level.setToolTip(
            "Walk the merge tree: fewer, larger or more, smaller layers"
        )
        self.level.valueChanged.connect(self._on_level)
        self.level_label = QLabel("")
        self._delay = single_shot(self, self._recut, SLIDER_DELAY_MS)
        self.table = LayerTable()
        self.table.setToolTip("Names can be edited; J and K go through the layers")
        self.table.renamed.connect(self._rename)
        self.table.chosen.connect(self._choose)
        self.table.itemSelectionChanged.connect(self.enable)
        self.merge_button = push_button(
            "Merge", self.merge, "Join the selected layers into one"
        )
        self.split_button = push_button(
            "Split", self.split, "Take the selected layer apart along the merge tree"
        )
        self.what = choice(BY_PRODUCTS, "Steps of the method to look at")
        self.number = whole_number(1, 200, "Which eigenvector")
        self.what.currentTextChanged.connect(
            lambda text: self.number.setVisible(text == "eigenvector")
        )
        self.number.setVisible(False)
        self.show_button = push_button("Show", self.inspect, "Add it as a layer")
        column(
            self,
            row("Level", self.level, self.level_label),
            self.table,
            row(self.merge_button, self.split_button),
            row(self.what, self.number, self.show_button),
        )

    def show_model(
        self, model: SegmentsModel, news: str = "", level: str = "info"
    ) -> None:
        """Show layers, unless their image has gone meanwhile."""
        shown = self.put(model.layers, model.picture, fresh=True)
        if not shown:
            return
        self._delay.stop()  # a level asked for before is not wanted any more
        self.model = model
        self._fill_table()
        where = f" of {model.picture.words}" if model.picture.words else ""
        said = [f"{len(model.layers)} layers{where}.", news, hidden_words(shown)]
        self.desk.say(" ".join(filter(None, said)), level)

    def forget(self) -> None:
        """Show nothing."""
        self._delay.stop()
        self.model = None
        self._fill_table()

    def _results(self) -> list[Any]:
        """The model's layers in the viewer; none where they are not all there."""
        model, found = self.model, self._shown()
        return found if model and len(found) == len(model.layers) else []

    def _shown(self) -> list[Any]:
        """The layers in the viewer, which other docks may have changed."""
        image = self.model and self.model.picture.layer
        return results_for(self.viewer, image, "segments")

    def _fill_table(self) -> None:
        model = self.model
        if model is None:
            self.table.show_layers([], [], [])
        else:
            records = [record_of(layer) for layer in self._results()]
            colors = [record.color for record in records if record is not None]
            if colors:
                layers = model.layers
                self.table.show_layers(layers.names, colors, layers.coverage)
            with QSignalBlocker(self.level):
                self.level.setRange(2, model.most)
                self.level.setValue(len(model.layers))
        self.enable()

    def _edit(self, change: Callable[[SegmentsModel, Run], SegmentsModel]) -> None:
        """Change the model in the thread and show it."""
        model = self.model
        if model is None:
            self.desk.say(NO_LAYERS, "error")
            return
        self.desk.compute(
            lambda run, _post: change(model, run),
            lambda changed: self.show_model(changed, *self._left_behind()),
            sources=(model.picture.layer,),
        )

    def _left_behind(self) -> tuple[str, ...]:
        """A word on what other docks did to the layers: the tree does not know it."""
        model = self.model
        if model is None:
            return ()
        shown = self._shown()
        own, records = recipe_of(model.layers), [record_of(layer) for layer in shown]
        same = all(r and r.recipe == own and r.adjust is None for r in records)
        if same and len(shown) in (0, len(model.layers)):
            return ()
        return "Changes made to the layers elsewhere were left behind.", "warning"

    def _on_level(self, value: int) -> None:
        self.level_label.setText(str(value))
        if self.model is not None:
            self._delay.start()

    def _recut(self) -> None:
        self._delay.stop()
        model, count = self.model, int(self.level.value())
        if model is not None and (model.edited or count != len(model.layers)):
            self._edit(lambda model, run: model.level(count, run))

    def split(self) -> None:
        """Take the selected layer apart."""
        rows = self.table.rows
        if len(rows) != 1:
            self.desk.say("Select one layer in the table to split it.", "error")
            return
        self._edit(lambda model, run: model.split(rows[0], run))

    def merge(self) -> None:
        """Join the selected layers."""
        rows = self.table.rows
        self._edit(lambda model, _run: model.merge(rows))

    def _rename(self, index: int, name: str) -> None:
        shown = self._results()
        if self.model is None or not name or index >= len(shown):
            return
        self.model = self.model.renamed(index, name)
        rename_set(shown, self.model.layers)

    def _choose(self, index: int) -> None:
        """Select the layer of a table row in the viewer."""
        shown = self._results()
        if index < len(shown):
            self.viewer.layers.selection.active = shown[index]

    def inspect(self) -> None:
        """Add a step of the method as a layer."""
        if self.model is None:
            self.desk.say(NO_LAYERS, "error")
            return
        made = self.desk.tried(
            show_by_product,
            self.viewer,
            replace(self.model.layers, extras=self.model.parts.extras),
            self.model.picture,
            self.what.currentText(),
            int(self.number.value()),
        )
        if made is not None:
            self.desk.say(f"Added '{made.name}'.")

    def enable(self) -> None:
        """Allow what the model and the selected rows allow."""
        model, rows = self.model, self.table.rows
        tree = model is not None and model.tree is not None
        self.level.setEnabled(tree)
        self.level_label.setText(str(self.level.value()) if tree else "")
        self.merge_button.setEnabled(len(rows) > 1)
        split = model is not None and len(rows) == 1 and model.can_split(rows[0])
        self.split_button.setEnabled(split)
        self.show_button.setEnabled(model is not None)
