"""How near pixels are to each other along paths through regions that look alike."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from ..arrays import FloatArray
from ..numerics.superpixels import Superpixels


class Geodesics:
    """Shortest paths between superpixels, as long as what they cross differs.

    ``appearance`` ``(H, W, D)``: of each pixel, each component over its width.

    Regions that touch are as far from each other as their mean appearances, and a path
    is as long as its steps together. Unlike the difference of two appearances, this tells
    apart two things of one kind with something else between them.
    """

    def __init__(self, superpixels: Superpixels, appearance: FloatArray) -> None:
        self._region = superpixels.labels.ravel()
        one, other = superpixels.neighbours().T
        means = superpixels.means(appearance)
        lengths = np.linalg.norm(means[one] - means[other], axis=1)
        self._graph = sparse.csr_array(
            (np.maximum(lengths, 1e-6), (one, other)),  # a stored 0 would be no edge
            shape=(superpixels.count, superpixels.count),
        )

    def likeness(self, pixel: int) -> FloatArray:
        """Give ``exp(-distance)`` from one pixel to all of them, ``(H * W,)``."""
        far = dijkstra(self._graph, directed=False, indices=self._region[pixel])
        near: FloatArray = np.exp(-far).astype(np.float32)
        return near[self._region]
