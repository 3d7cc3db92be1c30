"""Known-to-unknown flow: what the colours of known pixels say about an unknown one."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...arrays import FloatArray
from ...numerics.operators import interruptible
from ...run import SILENT, Run
from ..system import Labels
from .graph import color_position_features, mixture_weights, nearest


def known_to_unknown(
    picture: FloatArray,
    labels: Labels,
    *,
    neighbours: int = 7,
    position_weight: float = 10.0,
    run: Run = SILENT,
) -> tuple[FloatArray, FloatArray]:
    """Estimate mattes from the nearest known colours (section 3.2 of Aksoy 2017).

    The colour of every unknown pixel is mixed from its nearest known pixels, equally
    many of each layer; the weight of a layer is the estimate.

    ``neighbours``: known pixels of each layer. ``position_weight``: how much the
    position counts, the longer side of the picture being 1. Returns the estimate
    ``(n, K)``, on the simplex, and the confidence ``(n,)``: the squared distance of the
    layers' colours, in [0, 1] (Eq. 9).
    """
    n_layers = int(labels.max())
    features = color_position_features(picture, position_weight)
    flat = labels.ravel()
    queries = features[flat == 0]
    colors = np.empty((len(queries), n_layers, neighbours, 3), np.float32)
    for k in range(n_layers):
        known = features[flat == k + 1]
        part = run.part(k / n_layers, (k + 1) / n_layers)
        _, found = nearest(known, queries, neighbours, part)
        colors[:, k] = known[found, :3]
    flattened = colors.reshape(len(queries), n_layers * neighbours, 3)
    weights = interruptible(lambda: mixture_weights(queries[:, :3], flattened), run)
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
    picture: FloatArray,
    labels: Labels,
    *,
    radius: int = 9,
    threshold: float = 0.06,
    run: Run = SILENT,
) -> NDArray[np.int32]:
    """Trim the edges of a trimap: unknown pixels that look like a known one close by.

    An unknown pixel gets the label of a known pixel at distance d when their colours
    differ by less than ``threshold * (1 - d / radius)``; of several, of the one that
    passes most easily.

    ``radius``: pixels farther than this are not looked at. ``threshold``: largest
    distance of colours at distance zero. Returns ``(n,)``: a label for each of the n
    unknown pixels, 0 for none.
    """
    height, width = labels.shape
    distance = ndimage.distance_transform_edt(labels == 0)[labels == 0]
    padded_labels = np.pad(labels, radius).ravel()
    padded = np.pad(picture, [(radius,), (radius,), (0,)]).reshape(-1, 3)
    rows, columns = np.nonzero(labels == 0)
    positions = (rows + radius) * (width + 2 * radius) + columns + radius
    best = np.ones(len(positions), np.float32)
    label = np.zeros(len(positions), np.int32)
    # From near to far: pixels drop out that are too far from any known one, or that
    # already have something better than the distance alone would allow.
    for d, dy, dx in _disk(radius):
        run.check()
        open_ = np.flatnonzero((distance <= d + 1e-6) & (best > d / radius))
        other = positions[open_] + dy * (width + 2 * radius) + dx
        known = padded_labels[other] > 0
        open_, other = open_[known], other[known]
        change = padded[other] - padded[positions[open_]]
        score = np.sqrt(np.einsum("nc,nc->n", change, change)) / threshold + d / radius
        better = score < best[open_]
        best[open_[better]] = score[better]
        label[open_[better]] = padded_labels[other[better]]
    return label


def _disk(radius: int) -> list[tuple[float, int, int]]:
    """Offsets nearer than the radius, nearest first, as (distance, dy, dx)."""
    reach = range(-radius, radius + 1)
    offsets = [(float(np.hypot(dy, dx)), dy, dx) for dy in reach for dx in reach]
    return sorted(entry for entry in offsets if 0 < entry[0] < radius)
