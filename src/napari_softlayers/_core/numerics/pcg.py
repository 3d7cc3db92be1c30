"""Preconditioned conjugate gradients for several right-hand sides at once."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..run import SILENT, Run
from .operators import Vectors


class Solution(NamedTuple):
    """What an iterative solver found.

    ``solution`` array or tensor ``(n, k)``: the last iterate. It is the best one:
    conjugate gradients lower the error's energy ``e . A e`` in every iteration, though
    not the residual. ``iterations``: iterations done. ``residual``: largest relative
    residual ``|b - A x| / |b|`` of the k systems. ``converged``: whether the residual
    is below the tolerance that was asked for.
    """

    solution: Vectors
    iterations: int
    residual: float
    converged: bool


def pcg(
    multiply: Callable[[Vectors], Vectors],
    right: Vectors,
    precondition: Callable[[Vectors], Vectors],
    start: Vectors | None = None,
    *,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
    run: Run = SILENT,
) -> Solution:
    """Solve ``A X = B`` for a symmetric positive definite A.

    The k systems share the products with A and the preconditioner; each has its own
    step lengths (Saad, *Iterative Methods for Sparse Linear Systems*, algorithm 9.1).

    ``multiply``, ``precondition``: ``A @ X`` and ``M^-1 @ X`` for blocks of vectors (n,
    k). ``right`` array or tensor ``(n, k)``: the right-hand sides. ``start`` array or
    tensor ``(n, k)``: first guess; zero when not given. ``tolerance``: stop when
    ``|b - A x| <= tolerance * |b|`` in every system. ``max_iterations``: stop then at
    the latest, with a warning. ``run``: progress and cancel, looked at in every
    iteration. Returns Solution: with the last, which is the best iterate, also after an
    early stop. Warns RuntimeWarning when the tolerance was not reached.
    """
    x = right * 0 if start is None else start + 0
    residual = right - multiply(x) if start is not None else right + 0
    scale = np.sqrt(dots(right, right))
    # A zero right-hand side is measured against the residual of the first guess.
    scale = np.where(scale > 0, scale, np.sqrt(dots(residual, residual)))
    scale = np.where(scale > 0, scale, 1.0)
    direction, old = None, None
    iteration, lowest, told = 0, math.inf, -1.0
    while True:
        error = float((np.sqrt(dots(residual, residual)) / scale).max())
        lowest = min(lowest, error)
        if not error > tolerance or iteration >= max_iterations:
            break
        if time.monotonic() - told < 0.1:  # progress at most ten times a second
            run.check()
        else:
            told = time.monotonic()
            run.step(_fraction(lowest, tolerance), "Solving")
        z = precondition(residual)
        new = dots(residual, z)
        if direction is None:
            direction = z + 0  # a preconditioner may return what it was given
        else:
            direction *= _row(_ratio(new, old), direction)
            direction += z
        product = multiply(direction)
        step = _row(_ratio(new, dots(direction, product)), x)
        product *= step
        residual -= product
        product[:] = direction
        product *= step
        x += product
        old = new
        iteration += 1
    converged = error <= tolerance
    if not converged:
        warnings.warn(
            f"The solver stopped after {iteration} iterations with a relative residual "
            f"of {error:.1e} instead of {tolerance:.1e}; the best result so far "
            "is used. A larger solver tolerance or wider known areas help.",
            RuntimeWarning,
            stacklevel=2,
        )
    return Solution(x, iteration, error, converged)


def dots(a: Vectors, b: Vectors) -> np.ndarray:
    """Inner products of the columns of two blocks of vectors (n, k), in float64."""
    if isinstance(a, np.ndarray):
        # Not BLAS: its threads cost more than they bring here.
        return np.asarray(np.einsum("nk,nk->k", a, b), np.float64)
    return np.asarray((a * b).sum(dim=0).double().cpu().numpy())


def _ratio(a: Any, b: Any) -> np.ndarray:
    """Quotient, zero where a finished system gives 0 / 0."""
    good = np.asarray(b) > 0
    return np.where(good, a, 0.0) / np.where(good, b, 1.0)


def _row(values: np.ndarray, like: Vectors) -> Vectors:
    """Step lengths as a row of the kind and precision of the vectors."""
    if isinstance(like, np.ndarray):
        return values.astype(like.dtype)
    return like.new_tensor(values.tolist())


def _fraction(error: float, tolerance: float) -> float:
    """Progress of a residual that falls from 1 to the tolerance geometrically."""
    if not 0 < error < 1:
        return 0.0
    return min(1.0, math.log(error) / math.log(max(tolerance, 1e-12)))
