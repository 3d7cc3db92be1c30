"""The smallest eigenpairs of large sparse symmetric matrices, by multiplying alone.

From a coarse form of the problem to the finest, a whole block of vectors is filtered
with Chebyshev polynomials, which is what a CPU's caches and a GPU are good at.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..arrays import DoubleArray, FloatArray
from ..devices import import_torch
from ..run import SILENT, Run
from ..threads import one_thread
from .eigenvectors import DENSE, Eigenpairs, exact_eigenpairs, spectrum_ends
from .operators import BlockProduct

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FilterOptions:
    """Settings of `filtered_eigenpairs`.

    Parameters
    ----------
    guard : int
        Columns carried beyond those asked for; the slowest ones are thrown away.
    degree : int
        Largest degree of the polynomial filter.
    amplification : float
        Largest growth of the lowest eigenvector against the unwanted ones in a filter
        pass; single precision allows no more than about 1e5.
    tolerance : float
        Iterations on the coarsest level stop once the sum of the lowest 60 % of the
        Ritz values changes by less than this fraction. Values above 0.005 lose layers.
    refinements : int
        Filter passes on each finer level.
    last_degree : int
        Largest degree on the finest level, where products are dearest.
    most : int
        Largest number of passes on the coarsest level.
    """

    guard: int = 12
    degree: int = 20
    amplification: float = 3e3
    tolerance: float = 2e-3
    refinements: int = 1
    last_degree: int = 15
    most: int = 25


def filtered_eigenpairs(
    matrices: Sequence[sparse.csr_array],
    enlarge: Sequence[Callable[[FloatArray], FloatArray]],
    count: int,
    seed: int = 0,
    device: Any = "cpu",
    options: FilterOptions | None = None,
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
    matrix. Returns Eigenpairs: of the finest matrix. Slightly above the exact ones; the
    subspace they span is what the tolerance of `FilterOptions` is chosen for.
    """
    options = options or FilterOptions()
    if matrices[-1].shape[0] <= DENSE:
        return exact_eigenpairs(matrices[-1], count, seed, run)
    width = count + options.guard
    matrices, enlarge = _drop_small(matrices, enlarge, 2 * width)
    with one_thread("blas"):
        shares = np.cumsum([0] + [m.shape[0] for m in matrices]) / sum(
            m.shape[0] for m in matrices
        )
        level = _Level(matrices[0], device, run.part(0.0, shares[1]))
        values, block = level.from_random(width, seed, options)
        products = level.products
        for i, matrix in enumerate(matrices[1:], start=1):
            part = run.part(shares[i], shares[i + 1])
            level = _Level(matrix, device, part)
            block = level.to_tensor(enlarge[i - 1](block.cpu().numpy()))
            last = i == len(matrices) - 1
            degree = min(options.degree, options.last_degree if last else np.inf)
            settings = replace(options, degree=int(degree))
            values, block = level.refine(values, block, settings)
            products += level.products
    vectors = block[:, :count].cpu().numpy()
    return Eigenpairs(values[:count], np.ascontiguousarray(vectors), products)


def _drop_small(
    matrices: Sequence[Any], enlarge: Sequence[Any], least: int
) -> tuple[list[Any], list[Any]]:
    """Leave out coarse levels with too few rows for the block."""
    kept = [i for i, m in enumerate(matrices[:-1]) if m.shape[0] >= least]
    first = kept[0] if kept else len(matrices) - 1
    return list(matrices[first:]), list(enlarge[first:])


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
        self, width: int, seed: int, options: FilterOptions
    ) -> tuple[DoubleArray, torch.Tensor]:
        """Iterate from a random block until the Ritz values stay."""
        start = np.random.default_rng(seed).standard_normal((self.size, width))
        block = self.to_tensor(start.astype(np.float32))
        block = self._filter(block, 0.0, 0.1 * self.top, 10)
        values, block = self._rayleigh_ritz(block, seed)
        lowest = int(0.6 * width)
        before = np.inf
        for step in range(options.most):
            block = self._filter_by(values, block, options)
            values, block = self._rayleigh_ritz(block, seed)
            total = float(np.abs(values[:lowest]).sum())
            self.run.step((step + 1) / (step + 4), "Eigenvectors, coarse")
            if abs(before - total) <= options.tolerance * total:
                return values, block
            before = total
        warnings.warn(
            f"The eigenvectors did not settle in {options.most} passes; the best ones "
            "found are used. quality='exact' computes them directly.",
            RuntimeWarning,
            stacklevel=4,
        )
        return values, block

    def refine(
        self, values: DoubleArray, block: torch.Tensor, options: FilterOptions
    ) -> tuple[DoubleArray, torch.Tensor]:
        """Correct a block that was interpolated from a coarser level."""
        values = values / 4
        for step in range(options.refinements):
            block = self._filter_by(values, block, options)
            values, block = self._rayleigh_ritz(block, step)
            self.run.step((step + 1) / options.refinements, "Eigenvectors, fine")
        return values, block

    def _filter_by(
        self, values: DoubleArray, block: torch.Tensor, options: FilterOptions
    ) -> torch.Tensor:
        """Filter with the interval and degree that the Ritz values ask for."""
        cut = min(max(float(values[-1]), 1e-6 * self.top), 0.5 * self.top)
        low = float(values[0])
        growth = np.arccosh(1 + 2 * (cut - low) / (self.top - cut))
        degree = int(np.arccosh(options.amplification) / growth)
        return self._filter(block, low, cut, min(max(degree, 2), options.degree))

    def _filter(
        self, block: torch.Tensor, low: float, cut: float, degree: int
    ) -> torch.Tensor:
        """Apply the Chebyshev polynomial that is small on ``[cut, top]``."""
        half = (self.top - cut) / 2
        multiply = self._product((self.top + cut) / 2, 2 / half)
        before, block = block, multiply(block).mul_(0.5)
        if degree > 1:  # the block that came in stays as it is
            before, block = block, multiply(block).sub_(before)
        for _ in range(degree - 2):
            self.run.check()
            before, block = block, multiply.minus(block, before)
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
        fresh = generator.standard_normal((self.size, width - block.shape[1]))
        new = self._filter(
            self.to_tensor(fresh.astype(np.float32)), 0.0, 0.1 * self.top, 10
        )
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
