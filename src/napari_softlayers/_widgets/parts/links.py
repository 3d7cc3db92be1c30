"""What a dock holds of a viewer, connections and keys, and gives back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


class Links:
    """Connections to a viewer, kept apart from the widget so that they can be undone
    when Qt has already deleted it."""

    def __init__(self) -> None:
        self.undo: list[Callable[[], Any]] = []

    def connect(self, emitter: Any, callback: Callable[..., Any]) -> None:
        emitter.connect(callback)
        self.undo.append(lambda: emitter.disconnect(callback))

    def close(self) -> None:
        while self.undo:
            try:
                self.undo.pop()()
            except (RuntimeError, ValueError, KeyError) as error:
                logger.debug("a connection was already gone: %s", error)


class Keys:
    """Bindings of one dock on one viewer.

    The dock opened last has the keys; when it closes, they go back to the one before it,
    unless that one has closed meanwhile.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._bound: dict[str, tuple[Callable[[Any], None], Any]] = {}
        self.released = False

    def bind(self, key: str, action: Callable[[], Any]) -> None:
        """Bind a key to an action without arguments."""

        def pressed(_viewer: Any) -> None:
            action()

        pressed.softlayers_keys = self  # type: ignore[attr-defined]
        before = self._viewer.bind_key(key, None)
        self._viewer.bind_key(key, pressed, overwrite=True)
        self._bound[key] = pressed, before

    def release(self) -> None:
        """Give all keys back."""
        self.released = True
        for key, (mine, before) in self._bound.items():
            current = self._viewer.bind_key(key, None)
            back = before if current is mine else current
            owner = getattr(back, "softlayers_keys", None)
            if back is not None and not (owner is not None and owner.released):
                self._viewer.bind_key(key, back, overwrite=True)
        self._bound.clear()
