"""A cache by content: slow results are kept for as long as there is room."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

Value = TypeVar("Value")


def content_key(*items: Any) -> str:
    """Give a key that is the same for the same content.

    ``*items``: arrays (their shape, dtype and bytes count), and numbers, strings, None,
    tuples, lists and dicts of such.
    """
    digest = hashlib.blake2b(digest_size=16)
    for item in items:
        _feed(digest, item)
    return digest.hexdigest()


def _feed(digest: Any, item: Any) -> None:
    if isinstance(item, np.ndarray):
        digest.update(f"array{item.dtype.str}{item.shape}".encode())
        digest.update(np.ascontiguousarray(item).data)
    elif isinstance(item, dict):
        digest.update(f"dict{len(item)}".encode())
        for key in sorted(item, key=str):
            _feed(digest, key)
            _feed(digest, item[key])
    elif isinstance(item, (tuple, list)):
        digest.update(f"list{len(item)}".encode())
        for part in item:
            _feed(digest, part)
    else:
        digest.update(f"{type(item).__name__}:{item!r};".encode())


class ContentCache:
    """Least recently used values, dropped once they take more than ``limit`` bytes.

    A value larger than the limit is not kept. Safe to use from several threads.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._values: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Any | None:
        """Give the value of a key, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: str, value: Any, size: int) -> None:
        """Keep a value of ``size`` bytes, dropping older ones where needed."""
        with self._lock:
            self._values.pop(key, None)
            if size > self.limit:
                return
            self._values[key] = (value, size)
            while self.used > self.limit:
                self._values.popitem(last=False)

    def get_or_compute(
        self, key: str, compute: Callable[[], Value], size: Callable[[Value], int]
    ) -> Value:
        """Give the kept value, or compute and keep it."""
        value = self.get(key)
        if value is None:
            value = compute()
            self.put(key, value, size(value))
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()

    @property
    def used(self) -> int:
        """Bytes of the values kept."""
        return sum(size for _, size in self._values.values())
