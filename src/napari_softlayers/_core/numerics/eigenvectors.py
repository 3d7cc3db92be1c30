"""The smallest eigenpairs of large sparse symmetric matrices, by factorising them.

See `chebyshev` for the way that only multiplies by the matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ..arrays import DoubleArray, FloatArray
from ..run import SILENT, Run
from ..threads import one_thread
from .two_level import factorise

DENSE = 1500
"""Matrices up to this size are decomposed as dense ones."""


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues (ascending) ``(K,)`` and orthonormal eigenvectors ``(N, K)``."""

    values: DoubleArray
    vectors: FloatArray
    products: int = 0
    """Multiplications of a block by a matrix, over all levels."""


def exact_eigenpairs(
    matrix: sparse.csr_array, count: int, seed: int = 0, run: Run = SILENT
) -> Eigenpairs:
    """Compute the ``count`` smallest eigenpairs by factorising the matrix.

    ``matrix`` csr_array, ``(N, N)``: symmetric; a few slightly negative eigenvalues are
    allowed. ``count``: number of eigenpairs, at most ``N``. ``seed``: chooses the start
    vector.
    """
    size = matrix.shape[0]
    count = min(count, size)
    if size <= DENSE or count >= size - 1:
        with one_thread("blas"):
            values, vectors = np.linalg.eigh(matrix.toarray().astype(np.float64))
        return Eigenpairs(values[:count], vectors[:, :count].astype(np.float32))
    from scipy.sparse.linalg import LinearOperator, eigsh

    shift = min(-1e-3, 1.5 * spectrum_ends(matrix, 80)[0])
    run.step(0.0, "Factorising the Laplacian")
    shifted = sparse.csc_matrix(matrix - shift * sparse.eye_array(size))
    factors = factorise(shifted, run)
    solves = 0

    def solve(vector: DoubleArray) -> DoubleArray:
        nonlocal solves
        solves += 1
        run.step(0.2 + 0.8 * solves / (solves + 2 * count), "Eigenvectors")
        return np.asarray(factors.solve(vector))

    start = np.random.default_rng(seed).standard_normal(size)
    values, vectors = eigsh(
        sparse.csr_matrix(matrix),
        k=count,
        sigma=shift,
        which="LM",
        v0=start,
        OPinv=LinearOperator((size, size), matvec=solve, dtype=np.float64),
    )
    order = np.argsort(values)
    return Eigenpairs(values[order], vectors[:, order].astype(np.float32), solves)


def spectrum_ends(matrix: Any, steps: int) -> tuple[float, float, float]:
    """Estimate the lowest and highest eigenvalue by a short Lanczos run.

    Returns ``low``, ``high``, ``residual``: the highest eigenvalue is at most about
    ``high + residual``.
    """
    size = matrix.shape[0]
    vector = np.random.default_rng(0).standard_normal(size).astype(matrix.dtype)
    vector /= np.linalg.norm(vector)
    previous, beta = np.zeros_like(vector), 0.0
    diagonal, off = [], []
    for _ in range(min(steps, size)):
        image = matrix @ vector - beta * previous
        diagonal.append(float(vector @ image))
        image -= diagonal[-1] * vector
        beta = float(np.linalg.norm(image))
        off.append(beta)
        if beta < 1e-6:
            break
        previous, vector = vector, image / np.asarray(beta, matrix.dtype)
    tridiagonal = np.diag(diagonal) + np.diag(off[:-1], 1) + np.diag(off[:-1], -1)
    ritz = np.linalg.eigvalsh(tridiagonal)
    return float(ritz[0]), float(ritz[-1]), off[-1]
