"""The part of the segments dock for clicks: one toggle, and what it opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QSizePolicy, QSlider, QWidget

from napari_softlayers._api import Segmenter
from napari_softlayers._bridge.prompts import ADD, REMOVE
from napari_softlayers._core.run import Run

from ..parts.base import LayersWidget
from ..parts.layout import column, push_button, row
from ..parts.links import Keys
from .engine import ClickEngine
from .mode import ClickMode

HELP = "Click adds, Ctrl+click takes away. Hold Shift and turn the wheel to grow or shrink."


class Request(Protocol):
    """Settings at one moment: an image, and how it is made ready for clicks."""

    @property
    def image(self) -> Any: ...

    def segmenter(self, run: Run) -> Segmenter: ...


class ClickPanel(QWidget):
    """Turns the click mode on and off, and has a button for each of its keys.

    ``request``: gives a `Request`, or None when the settings do not fit. ``to_matte``:
    ``to_matte(picture, alpha)`` hands an object over to the matte dock.
    """

    def __init__(
        self,
        desk: LayersWidget,
        request: Callable[[], Request | None],
        to_matte: Callable[[Any, Any], Any],
    ) -> None:
        super().__init__()
        self.desk = desk
        self._request = request
        self._hand_over = to_matte
        self.mode = ClickMode(desk, self)
        self.mode.changed.connect(self._follow)
        self.preparing = False
        self._keys: Keys | None = None
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
            self._choose_role,
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
            self.to_matte,
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

    # ---- on and off -------------------------------------------------------------------

    def switch(self) -> None:
        """Key Q: on, or off."""
        self.toggle.click()

    def _toggled(self) -> None:
        if not self.toggle.isChecked():
            self.turn_off()
            return
        request = self._request()
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

    def release(self) -> None:
        """Let go of the viewer; works after Qt has deleted this widget as well."""
        if self._keys is not None:
            self._keys.release()
            self._keys = None
        self.mode.release()

    def _follow(self) -> None:
        """Show the state of the mode."""
        on = self.mode.engine is not None
        self.toggle.setChecked(on or self.preparing)
        self.inside.setVisible(on)
        if on and self._keys is None:
            self._bind()
        if not on and self._keys is not None:
            self._keys.release()
            self._keys = None
        state = self.mode.state
        self.remove_button.setChecked(state.role == REMOVE)
        self.undo_button.setEnabled(bool(state.history))
        current = state.prompts.label_of(state.current) is not None
        self.accept_button.setEnabled(current)
        self.matte_button.setEnabled(bool(state.prompts.objects))
        self._show_size(current)

    def _bind(self) -> None:
        self._keys = Keys(self.desk.viewer)
        actions: dict[str, Callable[[], Any]] = {
            "u": self.mode.undo,
            "n": self.mode.accept,
            "Shift-q": self.remove_button.click,
            "Shift-j": lambda: self.mode.grow(-1),
            "Shift-k": lambda: self.mode.grow(1),
        }
        for key, action in actions.items():
            self._keys.bind(key, action)

    # ---- controls ---------------------------------------------------------------------

    def _choose_role(self) -> None:
        self.mode.set_role(REMOVE if self.remove_button.isChecked() else ADD)

    def _show_size(self, current: bool) -> None:
        first, last = self.mode.level_range() if current else (0, 0)
        level = self.mode.state.levels.get(self.mode.state.current, 0)
        with QSignalBlocker(self.size):
            self.size.setRange(first, last)
            self.size.setValue(level)
        self.size.setEnabled(last > first)
        self.shrink_button.setEnabled(level > first)
        self.grow_button.setEnabled(level < last)

    def _sized(self, value: int) -> None:
        self.mode.grow(value - self.mode.state.levels.get(self.mode.state.current, 0))

    def to_matte(self) -> None:
        """Hand the object over to the matte dock."""
        self.mode.with_matte(self._open_matte)

    def _open_matte(self, picture: Any, alpha: Any) -> None:
        self.turn_off()
        try:
            self._hand_over(picture, alpha)
        except (TypeError, ValueError) as error:
            self.desk.say(str(error), "error")
            return
        self.desk.say("The object is a trimap in 'Matte from trimap' now.")
