"""A two-level preconditioner that keeps given near-null vectors exactly.

The unknowns are grouped in blocks on a grid. Each block brings a few basis vectors: the
near-null *candidates* restricted to the block and orthonormalised. With these as the
columns of P, the preconditioner is

``M^-1 = damping * D^-1 + P (P^T A P)^-1 P^T``

with D the diagonal of A and a sparse Cholesky-like factorisation of the coarse matrix.
Matting Laplacians have the colours and the constant as candidates: a matte that is an
affine function of the colour costs nothing inside a window.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse
from scipy.sparse import linalg

from ..arrays import DoubleArray, Floats
from ..run import SILENT, Run
from .operators import SparseOperator, Vectors, cast, interruptible, on_device, to_numpy

if TYPE_CHECKING:
    import torch

_FLAT = 1e-9
#: Factorising costs so many times more an unknown than the rest.
_LARGER = 8
#: Between these, the preconditioner is faster in single precision. In larger systems
#: that loses the slowest modes; small ones may consist of odd cases only.
_FEW, _MANY = 5_000, 300_000


class TwoLevel:
    """Coarse correction on blocks plus Jacobi, as a preconditioner.

    ``matrix`` scipy.sparse.csr_matrix ``(n, n)``: symmetric positive definite; couples
    unknowns of the same block or of blocks that touch on the grid, no others.
    ``blocks`` int ``(n, 2)``: grid position of the block of every unknown.
    ``candidates`` ``(n, m)``: vectors that the matrix nearly annihilates. ``damping``:
    weight of the Jacobi part. ``precision``: to compute the preconditioner in; float32
    for 5000 to 300 000 unknowns when not given. Vectors may have any. ``device``: None
    for NumPy vectors; otherwise vectors are torch tensors on this device, and the small
    coarse systems are solved on the CPU. ``run``: progress and cancel, also while
    factorising.
    """

    def __init__(
        self,
        matrix: sparse.csr_matrix,
        blocks: NDArray[np.integer[Any]],
        candidates: Floats,
        *,
        damping: float = 1.0,
        precision: DTypeLike | None = None,
        device: torch.device | None = None,
        run: Run = SILENT,
    ) -> None:
        if precision is None:
            single = _FEW < matrix.shape[0] < _MANY
            precision = np.float32 if single else np.float64
        matrix = matrix.astype(precision, copy=False)
        self._precision = matrix.dtype
        run.step(0.0, "Building the preconditioner")
        grid, rank = _number_blocks(blocks)
        values = _waiting(
            lambda: block_basis(rank, len(grid), candidates), len(rank), run
        ).astype(matrix.dtype)
        basis = basis_matrix(values, rank, len(grid))
        run.step(0.3, "Building the preconditioner")
        coarse = coarse_matrix(matrix, basis, values, grid, rank, run)
        run.step(0.6, "Factorising the coarse system")
        self._factors = factorise(coarse, run)
        self._basis = SparseOperator(basis, device)
        self._jacobi = on_device(
            (damping / matrix.diagonal()).astype(matrix.dtype)[:, None], device
        )
        self._device = device

    def coarse_solve(self, right: Vectors) -> Vectors:
        """Best approximation of the solution in the span of the basis, (n, k)."""
        return cast(self._coarse(cast(right, self._precision)), right.dtype)

    def __call__(self, residual: Vectors) -> Vectors:
        """Apply the preconditioner to a block of vectors (n, k)."""
        vectors = cast(residual, self._precision)
        result = self._coarse(vectors)
        result += self._jacobi * vectors
        return cast(result, residual.dtype)

    def _coarse(self, vectors: Vectors) -> Vectors:
        small = to_numpy(self._basis.multiply_transposed(vectors))
        solved = self._factors.solve(small)
        return self._basis.multiply(on_device(solved, self._device))


def block_basis(
    rank: NDArray[np.integer[Any]], n_blocks: int, candidates: Floats
) -> DoubleArray:
    """Orthonormalise candidates block by block (modified Gram-Schmidt).

    ``rank`` int ``(n,)``: block of every unknown, from 0 to n_blocks - 1. ``n_blocks``:
    number of blocks. ``candidates`` ``(n, m)``: the vectors. Returns float64
    ``(n, m)``: values of the basis vectors. Where a candidate is a combination of
    earlier ones in a block (a flat block), its values there are zero.
    """
    values = np.array(candidates.T, np.float64)
    sizes = np.bincount(rank, minlength=n_blocks)
    for i, column in enumerate(values):
        for done in values[:i]:
            overlap = np.bincount(rank, done * column, n_blocks)
            column -= overlap[rank] * done
        norm = np.bincount(rank, column * column, n_blocks)
        scale = np.where(norm > _FLAT * sizes, 1 / np.sqrt(np.maximum(norm, 1e-300)), 0)
        column *= scale[rank]
    return np.ascontiguousarray(values.T)


def coarse_matrix(
    matrix: sparse.csr_matrix,
    basis: sparse.csr_matrix,
    values: Floats,
    grid: NDArray[np.integer[Any]],
    rank: NDArray[np.integer[Any]],
    run: Run = SILENT,
) -> sparse.csc_matrix:
    """Galerkin product ``P^T A P``, by dense products with coloured columns.

    Blocks of one of the nine colours ``(row mod 3, column mod 3)`` never touch the same
    block, so the columns of all of them fit in m dense vectors without mixing. This is
    three times faster than sparse products.
    """
    size, width = len(grid), values.shape[1]
    lookup = np.full(tuple(grid.max(axis=0) + 3), -1, np.int32)
    lookup[grid[:, 0] + 1, grid[:, 1] + 1] = np.arange(size)
    row_color, column_color = grid[:, 0] % 3, grid[:, 1] % 3
    rows, columns, entries = [], [], []
    for i in range(3):
        colored = np.zeros((len(values), 3, width), values.dtype)
        members = np.flatnonzero(row_color[rank] == i)
        colored[members, column_color[rank[members]]] = values[members]
        vectors = colored.reshape(len(values), -1)
        project = partial(_projected, matrix, basis, vectors)
        product = _waiting(project, len(values), run).reshape(size, width, 3, width)
        # Of three neighbouring rows (columns) of blocks, one has colour i (j).
        up = (i - grid[:, 0] + 1) % 3
        for j in range(3):
            left = (j - grid[:, 1] + 1) % 3
            other = lookup[grid[:, 0] + up, grid[:, 1] + left]
            there = np.flatnonzero(other >= 0)
            rows.append(there)
            columns.append(other[there])
            entries.append(product[there, :, j])
    return assemble(rows, columns, entries, size)


def _projected(matrix: Any, basis: Any, vectors: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(basis.T @ (matrix @ vectors))


def _waiting(compute: Callable[[], Any], size: int, run: Run) -> Any:
    """Compute; what takes long in a thread, so that a cancel need not wait for it."""
    run.check()
    return compute() if size < 300_000 else interruptible(compute, run)


def assemble(rows: Any, columns: Any, entries: Any, size: int) -> sparse.csc_matrix:
    """Build a symmetric, safely definite matrix from its blocks.

    ``rows``, ``columns``, ``entries``: sequences of arrays that together list the
    positions on the ``size`` x ``size`` grid of blocks, and the blocks ``(n, m, m)``.
    """
    row, column = np.concatenate(rows), np.concatenate(columns)
    block = np.concatenate(entries)
    order = np.lexsort((column, row))
    pointers = np.searchsorted(row[order], np.arange(size + 1))
    width = block.shape[1] * size
    matrix = sparse.bsr_matrix(
        (block[order], column[order], pointers), shape=(width, width)
    ).tocsc()
    matrix = (matrix + matrix.T) * matrix.dtype.type(0.5)
    # Basis vectors that are zero need something on the diagonal, the others a little
    # more than rounding.
    diagonal = matrix.diagonal()
    rounding = 10 * np.finfo(matrix.dtype).eps
    ridge = np.where(diagonal > 0, rounding * diagonal + 1e-9, 1).astype(matrix.dtype)
    return (matrix + sparse.diags(ridge)).tocsc()


def factorise(matrix: sparse.csc_matrix, run: Run) -> Any:
    """Factorise a symmetric positive definite matrix; has ``solve(vectors)``.

    Large ones in a thread, so that a cancel need not wait for the end.
    """
    compute = partial(
        linalg.splu,
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return _waiting(compute, _LARGER * matrix.shape[0], run)


def _number_blocks(
    blocks: NDArray[np.integer[Any]],
) -> tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Number the blocks that hold something: their grid positions, and each unknown's."""
    blocks = blocks - blocks.min(axis=0)
    columns = int(blocks[:, 1].max()) + 1
    key = blocks[:, 0] * columns + blocks[:, 1]
    used = np.flatnonzero(np.bincount(key))
    rank = np.zeros(int(used[-1]) + 1, np.int32)
    rank[used] = np.arange(len(used))
    return np.stack([used // columns, used % columns], axis=1), rank[key]


def basis_matrix(
    values: Floats, rank: NDArray[np.integer[Any]], size: int
) -> sparse.csr_matrix:
    """Basis values (n, m) as a sparse matrix (n, size * m)."""
    count, width = values.shape
    columns = (rank[:, None] * width + np.arange(width)).astype(np.int32)
    pointers = np.arange(0, count * width + 1, width, dtype=np.int32)
    return sparse.csr_matrix(
        (values.ravel(), columns.ravel(), pointers), shape=(count, size * width)
    )
