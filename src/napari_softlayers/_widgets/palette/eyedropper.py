"""Picks one colour of a picture by a click in the canvas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Eyedropper:
    """Waits for one click in the canvas."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._callback: Callable[..., Any] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a click is waited for."""
        return self._callback is not None

    def start(self, picture: Any, done: Callable[[Any], None]) -> None:
        """Call ``done`` with the colour ``(3,)`` under the next click.

        ``picture``: whose colours are picked; a click beside it gives None.
        """
        self.stop()

        def clicked(_viewer: Any, event: Any) -> None:
            self.stop()
            done(color_at(picture, event.position))

        self._callback = clicked
        self._viewer.mouse_drag_callbacks.append(clicked)

    def stop(self) -> None:
        """Wait no longer."""
        callback, self._callback = self._callback, None
        if callback is not None and callback in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(callback)


def color_at(picture: Any, position: Any) -> Any:
    """Colour ``(3,)`` of a picture at a position in the world; None beside it."""
    row, column = np.floor(picture.grid.pixels_of([tuple(position)])[0] + 0.5)
    if not (0 <= row < picture.shape[0] and 0 <= column < picture.shape[1]):
        return None
    return picture.data[int(row), int(column)]
