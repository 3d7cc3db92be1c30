"""napari's activity bar, for computations that take a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QElapsedTimer, QObject, QTimer

DRAW_MS = 100
LEAST_MS = 500
"""Shorter computations, such as the answer to a stroke, get no bar."""
STEPS = 100
TITLE = "Soft Layers"


class Activity:
    """Mirrors the progress of one computation at a time to napari's activity bar.

    napari handles events while it draws a bar: a click on Cancel, or the end of the
    computation, can arrive in the middle of that. So drawing has a timer of its own,
    never runs inside another method, and looks afterwards whether a new bar is still
    wanted. Closing handles no events and is done at once.

    ``parent``: owns the timer. ``cancel``: what the bar's Cancel button does.
    """

    def __init__(self, parent: QObject, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._bar: Any = None
        self._wanted = False
        self._drawing = False
        self._news: tuple[float, str] = (0.0, "")
        self._text = ""
        self._since = QElapsedTimer()
        self._timer = QTimer(parent)
        self._timer.setInterval(DRAW_MS)
        self._timer.timeout.connect(self._draw)

    def start(self) -> None:
        """Begin, or go on with the bar of the computation that is replaced."""
        self._news = (0.0, "")
        if not self._wanted:
            self._wanted = True
            self._since.start()
            self._timer.start()

    def tell(self, fraction: float, message: str) -> None:
        """Note how far the computation is; drawn a little later."""
        self._news = (fraction, message)

    def stop(self) -> None:
        """Take the bar away; harmless when there is none.

        Leaves the timer alone, which may have been deleted with the dock.
        """
        self._wanted = False
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def _draw(self) -> None:
        if not self._wanted:
            self._timer.stop()
        elif not self._drawing and self._since.elapsed() >= LEAST_MS:
            self._drawing = True
            try:
                if self._bar is None:
                    self._open()
                else:
                    self._update(self._bar)
            finally:
                self._drawing = False

    def _open(self) -> None:
        self._text = TITLE
        bar = _new_bar(self._cancel)
        if self._wanted:
            self._bar = bar
        else:
            bar.close()

    def _update(self, bar: Any) -> None:
        fraction, message = self._news
        text = f"{TITLE}: {message}" if message else TITLE
        if text != self._text:
            self._text = text
            bar.set_description(text)
        missing = round(STEPS * fraction) - bar.n
        if missing:
            bar.update(missing)


def _new_bar(cancel: Callable[[], None]) -> Any:
    from napari.utils import cancelable_progress

    class Bar(cancelable_progress):  # type: ignore[misc]
        def cancel(self) -> None:
            """Cancel at once: napari by itself only looks at it when it iterates."""
            super().cancel()
            cancel()

    return Bar(desc=TITLE, total=STEPS)
