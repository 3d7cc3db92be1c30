"""The slow part of semantic soft segments, kept so that later questions are fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    """Choices that the slow part depends on.

    ``quality`` {"fast", "exact"}: "exact" factorises the Laplacian at the full size and
    iterates to convergence: minutes instead of seconds. ``seed``: chooses the random
    starts; the same seed gives the same layers. ``color_affinity``,
    ``semantic_affinity``: switch the edges between superpixels off (the paper's Fig. 3
    and 4). ``affinity_weight``: of both affinities in the Laplacian, at most about 0.1.
    ``color_radius``: reach of the colour affinity, a fraction of the picture.
    ``semantic_threshold``: feature distance at which the semantic affinity becomes
    negative. ``normalised``: use the normalised Laplacian of Eq. 3 instead of the plain
    one. ``n_eigenvectors``, ``n_clusters``: eigenvectors, and layers that the
    sparsification starts from.
    """

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


PixelGraph = tuple[sparse.csr_array, FloatArray]
"""What the relaxed sparsification of ``n`` pixels needs: the Laplacian ``(n, n)`` of the
graph and the sparsity exponents ``(h, w)``."""


@dataclass
class SegmentsState:
    """Everything between the picture and the choice of the layers.

    ``picture`` ``(H, W, 3)``. ``base`` ``(H / step, W / step, 3)``: the picture that
    features and superpixels belong to. ``guide`` ``(h, w, 3)``: the picture at the
    working size, that of eigenvectors and layers. ``scale``: pixels of the picture
    along one of the working size. ``features``: at the base size, or None.
    ``superpixels``: at the base size. ``edges`` csr_array or None: weighted affinities
    between superpixels. ``working_laplacian`` ``(h * w, h * w)``. ``eigenpairs``: of
    the working Laplacian. ``layers`` ``(n, h, w)``: initial layers (constrained
    sparsification), not clamped. ``tree``: over the initial layers. ``pixel_graph``: of
    the picture; None for one so large that it is refined in bands. ``results``: layers
    already cut from this state.
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
