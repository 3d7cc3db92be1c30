"""Information-flow matting (Aksoy, Aydin, Pollefeys 2017).

References
----------
.. [1] Y. Aksoy, T. O. Aydin, M. Pollefeys, "Designing Effective Inter-Pixel
   Information Flow for Natural Image Matting", CVPR 2017. doi:10.1109/CVPR.2017.32
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from ...arrays import FloatArray
from ...numerics.operators import SparseOperator, Vectors, interruptible, solver_device
from ...run import SILENT, Run
from ..system import Labels, System, laplacian_system, one_hot, spread
from . import graph
from .closed_form import two_level

#: Every pixel is in nine windows: with it, the local term has the scale of the others.
_WINDOWS = 9
_WEIGHT_KNOWN = 0.05
_WEIGHT_UNKNOWN = 0.003
#: Highly transparent: more than this share of the unknown pixels is surrounded by
#: pixels where no layer has more than this alpha.
_MOSTLY, _OPAQUE = 0.3, 0.8
#: Neighbours, and how much the position counts, the longer side of the picture being 1:
#: of the colour mixture, and for each layer of known to unknown.
_MIXTURE, _KNOWN = (20, 1.0), (7, 10.0)
#: How far the edges of a trimap are trimmed, and the largest distance of colours there.
_RADIUS, _THRESHOLD = 9, 0.06


def information_flow(
    picture: FloatArray,
    labels: Labels,
    *,
    transparent: bool | str = "auto",
    solver_tolerance: float = 1e-4,
    max_iterations: int = 3000,
    device: str = "auto",
    run: Run = SILENT,
    initial: FloatArray | None = None,
) -> FloatArray:
    """Mattes from four kinds of flow between pixels.

    Minimises, known pixels fixed, the sum of: colour mixture (section 3.1 of [1]_),
    ``sum_p (a_p - sum_q w_pq a_q)^2`` with 20 neighbours in colour and position; known
    to unknown (3.2), after the edges of the trimap are trimmed; intra-unknown (3.3),
    5 neighbours; and the matting Laplacian of 3x3 windows (3.4).

    ``picture`` float32 ``(H, W, 3)``. ``labels`` int ``(H, W)``. ``transparent`` bool
    or "auto": True for highly transparent layers (glass, smoke, veils): known colours
    are not trusted then. "auto" looks at a first guess of the matte.
    ``solver_tolerance``, ``max_iterations``, ``device``, ``run``, ``initial``: see
    `methods`. Returns float32 ``(K, H, W)``.
    """
    if transparent not in (True, False, "auto"):
        raise ValueError(f"transparent={transparent!r}; use True, False or 'auto'.")
    where = solver_device(device)
    local = laplacian_system(picture, labels, run=run.part(0, 0.1))
    if transparent == "auto":
        transparent = looks_transparent(picture, local)
    mixture, mixture_known = color_mixture(picture, labels, run=run.part(0.1, 0.4))
    within = intra_unknown(picture, labels, run=run.part(0.4, 0.5))
    right = local.right / _WINDOWS - mixture.T @ mixture_known
    diagonal = np.zeros(len(right), np.float32)
    start = None
    if not transparent:
        estimate, confidence = _trimmed_estimate(picture, labels, run.part(0.5, 0.7))
        diagonal += _WEIGHT_KNOWN * confidence
        right += diagonal[:, None] * estimate[:, :-1]
        start = estimate[:, :-1]
    nearby = local.matrix / _WINDOWS + _WEIGHT_UNKNOWN * within
    nearby = (nearby + sparse.diags(diagonal)).tocsr().astype(np.float64)
    mixture = mixture.astype(np.float64)
    if initial is not None:
        start = initial[:-1, local.unknown].T
    near, mixed = SparseOperator(nearby, where), SparseOperator(mixture, where)

    def multiply(vectors: Vectors) -> Vectors:
        """Product with ``nearby + mixture^T mixture``."""
        product = mixed.multiply_transposed(mixed.multiply(vectors))
        return near.multiply(vectors) + product

    solution = graph.solve(
        multiply,
        nearby.diagonal() + np.asarray(mixture.power(2).sum(axis=0)).ravel(),
        np.ascontiguousarray(right, np.float64),
        None if start is None else start.astype(np.float64),
        where,
        solver_tolerance=solver_tolerance,
        max_iterations=max_iterations,
        run=run.part(0.7, 1),
    )
    return spread(solution, local.unknown, labels)


def color_mixture(
    picture: FloatArray, labels: Labels, *, run: Run = SILENT
) -> tuple[sparse.csr_matrix, FloatArray]:
    """Colour mixture: every unknown pixel as a mixture of like pixels (section 3.1).

    Returns ``I - W`` ``(n, n)`` among the unknown pixels, and the product ``(n, K - 1)``
    of ``I - W`` with the known mattes.
    """
    neighbours, position_weight = _MIXTURE
    features = graph.color_position_features(picture, position_weight)
    unknown = np.flatnonzero(labels.ravel() == 0)
    _, found = graph.nearest(features, features[unknown], neighbours + 1, run)
    found = _without_self(found, unknown)
    weights = interruptible(
        lambda: graph.mixture_weights(features[unknown, :3], features[found, :3]), run
    )
    count = len(unknown)
    pointers = np.arange(0, count * neighbours + 1, neighbours)
    mixed = sparse.csr_matrix(
        (weights.astype(np.float32).ravel(), found.ravel(), pointers),
        shape=(count, labels.size),
    )
    part, known = interruptible(lambda: graph.split_columns(mixed, labels), run)
    return (sparse.identity(count, np.float32) - part).tocsr(), -known


def intra_unknown(
    picture: FloatArray, labels: Labels, *, run: Run = SILENT
) -> sparse.csr_matrix:
    """Intra-unknown flow: Laplacian (n, n) of like colours in the unknown (3.3).

    Five neighbours by colour with a little position, and the one nearest by colour.
    """
    unknown = labels.ravel() == 0
    pixels = np.arange(np.count_nonzero(unknown))
    edges = []
    plan = ((5, 0.05, run.part(0, 0.6)), (1, 0.0005, run.part(0.6, 1)))
    for neighbours, position_weight, part in plan:
        features = graph.color_position_features(picture, position_weight)[unknown]
        _, found = graph.nearest(features, features, neighbours + 1, part)
        edges.append(graph.like_edges(features, pixels, _without_self(found, pixels)))
    return interruptible(lambda: graph.affinity_laplacian(edges, len(pixels)), run)


def looks_transparent(picture: FloatArray, local: System) -> bool:
    """Whether the layers are highly transparent, as glass and smoke are.

    Around hair and soft edges, alphas well inside of (0, 1) lie among opaque ones; in
    glass they fill areas. Looked at in a first guess of the closed-form matte.
    """
    first = two_level(picture, local).coarse_solve(local.right)
    layers = np.concatenate([first, 1 - first.sum(axis=1, keepdims=True)], axis=1)
    mixed = np.zeros(local.unknown.shape)
    mixed[local.unknown] = layers.max(axis=1) < _OPAQUE
    around = ndimage.gaussian_filter(mixed, max(5.0, 0.015 * max(mixed.shape)))
    return float(np.mean(around[local.unknown] > 0.5)) > _MOSTLY


def _trimmed_estimate(
    picture: FloatArray, labels: Labels, run: Run
) -> tuple[FloatArray, FloatArray]:
    """Known-to-unknown estimate, certain where the trimap's edges were trimmed."""
    label = trimmed(picture, labels, run=run)
    estimate, confidence = known_to_unknown(picture, labels, run=run)
    sure = label > 0
    estimate[sure] = one_hot(label[None, sure], estimate.shape[1])[:, 0].T
    confidence[sure] = 1
    return estimate, confidence


def known_to_unknown(
    picture: FloatArray, labels: Labels, *, run: Run = SILENT
) -> tuple[FloatArray, FloatArray]:
    """Estimate mattes from the nearest known colours (section 3.2).

    The colour of every unknown pixel is mixed from its nearest known pixels, equally
    many of each layer; the weight of a layer is the estimate.

    Returns the estimate ``(n, K)``, on the simplex, and the confidence ``(n,)``: the
    squared distance of the layers' colours, in [0, 1] (Eq. 9).
    """
    n_layers = int(labels.max())
    neighbours, position_weight = _KNOWN
    features = graph.color_position_features(picture, position_weight)
    flat = labels.ravel()
    queries = features[flat == 0]
    colors = np.empty((len(queries), n_layers, neighbours, 3), np.float32)
    for k in range(n_layers):
        known = features[flat == k + 1]
        part = run.part(k / n_layers, (k + 1) / n_layers)
        _, found = graph.nearest(known, queries, neighbours, part)
        colors[:, k] = known[found, :3]
    flattened = colors.reshape(len(queries), n_layers * neighbours, 3)
    weights = interruptible(
        lambda: graph.mixture_weights(queries[:, :3], flattened), run
    )
    weights = weights.reshape(len(queries), n_layers, neighbours)
    shares = weights.sum(axis=2)
    safe = np.where(np.abs(shares) < 1e-3, 1, shares)
    means = np.einsum("nkq,nkqc->nkc", weights / safe[..., None], colors)
    means = np.where(
        np.abs(shares)[..., None] < 1e-3, colors.mean(axis=2), np.clip(means, 0, 1)
    )
    estimate = np.clip(shares, 0, 1)
    estimate /= estimate.sum(axis=1, keepdims=True)
    return estimate.astype(np.float32), _separation(means, estimate)


def _separation(means: NDArray[Any], shares: NDArray[Any]) -> FloatArray:
    """Squared distance of the layers' colours over three; of the pairs of more than
    two layers, a mean that counts those which share the pixel."""
    total = np.zeros(len(means))
    weight = np.zeros(len(means))
    for i, j in combinations(range(means.shape[1]), 2):
        pair = (shares[:, i] + 1e-2) * (shares[:, j] + 1e-2)
        total += pair * np.square(means[:, i] - means[:, j]).sum(axis=1)
        weight += pair
    return (total / (3 * weight)).astype(np.float32)


def trimmed(
    picture: FloatArray, labels: Labels, *, run: Run = SILENT
) -> NDArray[np.int32]:
    """Trim the edges of a trimap: unknown pixels that look like a known one close by.

    An unknown pixel gets the label of a known pixel at distance d when their colours
    differ by less than ``_THRESHOLD * (1 - d / _RADIUS)``; of several, of the one that
    passes most easily. Returns ``(n,)``: 0 for none.
    """
    height, width = labels.shape
    distance = ndimage.distance_transform_edt(labels == 0)[labels == 0]
    padded_labels = np.pad(labels, _RADIUS).ravel()
    padded = np.pad(picture, [(_RADIUS,), (_RADIUS,), (0,)]).reshape(-1, 3)
    rows, columns = np.nonzero(labels == 0)
    positions = (rows + _RADIUS) * (width + 2 * _RADIUS) + columns + _RADIUS
    best = np.ones(len(positions), np.float32)
    label = np.zeros(len(positions), np.int32)
    # From near to far: pixels drop out that are too far from any known one, or that
    # already have something better than the distance alone would allow.
    for d, dy, dx in _disk(_RADIUS):
        run.check()
        open_ = np.flatnonzero((distance <= d + 1e-6) & (best > d / _RADIUS))
        other = positions[open_] + dy * (width + 2 * _RADIUS) + dx
        known = padded_labels[other] > 0
        open_, other = open_[known], other[known]
        change = padded[other] - padded[positions[open_]]
        score = (
            np.sqrt(np.einsum("nc,nc->n", change, change)) / _THRESHOLD + d / _RADIUS
        )
        better = score < best[open_]
        best[open_[better]] = score[better]
        label[open_[better]] = padded_labels[other[better]]
    return label


def _disk(radius: int) -> list[tuple[float, int, int]]:
    """Offsets nearer than the radius, nearest first, as (distance, dy, dx)."""
    reach = range(-radius, radius + 1)
    offsets = [(float(np.hypot(dy, dx)), dy, dx) for dy in reach for dx in reach]
    return sorted(entry for entry in offsets if 0 < entry[0] < radius)


def _without_self(found: NDArray[np.intp], own: NDArray[np.intp]) -> NDArray[np.intp]:
    """Drop the pixel itself from its neighbours, or the last one."""
    same = found == own[:, None]
    same[~same.any(axis=1), -1] = True
    # Where a pixel is listed twice, only the first entry goes.
    drop = np.argmax(same, axis=1)
    keep = np.arange(found.shape[1]) != drop[:, None]
    return np.asarray(found[keep].reshape(len(found), -1))
