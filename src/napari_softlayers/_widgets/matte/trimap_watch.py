"""Live mode: watch a trimap, tell when its content has settled after a stroke."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtCore import QObject

from ..parts.layout import single_shot
from ..parts.links import Links
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
        self.layer: Any = None
        self._links = Links()
        self._seen: tuple[Any, ...] | None = None
        self._timer = single_shot(self, self._settled)

    def watch(self, layer: Any) -> bool:
        """Follow a Labels layer, None follows nothing; tell whether it is another one."""
        if layer is self.layer:
            return False
        self.release()
        self.layer = layer
        if layer is not None:
            self._seen = digest(layer.data)
            for event in (layer.events.paint, layer.events.set_data):
                self._links.connect(event, self._touched)
        return True

    def release(self) -> None:
        """Disconnect from the layer; works after Qt has deleted this object as well."""
        self.layer = None
        self._links.close()

    def _touched(self, *_: Any) -> None:
        self._timer.start(int(preference("live", "delay_ms")))

    def _settled(self) -> None:
        if self.layer is None:
            return
        now = digest(self.layer.data)
        if now != self._seen:
            self._seen = now
            self._changed()
