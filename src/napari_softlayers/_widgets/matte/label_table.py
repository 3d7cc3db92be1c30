"""The small table of a trimap's labels: colour, name of the layer, share painted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
)

from napari_softlayers._core.matting import layer_names

from .trimap_layers import label_color

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
        self._names: dict[str, dict[int, str]] = {}
        self._trimap = ""
        self._labels: list[int] = []
        self.itemChanged.connect(self._renamed)
        self._fit()

    def show_trimap(self, values: NDArray[Any] | None, trimap: str = "") -> None:
        """Count the labels ``(H, W)`` of a trimap, known by its id; None empties."""
        self._trimap = trimap
        if values is None:
            self._fill([])
            return
        if values.dtype == np.uint8:  # ten times faster
            counts = dict(enumerate(np.bincount(values.ravel()).tolist()))
        else:
            unique, many = np.unique(values, return_counts=True)
            counts = dict(zip(unique.tolist(), many.tolist(), strict=True))
        pairs = [(label, count) for label, count in counts.items() if label and count]
        self._fill([(label, count / values.size) for label, count in pairs])

    def names(self) -> dict[int, str]:
        """The names that were given to labels of this trimap."""
        given = self._names.get(self._trimap, {})
        return {label: given[label] for label in self._labels if given.get(label)}

    @property
    def labels(self) -> list[int]:
        """The labels of the trimap, without 0."""
        return list(self._labels)

    def all_names(self) -> list[str]:
        """What the layers will be called."""
        given, usual = self.names(), layer_names(self._labels)
        if self._labels in ([1], [2]):  # the other one will be painted
            usual = [layer_names([1, 2])[self._labels[0] - 1]]
        return [
            given.get(label, name)
            for label, name in zip(self._labels, usual, strict=True)
        ]

    def _fill(self, pairs: list[tuple[int, float]]) -> None:
        self._labels = [label for label, _ in pairs]
        self.blockSignals(True)
        self.setRowCount(len(pairs))
        for line, ((label, share), name) in enumerate(
            zip(pairs, self.all_names(), strict=True)
        ):
            number = QTableWidgetItem(str(label))
            number.setBackground(QColor.fromRgbF(*label_color(label)[:3]))
            number.setForeground(QColor("white"))
            number.setFlags(Qt.ItemFlag.ItemIsEnabled)
            painted = QTableWidgetItem(f"{share:.1%}")
            painted.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.setItem(line, 0, number)
            self.setItem(line, 1, QTableWidgetItem(name))
            self.setItem(line, 2, painted)
        self.blockSignals(False)
        self._fit()

    def _fit(self) -> None:
        rows = min(max(self.rowCount(), 2), MOST_ROWS)
        self.setFixedHeight(rows * ROW_HEIGHT + self.horizontalHeader().height() + 30)

    def _renamed(self, item: QTableWidgetItem) -> None:
        if item.column() == 1:
            given = self._names.setdefault(self._trimap, {})
            given[self._labels[item.row()]] = item.text().strip()
