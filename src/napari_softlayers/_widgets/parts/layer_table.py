"""The layers of a result in a table: colour, name, share of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy import QtWidgets as qt
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor

ROW_HEIGHT = 22
MOST_ROWS = 8
SPARE = 30


class NameTable(qt.QTableWidget):
    """Rows of a colour, a name that can be edited, and a share."""

    renamed = Signal(int, str)

    def __init__(self, *titles: str) -> None:
        super().__init__(0, 3)
        self.setHorizontalHeaderLabels(titles)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, qt.QHeaderView.ResizeMode.Stretch)
        self.itemChanged.connect(self._changed)
        self.fill([])

    def fill(self, rows: Sequence[tuple[str, Any, str, float]]) -> None:
        """Show rows of a text on a colour ``(3,)``, a name and a share, all in [0, 1]."""
        fixed = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        with QSignalBlocker(self):
            self.clearSelection()
            self.setRowCount(len(rows))
            for line, (text, color, name, share) in enumerate(rows):
                swatch = qt.QTableWidgetItem(text)
                swatch.setBackground(QColor.fromRgbF(*map(float, color)))
                swatch.setForeground(QColor("white"))
                part = qt.QTableWidgetItem(f"{float(share):.1%}")
                for item in (swatch, part):
                    item.setFlags(fixed)
                for place, item in enumerate((swatch, qt.QTableWidgetItem(name), part)):
                    self.setItem(line, place, item)
        shown = min(max(len(rows), 2), MOST_ROWS)
        self.setFixedHeight(shown * ROW_HEIGHT + SPARE)

    def _changed(self, item: qt.QTableWidgetItem) -> None:
        if item.column() == 1:
            self.renamed.emit(item.row(), item.text().strip())


class LayerTable(NameTable):
    """Lists layers; rows can be selected."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__("", "layer", "share")
        self.setSelectionBehavior(qt.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(qt.QAbstractItemView.SelectionMode.ExtendedSelection)
        self.itemSelectionChanged.connect(self._selected)

    def show_layers(self, names: list[str], colors: Any, shares: Any) -> None:
        """Fill the table; colours ``(K, 3)`` and shares ``(K,)`` in [0, 1]."""
        texts = ["   "] * len(names)
        self.fill([*zip(texts, colors, names, shares, strict=True)])

    @property
    def rows(self) -> list[int]:
        """Numbers of the selected rows."""
        return sorted({index.row() for index in self.selectedIndexes()})

    def step(self, by: int) -> None:
        """Select the next (1) or the previous (-1) row."""
        if self.rowCount():
            now = self.rows[0] if self.rows else -1 if by > 0 else 0
            self.clearSelection()
            self.selectRow((now + by) % self.rowCount())

    def _selected(self) -> None:
        if self.rows:
            self.chosen.emit(self.rows[-1])
