"""Choice of a result set, its layers in a table, and whether they keep the promises."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_softlayers._bridge import record_of, result_sets
from napari_softlayers._bridge.edits import adjustment_of, checks_of
from napari_softlayers._bridge.results import full_name, plain_name

from ..parts.layer_table import LayerTable
from ..parts.layout import choice, column, single_shot

CHECK_DELAY_MS = 150


class ResultPicker(QWidget):
    """Follows the result sets of a viewer."""

    set_changed = Signal()
    selection_changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._sets: list[list[Any]] = []
        self._shown: list[Any] = []
        self._names: list[str] = []
        self._timer = single_shot(self, self._show_checks, CHECK_DELAY_MS)
        self.combo = choice((), "The result to work on")
        self.combo.currentIndexChanged.connect(lambda *_: self.show_set())
        self.checks = QLabel()
        self.checks.setWordWrap(True)
        self.checks.setToolTip("What the layers add up to, compared with the picture")
        self.table = LayerTable()
        self.table.setToolTip("Names can be edited; select layers (keys: J, K)")
        self.table.renamed.connect(self._rename)
        self.table.itemSelectionChanged.connect(self.selection_changed)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Result", self.combo)
        form.addRow("Checks", self.checks)
        column(self, form, self.table)

    @property
    def layers(self) -> list[Any]:
        """Layers of the chosen result, the bottom one first."""
        index = self.combo.currentIndex()
        return self._sets[index] if 0 <= index < len(self._sets) else []

    @property
    def rows(self) -> list[int]:
        """Numbers of the layers selected in the table."""
        return [line for line in self.table.rows if line < len(self.layers)]

    @property
    def selected(self) -> list[Any]:
        """The layers selected in the table."""
        return [self.layers[line] for line in self.rows]

    def refresh(self) -> None:
        """Follow the viewer's results; keep the choice where it still exists."""
        sets = list(result_sets(self._viewer).values())
        titles = [_title(layers) for layers in sets]
        shown = [self.combo.itemText(i) for i in range(self.combo.count())]
        if shown != titles or sets != self._sets:
            chosen = self.layers[0] if self.layers else None
            active = self._viewer.layers.selection.active
            where = [i for i, layers in enumerate(sets) if chosen in layers]
            where += [i for i, layers in enumerate(sets) if active in layers]
            self._sets = sets
            with QSignalBlocker(self.combo):
                self.combo.clear()
                self.combo.addItems(titles)
                self.combo.setCurrentIndex(where[0] if where else len(sets) - 1)
        names = [layer.name for layer in self.layers]
        if self.layers != self._shown or names != self._names or not names:
            self.show_set()

    def show_set(self) -> None:
        """Fill table and checks with the chosen set."""
        layers = self.layers
        records = [record for layer in layers if (record := record_of(layer))]
        rows = self.table.rows
        self.table.blockSignals(True)
        self.table.show_layers(
            [plain_name(layer) for layer in layers],
            [record.color for record in records],
            [record.coverage for record in records],
        )
        if layers == self._shown:
            self.select(rows)
        self._follow(layers)
        self.table.blockSignals(False)
        self.show_checks()
        self.set_changed.emit()
        self.selection_changed.emit()

    def select(self, rows: list[int]) -> None:
        """Select rows of the table."""
        model, selection = self.table.model(), self.table.selectionModel()
        selection.clearSelection()
        for line in rows:
            flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
            selection.select(model.index(line, 0), flags)

    def _follow(self, layers: list[Any]) -> None:
        """Notice when the data of these layers change."""
        for layer in self._shown:
            layer.events.data.disconnect(self.show_checks)
        self._shown = list(layers)
        self._names = [layer.name for layer in layers]
        for layer in layers:
            layer.events.data.connect(self.show_checks)

    def show_checks(self, *_: Any) -> None:
        """Compare the layers' sum with the picture, as soon as all is quiet."""
        self._timer.start()

    def _show_checks(self) -> None:
        try:
            self.checks.setText(self._checks_text() if self.layers else "")
        except (TypeError, ValueError) as error:
            self.checks.setText(str(error))

    def _checks_text(self) -> str:
        found = checks_of(self._viewer, self.layers)
        low, high = found.sum_range
        text = f"alphas sum to {low:.3f} … {high:.3f}"
        if np.isfinite(found.mean_error):
            mean, largest = 255 * found.mean_error, 255 * found.max_error
            text = f"error {mean:.2f} (at most {largest:.1f}) of 255; {text}"
        return text + "; colours were changed" * _colors_changed(self.layers)

    def forget(self) -> None:
        """Drop all references to layers."""
        self._timer.stop()
        self._follow([])
        self._sets = []
        with QSignalBlocker(self.combo):
            self.combo.clear()

    def _rename(self, line: int, name: str) -> None:
        if name and line < len(self.layers):
            layer = self.layers[line]
            layer.name = full_name(layer, name)


def _title(layers: list[Any]) -> str:
    record = record_of(layers[0])
    if record is None:
        return f"layers ({len(layers)})"
    where = f", {record.words}" if record.words else ""
    return f"{record.source or 'file'} · {record.kind} ({len(layers)}){where}"


def _colors_changed(layers: list[Any]) -> bool:
    """Whether the layers no longer mean to add up to the picture."""
    if any(not adjustment_of(layer).is_neutral for layer in layers):
        return True
    record = record_of(layers[0])
    edits = record.recipe.edits if record is not None and record.recipe else ()
    return any(edit.name in ("adjust", "recolor") for edit in edits)
