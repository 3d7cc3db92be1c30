"""Alphas that sum to one: bringing them there, and rounding them so that they stay.

There are two ways to write the same layers. Additive alphas say how much of a pixel
belongs to a layer. In an "over" stack a layer's alpha says how much it hides of what
lies below. Stacks are bottom layer first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray

ROWS = 64
"""So many rows at once stay in the processor's cache."""
WEAK = 1 / 16
"""A layer that covers less makes up for nothing: its colour would have to leap."""
OPAQUE = 1e-4
"""A sum this near to one is one."""
ROUNDING = 2e-3
"""So far may stored values lie beside [0, 1]."""


def simplex(alphas: FloatArray) -> FloatArray:
    """Clip alphas ``(K, H, W)`` to [0, 1] and divide them by their sum.

    Raises ValueError when the shape is not ``(K, H, W)`` or a value is NaN or infinite.
    """
    check_alphas(alphas)
    if not np.isfinite(alphas).all():
        raise ValueError("Alphas hold NaN or infinite values; finite ones are needed.")
    if alphas.max() > 2:
        raise ValueError(
            f"Alphas have values up to {alphas.max():g}; values in [0, 1] are needed. "
            "Divide 8-bit values by 255."
        )
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


def check_ranges(alphas: FloatArray, colors: FloatArray) -> None:
    """Raise ValueError unless alphas and colours are finite and those of soft layers."""
    for what, values in (("Alphas", alphas), ("Colours", colors)):
        low, high = float(values.min()), float(values.max())
        if not np.isfinite(high - low):
            raise ValueError("Alphas or colours hold NaN or infinite values.")
        if low < -ROUNDING or high > 1 + ROUNDING:
            raise ValueError(
                f"{what} have values from {low:g} to {high:g}; values in [0, 1] are "
                "needed. Divide 8-bit values by 255."
            )
    total = float(alphas.sum(axis=0).max())
    if total > 1 + ROUNDING:
        raise ValueError(
            f"The alphas sum to {total:g} at some pixel; 1 at most is needed. "
            "SoftLayers.from_alphas divides them by their sum."
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


def settle_rounding(rgba: NDArray[Any], alphas: FloatArray, colors: FloatArray) -> None:
    """Let the strongest layer of each pixel make up for what rounding took, in place.

    Integer alphas and colours alone add up to the exact sum to about two steps; then to
    one. ``rgba`` uint8 or uint16 ``(K, H, W, 4)``: rounded. ``alphas`` ``(K, H, W)``,
    ``colors`` ``(K, H, W, 3)``: the exact ones.
    """
    top = float(np.iinfo(rgba.dtype).max)
    strongest = rgba[..., 3].argmax(axis=0)[None, ..., None]
    for start in range(0, rgba.shape[1], ROWS):
        rows = np.s_[:, start : start + ROWS]
        band = rgba[rows]
        lost = np.zeros((*band.shape[1:3], 3))
        for layer, alpha, color in zip(band, alphas[rows], colors[rows], strict=True):
            share = layer[..., 3:].astype(np.float64)
            lost += alpha[..., None] * top * color - share * layer[..., :3] / top
        pixel = np.take_along_axis(band, strongest[rows], axis=0)
        share = pixel[..., 3:] / top
        moved = pixel[..., :3] + lost / np.maximum(share, WEAK)
        moved = np.clip(np.rint(moved), 0, top).astype(rgba.dtype)
        pixel[..., :3] = np.where(share < WEAK, pixel[..., :3], moved)
        np.put_along_axis(band, strongest[rows], pixel, axis=0)


UnsignedArray = NDArray[np.unsignedinteger]


def over_from_additive(alphas: UnsignedArray) -> UnsignedArray:
    """Integer alphas of an "over" stack that mean the given integer additive alphas.

    With ``R_k = 1 - sum_{j > k} alpha_j`` the light that reaches layer k from above,
    ``b_k = 1 - R_{k-1} / R_k``. From the top down each ``b_k`` is rounded against the
    rest that the rounded layers above really leave, so that errors do not add up: every
    rest is met to half a step, and `additive_from_over` and `snap` give back exactly
    ``alphas``. The bottom layer is opaque wherever the alphas sum to one.

    ``alphas`` ndarray of uint8 or uint16, ``(K, H, W)``: summing to at most the dtype's
    largest value (where less, the picture stays transparent). Returns ndarray of the
    same dtype, ``(K, H, W)``.
    """
    top = float(np.iinfo(alphas.dtype).max)
    stack = np.empty_like(alphas)
    wanted = np.full(alphas.shape[1:], top)
    actual = np.full(alphas.shape[1:], top)
    for k in range(len(alphas) - 1, -1, -1):
        wanted -= alphas[k]
        kept = np.divide(wanted, actual, out=np.ones_like(actual), where=actual > 0)
        hidden = np.rint(np.clip(1 - kept, 0, 1) * top)
        hidden[alphas[k] == 0] = 0
        stack[k] = hidden
        actual *= 1 - hidden / top
    stack[0][wanted == 0] = top
    return stack


def additive_from_over(stack: Sequence[NDArray[np.floating]]) -> FloatArray:
    """Additive alphas of an "over" stack: ``alpha_k = b_k prod_{j > k} (1 - b_j)``.

    ``stack`` sequence of K float ndarrays, ``(H, W)``, in [0, 1]. Returns float32
    ``(K, H, W)``: summing to one wherever the bottom layer is opaque.
    """
    alphas = np.empty((len(stack), *stack[0].shape), np.float32)
    rest = np.ones(stack[0].shape)
    for k in range(len(stack) - 1, -1, -1):
        alphas[k] = rest * stack[k]
        rest *= 1 - np.asarray(stack[k], np.float64)
    return alphas


def snap(alphas: FloatArray, levels: int) -> FloatArray:
    """Move alphas to multiples of ``1 / levels`` by rounding their sums from above.

    Undoes the rounding of a stored "over" stack: its running sums are known to half a
    step, so that the additive alphas it was made of come back exactly.
    """
    snapped = np.empty_like(alphas)
    before = np.zeros(alphas.shape[1:])
    total = np.zeros(alphas.shape[1:])
    for k in range(len(alphas) - 1, -1, -1):
        total += alphas[k]
        after = np.minimum(np.rint(total * levels), levels)
        snapped[k] = (after - before) / levels
        before = after
    return snapped
