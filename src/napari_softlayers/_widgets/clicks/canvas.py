"""What the canvas tells the click mode, and what that draws there."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_softlayers._bridge import Picture
from napari_softlayers._bridge.prompts import (
    hide_overlay,
    remove_overlays,
    show_overlay,
)

from ..parts.layout import single_shot

DRAG_PIXELS = 3
"""A press that moves farther than this on the screen is a drag."""
HOVER_MS = 40
PAN_ZOOM = "pan_zoom"


class ClickCanvas(QObject):
    """Tells clicks from drags.

    While a layer's own tool is in use (painting, adding points), clicks are left to it.
    """

    clicked = Signal(object, bool)
    """Place in the world, and whether to take away."""
    moved = Signal(object)
    """Place in the world; at most once in `HOVER_MS`."""
    turned = Signal(int)
    """Steps of the wheel while Shift is held."""

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._lists = (
            (viewer.mouse_drag_callbacks, self._pressed),
            (viewer.mouse_move_callbacks, self._move),
            (viewer.mouse_wheel_callbacks, self._wheel),
        )
        self._position: Any = None
        self._timer = single_shot(self, self._hover, HOVER_MS)

    def start(self) -> None:
        """Listen."""
        for callbacks, mine in self._lists:
            callbacks.append(mine)

    def stop(self) -> None:
        """Listen no longer; works after Qt has deleted this object as well."""
        for callbacks, mine in self._lists:
            while mine in callbacks:
                callbacks.remove(mine)
        self.forget()

    def forget(self) -> None:
        """Drop a move that has not been told yet."""
        self._position = None

    def _pressed(self, _viewer: Any, event: Any) -> Generator[None]:
        if event.button != 1 or self._tool_in_use():
            return
        place, position = np.array(event.pos, dtype=float), tuple(event.position)
        remove = "Control" in event.modifiers
        other = any(key in event.modifiers for key in ("Alt", "Meta", "Shift"))
        yield
        while event.type == "mouse_move":
            if np.linalg.norm(np.array(event.pos, dtype=float) - place) > DRAG_PIXELS:
                return
            yield
        if not other:
            self.clicked.emit(position, remove)

    def _tool_in_use(self) -> bool:
        active = self._viewer.layers.selection.active
        return str(getattr(active, "mode", PAN_ZOOM)) != PAN_ZOOM

    def _move(self, _viewer: Any, event: Any) -> None:
        self._position = tuple(event.position)
        if not self._timer.isActive():
            self._timer.start()

    def _hover(self) -> None:
        if self._position is not None:
            self.moved.emit(self._position)

    def _wheel(self, _viewer: Any, event: Any) -> None:
        if len(event.modifiers) == 1 and "Shift" in event.modifiers:
            delta = max(event.delta, key=abs)
            if delta:
                self.turned.emit(1 if delta > 0 else -1)


OBJECT, HOVER = "object", "hover"
OBJECT_STRENGTH, HOVER_STRENGTH = 0.6, 0.3
WHITE = (1.0, 1.0, 1.0)
COLORS = ((0.0, 0.85, 1.0), (1.0, 0.25, 0.75), (0.55, 1.0, 0.1), (0.6, 0.4, 1.0))
"""Of the objects in turn; rare in pictures."""


class ClickView:
    """The two overlays of the click mode on one picture."""

    def __init__(self, viewer: Any, picture: Picture) -> None:
        self._viewer = viewer
        self._picture = picture
        self.hovered: Any = None

    def show_object(self, alpha: Any, number: int) -> None:
        """Tint the object; neighbours differ in colour. No alpha hides it."""
        color = COLORS[(number - 1) % len(COLORS)]
        self._show(OBJECT, alpha, color, OBJECT_STRENGTH)

    def show_hover(self, key: Any, alpha: Any) -> None:
        """Lighten the segment of a key; no alpha hides it."""
        if key != self.hovered:
            self.hovered = key
            self._show(HOVER, alpha, WHITE, HOVER_STRENGTH)

    def _show(self, what: str, alpha: Any, color: Any, strength: float) -> None:
        if alpha is None:
            hide_overlay(self._viewer, self._picture.layer, what)
        else:
            show_overlay(self._viewer, self._picture, what, alpha, color, strength)

    def clear(self) -> None:
        """Take both away."""
        remove_overlays(self._viewer, self._picture.layer)
        self.hovered = None
