"""Live mode: watch a trimap, tell when its content has settled after a stroke."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QObject

from ..parts.layout import single_shot
from ..parts.settings import preference


def digest(array: Any) -> tuple[Any, ...]:
    """A cheap fingerprint of an array's content.

    Lazy arrays are not read: each time they give another fingerprint.
    """
    if not isinstance(array, np.ndarray):
        return (object(),)
    data = np.ascontiguousarray(array)
    return data.shape, str(data.dtype), zlib.adler32(data.data)


class TrimapWatch(QObject):
    """Calls back once after a stroke, an undo or a fill, when the labels have changed.

    ``events.paint`` comes once a stroke; undo and redo only fire ``events.set_data``,
    which also fires for other reasons, so the content decides.
    """

    def __init__(self, parent: QObject, changed: Callable[[], None]) -> None:
        super().__init__(parent)
        self._changed = changed
        self._layer: Any = None
        self._seen: tuple[Any, ...] | None = None
        self._timer = single_shot(self, self._settled)

    @property
    def layer(self) -> Any:
        """The layer that is watched."""
        return self._layer

    def watch(self, layer: Any) -> None:
        """Follow a Labels layer; None follows nothing."""
        if layer is self._layer:
            return
        self.release()
        self._layer = layer
        if layer is not None:
            self._seen = digest(layer.data)
            for name in ("paint", "set_data"):
                if hasattr(layer.events, name):
                    getattr(layer.events, name).connect(self._touched)

    def release(self) -> None:
        """Disconnect from the layer; works after Qt has deleted this object as well."""
        layer, self._layer = self._layer, None
        if layer is not None:
            for name in ("paint", "set_data"):
                if hasattr(layer.events, name):
                    getattr(layer.events, name).disconnect(self._touched)

    def _touched(self, *_: Any) -> None:
        self._timer.start(int(preference("live", "delay_ms")))

    def _settled(self) -> None:
        if self._layer is None:
            return
        now = digest(self._layer.data)
        if now != self._seen:
            self._seen = now
            self._changed()
