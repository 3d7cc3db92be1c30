"""The layers of a result in a table: colour, name, share of the picture."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
)

ROW_HEIGHT = 22
MOST_ROWS = 8


class LayerTable(QTableWidget):
    """Lists layers; names can be edited, rows selected."""

    renamed = Signal(int, str)
    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setHorizontalHeaderLabels(["", "layer", "share"])
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.itemChanged.connect(self._changed)
        self.itemSelectionChanged.connect(self._selected)
        self._fit()

    def show_layers(self, names: list[str], colors: Any, shares: Any) -> None:
        """Fill the table; colours ``(K, 3)`` and shares ``(K,)`` in [0, 1]."""
        self.blockSignals(True)
        self.clearSelection()
        self.setRowCount(len(names))
        for line, (name, color, share) in enumerate(
            zip(names, colors, shares, strict=True)
        ):
            swatch = QTableWidgetItem("   ")
            swatch.setBackground(QColor.fromRgbF(*(float(value) for value in color)))
            part = QTableWidgetItem(f"{float(share):.1%}")
            for item in (swatch, part):
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            self.setItem(line, 0, swatch)
            self.setItem(line, 1, QTableWidgetItem(name))
            self.setItem(line, 2, part)
        self.blockSignals(False)
        self._fit()

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

    def _fit(self) -> None:
        rows = min(max(self.rowCount(), 2), MOST_ROWS)
        self.setFixedHeight(rows * ROW_HEIGHT + 30)

    def _changed(self, item: QTableWidgetItem) -> None:
        if item.column() == 1:
            self.renamed.emit(item.row(), item.text().strip())

    def _selected(self) -> None:
        if self.rows:
            self.chosen.emit(self.rows[-1])
