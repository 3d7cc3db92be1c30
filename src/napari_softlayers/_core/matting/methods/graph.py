"""Graphs of like pixels: neighbours in colour and position, and their systems."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from ...arrays import DoubleArray, FloatArray, Floats, Mask
from ...devices import import_torch
from ...numerics.operators import Vectors, interruptible, on_device, to_numpy
from ...numerics.pcg import pcg
from ...run import Run
from ..system import Labels

if TYPE_CHECKING:
    import torch

#: Rows, columns and weights.
Edges = tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]

_QUERIES_PER_SLICE = 8192


def color_position_features(picture: FloatArray, position_weight: float) -> FloatArray:
    """Features (H * W, 5): red, green, blue and weighted x, y.

    Positions are divided by the longer side, so that distances do not depend on the
    resolution and x and y count the same.
    """
    height, width = picture.shape[:2]
    y, x = np.indices((height, width), dtype=np.float32)
    scale = np.float32(position_weight / max(height, width))
    position = np.stack([y, x], axis=-1) * scale
    return np.concatenate([picture, position], axis=-1).reshape(-1, 5)


def nearest(
    features: FloatArray, queries: FloatArray, count: int, run: Run
) -> tuple[DoubleArray, NDArray[np.intp]]:
    """Distances and indices (q, count) of the nearest features to every query.

    Where there are fewer features than ``count``, the nearest one is repeated.
    """
    # One thread a torch thread, which follows what the user has set.
    workers = import_torch().get_num_threads()
    tree = interruptible(
        lambda: cKDTree(features, compact_nodes=False, balanced_tree=False), run
    )
    available = min(count, len(features))
    distances = np.empty((len(queries), count))
    indices = np.empty((len(queries), count), np.intp)
    for start in range(0, len(queries), _QUERIES_PER_SLICE):
        part = slice(start, start + _QUERIES_PER_SLICE)
        d, i = tree.query(queries[part], k=range(1, available + 1), workers=workers)
        distances[part, :available], indices[part, :available] = d, i
        run.step(start / len(queries), "Finding neighbours")
    distances[:, available:] = distances[:, :1]
    indices[:, available:] = indices[:, :1]
    return distances, indices


def like_edges(
    features: FloatArray, pixels: NDArray[np.intp], neighbours: NDArray[np.intp]
) -> Edges:
    """Edges from pixels to their neighbours (n, k) and how alike they are.

    Kernel ``1 - |f - g|_1 / 5`` of the features (Eq. 3 of Chen, Li, Tang 2013, which
    information flow takes over), not below zero.
    """
    own = features[pixels]
    distances = [np.abs(own - features[q]).sum(axis=1) for q in neighbours.T]
    alike = np.maximum(1 - np.concatenate(distances) / 5, 0)
    return np.tile(pixels, neighbours.shape[1]), neighbours.T.ravel(), alike


def affinity_laplacian(edges: list[Edges], size: int) -> sparse.csr_matrix:
    """Laplacian (size, size) of ``sum w (a_row - a_column)^2``, edges symmetrised."""
    rows, columns, weights = map(np.concatenate, zip(*edges, strict=True))
    affinity = sparse.coo_matrix((weights, (rows, columns)), shape=(size, size)).tocsr()
    affinity = affinity + affinity.T
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    return (sparse.diags(degree) - affinity).tocsr()


def mixture_weights(
    colors: Floats, neighbours: Floats, ridge: float = 1e-3
) -> DoubleArray:
    """Weights that mix neighbours' colours into a colour (locally linear embedding).

    Minimises ``|c - sum_q w_q c_q|^2 + r |w|^2`` with ``sum_q w_q = 1``, whose solution
    is proportional to ``(D D^T + r I)^-1 1`` for ``D = c_q - c``. By the Woodbury
    identity only a 3x3 matrix a pixel is inverted.

    ``colors`` ``(n, 3)``. ``neighbours`` ``(n, k, 3)``. ``ridge``: ``r`` as a fraction of
    the trace of ``D D^T``. Returns ``(n, k)``: summing to 1; may be negative.
    """
    difference = np.asarray(neighbours, np.float64) - colors[:, None]
    gram = np.einsum("nki,nkj->nij", difference, difference)
    trace = np.trace(gram, axis1=1, axis2=2)
    r = ridge * trace + 1e-9
    gram[:, range(3), range(3)] += r[:, None]
    total = difference.sum(axis=1)
    projected = np.linalg.solve(gram, total[..., None])
    weights = 1 - np.einsum("nki,ni->nk", difference, projected[..., 0])
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def split_columns(
    matrix: sparse.csr_matrix, labels: Labels
) -> tuple[sparse.csr_matrix, FloatArray]:
    """Split a matrix over all pixels in its unknown columns and the known ones' part.

    ``matrix`` ``(m, H * W)``: anything that multiplies a matte of the whole picture.
    Returns a matrix ``(m, n)``, for the mattes of the n unknown pixels, and the product
    ``(m, K - 1)`` with the known mattes of all layers but the last.
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

    ``matrix`` ``(n, n)``: symmetric system of the unknown pixels. ``right``
    ``(n, K - 1)``: its right-hand sides. ``tied`` ``(n,)``: whether they are tied to a
    known pixel or to a value directly.
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


def solve(
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
    ``(n,)``: of that system; its precision is that of the solution. ``right``,
    ``start``, result: ``(n, K - 1)``. All else: see `solver_device` and `pcg`.
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
