"""The small table of a trimap's labels: colour, name of the layer, share painted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QAbstractItemView

from napari_softlayers._core.matting import layer_names

from ..parts.layer_table import NameTable
from .trimap_layers import label_color


class LabelTable(NameTable):
    """Lists the labels of a trimap; names can be edited and name the result layers."""

    def __init__(self) -> None:
        super().__init__("label", "layer", "painted")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._names: dict[str, dict[int, str]] = {}
        self._trimap = ""
        self._labels: list[int] = []
        self.renamed.connect(self._keep_name)

    def show_trimap(self, values: NDArray[Any] | None, trimap: str = "") -> None:
        """Count the labels ``(H, W)`` of a trimap, known by its id; None empties."""
        self._trimap = trimap
        if values is None:
            self._show([])
            return
        if values.dtype == np.uint8:  # ten times faster
            counts = dict(enumerate(np.bincount(values.ravel()).tolist()))
        else:
            unique, many = np.unique(values, return_counts=True)
            counts = dict(zip(unique.tolist(), many.tolist(), strict=True))
        pairs = [(label, count) for label, count in counts.items() if label and count]
        self._show([(label, count / values.size) for label, count in pairs])

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

    def _show(self, pairs: list[tuple[int, float]]) -> None:
        self._labels = [label for label, _ in pairs]
        named = zip(pairs, self.all_names(), strict=True)
        self.fill(
            [(str(k), label_color(k)[:3], name, share) for (k, share), name in named]
        )

    def _keep_name(self, line: int, name: str) -> None:
        self._names.setdefault(self._trimap, {})[self._labels[line]] = name
