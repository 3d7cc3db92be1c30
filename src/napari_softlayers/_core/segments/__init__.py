"""Semantic soft segments: a picture falls apart into its objects by itself."""

from __future__ import annotations

from typing import Any

from ..layers.soft_layers import SoftLayers
from ..run import SILENT, Run
from .cutting import check_count, cut
from .merge_tree import MergeTree
from .preparation import CACHE, prepare_segments
from .state import SegmentOptions, SegmentsState

__all__ = [
    "CACHE",
    "MergeTree",
    "SegmentsState",
    "cut",
    "prepare_segments",
    "soft_segments",
]


def soft_segments(
    image: Any,
    n_segments: int | str = "auto",
    features: Any = "bundled",
    quality: str = "fast",
    device: Any = "auto",
    seed: int = 0,
    *,
    superpixels: Any = None,
    color_affinity: bool = True,
    semantic_affinity: bool = True,
    grouping: str = "tree",
    affinity_weight: float = 0.01,
    color_radius: float = 0.2,
    semantic_threshold: float = 0.15,
    normalised: bool = False,
    n_eigenvectors: int = 100,
    n_clusters: int = 40,
    run: Run = SILENT,
) -> SoftLayers:
    """Take a picture apart into soft layers that follow its objects.

    Every step of [1]_ is a function of its own; see `compute_state` for the steps up to
    the merge tree and `final_alphas` for those after it.

    Parameters
    ----------
    image : array_like
        ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``; at least 3 pixels on each side.
    n_segments : int or "auto"
        Number of layers, 2 to 15. "auto" stops merging where segments become too
        different, with 3 to 12 layers.
    features : str, ndarray or None
        Semantic features: "bundled", a name or file that `semantic_features` knows, or
        an array ``(H, W, D)``. None leaves them out, which is spectral matting.
    quality : {"fast", "exact"}
        "exact" factorises the Laplacian at the full size and iterates to convergence:
        minutes instead of seconds.
    device : str or torch.device
        "auto" takes CUDA where there is one.
    seed : int
        Chooses the random starts; the same seed gives the same layers.
    superpixels : ndarray of int, ``(H, W)``, optional
        Regions of your own instead of SLIC superpixels.
    color_affinity, semantic_affinity : bool
        Switch the edges between superpixels off (the paper's Fig. 3 and 4).
    grouping : {"tree", "kmeans"}
        How initial layers are grouped: the merge tree, or k-means on their mean
        features, the paper's way (5 layers for "auto").
    affinity_weight : float
        Weight of both affinities in the Laplacian, at most about 0.1.
    color_radius : float
        Reach of the colour affinity, a fraction of the picture.
    semantic_threshold : float
        Feature distance at which the semantic affinity becomes negative.
    normalised : bool
        Use the normalised Laplacian of Eq. 3 instead of the plain one.
    n_eigenvectors, n_clusters : int
        Eigenvectors, and layers that the sparsification starts from.

    Returns
    -------
    SoftLayers
        Of kind "segments", the largest layer at the bottom. ``extras`` holds "tree", the
        `MergeTree` over the initial layers, "nodes", the tree's node of each layer
        (None for k-means groups), and "state", the `SegmentsState` with features,
        superpixels, eigenvectors and everything else on the way.

    Raises
    ------
    ValueError
        When a parameter is out of range or the picture or the features do not fit.

    References
    ----------
    .. [1] Aksoy, Oh, Paris, Pollefeys, Matusik: Semantic soft segmentation, ACM TOG
       37(4), 2018, doi:10.1145/3197517.3201275.

    Examples
    --------
    >>> layers = soft_segments(picture, 5)
    >>> more = cut(layers, 8)  # the slow steps are not repeated
    """
    check_count(n_segments)
    options = SegmentOptions(
        quality=quality,
        seed=seed,
        color_affinity=color_affinity,
        semantic_affinity=semantic_affinity,
        affinity_weight=affinity_weight,
        color_radius=color_radius,
        semantic_threshold=semantic_threshold,
        normalised=normalised,
        n_eigenvectors=n_eigenvectors,
        n_clusters=n_clusters,
    )
    state = prepare_segments(
        image, features, options, superpixels, device, run.part(0.0, 0.6)
    )
    return cut(
        state, n_segments, grouping=grouping, device=device, run=run.part(0.6, 1)
    )
