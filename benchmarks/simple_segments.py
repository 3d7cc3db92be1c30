"""Simpler ways to segments that benchmarks/segments.py compares with."""

from __future__ import annotations

import numpy as np


def pixel_descriptors(state) -> np.ndarray:
    from skimage.color import rgb2lab

    return np.concatenate(
        [state.features.grouping, rgb2lab(state.base) / 200], axis=-1
    ).astype(np.float32)


def kmeans_labels(descriptors: np.ndarray, count: int) -> np.ndarray:
    from napari_softlayers._core.numerics.kmeans import clusters

    flat = descriptors.reshape(-1, descriptors.shape[-1])
    return clusters(flat, count, starts=3).reshape(descriptors.shape[:2])


def slic_merged(picture: np.ndarray, count: int) -> np.ndarray:
    """Merge superpixels by mean colour until at most ``count`` regions are left."""
    from skimage import graph, segmentation

    labels = segmentation.slic(picture, 200, start_label=0)
    colors = (picture * 255).astype(np.uint8)
    low, high = 0.0, 250.0
    start = graph.rag_mean_color(colors, labels)
    best = labels
    for _ in range(6):
        middle = (low + high) / 2
        merged = graph.merge_hierarchical(
            labels,
            start,
            thresh=middle,
            rag_copy=True,
            in_place_merge=True,
            merge_func=_join_colors,
            weight_func=_color_distance,
        )
        if merged.max() + 1 > count:
            low = middle
        else:
            high, best = middle, merged
    return best


def _join_colors(graph, source, target) -> None:
    for key in ("total color", "pixel count"):
        both = graph.nodes[target][key] + graph.nodes[source][key]
        graph.nodes[target][key] = both  # a new array: the graph may be a copy
    node = graph.nodes[target]
    node["mean color"] = node["total color"] / node["pixel count"]


def _color_distance(graph, _source, target, neighbour) -> dict[str, float]:
    gap = graph.nodes[target]["mean color"] - graph.nodes[neighbour]["mean color"]
    return {"weight": float(np.linalg.norm(gap))}


def masks(labels: np.ndarray) -> np.ndarray:
    return np.stack([labels == k for k in np.unique(labels)])
