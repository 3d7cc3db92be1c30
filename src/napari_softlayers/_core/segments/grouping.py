"""Clusters of pixels, the first guess of the layers, and of layers, the paper's way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import DoubleArray, FloatArray, Floats
from ..numerics.kmeans import kmeans, nearest

MOST_POINTS = 8192
"""Above this number, the centres are found on a random sample."""


def clusters(
    points: Floats, count: int, seed: int = 0, starts: int = 1
) -> NDArray[np.int32]:
    """Cluster points ``(N, D)``, the best of several random starts.

    Returns int ``(N,)``: cluster of each point; there are fewer where there are fewer
    different points.
    """
    generator = np.random.default_rng(seed)
    sample = np.asarray(points, dtype=np.float64)
    if len(sample) > MOST_POINTS:
        sample = sample[generator.choice(len(sample), MOST_POINTS, replace=False)]
    best, least = kmeans(sample, 1, generator)
    for _ in range(starts):
        centers, cost = kmeans(sample, count, generator)
        if cost < least:
            best, least = centers, cost
    return nearest(points, best)[0]


def layer_means(alphas: FloatArray, values: FloatArray) -> DoubleArray:
    """Average values ``(H, W, D)`` over layers ``(K, H, W)``, weighted by alpha.

    Returns ``(K, D)``: alphas outside [0, 1] count as 0 or 1.
    """
    weights = np.clip(alphas, 0, 1).reshape(len(alphas), -1)
    flat = values.reshape(-1, values.shape[-1])
    sums = weights @ flat
    total = weights.sum(axis=1, dtype=np.float64)[:, None]
    return np.asarray(sums / np.maximum(total, 1e-9), np.float64)


def kmeans_groups(
    alphas: FloatArray, features: FloatArray, count: int, seed: int = 0
) -> NDArray[np.int64]:
    """Group layers by their mean features with k-means, the best of eight starts.

    ``alphas`` ``(K, H, W)``. ``features`` ``(H, W, D)``. ``count``: number of groups.
    Returns int ``(K,)``: group of each layer, numbered ``0..count-1``.
    """
    means = layer_means(alphas, features)
    labels = clusters(means, min(count, len(means)), seed, starts=8)
    _, numbered = np.unique(labels, return_inverse=True)
    return numbered
