"""Semantic soft segments: a picture falls apart into its objects by itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ..cache import ContentCache, content_key
from ..compute import Run, choose_device
from ..image import FloatArray, as_image
from ..layers import SoftLayers
from .finishing import final_alphas
from .grouping import kmeans_groups
from .merge_tree import MergeTree
from .pipeline import compute_state
from .state import SegmentOptions, SegmentsState

__all__ = ["MergeTree", "SegmentsState", "cut", "prepare_segments", "soft_segments"]

QUALITIES = ("fast", "exact")
GROUPINGS = ("tree", "kmeans")
FEWEST, MOST = 2, 15
SMALLEST_SIDE = 3
CACHE = ContentCache(limit=1 << 30)
"""States of the pictures seen last."""
KEPT_RESULTS = 4
"""Sets of layers kept with each state."""


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
    run: Run | None = None,
) -> SoftLayers:
    """Take a picture apart into soft layers that follow its objects.

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
    run : Run, optional
        Progress and cancelling.

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

    Notes
    -----
    Every step of [1]_ is a function of its own; see `compute_state` for the steps up to
    the merge tree and `final_alphas` for those after it.

    References
    ----------
    .. [1] Aksoy, Oh, Paris, Pollefeys, Matusik: Semantic soft segmentation, ACM TOG
       37(4), 2018, doi:10.1145/3197517.3201275.

    Examples
    --------
    >>> layers = soft_segments(picture, 5)
    >>> more = cut(layers, 8)  # the slow steps are not repeated
    """
    _check_count(n_segments)
    if grouping not in GROUPINGS:
        raise ValueError(f"grouping={grouping!r} is not known; use one of {GROUPINGS}.")
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
    run = run or Run()
    state = prepare_segments(
        image, features, options, superpixels, device, run.part(0.0, 0.6)
    )
    return cut(
        state, n_segments, grouping=grouping, device=device, run=run.part(0.6, 1)
    )


def prepare_segments(
    image: Any,
    features: Any = "bundled",
    options: SegmentOptions | None = None,
    superpixels: Any = None,
    device: Any = "auto",
    run: Run | None = None,
) -> SegmentsState:
    """Run the slow steps up to the merge tree, or find them in the cache.

    Parameters
    ----------
    image, features, superpixels, device
        See `soft_segments`.
    options : SegmentOptions, optional
    run : Run, optional

    Returns
    -------
    SegmentsState
        For `cut`, and for looking at the steps.
    """
    picture = as_image(image)
    options = options or SegmentOptions()
    _check_picture(picture)
    _check_options(options)
    target = choose_device(device)
    if target.type == "mps":
        target = choose_device("cpu")
    source = features if isinstance(features, str) else _array_or_none(features)
    labels = None if superpixels is None else np.asarray(superpixels)
    key = content_key(
        picture, source, labels, asdict(options), target.type, _version(source)
    )
    return CACHE.get_or_compute(
        key,
        lambda: compute_state(picture, source, labels, options, target, run),
        lambda state: state.nbytes,
    )


def cut(
    source: SegmentsState | SoftLayers,
    n_segments: int | str = "auto",
    *,
    nodes: Sequence[int] | None = None,
    grouping: str = "tree",
    device: Any = "auto",
    run: Run | None = None,
) -> SoftLayers:
    """Make layers from a state without repeating its slow steps.

    Parameters
    ----------
    source : SegmentsState or SoftLayers
        The result of `prepare_segments` or of `soft_segments`.
    n_segments : int or "auto"
        Number of layers, 2 to 15.
    nodes : sequence of int, optional
        Nodes of the merge tree that become layers, instead of a number: none may lie
        below another. Where they leave a part out, the rest is the bottom layer.
    grouping : {"tree", "kmeans"}
    device : str or torch.device
    run : Run, optional

    Returns
    -------
    SoftLayers
        As `soft_segments` gives.

    Raises
    ------
    TypeError
        When layers come that were not made by `soft_segments`.
    ValueError
        When the number or the nodes do not fit.
    """
    state = _state_of(source)
    target = choose_device(device)
    if target.type == "mps":
        target = choose_device("cpu")
    groups, kept = _groups(state, n_segments, nodes, grouping)
    key = tuple(tuple(group) for group in groups)
    if key not in state.results:
        run = run or Run()
        alphas = final_alphas(state, groups, target, run.part(0.0, 0.7))
        order = np.argsort(-alphas.mean(axis=(1, 2)), kind="stable")
        layers = SoftLayers.from_alphas(
            state.picture,
            alphas[order],
            names=[f"segment {i + 1}" for i in range(len(order))],
            kind="segments",
            device=target,
            run=run.part(0.7, 1.0),
        )
        while len(state.results) >= KEPT_RESULTS:
            state.results.pop(next(iter(state.results)))
        state.results[key] = (layers, [int(i) for i in order])
    layers, order = state.results[key]
    extras = {
        "tree": state.tree,
        "nodes": None if kept is None else [kept[i] for i in order],
        "state": state,
    }
    parameters = _parameters(state, n_segments, nodes, grouping)
    return replace(
        layers, names=list(layers.names), parameters=parameters, extras=extras
    )


def _groups(
    state: SegmentsState,
    n_segments: int | str,
    nodes: Sequence[int] | None,
    grouping: str,
) -> tuple[list[list[int]], list[int | None] | None]:
    """Give the initial layers of each final layer, and its node in the tree."""
    tree = state.tree
    if nodes is not None:
        return _groups_of_nodes(tree, nodes)
    _check_count(n_segments)
    if n_segments != "auto" and int(n_segments) > tree.leaf_count:
        warnings.warn(
            f"{n_segments} segments were asked for, but the picture has only "
            f"{tree.leaf_count}.",
            UserWarning,
            stacklevel=3,
        )
    if grouping == "kmeans":
        count = 5 if n_segments == "auto" else int(n_segments)
        labels = kmeans_groups(state.layers, _mean_features(state), count)
        return [list(np.nonzero(labels == k)[0]) for k in range(labels.max() + 1)], None
    chosen = tree.cut(n_segments)
    return [tree.leaves(node) for node in chosen], list(chosen)


def _groups_of_nodes(
    tree: MergeTree, nodes: Sequence[int]
) -> tuple[list[list[int]], list[int | None]]:
    groups = [tree.leaves(int(node)) for node in nodes]
    taken = [leaf for group in groups for leaf in group]
    if len(taken) != len(set(taken)) or not groups:
        raise ValueError(
            f"Nodes {list(nodes)} cannot be layers together: one lies below another, or "
            "none was given."
        )
    kept: list[int | None] = [int(node) for node in nodes]
    rest = [leaf for leaf in range(tree.leaf_count) if leaf not in taken]
    if rest:
        groups.append(rest)
        kept.append(None)
    return groups, kept


def _mean_features(state: SegmentsState) -> FloatArray:
    """Give the features that k-means compares layers by, at the working size."""
    from ..graph.superpixels import block_means

    if state.features is None:
        return state.guide
    half = round(len(state.base) / len(state.guide))
    return block_means(state.features.affinity, max(half, 1))


def _state_of(source: SegmentsState | SoftLayers) -> SegmentsState:
    state = source.extras.get("state") if isinstance(source, SoftLayers) else source
    if not isinstance(state, SegmentsState):
        raise TypeError(
            "These layers were not made by soft_segments; give its result or that of "
            "prepare_segments."
        )
    return state


def _parameters(
    state: SegmentsState,
    n_segments: int | str,
    nodes: Sequence[int] | None,
    grouping: str,
) -> dict[str, Any]:
    """Give what it takes to compute the layers again."""
    features = "array" if state.features is not None else None
    if state.features is not None:
        features = state.features.source
    return {
        "n_segments": n_segments if nodes is None else None,
        "nodes": None if nodes is None else [int(node) for node in nodes],
        "features": features,
        "grouping": grouping,
        **asdict(state.options),
    }


def _check_count(n_segments: Any) -> None:
    whole = isinstance(n_segments, (int, np.integer)) and not isinstance(
        n_segments, bool
    )
    if n_segments == "auto" or (whole and FEWEST <= n_segments <= MOST):
        return
    raise ValueError(
        f"n_segments={n_segments!r}; 'auto' or a whole number from {FEWEST} to {MOST} "
        "is needed."
    )


def _check_picture(picture: FloatArray) -> None:
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"The picture is {height}x{width}; soft segments need at least "
            f"{SMALLEST_SIDE} pixels on each side. Give a larger part of it."
        )


def _check_options(options: SegmentOptions) -> None:
    if options.quality not in QUALITIES:
        raise ValueError(
            f"quality={options.quality!r} is not known; use one of {QUALITIES}."
        )
    limits = {
        "affinity_weight": (0.0, 0.1),
        "color_radius": (0.0, 1.5),
        "semantic_threshold": (0.0, 2.0),
        "n_eigenvectors": (10, 200),
        "n_clusters": (2, 100),
    }
    for name, (low, high) in limits.items():
        value = getattr(options, name)
        if not low <= value <= high:
            raise ValueError(f"{name}={value!r}; a value in {low}..{high} is needed.")


def _array_or_none(features: Any) -> Any:
    return None if features is None else np.asarray(features)


def _version(source: Any) -> Any:
    """Give what tells an edited file of features from the one before."""
    from pathlib import Path

    if isinstance(source, str) and Path(source).is_file():
        found = Path(source).stat()
        return (found.st_mtime_ns, found.st_size)
    return None
