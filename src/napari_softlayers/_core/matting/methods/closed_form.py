"""Closed-form matting (Levin, Lischinski, Weiss 2008), solved by two-level CG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays import FloatArray, Floats
from ...numerics.matting_laplacian import EPSILON
from ...numerics.operators import SparseOperator, on_device, solver_device, to_numpy
from ...numerics.pcg import pcg
from ...numerics.two_level import TwoLevel
from ...run import SILENT, Run
from ..system import Labels, System, laplacian_system, spread

if TYPE_CHECKING:
    import torch


def closed_form(
    picture: FloatArray,
    labels: Labels,
    *,
    eps: float = EPSILON,
    solver_tolerance: float = 1e-4,
    max_iterations: int = 2000,
    device: str = "auto",
    run: Run = SILENT,
    initial: FloatArray | None = None,
) -> FloatArray:
    """Mattes that are affine functions of the colour in every 3x3 window.

    Minimises ``a^T L a`` with the matting Laplacian L for every layer, known pixels
    fixed: ``L_UU a_U = -L_UK a_K`` (Eq. 14 of the paper with infinite lambda).

    ``picture`` float32 ``(H, W, 3)``. ``labels`` int ``(H, W)``. ``eps``:
    regularisation of the window covariances. ``solver_tolerance``: relative residual at
    which the solver stops; 1e-4 leaves a mean error of the mattes of about 2e-4.
    ``max_iterations``, ``device``, ``run``, ``initial``: see `methods`. Returns float32
    ``(K, H, W)``.
    """
    where = solver_device(device)
    system = laplacian_system(picture, labels, eps=eps, run=run.part(0, 0.4))
    solution = solve_local(
        picture,
        system,
        where,
        initial,
        solver_tolerance=solver_tolerance,
        max_iterations=max_iterations,
        run=run.part(0.4, 1.0),
    )
    return spread(solution, system.unknown, labels)


def solve_local(
    picture: FloatArray,
    system: System,
    device: torch.device | None,
    initial: FloatArray | None = None,
    *,
    solver_tolerance: float = 1e-4,
    max_iterations: int = 2000,
    run: Run = SILENT,
) -> Floats:
    """Solve a system of local affinities by two-level conjugate gradients.

    ``system``: of the matting Laplacian, perhaps with a data term. ``device``: see
    `solver_device`. Others as for `closed_form`; without ``initial`` it starts from the
    coarse solution. Returns ``(n, K - 1)``, as the system's right-hand side.
    """
    preconditioner = two_level(picture, system, device=device, run=run.part(0, 1 / 3))
    right = on_device(system.right, device)
    start = preconditioner.coarse_solve(right)
    if initial is not None:
        first = initial[:-1, system.unknown].T
        start = on_device(first.astype(system.matrix.dtype), device)
    found = pcg(
        SparseOperator(system.matrix, device).multiply,
        right,
        preconditioner,
        start,
        tolerance=solver_tolerance,
        max_iterations=max_iterations,
        run=run.part(1 / 3, 1),
    )
    return to_numpy(found.solution)


def two_level(
    picture: FloatArray,
    system: System,
    *,
    device: torch.device | None = None,
    run: Run = SILENT,
) -> TwoLevel:
    """The preconditioner of a local system: colour-affine blocks of pixels."""
    pixels = np.stack(np.nonzero(system.unknown), axis=1)
    # Larger blocks where factorising would take over.
    side = 6 if len(pixels) < 400_000 else 8
    return TwoLevel(
        system.matrix,
        pixels // side,
        color_candidates(picture[system.unknown]),
        device=device,
        run=run,
    )


def color_candidates(colors: FloatArray) -> FloatArray:
    """What a window's matting Laplacian annihilates: 1, red, green, blue, as (n, 4)."""
    return np.concatenate([np.ones_like(colors[:, :1]), colors], axis=1)
