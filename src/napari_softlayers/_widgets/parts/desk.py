"""What a dock lends to its panels: viewer, status line, thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


class Compute(Protocol):
    """Run ``compute(run, post)`` in a thread, then ``done(result)`` in Qt's."""

    def __call__(
        self,
        compute: Callable[..., Any],
        done: Callable[[Any], None],
        partial: Callable[[Any], None] | None = None,
        sources: tuple[Any, ...] = (),
    ) -> None: ...


@dataclass(frozen=True)
class Desk:
    """The parts of a dock that its panels may use; they never know the dock itself.

    ``say``: ``say(text, level="info")`` writes to the status line. ``compute``,
    ``button``: see `Compute` and `Button`. ``cancel``: stops the computation. ``busy``:
    whether one runs. ``failed``: tells of an error. ``tried``: ``tried(action, *given)``
    tells of what does not fit, and gives None then.
    """

    viewer: Any
    say: Callable[..., None]
    compute: Compute
    cancel: Callable[[], None]
    busy: Callable[[], bool]
    failed: Callable[[Exception], None]
    tried: Callable[..., Any]
