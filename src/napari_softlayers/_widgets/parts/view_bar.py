"""How to look at a result, and its removal: shared by the docks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_softlayers._bridge.results import clear_results, results_for
from napari_softlayers._bridge.view_modes import VIEWS, remove_preview, set_view

from .layout import choice, choose_next, push_button, row


class ViewBar(QWidget):
    """Choice of view and a Clear button for the results of one kind.

    ``kind``: kind of the results. ``image``: gives the image layer that is chosen now,
    or None. ``views`` sequence of str: those of `VIEWS` that make sense for this kind.
    """

    def __init__(
        self,
        viewer: Any,
        kind: str,
        image: Callable[[], Any],
        views: tuple[str, ...] = VIEWS,
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._kind = kind
        self.kinds = [kind]
        """Kinds of the results that are looked at and removed."""
        self._image = image
        self.combo = choice(
            views, "How to look at the result (key: H; W shows the original)"
        )
        self.combo.currentTextChanged.connect(self._apply)
        self.clear_button = push_button(
            "Clear", self.clear, "Remove the result and show the image again"
        )
        line = row("View", self.combo, self.clear_button)
        line.setStretch(1, 1)
        self.setLayout(line)

    @property
    def view(self) -> str:
        """The chosen view."""
        return str(self.combo.currentText())

    def next_view(self) -> None:
        """Key H: the next way to look at the result."""
        choose_next(self.combo)

    def toggle_original(self) -> None:
        """Key W: the original picture and back."""
        self.combo.setCurrentText("result" if self.view == "original" else "original")

    def after_show(self) -> None:
        """Bring new results into the chosen view."""
        if self.view != "result":
            self._apply(self.view)

    def clear(self) -> None:
        """Remove the results of the chosen image and show it again."""
        image = self._image()
        if image is None:
            return
        remove_preview(self._viewer, image)
        for kind in self.kinds:
            clear_results(self._viewer, results_for(self._viewer, image, kind))
        self.combo.setCurrentText("result")

    def _apply(self, view: str) -> None:
        image = self._image()
        if image is None:
            return
        for kind in self.kinds:  # those on the screen, else those that were there last
            if any(x.visible for x in results_for(self._viewer, image, kind)):
                self._kind = kind
        set_view(self._viewer, image, self._kind, view)
