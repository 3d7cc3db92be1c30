"""Keys that a dock binds while it is open and gives back when it closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Keys:
    """Bindings of one dock on one viewer.

    The dock opened last has the keys; when it closes, they go back to the one before it,
    unless that one has closed meanwhile.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._bound: dict[str, Callable[[Any], None]] = {}
        self._before: dict[str, Callable[[Any], None] | None] = {}
        self.released = False

    def bind(self, key: str, action: Callable[[], Any]) -> None:
        """Bind a key to an action without arguments."""

        def pressed(_viewer: Any) -> None:
            action()

        pressed.softlayers_keys = self  # type: ignore[attr-defined]
        self._before[key] = self._viewer.bind_key(key, None)
        self._viewer.bind_key(key, pressed, overwrite=True)
        self._bound[key] = pressed

    def release(self) -> None:
        """Give all keys back."""
        self.released = True
        for key, mine in self._bound.items():
            current = self._viewer.bind_key(key, None)
            back = self._before.get(key) if current is mine else current
            owner = getattr(back, "softlayers_keys", None)
            if back is not None and not (owner is not None and owner.released):
                self._viewer.bind_key(key, back, overwrite=True)
        self._bound.clear()
        self._before.clear()
