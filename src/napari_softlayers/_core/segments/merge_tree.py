"""The merge tree over the initial layers: every level of detail at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import DoubleArray, FloatArray

AUTO_COST = 0.0024
"""Merges that cost more than this are not made by the automatic cut."""
FEWEST, MOST = 3, 12
"""Bounds of the automatic number of layers."""
COLOR_WEIGHT, POSITION_WEIGHT = 0.5, 0.3
BASE_CONTRAST = 0.05
REACH = 3
"""Distance in pixels across which the contrast of a boundary is measured."""
APART, NEARNESS = 0.05, 0.1
"""Where nothing is shared the boundary counts as `APART`; exponent of the boundary."""


@dataclass(frozen=True)
class MergeTree:
    """A binary tree of layers: its leaves are the initial layers.

    Nodes ``0..n-1`` are leaves; node ``n + i`` joins ``merges[i]``; the last one is the
    whole picture.

    ``leaf_alphas`` ``(n, h, w)``: initial layers at the working size. ``merges`` int
    ``(n - 1, 2)``: the two nodes joined by each merge, cheapest merge first at every
    step. ``costs`` ``(n - 1,)``: what each merge cost.
    """

    leaf_alphas: FloatArray
    merges: NDArray[np.int64]
    costs: DoubleArray

    @property
    def leaf_count(self) -> int:
        """Number of initial layers, ``n``."""
        return len(self.leaf_alphas)

    @property
    def nodes(self) -> range:
        """All nodes, leaves first, the root last."""
        return range(2 * self.leaf_count - 1)

    @property
    def root(self) -> int:
        """The node that is the whole picture."""
        return 2 * self.leaf_count - 2

    def children(self, node: int) -> tuple[int, int] | None:
        """Give the two nodes that were joined into this one; None for a leaf."""
        self._check(node)
        if node < self.leaf_count:
            return None
        first, second = self.merges[node - self.leaf_count]
        return int(first), int(second)

    def parent(self, node: int) -> int | None:
        """Give the node that this one was joined into; None for the root."""
        self._check(node)
        found = np.nonzero((self.merges == node).any(axis=1))[0]
        return int(found[0]) + self.leaf_count if len(found) else None

    def leaves(self, node: int) -> list[int]:
        """Give the initial layers below a node."""
        children = self.children(node)
        if children is None:
            return [node]
        return sorted(self.leaves(children[0]) + self.leaves(children[1]))

    def alphas(self, node: int) -> FloatArray:
        """Give the alphas ``(h, w)`` of a node, clamped, at the working size."""
        return np.asarray(
            np.clip(self.leaf_alphas[self.leaves(node)].sum(axis=0), 0, 1)
        )

    def level(self, node: int) -> tuple[int, int]:
        """Give the fewest and most layers of the cuts that contain a node."""
        self._check(node)
        made = node - self.leaf_count + 1
        parent = self.parent(node)
        most = self.leaf_count - max(made, 0)
        fewest = 1 if parent is None else self.leaf_count - (parent - self.leaf_count)
        return fewest, most

    def cut(self, n_segments: int | str = "auto") -> list[int]:
        """Cut the tree into layers.

        ``n_segments`` int or "auto": number of layers; at most `leaf_count` come out.
        "auto" stops before the first merge that costs more than `AUTO_COST`, with 3 to
        12 layers. Returns list of int: nodes that together cover the picture.
        """
        if n_segments == "auto":
            dear = np.flatnonzero(self.costs > AUTO_COST)
            merged = int(dear[0]) if len(dear) else len(self.costs)
            count = min(max(self.leaf_count - merged, FEWEST), MOST)
        else:
            count = max(int(n_segments), 1)
        count = min(count, self.leaf_count)
        joined = self.leaf_count - count
        present = set(range(self.leaf_count + joined))
        return sorted(present.difference(self.merges[:joined].ravel().tolist()))

    def path(self, row: int, column: int) -> list[int]:
        """Give the nodes at a pixel of the working size, from leaf to root."""
        node: int | None = int(self.leaf_alphas[:, row, column].argmax())
        nodes = []
        while node is not None:
            nodes.append(node)
            node = self.parent(node)
        return nodes

    def _check(self, node: int) -> None:
        if not 0 <= node <= self.root:
            raise ValueError(f"Node {node} is not in the tree of 0..{self.root}.")


def merge_tree(
    alphas: FloatArray, small: FloatArray, features: FloatArray | None, lab: FloatArray
) -> MergeTree:
    r"""Join initial layers pair by pair, the cheapest pair first.

    ``alphas`` ``(n, h, w)``: initial layers, the leaves. ``small`` ``(n, r, c)``: the
    same layers at the size on which they are compared, about 160 pixels; the costs
    belong to this size. ``features`` ``(r, c, D)``: semantic features on one scale, the
    first component in a range of about 1. ``lab`` ``(r, c, 3)``: the picture in CIELAB,
    a little blurred.

    The cost of joining i and j is

    .. math:: |m_i - m_j|^2 \sqrt{a_i a_j / (a_i + a_j)} \; (c_{ij} + 0.05) \;
        (b_{ij} + 0.05)^{-0.1}

    with the share :math:`a` of the picture, the mean :math:`m` of the features, half the
    colour and .3 of the position, and the mean colour contrast :math:`c` across the
    soft boundary that both share; :math:`b` is that boundary's length times 3 pixels,
    divided by the area of the smaller one.
    """
    weights = np.clip(small, 0, 1)
    count, pixels = len(weights), lab[..., 0].size
    means = layer_means(weights, _descriptors(features, lab))
    areas = np.maximum(weights.reshape(count, -1).mean(axis=1, dtype=np.float64), 1e-9)
    across, shared = _boundaries(weights, lab)
    numbers = np.arange(count)
    merges, costs = [], []
    for step in range(count - 1):
        contrast = _contrasts(across, shared, areas, pixels)
        distance = ((means[:, None] - means[None]) ** 2).sum(axis=-1)
        size = areas[:, None] * areas / (areas[:, None] + areas)
        beside = shared / (pixels * np.minimum(areas[:, None], areas))
        cost = distance * np.sqrt(size) * (contrast + BASE_CONTRAST)
        cost *= (beside + APART) ** -NEARNESS
        cost[np.tril_indices(len(cost))] = np.inf
        i, j = np.unravel_index(int(cost.argmin()), cost.shape)
        merges.append((numbers[i], numbers[j]))
        costs.append(cost[i, j])
        means[i] = (areas[i] * means[i] + areas[j] * means[j]) / (areas[i] + areas[j])
        areas[i] += areas[j]
        numbers[i] = count + step
        for table in (across, shared):
            table[i] += table[j]
            table[:, i] += table[:, j]
        left = np.arange(len(areas)) != j
        means, areas, numbers = means[left], areas[left], numbers[left]
        across, shared = across[left][:, left], shared[left][:, left]
    return MergeTree(
        alphas,
        np.array(merges, dtype=np.int64).reshape(-1, 2),
        np.array(costs, dtype=np.float64),
    )


def layer_means(alphas: FloatArray, values: FloatArray) -> DoubleArray:
    """Average values ``(H, W, D)`` over layers ``(K, H, W)``, weighted by alpha.

    Returns ``(K, D)``: alphas outside [0, 1] count as 0 or 1.
    """
    weights = np.clip(alphas, 0, 1).reshape(len(alphas), -1)
    flat = values.reshape(-1, values.shape[-1])
    sums = weights @ flat
    total = weights.sum(axis=1, dtype=np.float64)[:, None]
    return np.asarray(sums / np.maximum(total, 1e-9), np.float64)


def _descriptors(features: FloatArray | None, lab: FloatArray) -> FloatArray:
    """Stack scaled features, colour and position, ``(h, w, D + 5)``."""
    height, width = lab.shape[:2]
    places = np.indices((height, width)).transpose(1, 2, 0) / max(height, width)
    parts = [lab * (COLOR_WEIGHT / 100), places * POSITION_WEIGHT]
    if features is not None:
        parts.insert(0, features)
    return np.concatenate(parts, axis=-1).astype(np.float32)


def _boundaries(
    weights: FloatArray, lab: FloatArray
) -> tuple[DoubleArray, DoubleArray]:
    """Sum, for each pair, the shared soft boundary and the contrast across it."""
    count = len(weights)
    across, shared = np.zeros((count, count)), np.zeros((count, count))
    for axis in (0, 1):
        if lab.shape[axis] <= REACH:
            continue
        length = lab.shape[axis] - REACH
        near = np.take(lab, range(length), axis)
        far = np.take(lab, range(REACH, length + REACH), axis)
        contrast = np.linalg.norm(near - far, axis=-1).ravel() / 100
        one = np.take(weights, range(length), axis + 1).reshape(count, -1)
        other = np.take(weights, range(REACH, length + REACH), axis + 1)
        other = other.reshape(count, -1).T
        here = np.asarray((one * contrast) @ other, dtype=np.float64)
        plain = np.asarray(one @ other, dtype=np.float64)
        across += here + here.T
        shared += plain + plain.T
    return across, shared


def _contrasts(
    across: DoubleArray, shared: DoubleArray, areas: DoubleArray, pixels: int
) -> DoubleArray:
    """Give the mean contrast of each pair; the median where little is shared."""
    enough = shared > 0.01 * pixels * np.minimum(areas[:, None], areas)
    np.fill_diagonal(enough, False)
    contrast = across / np.maximum(shared, 1e-9)
    usual = float(np.median(contrast[enough])) if enough.any() else 0.0
    return np.where(enough, contrast, usual)
