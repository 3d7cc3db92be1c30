"""Alphas that sum to one: bringing them there, and rounding them so that they stay."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray

OPAQUE = 1e-4
"""A sum this near to one is one."""


def simplex(alphas: FloatArray) -> FloatArray:
    """Clip alphas ``(K, H, W)`` to [0, 1] and divide them by their sum.

    Raises ValueError when the shape is not ``(K, H, W)`` or a value is NaN or infinite.
    """
    check_alphas(alphas)
    if not np.isfinite(alphas).all():
        raise ValueError("Alphas hold NaN or infinite values; finite ones are needed.")
    alphas = np.clip(alphas, 0, 1)
    total = alphas.sum(axis=0)
    alphas[0][total <= 0] = 1
    total[total <= 0] = 1
    return alphas / total


def coverage_of(alphas: FloatArray) -> FloatArray | None:
    """What alphas ``(K, H, W)`` sum to, ``(H, W)``; None where that is one everywhere."""
    total = np.clip(alphas.sum(axis=0, dtype=np.float64), 0, 1).astype(np.float32)
    return None if total.min() > 1 - OPAQUE else total


def check_alphas(alphas: NDArray[Any]) -> None:
    """Raise ValueError unless the shape is ``(K, H, W)`` with something in it."""
    if alphas.ndim != 3 or alphas.size == 0:
        raise ValueError(
            f"Alphas have shape {alphas.shape}; (K, H, W) with at least one layer and "
            "one pixel is needed."
        )


def round_jointly(alphas: FloatArray, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round alphas so that their integer sum is that of the exact sum.

    Rounds the running sums and takes their differences: zero stays zero, no layer moves
    by a whole step, and the total is exact.
    """
    if dtype.kind == "f":
        return alphas.astype(dtype)
    top = float(np.iinfo(dtype).max)
    running = np.rint(np.cumsum(alphas, axis=0, dtype=np.float64) * top)
    running = np.minimum(running, top)
    return np.diff(running, axis=0, prepend=0).astype(dtype)
