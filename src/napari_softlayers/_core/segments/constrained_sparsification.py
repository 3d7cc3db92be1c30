"""Constrained sparsification: sparse layers in the span of the eigenvectors (Eq. 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..devices import import_torch
from ..numerics.eigenvectors import Eigenpairs
from ..run import SILENT, Run
from ..threads import one_thread

EXPONENT, WEIGHT = 0.8, 0.3
"""The paper's gamma, and the weight of both sparsity terms."""
FLOOR = 1e-3
"""Smallest distance to 0 and 1 in the weights."""


@dataclass(frozen=True)
class SparsityOptions:
    """Settings of `constrained_sparsification`.

    ``iterations``: reweightings. ``samples``: pixels that the energy is summed over,
    chosen at random; an energy of a few hundred unknowns needs no more. ``drop``:
    layers nowhere above this are removed, every ten iterations and at the end.
    """

    iterations: int = 20
    samples: int = 2048
    drop: float = 0.1


FAST = SparsityOptions()
EXACT = SparsityOptions(iterations=40, samples=24576)
MOST_ROWS = 4096
"""Rows whose outer products are kept, or made at once."""


def constrained_sparsification(
    eigenpairs: Eigenpairs,
    labels: NDArray[np.integer[Any]],
    options: SparsityOptions = FAST,
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
    torch = import_torch()
    device = torch.device(device)
    vectors = eigenpairs.vectors
    size, count = len(vectors), int(labels.max()) + 1
    first = [
        np.bincount(labels, weights=column, minlength=count)
        for column in vectors.T.astype(np.float64)
    ]
    rows = vectors
    if options.samples < size:
        generator = np.random.default_rng(seed)
        rows = vectors[np.sort(generator.choice(size, options.samples, replace=False))]
    y = torch.from_numpy(np.array(first, dtype=np.float64)).to(device)
    total = torch.from_numpy(vectors.sum(axis=0, dtype=np.float64)).to(device)
    energy = torch.from_numpy(eigenpairs.values * (len(rows) / size)).to(device)
    rows = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
    with one_thread("blas"):
        outer = _OuterProducts(rows)
        for iteration in range(options.iterations):
            run.step(iteration / options.iterations, "Sparsifying in the eigenvectors")
            alphas = rows @ y.float()
            if iteration % 10 == 0 and iteration:
                kept = alphas.abs().amax(dim=0) > options.drop
                if kept.any():
                    y, alphas = y[:, kept], alphas[:, kept]
            # Weights that make the squared terms equal the sparse ones (Eq. 15b).
            near_zero, near_one = (
                distance.abs().clamp_min(FLOOR).pow(EXPONENT - 2) * WEIGHT**EXPONENT
                for distance in (alphas, 1 - alphas)
            )
            systems = outer.weighted_sums((near_zero + near_one).T).double()
            systems.diagonal(dim1=1, dim2=2).add_(energy)
            y = _constrained_solution(systems, (near_one.T @ rows).double(), total)
        layers = (vectors @ y.cpu().numpy().astype(np.float32)).T
    lasting = np.abs(layers).max(axis=1) > options.drop
    return np.ascontiguousarray(layers[lasting] if lasting.any() else layers)


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

    def __init__(self, rows: Any) -> None:
        self.pieces = rows.split(MOST_ROWS)
        width = rows.shape[1]
        self.upper = import_torch().triu_indices(width, width, device=rows.device)
        self.stored = [self._products(rows)] if len(self.pieces) == 1 else None

    def _products(self, rows: Any) -> Any:
        """Give the upper triangle of each row's outer product, ``(M, K (K+1) / 2)``."""
        return rows[:, self.upper[0]] * rows[:, self.upper[1]]

    def weighted_sums(self, weights: Any) -> Any:
        """Give ``sum_p weights[c, p] rows_p rows_p^T``, ``(C, K, K)``."""
        products = self.stored or map(self._products, self.pieces)
        parts = zip(weights.split(MOST_ROWS, dim=1), products, strict=True)
        sums: Any = sum(weight @ product for weight, product in parts)
        width = self.pieces[0].shape[1]
        full = sums.new_empty(len(weights), width, width)
        full[:, self.upper[0], self.upper[1]] = sums
        full[:, self.upper[1], self.upper[0]] = sums
        return full
