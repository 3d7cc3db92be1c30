"""Nearest neighbours in colour and position, and colours as mixtures of neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...arrays import DoubleArray, FloatArray, Floats
from ...devices import import_torch
from ...numerics.operators import interruptible
from ...run import Run

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


def likeness(features: FloatArray, others: FloatArray) -> FloatArray:
    """Kernel ``1 - |f - g|_1 / 5`` of pairs of features (n, 5), not below zero.

    Eq. 3 of Chen, Li, Tang 2013, which information flow takes over.
    """
    distance = np.abs(features - others).sum(axis=1)
    alike: FloatArray = np.maximum(1 - distance / 5, 0)
    return alike


def mixture_weights(
    colors: Floats, neighbours: Floats, ridge: float = 1e-3
) -> DoubleArray:
    """Weights that mix neighbours' colours into a colour (locally linear embedding).

    Minimises ``|c - sum_q w_q c_q|^2 + r |w|^2`` with ``sum_q w_q = 1``, whose solution
    is proportional to ``(D D^T + r I)^-1 1`` for ``D = c_q - c``. By the Woodbury
    identity only a 3x3 matrix a pixel is inverted.

    ``colors`` ``(n, 3)``: the colours. ``neighbours`` ``(n, k, 3)``: the colours to
    mix. ``ridge``: ``r`` as a fraction of the trace of ``D D^T``. Returns float64
    ``(n, k)``: summing to 1; may be negative.
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
