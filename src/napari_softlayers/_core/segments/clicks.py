"""From clicks to objects: a choice in the merge tree, corrected around the clicks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..graph.superpixels import block_means
from ..image import FloatArray
from .merge_tree import MergeTree
from .state import SegmentsState

SPECTRAL_WIDTH, FEATURE_WIDTH, COLOR_WIDTH, PLACE_WIDTH = 1.0, 0.5, 0.5, 0.5
"""How far a click's correction reaches, in each kind of distance."""
RIDGE = 0.02
"""Regularisation of the correction; 0 would follow every click exactly."""
DOUBT = 0.5
"""How far a choice in the tree is trusted once there is more than one click."""
KEPT_COLUMNS = 64
"""Clicks whose likeness with all pixels is kept."""
SHARPNESS = 3.0
"""Exponent that pushes alphas of the first answer towards 0 and 1."""


@dataclass(frozen=True)
class Prompts:
    """Clicks of the user, at the working size.

    Parameters
    ----------
    pixels : ndarray of int, ``(n,)``
        Flat index of each click's pixel.
    labels : ndarray of int, ``(n,)``
        Position of the object of each click in ``objects``, from 1; 0 removes.
    steps : tuple of int
        Steps along the tree by which each object was grown (or shrunk).
    """

    pixels: NDArray[np.int64]
    labels: NDArray[np.int64]
    steps: tuple[int, ...]


class ClickModel:
    """Answers clicks on the working grid of a state.

    Parameters
    ----------
    state : SegmentsState

    Notes
    -----
    The first answer is made of whole leaves of the merge tree: around the first click of
    an object, the node of the automatic cut; a removal takes the largest node out that
    holds no click of the object, another click adds one that holds no other click. What
    is still wrong at a click's pixel is then spread by kernel ridge regression with

    .. math:: k(p, q) = \\exp(s_p \\cdot s_q - 1 - |f_p - f_q|^2 / 2)

    on row-normalised eigenvectors :math:`s`, scaled by
    :math:`(\\lambda + \\lambda_5)^{-1/2}`, and on features, colours and places :math:`f`,
    each over its width.
    """

    def __init__(self, state: SegmentsState) -> None:
        self.state = state
        self.tree: MergeTree = state.tree
        height, width = state.guide.shape[:2]
        self.shape = (height, width)
        leaves = np.clip(state.layers, 0, 1).reshape(len(state.layers), -1)
        self.leaves = leaves / np.maximum(leaves.sum(axis=0), 1e-3)
        self.leaf_of = self.leaves.argmax(axis=0)
        self._default = set(self.tree.cut("auto"))
        self._columns: dict[int, FloatArray] = {}

    @cached_property
    def spectral(self) -> FloatArray:
        """Row-normalised, scaled eigenvectors, ``(N, K)``."""
        pairs = self.state.eigenpairs
        fifth = max(float(pairs.values[min(4, len(pairs.values) - 1)]), 1e-9)
        scale = 1 / np.sqrt(np.maximum(pairs.values, 0) + fifth)
        rows = pairs.vectors * scale.astype(np.float32)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(length, 1e-9), dtype=np.float32)

    @cached_property
    def appearance(self) -> FloatArray:
        """Features, colour and place of each pixel over their widths, ``(N, D)``."""
        from skimage.color import rgb2lab

        height, width = self.shape
        places = np.indices(self.shape).transpose(1, 2, 0) / max(height, width)
        parts = [
            rgb2lab(self.state.guide) / (100 * COLOR_WIDTH),
            places / PLACE_WIDTH,
        ]
        if self.state.features is not None:
            half = max(round(len(self.state.base) / height), 1)
            features = block_means(self.state.features.grouping, half)
            parts.append(features / FEATURE_WIDTH)
        joined = np.concatenate(parts, axis=-1).astype(np.float32)
        return joined.reshape(height * width, -1)

    def path(self, pixel: int) -> list[int]:
        """Give the nodes at a pixel, from its leaf to just below the root."""
        row, column = divmod(int(pixel), self.shape[1])
        nodes = self.tree.path(row, column)
        return nodes[:-1] if len(nodes) > 1 else nodes

    def node_at(self, pixel: int, step: int = 0) -> int:
        """Give the most plausible node at a pixel, or one some steps up or down."""
        nodes = self.path(pixel)
        place = self.default_place(nodes) + step
        return nodes[min(max(place, 0), len(nodes) - 1)]

    def default_place(self, nodes: Sequence[int]) -> int:
        """Give the place of the most plausible node in a path."""
        found = [i for i, node in enumerate(nodes) if node in self._default]
        return found[0] if found else len(nodes) - 1

    def alphas(self, prompts: Prompts) -> FloatArray:
        """Give the rest and the objects, ``(K + 1, h, w)``, in [0, 1], summing to 1."""
        count = len(prompts.steps) + 1
        first = self._from_tree(prompts)
        if len(prompts.pixels) > 1:
            first = DOUBT * first + (1 - DOUBT) / count
        wanted = np.eye(count)[prompts.labels]
        missing = wanted - first[:, prompts.pixels].T
        kernel = self._kernel(prompts.pixels)
        system = kernel[prompts.pixels] + RIDGE * np.eye(len(missing))
        weights = np.linalg.solve(system, missing)
        answer = first + (kernel @ weights.astype(np.float32)).T
        sharp = np.clip(answer, 0, 1) ** SHARPNESS
        sharp = np.maximum(sharp, 1e-6)
        result = sharp / sharp.sum(axis=0)
        return result.astype(np.float32).reshape(count, *self.shape)

    def _kernel(self, pixels: NDArray[np.int64]) -> FloatArray:
        """Give the likeness of every pixel with some of them, ``(N, n)``."""
        columns = []
        for pixel in pixels.tolist():
            column = self._columns.pop(pixel, None)
            column = self._likeness(pixel) if column is None else column
            self._columns[pixel] = column  # the one used last is the last
            columns.append(column)
        while len(self._columns) > KEPT_COLUMNS:
            self._columns.pop(next(iter(self._columns)))
        return np.stack(columns, axis=1)

    def _likeness(self, pixel: int) -> FloatArray:
        """Give the likeness of every pixel with one of them, ``(N,)``."""
        near = (self.spectral @ self.spectral[pixel] - 1) / SPECTRAL_WIDTH
        near += self.appearance @ self.appearance[pixel]
        near -= self._lengths
        near -= self._lengths[pixel]
        return np.exp(near, out=near)

    @cached_property
    def _lengths(self) -> FloatArray:
        """Half the squared lengths of the appearance vectors, ``(N,)``."""
        values = self.appearance
        return np.asarray(np.einsum("nd,nd->n", values, values) / 2, dtype=np.float32)

    def _from_tree(self, prompts: Prompts) -> FloatArray:
        """Give the rest and the objects as sums of leaves, ``(K + 1, N)``."""
        chosen = [self._leaves_of(prompts, k + 1) for k in range(len(prompts.steps))]
        objects = np.stack(
            [self.leaves[sorted(leaves)].sum(axis=0) for leaves in chosen]
        )
        total = objects.sum(axis=0)
        objects /= np.maximum(total, 1)
        rest = np.clip(1 - objects.sum(axis=0), 0, 1)
        return np.concatenate([rest[None], objects])

    def _leaves_of(self, prompts: Prompts, label: int) -> set[int]:
        """Choose the leaves of an object."""
        leaf = self.leaf_of[prompts.pixels]
        own = prompts.labels == label
        ours = {int(k) for k in leaf[own]}
        others = {int(k) for k in leaf[~own]} - ours
        chosen: set[int] = set()
        for i, pixel in enumerate(prompts.pixels[own]):
            if int(self.leaf_of[pixel]) not in chosen:
                step = prompts.steps[label - 1] if i == 0 else 0
                chosen |= self._largest(pixel, self.node_at(pixel, step), others)
        for pixel in prompts.pixels[~own]:
            if int(self.leaf_of[pixel]) in others & chosen:
                chosen -= self._largest(pixel, self.tree.root, ours)
        return chosen | ours

    def _largest(self, pixel: int, last: int, without: set[int]) -> set[int]:
        """Give the leaves of the largest node at a pixel, up to ``last``, ``without``."""
        found = {int(self.leaf_of[pixel])}
        for node in self.path(pixel):
            leaves = set(self.tree.leaves(node))
            if leaves & without:
                break
            found = leaves
            if node == last:
                break
        return found
