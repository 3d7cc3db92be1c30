"""The small table of a trimap's labels: colour, name of the layer, share painted."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
)

from ..commands import label_color

MOST_ROWS = 8
ROW_HEIGHT = 22


class LabelTable(QTableWidget):
    """Lists the labels of a trimap; names can be edited and name the result layers."""

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setHorizontalHeaderLabels(["label", "layer", "painted"])
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._names: dict[int, str] = {}
        self._labels: list[int] = []
        self._two = False
        self.itemChanged.connect(self._renamed)
        self._fit()

    def show_trimap(self, trimap: Any) -> None:
        """Count the labels of a trimap ``(H, W)``; None empties the table."""
        values: list[int] = []
        shares: list[float] = []
        if trimap is not None and trimap.size and trimap.dtype.kind in "ui":
            if trimap.dtype.itemsize == 1:
                counts = np.bincount(trimap.ravel(), minlength=1)
                values = [int(value) for value in np.flatnonzero(counts)]
                shares = [float(counts[value]) / trimap.size for value in values]
            else:
                unique, counts = np.unique(trimap, return_counts=True)
                values = [int(value) for value in unique]
                shares = [float(count) / trimap.size for count in counts]
        pairs = [(v, s) for v, s in zip(values, shares, strict=True) if v != 0]
        self._fill(pairs)

    def names(self) -> list[str] | None:
        """Layer names in the order of the labels; None when none was edited."""
        if not any(label in self._names for label in self._labels):
            return None
        return [self._name(label) for label in self._labels]

    @property
    def labels(self) -> list[int]:
        """The labels of the trimap, without 0."""
        return list(self._labels)

    def _name(self, label: int) -> str:
        usual = {1: "background", 2: "foreground"} if self._two else {}
        return self._names.get(label) or usual.get(label, f"label {label}")

    def _fill(self, pairs: list[tuple[int, float]]) -> None:
        self._labels = [label for label, _ in pairs]
        self._two = self._labels in ([1], [2], [1, 2])
        self.blockSignals(True)
        self.setRowCount(len(pairs))
        for line, (label, share) in enumerate(pairs):
            number = QTableWidgetItem(str(label))
            number.setBackground(QColor.fromRgbF(*label_color(label)[:3]))
            number.setForeground(QColor("white"))
            number.setFlags(Qt.ItemFlag.ItemIsEnabled)
            painted = QTableWidgetItem(f"{share:.1%}")
            painted.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.setItem(line, 0, number)
            self.setItem(line, 1, QTableWidgetItem(self._name(label)))
            self.setItem(line, 2, painted)
        self.blockSignals(False)
        self._fit()

    def _fit(self) -> None:
        rows = min(max(self.rowCount(), 2), MOST_ROWS)
        self.setFixedHeight(rows * ROW_HEIGHT + self.horizontalHeader().height() + 30)

    def _renamed(self, item: QTableWidgetItem) -> None:
        if item.column() == 1:
            text = item.text().strip()
            self._names[self._labels[item.row()]] = text
