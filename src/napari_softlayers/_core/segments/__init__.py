"""Semantic soft segments: a picture falls apart into its objects by itself."""

from __future__ import annotations

from typing import Any

from ..layers.soft_layers import SoftLayers
from ..run import SILENT, Run
from .cutting import check_count, cut
from .merge_tree import MergeTree
from .pipeline import CACHE, prepare_segments
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
    *,
    device: Any = "auto",
    superpixels: Any = None,
    grouping: str = "tree",
    run: Run = SILENT,
    **options: Any,
) -> SoftLayers:
    """Take a picture apart into soft layers that follow its objects.

    Every step of [1]_ is a function of its own; see `compute_state` for the steps up to
    the merge tree and `final_alphas` for those after it.

    ``image`` array_like: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``; at least 3 pixels
    on each side. ``n_segments`` int or "auto": number of layers, 2 to 15. "auto" stops
    merging where segments become too different, with 3 to 12 layers. ``features`` str,
    ndarray or None: "bundled", a name or file that `semantic_features` knows, or an
    array ``(H, W, D)``. None leaves them out, which is spectral matting. ``device``:
    "auto" takes CUDA where there is one. ``superpixels`` int ``(H, W)``: regions of
    your own instead of SLIC superpixels. ``grouping`` {"tree", "kmeans"}: how initial
    layers are grouped: the merge tree, or k-means on their mean features, the paper's
    way (5 layers for "auto"). ``**options``: fields of `SegmentOptions`.

    Returns SoftLayers of kind "segments", the largest layer at the bottom. ``extras``
    holds "tree", the `MergeTree` over the initial layers, "nodes", the tree's node of
    each layer (None for k-means groups), and "state", the `SegmentsState` with
    features, superpixels, eigenvectors and everything else on the way. Raises
    ValueError when a parameter is out of range or the picture or the features do not
    fit.

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
    state = prepare_segments(
        image,
        features,
        SegmentOptions(**options),
        superpixels,
        device,
        run.part(0, 0.6),
    )
    return cut(
        state, n_segments, grouping=grouping, device=device, run=run.part(0.6, 1)
    )
