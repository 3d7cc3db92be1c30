"""One computation at a time in a thread: progress, cancel, latest wins."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qtpy.QtCore import QElapsedTimer, QObject, QTimer, Signal

from napari_softlayers._core.run import Cancelled, Run

POLL_MS = 15
REPORT_MS = 100
Compute = Callable[[Run, Callable[[Any], None]], Any]


@dataclass
class Job:
    """A computation and what is known of it; written by its thread, read by Qt's.

    ``compute``: ``compute(run, post)`` runs in the thread; ``post(value)`` hands over
    an intermediate result. ``done``: called with the result, in Qt's thread.
    ``partial``: called with every intermediate result, in Qt's thread.
    """

    compute: Compute
    done: Callable[[Any], None]
    partial: Callable[[Any], None] | None = None
    fraction: float = 0.0
    message: str = ""
    stopped: bool = False
    finished: bool = False
    result: Any = None
    error: Exception | None = None
    posts: deque[Any] = field(default_factory=deque)
    warnings: list[str] = field(default_factory=list)
    worker: Any = None

    def execute(self) -> None:
        """Compute, in the job's thread; errors go to the worker's ``errored``."""
        run = Run(self._progress, self._wants_stop)
        try:
            if "torch" not in sys.modules:
                run.step(0, "Loading PyTorch")
            self.result = self.compute(run, self.posts.append)
        except Cancelled:
            self.stopped = True

    def _wants_stop(self) -> bool:
        return self.stopped or (self.worker is not None and self.worker.abort_requested)

    def _progress(self, fraction: float, message: str) -> None:
        self.fraction = fraction
        self.message = message or self.message


class Jobs(QObject):
    """Runs the jobs of one widget, one at a time.

    A job submitted while another runs stops that one and waits for its thread; of
    several waiting jobs only the latest is kept. `cancel` answers at once, however long
    the thread takes to notice. What takes longer is in napari's activity bar as well.
    """

    started = Signal()
    progressed = Signal(float, str)
    stopped = Signal()
    succeeded = Signal(list)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._running: Job | None = None
        self._waiting: Job | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._told: tuple[float, str] | None = None
        self._since = QElapsedTimer()
        self._since.start()
        self._activity = Activity(self, self.cancel)

    @property
    def busy(self) -> bool:
        """Whether a computation runs or waits that the user has not cancelled."""
        running = self._running is not None and not self._running.stopped
        return running or self._waiting is not None

    @property
    def quiet(self) -> bool:
        """Whether no thread runs any more, cancelled ones included."""
        return self._running is None and self._waiting is None

    def submit(self, job: Job) -> None:
        """Start a job now, or as soon as the present one has stopped."""
        if self._running is not None:
            self._running.stopped = True
            self._waiting = job
        else:
            self._start(job)
        self._activity.start()
        self.started.emit()

    def cancel(self) -> None:
        """Stop: the widget is free at once, results that still come are dropped."""
        was_busy = self.busy
        self.abandon()
        if was_busy:
            self.stopped.emit()

    def abandon(self) -> None:
        """Stop without telling anybody: the widget may go away."""
        self._waiting = None
        if self._running is not None:
            self._running.stopped = True
            self._running.done = self._running.partial = lambda _: None
        self._activity.stop()

    def _start(self, job: Job) -> None:
        from napari.qt.threading import create_worker

        self._running = job
        worker = create_worker(job.execute, _start_thread=False, _ignore_errors=True)
        worker.errored.connect(partial(setattr, job, "error"))
        worker.warned.connect(lambda warned: job.warnings.append(str(warned[0])))
        worker.finished.connect(partial(setattr, job, "finished", True))
        job.worker = worker
        worker.start()
        self._timer.start()

    def _poll(self) -> None:
        """Hand over what the thread has left; in Qt's thread."""
        job = self._running
        if job is None:
            self._timer.stop()
            return
        finished = job.finished
        while job.posts and not job.stopped:
            value = job.posts.popleft()
            if job.partial is not None:
                job.partial(value)
        news = (job.fraction, job.message)
        late = self._since.elapsed() >= REPORT_MS  # drawing it slows the work
        if late and news != self._told and not job.stopped:
            self._told = news
            self._since.restart()
            self._activity.tell(*news)
            self.progressed.emit(*news)
        if finished:
            self._finish(job)

    def _finish(self, job: Job) -> None:
        self._running = None
        following, self._waiting = self._waiting, None
        if following is not None:
            self._start(following)
            return
        self._timer.stop()
        self._activity.stop()
        if job.stopped:
            return
        if job.error is not None:
            self.failed.emit(job.error)
            return
        job.done(job.result)
        self.succeeded.emit(job.warnings)


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
