"""What the click mode draws over a picture: the object so far, the segment below."""

from __future__ import annotations

from typing import Any

from napari_softlayers._bridge import Picture
from napari_softlayers._bridge.prompts import (
    hide_overlay,
    remove_overlays,
    show_overlay,
)

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
        if alpha is None:
            hide_overlay(self._viewer, self._picture.layer, OBJECT)
            return
        color = COLORS[(number - 1) % len(COLORS)]
        show_overlay(self._viewer, self._picture, OBJECT, alpha, color, OBJECT_STRENGTH)

    def show_hover(self, key: Any, alpha: Any) -> None:
        """Lighten the segment of a key; None hides it."""
        if key == self.hovered:
            return
        self.hovered = key
        if key is None:
            hide_overlay(self._viewer, self._picture.layer, HOVER)
            return
        show_overlay(self._viewer, self._picture, HOVER, alpha, WHITE, HOVER_STRENGTH)

    def clear(self) -> None:
        """Take both away."""
        remove_overlays(self._viewer, self._picture.layer)
        self.hovered = None
