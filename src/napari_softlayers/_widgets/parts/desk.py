"""What a dock lends to its panels: viewer, status line, thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .jobs import Compute, Jobs


class Desk(Protocol):
    """The parts of a dock that its panels may use; they never know the dock itself.

    Of `LayersWidget`, where they are described.
    """

    viewer: Any
    jobs: Jobs

    def say(self, text: str, level: str = "info") -> None: ...

    def tried(self, action: Callable[..., Any], *given: Any) -> Any: ...

    def failed(self, error: Exception) -> None: ...

    def cancel(self) -> None: ...

    def compute(
        self,
        compute: Compute,
        done: Callable[[Any], None],
        partial: Callable[[Any], None] | None = None,
        sources: tuple[Any, ...] = (),
    ) -> None: ...
