"""Constrained sparsification: sparse layers in the span of the eigenvectors (Eq. 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import DoubleArray, FloatArray
from ..devices import import_torch
from ..numerics.eigenvectors import Eigenpairs
from ..run import SILENT, Run
from ..threads import one_thread


@dataclass(frozen=True)
class SparsityOptions:
    """Settings of `constrained_sparsification`.

    ``iterations``: reweightings. ``exponent``: the paper's gamma. ``weight``: weight of
    both sparsity terms. ``floor``: smallest distance to 0 and 1 in the weights.
    ``samples``: pixels that the energy is summed over, chosen at random; an energy of a
    few hundred unknowns needs no more. ``drop``: layers nowhere above this are removed,
    every ten iterations and at the end.
    """

    iterations: int = 20
    exponent: float = 0.8
    weight: float = 0.3
    floor: float = 1e-3
    samples: int = 2048
    drop: float = 0.1


EXACT = SparsityOptions(iterations=40, samples=24576)


def constrained_sparsification(
    eigenpairs: Eigenpairs,
    labels: NDArray[np.integer[Any]],
    options: SparsityOptions | None = None,
    seed: int = 0,
    device: Any = "cpu",
    run: Run = SILENT,
) -> FloatArray:
    r"""Find layers in the span of eigenvectors whose alphas are near 0 or 1.

    ``eigenpairs``: ``K`` eigenvectors of ``N`` pixels. ``labels`` int ``(N,)``: first
    guess: the cluster of each pixel. ``seed``: chooses the pixels. Returns float32
    ``(C, N)``: layers that are left; they sum to 1 up to the span, and are not clamped.

    With :math:`\alpha_i = E y_i`, iteratively reweighted least squares minimise
    :math:`\sum_{i,p} |\alpha_{ip}|^\gamma + |1 - \alpha_{ip}|^\gamma` subject to
    :math:`\sum_i y_i = z`, the coefficients of the constant 1. With
    :math:`A_i = E^T (U_i + V_i) E + \Lambda` and :math:`b_i = E^T v_i`, the constraint's
    multiplier :math:`\mu` leaves one small system:
    :math:`(\sum_i A_i^{-1}) \mu = z - \sum_i A_i^{-1} b_i`, then
    :math:`y_i = A_i^{-1} (b_i + \mu)`. All :math:`A_i` come from one product of the
    weights with the outer products of the eigenvectors' rows.

    See Levin et al., Spectral matting, IEEE TPAMI 30(10), 2008,
    doi:10.1109/TPAMI.2008.168.
    """
    options = options or SparsityOptions()
    vectors = eigenpairs.vectors
    count = int(labels.max()) + 1
    sums = [
        np.bincount(labels, weights=column, minlength=count)
        for column in vectors.T.astype(np.float64)
    ]
    first = np.array(sums, dtype=np.float64)
    constant = np.asarray(vectors.sum(axis=0, dtype=np.float64))
    with one_thread("blas"):
        coefficients = _reweight(
            eigenpairs, first, constant, options, seed, device, run
        )
        layers = (vectors @ coefficients.astype(np.float32)).T
    kept = np.abs(layers).max(axis=1) > options.drop
    if not kept.any():
        kept[:] = True
    return np.ascontiguousarray(layers[kept])


def _reweight(
    eigenpairs: Eigenpairs,
    first: DoubleArray,
    constant: DoubleArray,
    options: SparsityOptions,
    seed: int,
    device: Any,
    run: Run,
) -> DoubleArray:
    """Iterate from the coefficients ``first``, ``(K, C)``, to those of sparse layers."""
    torch = import_torch()
    device = torch.device(device)
    vectors = eigenpairs.vectors
    size, width = vectors.shape
    generator = np.random.default_rng(seed)
    if options.samples < size:
        chosen = np.sort(generator.choice(size, options.samples, replace=False))
        vectors = vectors[chosen]
    rows = torch.from_numpy(np.ascontiguousarray(vectors)).to(device)
    energy = torch.from_numpy(eigenpairs.values * (len(vectors) / size)).to(device)
    total = torch.from_numpy(constant).to(device)
    y = torch.from_numpy(first).to(device)
    outer = _OuterProducts(rows)
    for iteration in range(options.iterations):
        run.step(iteration / options.iterations, "Sparsifying in the eigenvectors")
        alphas = rows @ y.float()
        if iteration % 10 == 0 and iteration:
            kept = alphas.abs().amax(dim=0) > options.drop
            if kept.any():
                y, alphas = y[:, kept], alphas[:, kept]
        near_zero, near_one = _weights(alphas, options)
        systems = outer.weighted_sums((near_zero + near_one).T).double()
        systems.diagonal(dim1=1, dim2=2).add_(energy)
        right = (near_one.T @ rows).double()
        y = _constrained_solution(systems, right, total)
    return np.asarray(y.cpu().numpy(), dtype=np.float64).reshape(width, -1)


def _weights(alphas: Any, options: SparsityOptions) -> tuple[Any, Any]:
    """Give the weights that make the squared terms equal the sparse ones (Eq. 15b)."""
    scale = options.weight**options.exponent
    power = options.exponent - 2
    near_zero = alphas.abs().clamp_min(options.floor).pow(power) * scale
    near_one = (1 - alphas).abs().clamp_min(options.floor).pow(power) * scale
    return near_zero, near_one


def _constrained_solution(systems: Any, right: Any, total: Any) -> Any:
    """Solve ``systems[i] y_i = right[i] + mu`` with ``sum_i y_i = total``: ``(K, C)``."""
    torch = import_torch()
    ridge = 1e-10 * systems.diagonal(dim1=1, dim2=2).amax(dim=1)
    systems.diagonal(dim1=1, dim2=2).add_(ridge[:, None])
    inverses = torch.linalg.inv(systems)
    free = torch.einsum("cij,cj->ic", inverses, right)
    multiplier = torch.linalg.solve(inverses.sum(dim=0), total - free.sum(dim=1))
    return free + torch.einsum("cij,j->ic", inverses, multiplier)


class _OuterProducts:
    """Sums of outer products of rows, for many weightings of the rows at once."""

    most_rows = 4096

    def __init__(self, rows: Any) -> None:
        torch = import_torch()
        self.rows = rows
        width = rows.shape[1]
        self.upper = torch.triu_indices(width, width, device=rows.device)
        self.stored = self._products(rows) if len(rows) <= self.most_rows else None

    def _products(self, rows: Any) -> Any:
        """Give the upper triangle of each row's outer product, ``(M, K (K+1) / 2)``."""
        return rows[:, self.upper[0]] * rows[:, self.upper[1]]

    def weighted_sums(self, weights: Any) -> Any:
        """Give ``sum_p weights[c, p] rows_p rows_p^T``, ``(C, K, K)``."""
        torch = import_torch()
        width = self.rows.shape[1]
        if self.stored is not None:
            sums = weights @ self.stored
        else:
            sums = sum(
                weights[:, i : i + self.most_rows]
                @ self._products(self.rows[i : i + self.most_rows])
                for i in range(0, len(self.rows), self.most_rows)
            )
        full = torch.empty(len(weights), width, width, device=self.rows.device)
        full[:, self.upper[0], self.upper[1]] = sums
        full[:, self.upper[1], self.upper[0]] = sums
        return full
