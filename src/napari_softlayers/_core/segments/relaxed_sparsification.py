"""Relaxed sparsification: every pixel's alphas become free (Eq. 7-17)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import FloatArray, Mask
from ..devices import import_torch
from ..numerics.operators import BlockProduct
from ..run import SILENT, Run

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class RelaxedOptions:
    """Settings of `relaxed_sparsification`.

    ``iterations``: reweightings of the sparsity term (Eq. 15). ``steps``: conjugate
    gradient steps for each reweighting; the solution of one is the start of the next,
    so that one is nearly enough. ``last_steps``: steps of a final solve without the
    sparsity term; 0 leaves it out. ``sum_weight``: weight of the sum-to-one term, the
    paper's lambda (Eq. 11). ``reach``: reweighted iterations leave out pixels farther
    than this from any transition; 0 takes all of them.
    """

    iterations: int = 20
    steps: int = 1
    last_steps: int = 4
    sum_weight: float = 100.0
    reach: int = 3


FAST = RelaxedOptions()
EXACT = RelaxedOptions(steps=100, last_steps=100, reach=0)
FLOOR = 1e-2
"""Smallest alpha in the weights; it keeps them finite."""
TOLERANCE = 1e-6
"""A solve also ends once its residual is this small, relative to the right side."""
MOST_ACTIVE = 0.7
"""Above this share of active pixels, leaving the others out saves nothing."""


def relaxed_sparsification(
    alphas: FloatArray,
    laplacian: sparse.csr_array,
    exponents: FloatArray,
    options: RelaxedOptions = FAST,
    device: Any = "cpu",
    run: Run = SILENT,
) -> FloatArray:
    r"""Refine layers at the pixel level, sparse where the picture is flat.

    ``alphas`` ``(K, H, W)``: layers of the constrained sparsification, about summing to
    1. ``laplacian`` csr_array, ``(H * W, H * W)``: Laplacian of the graph.
    ``exponents`` ``(H, W)``: :math:`\gamma_p` of Eq. 10b, in [0.9, 1]. Returns float32
    ``(K, H, W)``: not clamped: values a little outside [0, 1] are usual, the sum is
    about 1.

    Minimises the sum of the fidelity (Eq. 7), sum-to-one (Eq. 8), Laplacian (Eq. 9) and
    sparsity (Eq. 15) energies by iteratively reweighted least squares; each system
    (Eq. 17) is

    .. math:: (L + D_u + D_v + I + \lambda C^T C) a = v + \hat a + \lambda 1

    The preconditioner inverts the block of each pixel (its diagonal plus the sum-to-one
    term) by the Sherman-Morrison formula. A last solve without the sparsity term, which
    the published results have, restores smooth transitions.

    Where the surroundings belong wholly to one layer, the Laplacian has no say, and the
    result of the reweighted iterations is known for every pixel by itself. With
    ``options.reach`` they run without such pixels; the last solve takes all of them.

    Two layers that sum to one keep doing so: their equations are each other's opposite,
    and one of them, without the sum-to-one term, gives both.
    """
    layers, alone = alphas, False
    if len(alphas) == 2 and np.abs(alphas.sum(axis=0) - 1).max() < 1e-5:
        layers, alone = alphas[1:], True
        options = replace(options, sum_weight=0.0)
    start = np.ascontiguousarray(layers.reshape(len(layers), -1).T, dtype=np.float32)
    powers = exponents.ravel()
    share = options.iterations / (options.iterations + options.last_steps / 2)
    solution = start.copy()
    active = _near_transitions(alphas, options.reach).ravel()
    if options.iterations and active.mean() > MOST_ACTIVE:
        system = _System(start, laplacian, powers, None, options, device)
        system.reweight(run.part(0.0, share))
        solution = system.solution.cpu().numpy()
    elif options.iterations and active.any():
        rows = sparse.csr_array(laplacian)[active]
        solution[~active] = _settled(start[~active], powers[~active], options)
        solution[active] = 0
        inflow, matrix = rows @ solution, rows[:, active]
        system = _System(start[active], matrix, powers[active], inflow, options, device)
        system.reweight(run.part(0.0, share))
        solution[active] = system.solution.cpu().numpy()
    if options.last_steps:
        run.step(share, "Smoothing transitions")
        system = _System(solution, laplacian, powers, None, options, device)
        system.solve(None, None, options.last_steps, run)
        solution = system.solution.cpu().numpy()
    run.step(1.0, "Smoothing transitions")
    result = np.ascontiguousarray(solution.T, dtype=np.float32).reshape(layers.shape)
    return np.concatenate([1 - result, result]) if alone else result


def _settled(
    start: FloatArray, exponents: FloatArray, options: RelaxedOptions
) -> FloatArray:
    """Give what the iterations lead to at pixels ``(N, K)`` that are all one layer.

    The exponents are tabulated; there are two unknowns, the alpha of the pixel's layer
    and that of each other one.
    """
    table = np.linspace(0.9, 1.0, 65)
    own, other = np.ones_like(table), np.zeros_like(table)
    others, weight = start.shape[1] - 1, options.sum_weight
    for _ in range(options.iterations):
        scales, rights = [], []
        for alpha, fidelity in ((own, 1.0), (other, 0.0)):
            near_zero = np.maximum(np.abs(alpha), FLOOR) ** (table - 2)
            near_one = np.maximum(np.abs(1 - alpha), FLOOR) ** (table - 2)
            scales.append(near_zero + near_one + 1)
            rights.append(near_one + fidelity + weight)
        a, b = scales[0] + weight, weight * others
        c, d = weight, scales[1] + weight * others
        determinant = a * d - b * c
        own = (d * rights[0] - b * rights[1]) / determinant
        other = (a * rights[1] - c * rights[0]) / determinant
    top = np.interp(exponents, table, own)[:, None]
    rest = np.interp(exponents, table, other)[:, None]
    return np.where(start > 0.5, top, rest).astype(np.float32)


def _near_transitions(alphas: FloatArray, reach: int) -> Mask:
    """Find the pixels ``(H, W)`` with a transition between layers within reach."""
    from scipy.ndimage import maximum_filter, minimum_filter

    if reach == 0:
        return np.ones(alphas.shape[1:], dtype=bool)
    labels = alphas.argmax(axis=0).astype(np.uint8)
    labels[alphas.max(axis=0) < 1] = 255
    highest = maximum_filter(labels, 2 * reach + 1)
    return np.asarray(
        (highest == 255) | (highest != minimum_filter(labels, 2 * reach + 1))
    )


def rounded_layers(alphas: FloatArray) -> FloatArray:
    """Snap alphas below 0.1 to 0 and above 0.9 to 1, then make them sum to 1."""
    snapped = np.where(alphas < 0.1, 0, np.where(alphas > 0.9, 1, alphas))
    total = snapped.sum(axis=0)
    empty = total <= 0
    if empty.any():
        largest = alphas.argmax(axis=0)
        rows, columns = np.nonzero(empty)
        snapped[largest[rows, columns], rows, columns] = 1
        total = snapped.sum(axis=0)
    return np.asarray(snapped / total, np.float32)


def unit_sum(alphas: FloatArray) -> FloatArray:
    """Clamp alphas ``(K, H, W)`` to [0, 1] and divide by their sum at each pixel."""
    clamped = np.clip(alphas, 0, 1)
    total = clamped.sum(axis=0)
    lost = total < 1e-3
    if lost.any():
        clamped[:, lost] = (
            alphas.argmax(axis=0)[lost] == np.arange(len(alphas))[:, None]
        )
        total = clamped.sum(axis=0)
    return np.asarray(clamped / total, np.float32)


class _System:
    """The linear system of Eq. 17 for all layers, and its current solution ``(N, K)``."""

    def __init__(
        self,
        start: FloatArray,
        laplacian: sparse.csr_array,
        exponents: FloatArray,
        inflow: FloatArray | None,
        options: RelaxedOptions,
        device: Any,
    ) -> None:
        torch = self.torch = import_torch()
        self.device = torch.device(device)
        self.options = options
        values = np.ascontiguousarray(start, dtype=np.float32)
        self.fidelity = torch.from_numpy(values).to(self.device)
        matrix = sparse.csr_matrix(laplacian, dtype=np.float32)
        self.multiply = BlockProduct(matrix, self.device)
        self.base = self.to_column(laplacian.diagonal()) + 1
        self.power = self.to_column(exponents) - 2
        self.ones = torch.ones(values.shape[1], 1, device=self.device)
        self.solution = self.fidelity.clone()
        self.smooth = self.multiply(self.solution)
        if inflow is not None:
            self.smooth += torch.from_numpy(inflow.astype(np.float32)).to(self.device)

    def to_column(self, values: NDArray[Any]) -> torch.Tensor:
        """Move ``(N,)`` values to the device as ``(N, 1)`` float32."""
        array = np.ascontiguousarray(values, dtype=np.float32)[:, None]
        column: torch.Tensor = self.torch.from_numpy(array).to(self.device)
        return column

    def reweight(self, run: Run) -> None:
        """Iterate with the sparsity term."""
        for iteration in range(self.options.iterations):
            run.step(iteration / self.options.iterations, "Sparsifying pixels")
            # u + v and v of Eq. 15b at the present solution
            zero = self.solution.abs().clamp_min_(FLOOR).pow_(self.power)
            one = (1 - self.solution).abs_().clamp_min_(FLOOR).pow_(self.power)
            self.solve(zero.add_(one), one, self.options.steps, run)

    def solve(
        self,
        diagonal: torch.Tensor | None,
        right: torch.Tensor | None,
        steps: int,
        run: Run,
    ) -> None:
        """Take preconditioned conjugate gradient steps from the present solution."""
        weight = self.options.sum_weight
        scale = self.base if diagonal is None else diagonal.add_(self.base)
        own = scale - (self.base - 1)
        target = self.solution.clone() if right is None else right.add_(self.fidelity)
        x = self.solution
        inverse = scale.reciprocal().expand_as(x)
        share = weight / (1 + weight * (inverse @ self.ones))

        def precondition(residual: torch.Tensor) -> torch.Tensor:
            """Invert ``diag(scale) + weight 1 1^T`` at each pixel (Sherman-Morrison)."""
            scaled = residual * inverse
            return scaled.addcmul_(inverse, share * (scaled @ self.ones), value=-1)

        residual = target - self.smooth - own * x - weight * (x @ self.ones - 1)
        limit = TOLERANCE**2 * float(((target + weight) ** 2).sum())
        image = precondition(residual)
        direction = image
        energy = float((residual * image).sum())
        for step in range(steps):
            if float((residual * residual).sum()) <= limit or energy <= 0:
                break
            run.check()
            curved = self.multiply(direction)
            product = curved + own * direction + weight * (direction @ self.ones)
            length = energy / float((direction * product).sum())
            x.add_(direction, alpha=length)
            self.smooth.add_(curved, alpha=length)
            if step + 1 == steps:
                break
            residual.sub_(product, alpha=length)
            image = precondition(residual)
            before, energy = energy, float((residual * image).sum())
            direction = image.add(direction, alpha=energy / before)
