"""A choice of layers that follows the viewer's layer list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_softlayers._bridge import is_own


class LayerCombo(QComboBox):
    """Lists the layers that a test accepts; remembers the chosen one, not its name.

    Parameters
    ----------
    viewer : napari.Viewer
    accepts : callable
        Tells whether a layer may be chosen.
    prefers : callable, optional
        Among the accepted layers, those to take when nothing was chosen yet.
    optional : str
        Text of a first entry that stands for no layer; without it there is none.
    """

    layer_changed = Signal()

    def __init__(
        self,
        viewer: Any,
        accepts: Callable[[Any], bool],
        prefers: Callable[[Any], bool] | None = None,
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
        self.currentIndexChanged.connect(self._chosen)

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
        same = len(layers) == len(self._layers) and all(
            a is b for a, b in zip(layers, self._layers, strict=True)
        )
        if same and names == shown:
            return
        self.blockSignals(True)
        self.clear()
        self._layers = layers
        self.addItems(names)
        keep = chosen in layers or bool(self._optional)
        best = chosen if chosen in layers else None if keep else self._best()
        self.setCurrentIndex(layers.index(best) if best in layers else -1)
        self.blockSignals(False)
        if best is not chosen:
            self.layer_changed.emit()

    def choose_best(self) -> None:
        """Take a preferred layer when the present one is not preferred."""
        prefers = self._prefers
        if prefers is None or (self.layer is not None and prefers(self.layer)):
            return
        best = self._best()
        if best is not None and prefers(best):
            self.layer = best

    def forget(self) -> None:
        """Drop all references to layers."""
        self.blockSignals(True)
        self.clear()
        self._layers = []
        self.blockSignals(False)

    def _best(self) -> Any:
        preferred = [x for x in self._layers if self._prefers and self._prefers(x)]
        active = self._viewer.layers.selection.active
        if active in (preferred or self._layers):
            return active
        return next(reversed(preferred or self._layers), None)

    def _chosen(self) -> None:
        self.layer_changed.emit()


def is_picture(layer: Any) -> bool:
    """Accept images that are not results or previews of this plugin."""
    if not hasattr(layer, "rgb") or layer.ndim < 2:
        return False
    return not is_own(layer)


def is_trimap(layer: Any) -> bool:
    """Accept Labels layers and grey images (classic trimaps)."""
    if hasattr(layer, "selected_label"):
        return True
    return is_picture(layer) and not layer.rgb
