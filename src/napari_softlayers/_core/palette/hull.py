"""Simplified convex hull of a picture's colours (Tan et al. 2018).

The hull's vertices reproduce every colour inside, without residues. Edges are collapsed,
each into the point that adds the least volume while the hull keeps all that it held, until
the wanted number of vertices is left [1]_.

References
----------
.. [1] Tan, Echevarria, Gingold, "Efficient palette-based decomposition and recoloring of
   images via RGBXY-space geometry", ACM TOG 37(6), 2018, Section 3.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from ..arrays import DoubleArray

DIRECTIONS = 48  # extreme colours that the hull starts from
OUTLIERS = 2e-4  # share of the pixels that may stick out in each direction
_SLACK = 1e-9


def simplified_hull(sample: DoubleArray, count: int) -> DoubleArray | None:
    """Vertices of a simple polyhedron around (nearly) all colours.

    ``sample`` ``(N, 3)``: colours in [0, 1]. ``count``: wanted number of vertices; at
    least 4 are needed for a solid. Returns ``(count or fewer, 3)``, clipped to [0, 1],
    or None: None when the colours are flat (a plane, a line, a point).
    """
    if count < 4:
        return _widest(sample, count)
    points = _extremes(sample)
    try:
        hull = ConvexHull(points)
        while len(hull.vertices) > count:
            merged = _best_collapse(hull)
            hull = ConvexHull(_without_least(hull) if merged is None else merged)
    except QhullError:
        return None
    return np.asarray(np.clip(hull.points[hull.vertices], 0, 1))


def _extremes(sample: DoubleArray) -> DoubleArray:
    """The outermost colours in evenly spread directions, without lone outliers."""
    step = np.arange(DIRECTIONS) + 0.5
    height = 1 - 2 * step / DIRECTIONS
    angle = step * np.pi * (3 - np.sqrt(5))
    ring = np.sqrt(1 - height**2)
    ways = np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)
    reach = sample @ ways.T
    rank = min(int(len(sample) * OUTLIERS), len(sample) - 1)
    outermost = np.argpartition(-reach, rank, axis=0)[rank]
    return np.unique(sample[outermost], axis=0)


def _best_collapse(hull: ConvexHull) -> DoubleArray | None:
    """Points after the collapse of the edge that adds the least volume."""
    planes, faces = hull.equations, hull.simplices
    edges = {tuple(sorted(e)) for face in faces for e in combinations(face.tolist(), 2)}
    best, cheapest = None, np.inf
    for edge in sorted(edges):
        near = np.isin(faces, edge).any(axis=1)
        corner = _outer_corner(planes[near], hull.points[faces[near]])
        if corner is not None and corner[1] < cheapest:
            cheapest = corner[1]
            keep = [v for v in hull.vertices if v not in edge]
            best = np.concatenate([hull.points[keep], corner[0][None]])
    return best


def _without_least(hull: ConvexHull) -> DoubleArray:
    """The vertices but for the one whose removal loses the least volume.

    For the few hulls (with next to no vertices) where no edge can be collapsed.
    """
    vertices = hull.points[hull.vertices]
    rests = [np.delete(vertices, n, axis=0) for n in range(len(vertices))]
    return max(rests, key=lambda rest: ConvexHull(rest).volume)


def _outer_corner(
    planes: DoubleArray, triangles: DoubleArray
) -> tuple[DoubleArray, float] | None:
    """The point outside all planes that adds the least volume over the triangles.

    The added volume is linear in the point, so the optimum of this small linear program
    lies where three planes meet: all such points are tried at once.
    """
    distinct = np.unique(np.round(planes, 9), axis=0)
    if len(distinct) < 3:
        return None
    triples = np.array(list(combinations(range(len(distinct)), 3)))
    normals, offsets = distinct[triples, :3], -distinct[triples, 3]
    solid = np.abs(np.linalg.det(normals)) > 1e-6
    if not solid.any():
        return None
    points = np.linalg.solve(normals[solid], offsets[solid][..., None])[..., 0]
    heights = points @ planes[:, :3].T + planes[:, 3]
    outside = (heights >= -_SLACK * 1e3).all(axis=1)
    if not outside.any():
        return None
    first, second, third = triangles.transpose(1, 0, 2)
    areas = np.linalg.norm(np.cross(second - first, third - first), axis=1) / 2
    volumes = heights[outside] @ areas / 3
    lowest = int(np.argmin(volumes))
    return points[outside][lowest], float(volumes[lowest])


def _widest(sample: DoubleArray, count: int) -> DoubleArray:
    """Up to three colours far apart: the farthest from the middle, then from others."""
    points = _extremes(sample)
    chosen = [int(np.argmax(((points - points.mean(axis=0)) ** 2).sum(axis=1)))]
    while len(chosen) < min(count, len(points)):
        gaps = ((points[:, None] - points[chosen]) ** 2).sum(axis=2).min(axis=1)
        chosen.append(int(np.argmax(gaps)))
    return points[chosen[:count]]
