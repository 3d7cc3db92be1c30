"""Connections to a viewer that can be undone at any time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


class Links:
    """Connections to a viewer, kept apart from the widget so that they can be undone
    when Qt has already deleted it."""

    def __init__(self) -> None:
        self.undo: list[Callable[[], Any]] = []

    def connect(self, emitter: Any, callback: Callable[..., Any]) -> None:
        emitter.connect(callback)
        self.undo.append(lambda: emitter.disconnect(callback))

    def close(self) -> None:
        while self.undo:
            try:
                self.undo.pop()()
            except (RuntimeError, ValueError, KeyError) as error:
                logger.debug("a connection was already gone: %s", error)
