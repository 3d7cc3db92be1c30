"""k-means, for the first guess of the layers and for grouping them the paper's way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..picture import FloatArray

Points = NDArray[np.floating]


def kmeans(
    points: Points,
    count: int,
    seed: int = 0,
    starts: int = 1,
    iterations: int = 25,
    most_points: int = 8192,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cluster points, the best of several k-means++ starts.

    Parameters
    ----------
    points : ndarray, ``(N, D)``
    count : int
        Number of clusters; fewer come out where there are fewer different points.
    seed : int
        Chooses starts and the sample.
    starts : int
        The clustering with the smallest sum of squared distances is kept.
    iterations : int
        Largest number of Lloyd iterations for each start.
    most_points : int
        Above this number, the centres are found on a random sample.

    Returns
    -------
    centers : ndarray, ``(count, D)``
    labels : ndarray of int, ``(N,)``
    """
    generator = np.random.default_rng(seed)
    sample = np.asarray(points, dtype=np.float64)
    if len(sample) > most_points:
        sample = sample[generator.choice(len(sample), most_points, replace=False)]
    best, best_cost = _seeds(sample, 1, generator), np.inf
    for _ in range(starts):
        centers, cost = _lloyd(sample, _seeds(sample, count, generator), iterations)
        if cost < best_cost:
            best, best_cost = centers, cost
    labels, _ = nearest(points, best)
    return best, labels


def nearest(
    points: Points, centers: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the nearest centre of each point ``(N,)`` and its squared distance."""
    labels = np.empty(len(points), dtype=np.int64)
    distances = np.empty(len(points))
    lengths = (centers**2).sum(axis=1)
    for start in range(0, len(points), 65536):
        part = np.asarray(points[start : start + 65536], dtype=np.float64)
        offsets = lengths - 2 * part @ centers.T
        found = offsets.argmin(axis=1)
        labels[start : start + len(part)] = found
        smallest = offsets[np.arange(len(part)), found] + (part**2).sum(axis=1)
        distances[start : start + len(part)] = np.maximum(smallest, 0)
    return labels, distances


def _seeds(
    points: NDArray[np.float64], count: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Choose start centres by k-means++: far from each other, but where points are."""
    centers = [points[generator.integers(len(points))]]
    distance = ((points - centers[0]) ** 2).sum(axis=1)
    for _ in range(count - 1):
        total = distance.sum()
        if total <= 1e-12:
            break
        chosen = generator.choice(len(points), p=distance / total)
        centers.append(points[chosen])
        distance = np.minimum(distance, ((points - centers[-1]) ** 2).sum(axis=1))
    return np.array(centers)


def _lloyd(
    points: NDArray[np.float64], centers: NDArray[np.float64], iterations: int
) -> tuple[NDArray[np.float64], float]:
    """Move the centres to their points' means until the labels stay."""
    labels, distances = nearest(points, centers)
    for _ in range(iterations):
        sizes = np.bincount(labels, minlength=len(centers))
        sums = np.stack(
            [np.bincount(labels, weights=c, minlength=len(centers)) for c in points.T],
            axis=1,
        )
        filled = sizes > 0
        empty = int(np.count_nonzero(~filled))
        centers = centers.copy()
        centers[filled] = sums[filled] / sizes[filled, None]
        if empty:
            centers[~filled] = points[np.argsort(distances)[-empty:]]
        before = labels
        labels, distances = nearest(points, centers)
        if np.array_equal(before, labels):
            break
    return centers, float(distances.sum())


def layer_means(alphas: FloatArray, values: FloatArray) -> NDArray[np.float64]:
    """Average values ``(H, W, D)`` over layers ``(K, H, W)``, weighted by alpha.

    Returns
    -------
    ndarray, ``(K, D)``
        Alphas outside [0, 1] count as 0 or 1.
    """
    weights = np.clip(alphas, 0, 1).reshape(len(alphas), -1)
    flat = values.reshape(-1, values.shape[-1])
    sums = weights @ flat
    total = weights.sum(axis=1, dtype=np.float64)[:, None]
    return np.asarray(sums, dtype=np.float64) / np.maximum(total, 1e-9)


def kmeans_groups(
    alphas: FloatArray, features: FloatArray, count: int, seed: int = 0
) -> NDArray[np.int64]:
    """Group layers by their mean features with k-means, the best of eight starts.

    Parameters
    ----------
    alphas : ndarray, ``(K, H, W)``
    features : ndarray, ``(H, W, D)``
    count : int
        Number of groups.

    Returns
    -------
    ndarray of int, ``(K,)``
        Group of each layer, numbered ``0..count-1``.
    """
    means = layer_means(alphas, features)
    _, labels = kmeans(means, min(count, len(means)), seed, starts=8)
    _, numbered = np.unique(labels, return_inverse=True)
    return numbered
