"""What all docks share: layer choices, one button, progress, cancel, a status line."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from qtpy import QtWidgets as qt
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QGuiApplication

from napari_softlayers._bridge import is_layer

from .combos import LayerCombo
from .jobs import Compute, Job, Jobs
from .layout import column, push_button, row
from .links import Keys, Links

logger = logging.getLogger(__name__)
COLORS = {"info": "", "warning": "color: #d8a03c;", "error": "color: #e06c5a;"}
BAR_STEPS = 1000
STATUS_LINES = 3
SCROLL_BAR = 16
LEAST_WIDTH = 280


class LayersWidget(qt.QWidget):
    """Base of the docks.

    A subclass fills ``self.form`` (rows) and ``self.body`` (further parts), names its
    button (key: G), and defines `primary` (what the button does), `code` (the same as
    text for the console) and, where it likes, `refresh_state`.
    """

    def __init__(self, viewer: Any, primary: str) -> None:
        super().__init__()
        self.viewer = viewer
        self.combos: list[LayerCombo] = []
        self.shortcuts: dict[str, Callable[[], Any]] = {"g": self.primary}
        self.leaving: list[Callable[[], Any]] = []
        """What lets the viewer go, also after Qt has deleted the dock."""
        self._links = Links()
        self._attached = False
        self._hinting = True
        self._touched = False
        self._sources: tuple[Any, ...] = ()
        self.jobs = Jobs(self)
        self.jobs.started.connect(self._on_started)
        self.jobs.progressed.connect(self._on_progress)
        self.jobs.stopped.connect(self._on_stopped)
        self.jobs.succeeded.connect(self._on_succeeded)
        self.jobs.failed.connect(self.failed)
        self._build(primary)

    def _build(self, primary: str) -> None:
        self.setSizePolicy(
            qt.QSizePolicy.Policy.Preferred, qt.QSizePolicy.Policy.Expanding
        )
        inside = self._inside = qt.QWidget()
        self.form = qt.QFormLayout()
        self.body = qt.QVBoxLayout()
        self.after = qt.QVBoxLayout()
        self.form.setFieldGrowthPolicy(
            qt.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        )
        self.primary_button = push_button(primary, self.primary, "Key: G")
        self.primary_button.setObjectName("primary")
        self.cancel_button = push_button("Cancel", self.cancel, "Stop the computation")
        self.bar = qt.QProgressBar()
        self.bar.setRange(0, BAR_STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.status = qt.QLabel()
        self.status.setWordWrap(True)
        self.status.setAlignment(Qt.AlignmentFlag.AlignTop)
        lines = STATUS_LINES * self.status.fontMetrics().lineSpacing()
        self.status.setMinimumHeight(lines)
        self.status.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.code_button = push_button(
            "Copy as code",
            self.copy_code,
            "Put the same call for the console on the clipboard",
        )
        buttons = row(self.primary_button, self.cancel_button)
        parts = (self.form, self.body, buttons, self.bar, self.status, self.after)
        self.content = column(inside, *parts, self.code_button)
        self.content.setContentsMargins(8, 8, 8, 8)
        self.content.addStretch(1)
        area = qt.QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(qt.QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        column(self, area)

    def combo(
        self,
        label: str,
        accepts: Callable[[Any], bool],
        prefers: Callable[[Any], int] = lambda _: 1,
        tip: str = "",
        optional: str = "",
        form: qt.QFormLayout | None = None,
    ) -> LayerCombo:
        """Add a row with a `LayerCombo` to the dock's form or another one."""
        made = LayerCombo(self.viewer, accepts, prefers, self, optional)
        made.setToolTip(tip)
        made.layer_changed.connect(self.refresh_state)
        self.combos.append(made)
        (self.form if form is None else form).addRow(label, made)
        return made

    def primary(self) -> None:
        """Do what the main button says."""

    def code(self) -> str:
        """The present settings as a call for the console."""
        return ""

    def refresh_state(self) -> None:
        """Adapt controls to the chosen layers."""

    def compute(
        self,
        compute: Compute,
        done: Callable[[Any], None],
        partial: Callable[[Any], None] | None = None,
        sources: tuple[Any, ...] = (),
    ) -> None:
        """Run ``compute(run, post)`` in a thread, then ``done(result)`` here.

        ``sources`` are the layers that it needs: when one is removed, it is cancelled.
        """
        self._sources = tuple(layer for layer in sources if is_layer(layer))
        self._touched = False

        def show(value: Any) -> None:
            self._touched = True
            if partial is not None:
                partial(value)

        self.jobs.submit(Job(compute, done, show))

    def cancel(self) -> None:
        """Stop the computation; the viewer stays as it is."""
        self.jobs.cancel()

    def say(self, text: str, level: str = "info") -> None:
        """Write to the status line; ``level`` is info, warning or error."""
        if self.status.property("level") != level:
            self.status.setStyleSheet(COLORS[level])
            self.status.setProperty("level", level)
        self.status.setText(text)
        self._hinting = False

    def hint(self, text: str) -> None:
        """Say what is missing; takes the place of an older hint only, never of news."""
        if self._hinting or not self.status.text():
            self.say(text)
            self._hinting = True

    def tried(self, action: Callable[..., Any], *given: Any) -> Any:
        """What an action gives; None, and a message, where something does not fit."""
        try:
            return action(*given)
        except (TypeError, ValueError) as error:
            self.say(str(error), "error")
            return None

    def copy_code(self) -> None:
        """Put the call for the console on the clipboard."""
        text = self.tried(self.code)
        if text is None:  # what does not fit is said
            return
        if not text:
            self.say("There is nothing to copy yet: choose an image first.", "warning")
            return
        QGuiApplication.clipboard().setText(text)
        self.say("Copied. Paste it into the napari console.")

    def _on_started(self) -> None:
        self.bar.setValue(0)
        self.cancel_button.setEnabled(True)
        self.say("Starting")

    def _on_progress(self, fraction: float, message: str) -> None:
        self.bar.setValue(round(fraction * BAR_STEPS))
        if message:
            self.say(f"{message[0].upper()}{message[1:]} …")

    def _on_stopped(self) -> None:
        self._idle()
        more = " The preview stays." if self._touched else " Nothing was changed."
        self.say("Cancelled." + more)

    def _on_succeeded(self, warned: list[str]) -> None:
        self._idle()
        if warned:
            self.say(" ".join([*dict.fromkeys(warned), self.status.text()]), "warning")

    def failed(self, error: Exception) -> None:
        """Say why a computation failed."""
        self._idle()
        logger.error("computation failed", exc_info=error)
        text = str(error) or type(error).__name__
        if isinstance(error, MemoryError):
            text = f"Not enough memory ({error}); choose a smaller working size."
        elif not isinstance(error, ValueError | TypeError | RuntimeError):
            text = f"{type(error).__name__}: {text}"
        self.say(text, "error")

    def _idle(self) -> None:
        self._sources = ()
        self.bar.setValue(0)
        self.cancel_button.setEnabled(False)
        self.refresh_state()

    def attach(self) -> None:
        """Follow the viewer and take the keys."""
        if self._attached:
            return
        self._attached = True
        events = self.viewer.layers.events
        for name in ("inserted", "removed", "reordered", "renamed"):
            if hasattr(events, name):
                self._links.connect(getattr(events, name), self.reset_choices)
        self._links.connect(events.removed, self._on_removed)
        keys = Keys(self.viewer)
        for key, action in self.shortcuts.items():
            keys.bind(key, action)
        self._links.undo += [*self.leaving, keys.release, self.jobs.abandon]
        links = self._links
        self.destroyed.connect(lambda *_: links.close())
        self.cancel_button.setEnabled(False)
        self.reset_choices()

    def detach(self) -> None:
        """Let the viewer go: stop computing, release keys and connections."""
        if not self._attached:
            return
        self._attached = False
        self._links.close()
        for combo in self.combos:
            combo.forget()

    def reset_choices(self, *_: Any) -> None:
        """Follow the layer list."""
        if not self._attached:
            return
        for combo in self.combos:
            combo.refresh()
        self.refresh_state()

    def _on_removed(self, event: Any) -> None:
        gone = event.value
        if self.jobs.busy and any(layer is gone for layer in self._sources):
            self.jobs.cancel()
            self.say(
                f"'{gone.name}' was removed while it was being used; the computation "
                "was stopped and nothing was added.",
                "warning",
            )

    def event(self, event: QEvent) -> bool:
        """Notice when the dock is taken away."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self.detach()
            else:
                self.attach()
        return bool(super().event(event))

    def showEvent(self, event: Any) -> None:
        """Be wide enough for what is inside."""
        wanted = self._inside.minimumSizeHint().width() + SCROLL_BAR
        self.setMinimumWidth(max(wanted, LEAST_WIDTH))
        super().showEvent(event)

    def closeEvent(self, event: Any) -> None:
        """Leave nothing behind."""
        self.detach()
        super().closeEvent(event)
