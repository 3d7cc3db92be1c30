"""The small table of a trimap's labels: colour, name of the layer, share painted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QAbstractItemView

from napari_softlayers._core.matting import layer_names

from ..parts.layer_table import NameTable
from .trimap_layers import LABEL_COLORS, OTHER_COLOR


class LabelTable(NameTable):
    """Lists the labels of a trimap; names can be edited and name the result layers."""

    def __init__(self) -> None:
        super().__init__("label", "layer", "painted")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._names: dict[str, dict[int, str]] = {}
        self._trimap = ""
        self.labels: list[int] = []
        """Those of the trimap, without 0."""
        self.renamed.connect(self._keep_name)

    def show_trimap(self, values: NDArray[Any] | None, trimap: str = "") -> None:
        """Count the labels ``(H, W)`` of a trimap, known by its id; None empties."""
        values = np.zeros(0, np.uint8) if values is None else values
        if values.dtype == np.uint8:  # ten times faster
            counts = dict(enumerate(np.bincount(values.ravel()).tolist()))
        else:
            unique, many = np.unique(values, return_counts=True)
            counts = dict(zip(unique.tolist(), many.tolist(), strict=True))
        shares = {k: n / values.size for k, n in counts.items() if k and n}
        self._trimap, self.labels = trimap, list(shares)
        self.fill(
            [
                (str(label), LABEL_COLORS.get(label, OTHER_COLOR)[:3], name, share)
                for (label, share), name in zip(
                    shares.items(), self.all_names(), strict=True
                )
            ]
        )

    def names(self) -> dict[int, str]:
        """The names that were given to labels of this trimap."""
        given = self._names.get(self._trimap, {})
        return {label: given[label] for label in self.labels if given.get(label)}

    def all_names(self) -> list[str]:
        """What the layers will be called."""
        given, usual = self.names(), layer_names(self.labels)
        if self.labels in ([1], [2]):  # the other one will be painted
            usual = [layer_names([1, 2])[self.labels[0] - 1]]
        named = zip(self.labels, usual, strict=True)
        return [given.get(label, name) for label, name in named]

    def _keep_name(self, line: int, name: str) -> None:
        self._names.setdefault(self._trimap, {})[self.labels[line]] = name
