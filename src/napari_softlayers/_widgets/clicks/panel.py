"""The part of the segments dock for clicks: one toggle, and what it opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QSizePolicy, QSlider, QWidget

from napari_softlayers._bridge.prompts import REMOVE

from ..parts.desk import Desk
from ..parts.layout import column, push_button, row
from .engine import ClickEngine
from .mode import ClickMode

if TYPE_CHECKING:
    from ..segments.model import SegmentsRequest

HELP = "Click adds, Ctrl+click takes away. Hold Shift and turn the wheel to grow or shrink."


class ClickPanel(QWidget):
    """Turns the click mode on and off, and has a button for each of its keys.

    ``settings``: gives those of the dock; raises ValueError when they do not fit.
    """

    def __init__(self, desk: Desk, settings: Callable[[], SegmentsRequest]) -> None:
        super().__init__()
        self.desk = desk
        self._settings = settings
        self.mode = ClickMode(desk, self)
        self.mode.changed.connect(self._follow)
        self.preparing = False
        self._fill()
        self._follow()

    def _fill(self) -> None:
        self.toggle = push_button(
            "Click",
            self._toggled,
            f"Choose objects by clicks in the picture (key: Q). {HELP}",
            checkable=True,
        )
        self.remove_button = push_button(
            "Remove",
            self.mode.toggle_role,
            "Plain clicks take away (key: Shift+Q; Ctrl+click always takes away)",
            checkable=True,
        )
        self.undo_button = push_button(
            "Undo", self.mode.undo, "Take the last click or step back (key: U)"
        )
        self.shrink_button = self._small(
            "−", -1, "A smaller part of the picture (key: Shift+J)"
        )
        self.grow_button = self._small(
            "+", 1, "A larger part of the picture (key: Shift+K)"
        )
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setPageStep(1)
        self.size.setToolTip(
            "Walk the merge tree with the object: smaller or larger (Shift+wheel)"
        )
        self.size.valueChanged.connect(self._sized)
        self.accept_button = push_button(
            "Accept",
            self.mode.accept,
            "Make the object a layer and start the next one (key: N)",
        )
        self.matte_button = push_button(
            "Matte …",
            lambda: self.mode.with_matte(self._open_matte),
            "Make a trimap of the object and open it in 'Matte from trimap'",
        )
        self.clear_button = push_button(
            "Clear", self.mode.clear, "Remove the objects and the prompts"
        )
        self.inside = QWidget()
        column(
            self.inside,
            row(self.remove_button, self.undo_button),
            row("Extent", self.shrink_button, self.size, self.grow_button),
            row(self.accept_button, self.matte_button, self.clear_button),
        )
        column(self, self.toggle, self.inside)

    def _small(self, text: str, steps: int, tip: str) -> QWidget:
        made = push_button(text, lambda: self.mode.grow(steps), tip)
        made.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        made.setMinimumWidth(32)
        return made

    def _toggled(self) -> None:
        if not self.toggle.isChecked():
            self.turn_off()
            return
        request = self.desk.tried(self._settings)
        if request is None:
            self.toggle.setChecked(False)
            return
        self.preparing = True
        self.desk.compute(
            lambda run, _post: ClickEngine(request.segmenter(run)),
            self._ready,
            sources=(request.image,),
        )

    def _ready(self, engine: ClickEngine) -> None:
        self.preparing = False
        if engine.picture.layer not in self.desk.viewer.layers:
            self.turn_off()
            return
        self.mode.start(engine)

    def turn_off(self) -> None:
        """End the click mode; the prompts stay."""
        if self.preparing:
            self.preparing = False
            self.desk.cancel()
        self.mode.stop()
        self._follow()

    def settle(self, image: Any) -> None:
        """Turn off when the chosen image changed or preparing came to nothing."""
        if self.preparing and not self.desk.jobs.busy:
            self.preparing = False
            self._follow()
        followed = self.mode.image
        if followed is None or followed is image:
            return
        self.turn_off()
        if followed not in self.desk.viewer.layers:
            self.desk.say(
                f"'{followed.name}' was removed; the click mode is off.", "warning"
            )

    def _follow(self) -> None:
        """Show the state of the mode."""
        on = self.mode.engine is not None
        self.toggle.setChecked(on or self.preparing)
        self.inside.setVisible(on)
        state = self.mode.state
        self.remove_button.setChecked(state.role == REMOVE)
        self.undo_button.setEnabled(bool(state.history))
        self.accept_button.setEnabled(state.current in state.prompts.objects)
        self.matte_button.setEnabled(bool(state.prompts.objects))
        (first, last), level = self.mode.level_range(), state.level
        with QSignalBlocker(self.size):
            self.size.setRange(first, last)
            self.size.setValue(level)
        self.size.setEnabled(last > first)
        self.shrink_button.setEnabled(level > first)
        self.grow_button.setEnabled(level < last)

    def _sized(self, value: int) -> None:
        self.mode.grow(value - self.mode.state.level)

    def _open_matte(self, picture: Any, alpha: Any) -> None:
        """Hand the object over to the matte dock."""
        from ..matte.dock import open_matte

        self.turn_off()
        if self.desk.tried(open_matte, self.desk.viewer, picture, alpha) is not None:
            self.desk.say("The object is a trimap in 'Matte from trimap' now.")
