"""The smallest eigenpairs of large sparse symmetric matrices.

Either by factorising them, or by multiplying alone: from a coarse form of the problem to
the finest, a whole block of vectors is filtered with Chebyshev polynomials, which is what
a CPU's caches and a GPU are good at.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..arrays import DoubleArray, FloatArray
from ..devices import import_torch
from ..run import SILENT, Run
from ..threads import one_thread
from .operators import BlockProduct
from .two_level import factorise

if TYPE_CHECKING:
    import torch

DENSE = 1500
"""Matrices up to this size are decomposed as dense ones."""
GUARD = 12
"""Columns filtered beyond those asked for; the slowest ones are thrown away."""
DEGREE, LAST_DEGREE = 20, 15
"""Largest degree of the filter; on the finest level, products are dearest."""
AMPLIFICATION = 3e3
"""Largest growth of the lowest eigenvector against the unwanted ones in a filter pass;
single precision allows no more than about 1e5."""
PASSES = 25
"""Largest number of passes on the coarsest level."""


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues (ascending) ``(K,)`` and orthonormal eigenvectors ``(N, K)``."""

    values: DoubleArray
    vectors: FloatArray


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
    return Eigenpairs(values[order], vectors[:, order].astype(np.float32))


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


def filtered_eigenpairs(
    matrices: Sequence[sparse.csr_array],
    enlarge: Sequence[Callable[[FloatArray], FloatArray]],
    count: int,
    seed: int = 0,
    device: Any = "cpu",
    *,
    tolerance: float = 2e-3,
    refinements: int = 1,
    run: Run = SILENT,
) -> Eigenpairs:
    """Compute the ``count`` smallest eigenpairs of the last of several matrices.

    See Zhou et al., Self-consistent-field calculations using Chebyshev-filtered
    subspace iteration, J. Comput. Phys. 219, 2006, doi:10.1016/j.jcp.2006.03.017.

    ``matrices`` sequence of csr_array: forms of one operator from coarse to fine,
    symmetric. ``enlarge`` sequence of callable: ``enlarge[i]`` interpolates columns
    ``(N_i, C)`` to ``(N_(i+1), C)``; one fewer than matrices. ``count``: number of
    eigenpairs; fewer when the finest matrix is smaller. ``seed``: chooses the random
    start. ``device``: where the blocks live; on the CPU, SciPy multiplies by the sparse
    matrix. ``tolerance``: iterations on the coarsest level stop once the sum of the
    lowest 60 % of the Ritz values changes by less than this fraction; values above
    0.005 lose layers. ``refinements``: filter passes on each finer level. Returns
    Eigenpairs: of the finest matrix. Slightly above the exact ones; the subspace they
    span is what the tolerance is chosen for.
    """
    if matrices[-1].shape[0] <= DENSE:
        return exact_eigenpairs(matrices[-1], count, seed, run)
    width = count + GUARD
    while len(matrices) > 1 and matrices[0].shape[0] < 2 * width:
        matrices, enlarge = matrices[1:], enlarge[1:]  # too few rows for the block
    sizes = [matrix.shape[0] for matrix in matrices]
    shares = np.cumsum([0, *sizes]) / sum(sizes)
    with one_thread("blas"):
        level = _Level(matrices[0], device, run.part(0.0, shares[1]))
        values, block = level.from_random(width, seed, tolerance)
        for i, matrix in enumerate(matrices[1:], start=1):
            level = _Level(matrix, device, run.part(shares[i], shares[i + 1]))
            block = level.to_tensor(enlarge[i - 1](block.cpu().numpy()))
            degree = LAST_DEGREE if i == len(matrices) - 1 else DEGREE
            values = values / 4
            for step in range(refinements):
                values, block = level.filtered(values, block, degree, step)
                level.run.step((step + 1) / refinements, "Eigenvectors, fine")
    vectors = block[:, :count].cpu().numpy()
    return Eigenpairs(values[:count], np.ascontiguousarray(vectors))


class _Level:
    """One matrix of the hierarchy, and the block operations on it."""

    def __init__(self, matrix: sparse.csr_array, device: Any, run: Run) -> None:
        self.torch = import_torch()
        self.device = self.torch.device(device)
        self.matrix = sparse.csr_matrix(matrix, dtype=np.float32)
        self.size = self.matrix.shape[0]
        self.run = run
        self.products = 0
        self.top = max(sum(spectrum_ends(self.matrix, 12)[1:]), 1e-12)
        self.plain = self._product(0.0, 1.0)

    def to_tensor(self, array: FloatArray) -> torch.Tensor:
        """Move a block to the device."""
        given = self.torch.from_numpy(np.ascontiguousarray(array))
        block: torch.Tensor = given.to(self.device)
        return block

    def from_random(
        self, width: int, seed: int, tolerance: float
    ) -> tuple[DoubleArray, torch.Tensor]:
        """Iterate from a random block until the Ritz values stay."""
        block = self._random(width, np.random.default_rng(seed))
        values, block = self._rayleigh_ritz(block, seed)
        lowest = int(0.6 * width)
        before = np.inf
        for step in range(PASSES):
            values, block = self.filtered(values, block, DEGREE, seed)
            total = float(np.abs(values[:lowest]).sum())
            self.run.step((step + 1) / (step + 4), "Eigenvectors, coarse")
            if abs(before - total) <= tolerance * total:
                return values, block
            before = total
        warnings.warn(
            f"The eigenvectors did not settle in {PASSES} passes; the best ones "
            "found are used. quality='exact' computes them directly.",
            RuntimeWarning,
            stacklevel=4,
        )
        return values, block

    def filtered(
        self, values: DoubleArray, block: torch.Tensor, degree: int, seed: int
    ) -> tuple[DoubleArray, torch.Tensor]:
        """Filter as the Ritz values ask for, up to ``degree``; give those after it."""
        cut = min(max(float(values[-1]), 1e-6 * self.top), 0.5 * self.top)
        low = float(values[0])
        growth = np.arccosh(1 + 2 * (cut - low) / (self.top - cut))
        needed = int(np.arccosh(AMPLIFICATION) / growth)
        block = self._filter(block, cut, min(max(needed, 2), degree))
        return self._rayleigh_ritz(block, seed)

    def _random(self, width: int, generator: np.random.Generator) -> torch.Tensor:
        """Random columns, filtered roughly."""
        start = generator.standard_normal((self.size, width)).astype(np.float32)
        return self._filter(self.to_tensor(start), 0.1 * self.top, 10)

    def _filter(self, block: torch.Tensor, cut: float, degree: int) -> torch.Tensor:
        """Apply the Chebyshev polynomial that is small on ``[cut, top]``."""
        half = (self.top - cut) / 2
        multiply = self._product((self.top + cut) / 2, 2 / half)
        before, block = block, multiply(block).mul_(0.5)
        if degree > 1:  # the block that came in stays as it is
            before, block = block, multiply(block).sub_(before)
        for _ in range(degree - 2):
            self.run.check()
            before, block = block, multiply(block, before)
        self.products += degree
        return block.div_(self.torch.linalg.vector_norm(block, dim=0).clamp_min(1e-30))

    def _rayleigh_ritz(
        self, block: torch.Tensor, seed: int
    ) -> tuple[DoubleArray, torch.Tensor]:
        """Give the Ritz values and orthonormal Ritz vectors in the block's span."""
        width = block.shape[1]
        image = self.plain(block)
        self.products += 1
        gram, energy = _grams(block, image)
        weights, mixing = np.linalg.eigh(gram)
        kept = weights > 1e-9 * weights[-1]
        whiten = mixing[:, kept] / np.sqrt(weights[kept])
        values, rotation = np.linalg.eigh(whiten.T @ ((energy + energy.T) / 2) @ whiten)
        basis = self.to_tensor((whiten @ rotation).astype(np.float32))
        block = block @ basis
        if block.shape[1] < width:
            return self._filled(block, width, seed)
        return values, block

    def _filled(
        self, block: torch.Tensor, width: int, seed: int
    ) -> tuple[DoubleArray, torch.Tensor]:
        """Replace columns that were lost to rounding by new random ones."""
        generator = np.random.default_rng([seed, self.products])
        new = self._random(width - block.shape[1], generator)
        for _ in range(2):
            new -= block @ (block.T @ new)
        new, _ = self.torch.linalg.qr(new)
        return self._rayleigh_ritz(self.torch.cat([block, new], dim=1), seed + 1)

    def _product(self, center: float, scale: float) -> BlockProduct:
        """Give the map ``x -> scale * (matrix - center) x``."""
        identity = sparse.eye_array(self.size, dtype=np.float32, format="csr")
        matrix = self.matrix if center == 0 else self.matrix - center * identity
        matrix = sparse.csr_matrix(matrix * np.float32(scale), dtype=np.float32)
        return BlockProduct(matrix, self.device)


def _grams(block: torch.Tensor, image: torch.Tensor) -> tuple[DoubleArray, DoubleArray]:
    """Multiply ``block.T @ block`` and ``block.T @ image`` in double precision.

    A slice of rows at a time, so that no whole copy of the blocks is made.
    """
    rows, width = 4096, block.shape[1]
    total = np.zeros((width, 2 * width))
    for start in range(0, block.shape[0], rows):
        left = block[start : start + rows].double()
        right = image[start : start + rows].double()
        total[:, :width] += (left.T @ left).cpu().numpy()
        total[:, width:] += (left.T @ right).cpu().numpy()
    return total[:, :width], total[:, width:]
