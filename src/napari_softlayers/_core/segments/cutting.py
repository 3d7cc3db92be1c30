"""From the merge tree to layers: which initial layers belong together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import asdict
from typing import Any

import numpy as np

from ..layers.soft_layers import SoftLayers
from ..numerics.kmeans import clusters
from ..numerics.superpixels import block_means
from ..run import SILENT, Run
from .finishing import final_alphas
from .merge_tree import MergeTree, layer_means
from .pipeline import sparse_device
from .state import SegmentsState

GROUPINGS = ("tree", "kmeans")
FEWEST, MOST = 2, 15
KEPT_RESULTS = 4
"""Sets of layers kept with each state."""


def cut(
    source: SegmentsState | SoftLayers,
    n_segments: int | str = "auto",
    *,
    nodes: Sequence[int] | None = None,
    grouping: str = "tree",
    device: Any = "auto",
    run: Run = SILENT,
) -> SoftLayers:
    """Make layers from a state without repeating its slow steps.

    ``source`` SegmentsState or SoftLayers: the result of `prepare_segments` or of
    `soft_segments`. ``n_segments`` int or "auto": number of layers, 2 to 15. ``nodes``
    sequence of int: nodes of the merge tree that become layers, instead of a number:
    none may lie below another. Where they leave a part out, the rest is the bottom
    layer. ``grouping`` {"tree", "kmeans"}. Returns SoftLayers: as `soft_segments`
    gives. Raises TypeError when layers come that were not made by `soft_segments`;
    ValueError when the number or the nodes do not fit.
    """
    if grouping not in GROUPINGS:
        raise ValueError(
            f"grouping={grouping!r} is not known; use one of {', '.join(GROUPINGS)}."
        )
    state = source.extras.get("state") if isinstance(source, SoftLayers) else source
    if not isinstance(state, SegmentsState):
        raise TypeError(
            "These layers were not made by soft_segments; give its result or that of "
            "prepare_segments."
        )
    target = sparse_device(device)
    groups, kept = _groups(state, n_segments, nodes, grouping)
    key = tuple(map(tuple, groups))
    if key not in state.results:
        alphas = final_alphas(state, groups, target, run.part(0.0, 0.7))
        order = np.argsort(-alphas.mean(axis=(1, 2)), kind="stable").tolist()
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
        state.results[key] = (layers.locked(), order)
    layers, order = state.results[key]
    extras = {
        "tree": state.tree,
        "nodes": None if kept is None else [kept[i] for i in order],
        "state": state,
    }
    semantic = state.features
    parameters = {  # what it takes to compute the layers again
        "n_segments": n_segments if nodes is None else None,
        "nodes": None if nodes is None else [int(node) for node in nodes],
        "features": None if semantic is None else semantic.source,
        "grouping": grouping,
        **asdict(state.options),
    }
    made = copy(layers)  # `replace` would check all values again
    made.names = list(layers.names)
    made.parameters, made.extras = parameters, extras
    return made


def check_count(n_segments: Any) -> None:
    """Refuse a number of layers that cannot be.

    Raises ValueError when it is neither "auto" nor a whole number from 2 to 15.
    """
    if isinstance(n_segments, str) and n_segments == "auto":
        return
    number = isinstance(n_segments, (int, np.integer))
    if number and not isinstance(n_segments, bool) and FEWEST <= n_segments <= MOST:
        return
    raise ValueError(
        f"n_segments={n_segments!r}; 'auto' or a whole number from {FEWEST} to {MOST} "
        "is needed."
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
    check_count(n_segments)
    if n_segments != "auto" and int(n_segments) > tree.leaf_count:
        warnings.warn(
            f"{n_segments} segments were asked for, but the picture has only "
            f"{tree.leaf_count}.",
            UserWarning,
            stacklevel=3,
        )
    if grouping == "kmeans":
        count = 5 if n_segments == "auto" else int(n_segments)
        values = state.guide
        if state.features is not None:
            half = max(round(len(state.base) / len(state.guide)), 1)
            values = block_means(state.features.affinity, half)
        means = layer_means(state.layers, values)
        labels = clusters(means, min(count, len(means)), starts=8)
        return [np.flatnonzero(labels == k).tolist() for k in np.unique(labels)], None
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
