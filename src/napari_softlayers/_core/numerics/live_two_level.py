"""The two-level preconditioner for a system whose constraints change little by little.

The same construction as in `two_level`, on the full grid of blocks, with everything kept
that a change of a few unknowns leaves as it is: only the blocks that hold a changed
unknown, and what they share with their neighbours, are computed again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import Floats, Mask
from ..run import SILENT, Run
from .matting_laplacian import WINDOW
from .two_level import assemble, basis_matrix, block_basis, factorise

_ROWS_PER_SLICE = 65536


class LiveTwoLevel:
    """Coarse correction and Jacobi for the rows of a matrix that are free.

    ``matrix`` scipy.sparse.csr_matrix ``(n, n)``: symmetric, positive semi-definite;
    couples unknowns of neighbouring blocks at most. ``rank`` int ``(n,)``: number of
    the block of every unknown, blocks counted in raster order. ``grid`` ``(int, int)``:
    rows and columns of the grid of blocks. ``candidates`` ``(n, m)``: vectors that the
    matrix nearly annihilates. ``damping``: weight of the Jacobi part.
    """

    def __init__(
        self,
        matrix: sparse.csr_matrix,
        rank: NDArray[np.integer[Any]],
        grid: tuple[int, int],
        candidates: Floats,
        *,
        damping: float = 0.8,
        run: Run = SILENT,
    ) -> None:
        self._matrix, self._rank, self._candidates = matrix, rank, candidates
        self._size, self._width = grid[0] * grid[1], candidates.shape[1]
        self._jacobi = (damping / np.maximum(matrix.diagonal(), 1e-6))[:, None]
        count, width = candidates.shape
        self._basis = basis_matrix(np.zeros((count, width)), rank, self._size)
        self._values = self._basis.data.reshape(count, width)  # the same memory
        self._row, self._column = np.divmod(np.arange(self._size), grid[1])
        # Column (block row mod 3, block column mod 3, candidate) of the dense basis.
        color = (self._row % 3 * 3 + self._column % 3)[rank]
        self._slots = (color[:, None] * width + np.arange(width)).astype(np.int32)
        self._dense = np.zeros((count, 9 * width))
        self._blocks = np.zeros((self._size, 9, width, width))
        self._pairs = []  # blocks and their neighbours, for each of nine directions
        for dy, dx in WINDOW:
            y, x = self._row + dy, self._column + dx
            here = np.flatnonzero((y >= 0) & (y < grid[0]) & (x >= 0) & (x < grid[1]))
            self._pairs.append((here, (y * grid[1] + x)[here]))
        self.free = np.zeros(count, bool)
        self._factors: Any = None
        self.set_free(np.ones(count, bool), run)

    def set_free(self, free: Mask, run: Run = SILENT) -> None:
        """Say which rows are free (n,); the others are held."""
        changed = np.flatnonzero(free != self.free)
        if self._factors is not None and not len(changed):
            return
        dirty = np.zeros(self._size, bool)
        dirty[self._rank[changed]] = True
        members = np.flatnonzero(dirty[self._rank])
        # A cancel in here must not leave a half-made state behind.
        self._factors = None
        self.free = np.zeros_like(self.free)
        self._renew_basis(members, free)
        self._renew_blocks(dirty, members, run)
        here, other = zip(*self._pairs, strict=True)
        blocks = [self._blocks[which, k] for k, which in enumerate(here)]
        self._factors = factorise(assemble(here, other, blocks, self._size), run)
        self.free = free.copy()

    def coarse_solve(self, right: Floats) -> Floats:
        """Best approximation of the solution in the span of the basis, (n, k)."""
        small = self._basis.T @ right
        return np.asarray(self._basis @ self._factors.solve(small))

    def __call__(self, residual: Floats) -> Floats:
        """Apply the preconditioner to vectors (n, k) that are zero where held."""
        result = self.coarse_solve(residual)
        result += self._jacobi * residual
        return result

    def _renew_basis(self, members: NDArray[np.intp], free: Mask) -> None:
        """Basis of the blocks whose unknowns are listed."""
        self._values[members] = 0
        inside = members[free[members]]
        self._values[inside] = block_basis(
            self._rank[inside], self._size, self._candidates[inside]
        )
        self._dense[members[:, None], self._slots[members]] = self._values[members]

    def _renew_blocks(self, dirty: Mask, members: NDArray[np.intp], run: Run) -> None:
        """Galerkin products of the changed blocks with their neighbours."""
        width = self._width
        total = np.zeros((self._size * width, 9 * width))
        for start in range(0, len(members), _ROWS_PER_SLICE):
            rows = members[start : start + _ROWS_PER_SLICE]
            total += self._basis[rows].T @ (self._matrix[rows] @ self._dense)
            run.step(start / len(members), "Building the preconditioner")
        products = total.reshape(self._size, width, 9, width)
        for k, (dy, dx) in enumerate(WINDOW):
            here, other = self._pairs[k]
            color = (self._row + dy) % 3 * 3 + (self._column + dx) % 3
            chosen = dirty[here]
            here, other = here[chosen], other[chosen]
            block = products[here, :, color[here]]
            self._blocks[here, k] = block
            self._blocks[other, 8 - k] = block.transpose(0, 2, 1)
