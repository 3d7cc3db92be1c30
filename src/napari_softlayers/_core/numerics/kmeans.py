"""k-means: Lloyd's iterations from k-means++ starts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import vq

from ..arrays import DoubleArray, Floats

_BLOCK = 65536  # points looked at together
MOST_POINTS = 8192
"""Above this number, `clusters` finds the centres on a random sample."""


def kmeans(
    points: DoubleArray,
    count: int,
    generator: np.random.Generator,
    *,
    fixed: DoubleArray | None = None,
    draws: int = 1,
    same: float = 0.0,
    iterations: int = 25,
    tolerance: float = 0.0,
) -> tuple[DoubleArray, float]:
    """Cluster points from one random start.

    ``points`` float64 ``(N, D)``. ``count``: number of clusters, with the fixed ones;
    fewer come out where there are fewer different points. ``generator``: chooses the
    start. ``fixed`` ``(L, D)``: centres that do not move; they come first. ``draws``:
    of so many candidates for a start centre, the best is taken. ``same``: floats up to
    this distance from a centre are no start of another one. ``iterations``: largest
    number of Lloyd's iterations. ``tolerance``: they stop when no coordinate of a
    centre moves farther. Returns ``centers`` float64 ``(count, D)``. ``cost``: sum of
    the squared distances from the centres.
    """
    kept = 0 if fixed is None else len(fixed)
    if fixed is None or kept == 0:
        fixed = points[generator.integers(len(points), size=1)]
    centers = _start(points, fixed, count, generator, draws, same)
    labels, distances = nearest(points, centers)
    for _ in range(iterations):
        sizes = np.bincount(labels, minlength=len(centers))
        sums = [np.bincount(labels, column, len(centers)) for column in points.T]
        moved = np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None]
        empty = np.flatnonzero(sizes == 0)
        if len(empty):
            moved[empty] = points[np.argsort(distances)[-len(empty) :]]
        moved[:kept] = centers[:kept]
        if np.abs(moved - centers).max() <= tolerance:
            break
        centers = moved
        labels, distances = nearest(points, centers)
    return centers, float((distances**2).sum())


def nearest(
    points: Floats, centers: DoubleArray
) -> tuple[NDArray[np.int32], DoubleArray]:
    """Give the nearest centre of each point ``(N,)`` and its distance."""
    labels, distances = np.empty(len(points), np.int32), np.empty(len(points))
    for start in range(0, len(points), _BLOCK):
        block = slice(start, start + _BLOCK)
        part = np.asarray(points[block], dtype=np.float64)
        labels[block], distances[block] = vq(part, centers, check_finite=False)
    return labels, distances


def _start(
    points: DoubleArray,
    centers: DoubleArray,
    count: int,
    generator: np.random.Generator,
    draws: int,
    same: float,
) -> DoubleArray:
    """More centres by k-means++: far from each other, but where points are."""
    distance = np.min([((points - one) ** 2).sum(axis=1) for one in centers], axis=0)
    while len(centers) < count and distance.max() > same**2:
        chosen = generator.choice(len(points), draws, p=distance / distance.sum())
        found = [
            np.minimum(distance, ((points - points[i]) ** 2).sum(axis=1))
            for i in chosen
        ]
        best = int(np.argmin([rest.sum() for rest in found]))
        centers = np.concatenate([centers, points[chosen[best]][None]])
        distance = found[best]
    return centers


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
