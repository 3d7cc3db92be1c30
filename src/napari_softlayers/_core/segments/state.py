"""The slow part of semantic soft segments, kept so that later questions are fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from scipy import sparse

from ..arrays import FloatArray
from ..numerics.eigenvectors import Eigenpairs
from ..numerics.superpixels import Superpixels
from .merge_tree import MergeTree

if TYPE_CHECKING:
    from ..layers.soft_layers import SoftLayers
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


class PixelGraph(NamedTuple):
    """What the relaxed sparsification of ``n`` pixels needs.

    ``laplacian`` csr_array, ``(n, n)``: of the graph. ``exponents`` ``(h, w)``: the
    sparsity exponents.
    """

    laplacian: sparse.csr_array
    exponents: FloatArray


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
    pixel_graph : PixelGraph or None
        Of the picture; None for one so large that it is refined in bands.
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
    pixel_graph: PixelGraph | None
    results: dict[Any, tuple[SoftLayers, list[int]]] = field(
        default_factory=dict, repr=False
    )

    @property
    def nbytes(self) -> int:
        """About how much memory the state takes."""
        arrays: list[Any] = [self.picture, self.base, self.guide, self.layers]
        arrays += [self.eigenpairs.vectors, self.superpixels.labels]
        if self.features is not None:
            arrays += [self.features.affinity, self.features.grouping]
        arrays += [self.working_laplacian.data, self.working_laplacian.indices]
        if self.pixel_graph is not None:
            laplacian, exponents = self.pixel_graph
            arrays += [laplacian.data, laplacian.indices, exponents]
        return sum(array.nbytes for array in arrays)
