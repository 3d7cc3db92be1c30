"""Linear systems of graph energies over the unknown pixels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ...arrays import FloatArray, Floats, Mask
from ...numerics.operators import Vectors, on_device, to_numpy
from ...numerics.pcg import pcg
from ...run import Run
from ..system import Labels

if TYPE_CHECKING:
    import torch


def split_columns(
    matrix: sparse.csr_matrix, labels: Labels
) -> tuple[sparse.csr_matrix, FloatArray]:
    """Split a matrix over all pixels in its unknown columns and the known ones' part.

    ``matrix`` sparse ``(m, H * W)``: anything that multiplies a matte of the whole
    picture. ``labels`` int ``(H, W)``: 0 unknown, 1..K known. Returns ``unknown_part``
    sparse ``(m, n)``: for the mattes of the n unknown pixels. ``known_part`` float32
    ``(m, K - 1)``: the product with the known mattes of all layers but the last.
    """
    flat = labels.ravel()
    n_layers = int(flat.max())
    known = np.stack([flat == k + 1 for k in range(n_layers - 1)], axis=1)
    part = np.asarray(matrix @ known.astype(matrix.dtype), np.float32)
    return matrix[:, np.flatnonzero(flat == 0)].tocsr(), part


def pin_islands(
    matrix: sparse.csr_matrix, right: FloatArray, tied: Mask
) -> tuple[sparse.csr_matrix, FloatArray]:
    """Keep a system regular when some unknown pixels reach no known one.

    Such an island has no say in what its matte is: every layer gets an equal share
    there, with a warning.

    ``matrix`` sparse ``(n, n)``: symmetric system of the unknown pixels. ``right``
    float32 ``(n, K - 1)``: its right-hand sides. ``tied`` bool ``(n,)``: unknown pixels
    that are tied to a known one or to a value directly.
    """
    count, group = csgraph.connected_components(matrix, directed=False)
    free = np.ones(count, bool)
    free[group[tied]] = False
    island = free[group]
    if not island.any():
        return matrix, right
    warnings.warn(
        f"{int(island.sum())} unknown pixels are connected to no known pixel; they get "
        "equal shares of all layers. Paint a label there.",
        RuntimeWarning,
        stacklevel=3,
    )
    share = 1 / (right.shape[1] + 1)
    pinned = matrix + sparse.diags(island.astype(matrix.dtype))
    right = right.copy()
    right[island] += np.float32(share)
    return pinned.tocsr(), right


def solve_graph(
    multiply: Callable[[Vectors], Vectors],
    diagonal: Floats,
    right: Floats,
    start: Floats | None,
    device: torch.device | None,
    *,
    solver_tolerance: float,
    max_iterations: int,
    run: Run,
) -> Floats:
    """Solve for the unknown pixels by conjugate gradients, scaled by the diagonal.

    Edges between far pixels leave nothing local that a coarser system could hold.

    ``multiply``: the system of the n unknown pixels, on ``device``. ``diagonal``
    ``(n,)``: of that system; its precision is that of the solution. ``right``
    ``(n, K - 1)``. ``start`` ``(n, K - 1)`` or None: first guess. ``device``: see
    `solver_device`. ``solver_tolerance``, ``max_iterations``, ``run``: see `pcg`.
    Returns ``(n, K - 1)``.
    """
    inverse = on_device((1 / diagonal)[:, None], device)
    found = pcg(
        multiply,
        on_device(right, device),
        lambda residual: inverse * residual,
        None if start is None else on_device(start, device),
        tolerance=solver_tolerance,
        max_iterations=max_iterations,
        run=run,
    )
    return to_numpy(found.solution)


def affinity_laplacian(
    rows: NDArray[Any], columns: NDArray[Any], weights: NDArray[Any], size: int
) -> sparse.csr_matrix:
    """Laplacian (size, size) of ``sum w (a_row - a_column)^2``, edges symmetrised."""
    affinity = sparse.coo_matrix(
        (weights.astype(np.float32), (rows, columns)), shape=(size, size)
    ).tocsr()
    affinity = affinity + affinity.T
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    return (sparse.diags(degree) - affinity).tocsr()
