"""The slow part of semantic soft segments, kept so that later questions are fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from ..graph.laplacian import graph_laplacian, region_pixels
from ..graph.matting_laplacian import matting_laplacian
from ..graph.superpixels import Superpixels
from ..image import FloatArray
from ..solvers.eigenvectors import Eigenpairs
from .gradients import sparsity_exponents
from .merge_tree import MergeTree

if TYPE_CHECKING:
    from .features import SemanticFeatures


@dataclass(frozen=True)
class SegmentOptions:
    """Choices that the slow part depends on; see `soft_segments` for their meaning."""

    quality: str = "fast"
    seed: int = 0
    color_affinity: bool = True
    semantic_affinity: bool = True
    affinity_weight: float = 0.01
    color_radius: float = 0.2
    semantic_threshold: float = 0.15
    normalised: bool = False
    n_eigenvectors: int = 100
    n_clusters: int = 40


@dataclass
class SegmentsState:
    """Everything between the picture and the choice of the layers.

    Parameters
    ----------
    picture : ndarray, ``(H, W, 3)``
    base : ndarray, ``(H / step, W / step, 3)``
        The picture that features and superpixels belong to.
    guide : ndarray, ``(h, w, 3)``
        The picture at the working size, that of eigenvectors and layers.
    scale : int
        Pixels of the picture along one of the working size.
    features : SemanticFeatures or None
        ``affinity`` ``(..., 3)`` and ``grouping`` ``(..., D)`` at the base size.
    superpixels : Superpixels
        Regions at the base size.
    edges : csr_array or None
        Weighted affinities between superpixels.
    working_laplacian : csr_array, ``(h * w, h * w)``
        At the working size.
    eigenpairs : Eigenpairs
        Of the working Laplacian.
    layers : ndarray, ``(n, h, w)``
        Initial layers (constrained sparsification), not clamped.
    tree : MergeTree
        Over the initial layers.
    options : SegmentOptions
    results : dict
        Layers already cut from this state.
    """

    picture: FloatArray
    base: FloatArray
    guide: FloatArray
    scale: int
    features: SemanticFeatures | None
    superpixels: Superpixels
    edges: sparse.csr_array | None
    working_laplacian: sparse.csr_array
    eigenpairs: Eigenpairs
    layers: FloatArray
    tree: MergeTree
    options: SegmentOptions
    results: dict[Any, Any] = field(default_factory=dict, repr=False)
    _laplacian: sparse.csr_array | None = field(default=None, repr=False)
    _exponents: FloatArray | None = field(default=None, repr=False)

    @property
    def nbytes(self) -> int:
        """About how much memory the state takes."""
        arrays: list[Any] = [self.picture, self.base, self.guide, self.layers]
        arrays += [self.eigenpairs.vectors, self.superpixels.labels]
        if self.features is not None:
            arrays += [self.features.affinity, self.features.grouping]
        arrays += [self.working_laplacian.data, self.working_laplacian.indices]
        full = 26 * 8 * self.picture[..., 0].size
        return sum(array.nbytes for array in arrays) + full

    def laplacian(self, rows: slice | None = None) -> sparse.csr_array:
        """Give the Laplacian at the picture's size, of all or of some rows of pixels.

        The whole one is kept; that of a band has no edges that leave the band.
        """
        if rows is not None:
            return self._build(self.picture[rows], rows.start)
        if self._laplacian is None:
            self._laplacian = self._build(self.picture, 0)
        return self._laplacian

    def exponents(self, rows: slice | None = None) -> FloatArray:
        """Give the sparsity exponents of all or of some rows; the former are kept."""
        if rows is not None:
            return sparsity_exponents(self.picture[rows])
        if self._exponents is None:
            self._exponents = sparsity_exponents(self.picture)
        return self._exponents

    def _build(self, part: FloatArray, first_row: int) -> sparse.csr_array:
        full = (self.picture.shape[0], self.picture.shape[1])
        pixels = region_pixels(self.superpixels, full)
        pixels[:, 0] -= first_row
        return graph_laplacian(
            matting_laplacian(part, dtype=np.float32),
            self.edges,
            pixels,
            (part.shape[0], part.shape[1]),
            self.options.normalised,
        )
