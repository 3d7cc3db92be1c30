"""A choice of layers that follows the viewer's layer list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_softlayers._bridge import is_own


class LayerCombo(QComboBox):
    """Lists the layers that a test accepts; remembers the chosen one, not its name.

    ``prefers``: how well an accepted layer would do, for the choice when the user has
    not made one; 0 is never taken. ``optional``: text of a first entry that stands for
    no layer; without it there is none.
    """

    layer_changed = Signal()

    def __init__(
        self,
        viewer: Any,
        accepts: Callable[[Any], bool],
        prefers: Callable[[Any], int] = lambda _: 1,
        parent: QWidget | None = None,
        optional: str = "",
    ) -> None:
        super().__init__(parent)
        self._optional = optional
        self._viewer = viewer
        self._accepts = accepts
        self._prefers = prefers
        self._layers: list[Any] = []
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(120)
        self.currentIndexChanged.connect(lambda *_: self.layer_changed.emit())

    @property
    def layer(self) -> Any:
        """The chosen layer, or None."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @layer.setter
    def layer(self, layer: Any) -> None:
        if layer in self._layers:
            self.setCurrentIndex(self._layers.index(layer))

    def refresh(self) -> None:
        """Follow the layer list; keep the choice where it still exists."""
        chosen = self.layer
        layers = [layer for layer in self._viewer.layers if self._accepts(layer)]
        names = [layer.name for layer in layers]
        if self._optional:
            layers, names = [None, *layers], [self._optional, *names]
        shown = [self.itemText(i) for i in range(self.count())]
        if layers == self._layers and names == shown:
            return
        self._layers = layers
        keep = chosen in layers or bool(self._optional)
        best = chosen if chosen in layers else None if keep else self._best()
        with QSignalBlocker(self):
            self.clear()
            self.addItems(names)
            self.setCurrentIndex(layers.index(best) if best in layers else -1)
        if best is not chosen:
            self.layer_changed.emit()

    def choose_best(self) -> None:
        """Take the layer that does best, or none."""
        best = self._best()
        self.setCurrentIndex(self._layers.index(best) if best in self._layers else -1)

    def forget(self) -> None:
        """Drop all references to layers."""
        self._layers = []
        with QSignalBlocker(self):
            self.clear()

    def _best(self) -> Any:
        active = self._viewer.layers.selection.active
        ranks = [
            (self._prefers(layer), layer is active, place)
            for place, layer in enumerate(self._layers)
            if layer is not None
        ]
        rank, _, place = max(ranks, default=(0, False, 0))
        return self._layers[place] if rank else None


def is_picture(layer: Any) -> bool:
    """Accept images that are not results or previews of this plugin."""
    return hasattr(layer, "rgb") and layer.ndim >= 2 and not is_own(layer)
