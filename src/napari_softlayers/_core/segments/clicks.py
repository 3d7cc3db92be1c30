"""From clicks to objects: a choice in the merge tree, corrected around the clicks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from ..arrays import DoubleArray, FloatArray, Mask
from ..numerics.superpixels import (
    Superpixels,
    block_means,
    numbered_regions,
    thinned,
)
from .merge_tree import MergeTree
from .state import SegmentsState

FEATURE_WIDTH, COLOR_WIDTH, PLACE_WIDTH = 0.5, 0.5, 0.5
"""How far a click's correction reaches, in each kind of distance."""
RIDGE = 0.1
"""Regularisation of the correction; 0 would follow every click exactly."""
TRUST = 0.5
"""How far a choice in the tree is trusted once there is more than one click."""
MEMORY = 0.5
"""Share of the answer before the last click in what that click corrects."""
LEVEL_ODDS, CHOSEN_ODDS = 0.7, 0.1
"""Odds of one level more or less in the tree, unless and where the user chose it."""
WRONG_ODDS = 0.3
"""Odds of a node that has a click deep on its wrong side."""
SHALLOW = 0.1
"""The least part of a click that counts against a node, for one at its very edge."""
KEPT_COLUMNS = 64
"""Clicks whose likeness with all pixels is kept."""


class Prompts(NamedTuple):
    """Clicks of the user, at the working size.

    ``pixels`` int ``(n,)``: flat index of each click's pixel, the first click first.
    ``labels`` int ``(n,)``: position of the object of each click in ``objects``, from
    1; 0 removes. ``steps``: steps along the tree by which each object was grown (or
    shrunk).
    """

    pixels: NDArray[np.int64]
    labels: NDArray[np.int64]
    steps: tuple[int, ...]


class ClickModel:
    """Answers clicks on the working grid of a state.

    A single click answers with the node of the automatic cut. More clicks
    weigh all nodes on the way from the first click's leaf to the root: by how many levels
    they are away from that one, and by the clicks on their wrong side. A click that is
    wrong close to a node's border counts little, for what it points out can only be thin.
    Every click is an answer to what the user saw, so half of the answer before it stays.

    What is still wrong at the clicks is spread by kernel ridge regression with

    .. math:: k(p, q) = (\\exp(s_p \\cdot s_q - 1 - |f_p - f_q|^2 / 2) + \\exp(-d_{pq})) / 2

    on row-normalised eigenvectors :math:`s`, scaled by
    :math:`(\\lambda + \\lambda_5)^{-1/2}`, on features, colours and places :math:`f`,
    each over its width, and on the geodesic distance :math:`d` through superpixels.
    """

    def __init__(self, state: SegmentsState) -> None:
        self.state = state
        self.tree: MergeTree = state.tree
        height, width = state.guide.shape[:2]
        self.shape = (height, width)
        leaves = np.clip(state.layers, 0, 1).reshape(len(state.layers), -1)
        self.leaves = leaves / np.maximum(leaves.sum(axis=0), 1e-3)
        self.leaf_of = self.leaves.argmax(axis=0)
        self._areas = np.bincount(self.leaf_of, minlength=len(self.leaves))
        self._default = set(self.tree.cut("auto"))
        self._columns: dict[int, tuple[FloatArray, DoubleArray]] = {}
        self._by_leaf = np.argsort(self.leaf_of, kind="stable")
        self._spectral = self._scaled_eigenvectors()
        appearance = _appearance(state)
        self._appearance = appearance.reshape(height * width, -1)
        self._lengths = np.einsum("nd,nd->n", self._appearance, self._appearance) / 2
        self._geodesics = Geodesics(_working_superpixels(state), appearance)

    def _scaled_eigenvectors(self) -> FloatArray:
        """Row-normalised, scaled eigenvectors, ``(N, K)``."""
        pairs = self.state.eigenpairs
        fifth = max(float(pairs.values[min(4, len(pairs.values) - 1)]), 1e-9)
        scale = 1 / np.sqrt(np.maximum(pairs.values, 0) + fifth)
        rows = pairs.vectors * scale.astype(np.float32)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(length, 1e-9), dtype=np.float32)

    def path(self, pixel: int) -> list[int]:
        """Give the nodes at a pixel, from its leaf to just below the root."""
        row, column = divmod(int(pixel), self.shape[1])
        nodes = self.tree.path(row, column)
        return nodes[:-1] if len(nodes) > 1 else nodes

    def node_at(self, pixel: int, step: int = 0) -> int:
        """Give the most plausible node at a pixel, or one some steps up or down."""
        nodes = self.path(pixel)
        return nodes[self.place(nodes, step)]

    def place(self, nodes: Sequence[int], step: int = 0) -> int:
        """Give the place in a path of the most plausible node, or of one further."""
        found = [i for i, node in enumerate(nodes) if node in self._default]
        default = found[0] if found else len(nodes) - 1
        return min(max(default + step, 0), len(nodes) - 1)

    def alphas(self, prompts: Prompts) -> FloatArray:
        """Give the rest and the objects, ``(K + 1, h, w)``, in [0, 1], summing to 1."""
        first = self._from_tree(prompts)
        if len(prompts.pixels) > 1:
            before = Prompts(prompts.pixels[:-1], prompts.labels[:-1], prompts.steps)
            seen = self._corrected(self._from_tree(before), before)
            first = (1 - MEMORY) * first + MEMORY * seen
        return self._corrected(first, prompts).reshape(-1, *self.shape)

    def _corrected(self, first: FloatArray, prompts: Prompts) -> FloatArray:
        """Spread what is wrong at the clicks, ``(K + 1, N)``."""
        count = len(first)
        first = first.astype(np.float32)
        if len(prompts.pixels) > 1:
            first = TRUST * first + (1 - TRUST) / count
        missing = np.eye(count)[prompts.labels] - first[:, prompts.pixels].T
        kernel = np.stack([self._column(p)[0] for p in prompts.pixels.tolist()])
        # exp(-d) need not be positive definite
        alike = kernel[:, prompts.pixels]
        values, vectors = np.linalg.eigh(((alike + alike.T) / 2).astype(np.float64))
        values = np.maximum(values, 0) + RIDGE
        weights = vectors @ ((vectors.T @ missing) / values[:, None])
        answer = first + weights.astype(np.float32).T @ kernel
        np.clip(answer, 0, 1, out=answer)
        sharp = np.maximum(answer * answer * answer, 1e-6)  # towards 0 and 1
        return np.asarray(sharp / sharp.sum(axis=0), dtype=np.float32)

    def _column(self, pixel: int) -> tuple[FloatArray, DoubleArray]:
        """Give likeness and distances of a pixel, as kept for the clicks used last."""
        column = self._columns.pop(pixel, None)
        if column is None:
            column = self._likeness(pixel), self._distances(pixel)
        self._columns[pixel] = column  # the one used last is the last
        while len(self._columns) > KEPT_COLUMNS:
            self._columns.pop(next(iter(self._columns)))
        return column

    def _likeness(self, pixel: int) -> FloatArray:
        """Give the likeness of every pixel with one of them, ``(N,)``."""
        near = self._spectral @ self._spectral[pixel] - 1
        near += self._appearance @ self._appearance[pixel]
        near -= self._lengths
        near -= self._lengths[pixel]
        np.exp(near, out=near)
        near += self._geodesics.likeness(pixel)
        near *= 0.5
        return np.asarray(near)

    def _from_tree(self, prompts: Prompts) -> FloatArray:
        """Give the rest and the objects as sums of leaves, ``(K + 1, N)``."""
        shares = np.zeros((len(prompts.steps), len(self.leaves)), dtype=np.float32)
        reach = [self._column(pixel)[1] for pixel in prompts.pixels.tolist()]
        for k, step in enumerate(prompts.steps):
            own = prompts.labels == k + 1
            if own.any():
                first = int(prompts.pixels[own][0])
                shares[k] = self._leaf_shares(first, step, own, np.array(reach))
        objects = shares @ self.leaves
        objects /= np.maximum(objects.sum(axis=0), 1)
        rest = np.clip(1 - objects.sum(axis=0), 0, 1)
        return np.concatenate([rest[None], objects])

    def _leaf_shares(
        self, pixel: int, step: int, own: Mask, distances: DoubleArray
    ) -> DoubleArray:
        """Give how likely each leaf belongs to an object, ``(L,)``.

        ``distances`` ``(n, L)`` are those from each click to each leaf.
        """
        nodes = self.path(pixel)
        place = self.place(nodes, step)
        inside = np.zeros((len(nodes), len(self.leaves)), dtype=bool)
        for i, node in enumerate(nodes):
            inside[i, self.tree.leaves(node)] = True
        if len(own) == 1:
            return np.asarray(inside[place], float)
        odds = (CHOSEN_ODDS if step else LEVEL_ODDS) ** np.abs(
            np.arange(len(nodes)) - place
        )
        for i, members in enumerate(inside):
            radius = np.sqrt(self._areas[members].sum() / np.pi)
            to_right = np.where(members == own[:, None], distances, np.inf).min(axis=1)
            depth = np.clip(to_right / max(radius, 1), SHALLOW, 1)
            odds[i] *= WRONG_ODDS ** depth[to_right > 0].sum()
        return np.asarray((odds / odds.sum()) @ inside)

    def _distances(self, pixel: int) -> DoubleArray:
        """Give the distances from a pixel to each leaf, ``(L,)``, 0 to its own."""
        rows, columns = np.divmod(self._by_leaf, self.shape[1])
        row, column = divmod(pixel, self.shape[1])
        squares = (rows - row) ** 2 + (columns - column) ** 2
        present = np.flatnonzero(self._areas)
        starts = np.cumsum(self._areas)[present] - self._areas[present]
        found = np.full(len(self.leaves), np.inf)
        found[present] = np.sqrt(np.minimum.reduceat(squares, starts))
        return found


def _appearance(state: SegmentsState) -> FloatArray:
    """Give features, colour and place of each pixel over their widths, ``(h, w, D)``."""
    from skimage.color import rgb2lab

    height, width = state.guide.shape[:2]
    places = np.indices((height, width)).transpose(1, 2, 0) / max(height, width)
    parts = [rgb2lab(state.guide) / (100 * COLOR_WIDTH), places / PLACE_WIDTH]
    if state.features is not None:
        step = max(round(len(state.base) / height), 1)
        parts.append(block_means(state.features.grouping, step) / FEATURE_WIDTH)
    return np.concatenate(parts, axis=-1).astype(np.float32)


def _working_superpixels(state: SegmentsState) -> Superpixels:
    """Give the superpixels at the working size; those that get lost there are left out."""
    step = max(round(len(state.base) / len(state.guide)), 1)
    return numbered_regions(thinned(state.superpixels.labels, step))


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
