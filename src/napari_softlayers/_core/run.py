"""Progress and cancelling: what every long computation is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any


class Cancelled(Exception):
    """Raised inside a computation after the user asked to cancel it."""


@dataclass(frozen=True)
class Run:
    """Progress and cancelling of one computation, handed down to its steps.

    Parameters
    ----------
    progress : callable, optional
        Called with the fraction done in [0, 1] and a short message.
    cancelled : callable, optional
        Returns True once the user wants to stop.
    start, stop : float
        The span of the whole progress bar that this run fills.
    """

    progress: Callable[[float, str], None] | None = None
    cancelled: Callable[[], bool] | None = None
    start: float = 0.0
    stop: float = 1.0

    def __post_init__(self) -> None:
        for name, given in (("progress", self.progress), ("cancelled", self.cancelled)):
            if given is not None and not callable(given):
                raise TypeError(f"{name}={given!r} came; a function is needed.")

    def check(self) -> None:
        """Raise `Cancelled` when the user has asked to stop."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("The computation was cancelled.")

    def step(self, fraction: float, message: str = "") -> None:
        """Report ``fraction`` (0 to 1) of this run as done; raise when cancelled."""
        self.check()
        if self.progress is not None:
            fraction = min(max(fraction, 0.0), 1.0)
            self.progress(self.start + fraction * (self.stop - self.start), message)

    def part(self, start: float, stop: float) -> Run:
        """Give a run that fills only the span ``start``..``stop`` of this one."""
        span = self.stop - self.start
        return replace(
            self, start=self.start + start * span, stop=self.start + stop * span
        )


SILENT = Run()
"""Tells nobody and is never cancelled."""


def as_run(run: Any) -> Run:
    """The run that a user gave, or one that reports to nobody. Raises TypeError."""
    if run is not None and not isinstance(run, Run):
        raise TypeError(
            f"run={run!r} came; a Run is needed, such as nsl.Run(progress=print)."
        )
    return run or SILENT
