"""Checks of what users hand in, with errors that say what came and what is needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


def whole(value: Any, what: str) -> int:
    """A whole number; no bool, no 1.5, no text. Raises TypeError."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{what}={value!r} came; a whole number is needed.")
    return int(value)


def wholes(values: Any, what: str) -> list[int]:
    """Whole numbers in a row. Raises TypeError."""
    found = row(values, what, "whole numbers, such as (0, 1)")
    if any(isinstance(v, bool) or not isinstance(v, (int, np.integer)) for v in found):
        raise TypeError(f"{what}={values!r} came; whole numbers are needed.")
    return [int(value) for value in found]


def number(
    value: Any, what: str, least: float = -np.inf, most: float = np.inf
) -> float:
    """A finite number between two others. Raises TypeError, ValueError."""
    real = isinstance(value, (int, float, np.integer, np.floating))
    if isinstance(value, bool) or not real:
        raise TypeError(f"{what}={value!r} came; a number is needed.")
    if not np.isfinite(value) or not least <= value <= most:
        span = "" if np.isinf(least) else f" from {least:g}"
        span += "" if np.isinf(most) else f" to {most:g}"
        raise ValueError(f"{what}={value!r} came; a finite number{span} is needed.")
    return float(value)


def row(values: Any, what: str, needed: str) -> list[Any]:
    """Several things in a row; a text is none. Raises TypeError."""
    flat = getattr(values, "ndim", 1) > 0
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable) or not flat:
        raise TypeError(f"{what}={values!r} came; {needed} are needed.")
    return list(values)


def one_of(value: Any, what: str, choices: Iterable[str]) -> None:
    """Raise ValueError when a value is none of the choices."""
    if value not in (known := tuple(choices)):
        raise ValueError(
            f"{what}={value!r} is not known; use one of {', '.join(known)}."
        )
