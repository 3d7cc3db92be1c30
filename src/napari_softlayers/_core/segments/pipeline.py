"""From the picture to the merge tree: the paper's steps, one function each."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import FloatArray
from ..devices import with_cpu_fallback
from ..label_images import read_labels
from ..numerics.chebyshev import filtered_eigenpairs
from ..numerics.eigenvectors import Eigenpairs, exact_eigenpairs
from ..numerics.superpixels import (
    Superpixels,
    block_means,
    slic_superpixels,
    thinned,
    user_superpixels,
)
from ..run import SILENT, Run
from . import constrained_sparsification as constrained
from .features import SemanticFeatures, semantic_features
from .finishing import enlarged_columns
from .graphs import Surroundings, WorkingGraphs, affinity_edges, band_count, pixel_graph
from .grouping import clusters
from .merge_tree import MergeTree, merge_tree
from .state import SegmentOptions, SegmentsState

BASE_PIXELS = 640 * 480
"""Largest picture that features and superpixels are computed on."""
FULL_PIXELS = 160 * 160
"""Pictures up to this size keep their eigenvectors at full size, others at half."""
TREE_SIDE = 160
"""Long side of the grid on which the merge tree compares layers."""


def compute_state(
    picture: FloatArray,
    features: Any,
    superpixels: Any,
    options: SegmentOptions,
    device: Any,
    run: Run = SILENT,
) -> SegmentsState:
    """Run the slow steps of the method.

    ``picture`` ``(H, W, 3)``. ``features`` str, ndarray or None: what
    `semantic_features` takes. ``superpixels`` int ``(H, W)``, or None: regions of the
    user's own.
    """
    exact = options.quality == "exact"
    step = 1 if exact else _step_to(picture, BASE_PIXELS)
    base = block_means(picture, step)
    half = 1 if exact or base[..., 0].size <= FULL_PIXELS else 2
    guide = block_means(base, half)
    shape = (picture.shape[0], picture.shape[1])

    with ThreadPoolExecutor(1) as beside:
        graphs = WorkingGraphs(guide, options, beside, run)
        run.step(0.0, "Superpixels")
        regions = _regions(base, superpixels, shape, step)
        semantic = _features(base, features, step, device, run.part(0.05, 0.25))
        edges = affinity_edges(base, regions, semantic, options)
        around = Surroundings(shape, regions, edges, options.normalised)
        own = None
        if band_count(shape) == 1:
            own = beside.submit(pixel_graph, picture, 0, around, run)
        matrices = graphs.laplacians(regions, edges, run.part(0.25, 0.3))

        first_layers = partial(
            _first_layers, matrices, graphs.shapes, semantic, guide, half, options, run
        )
        pairs, layers = with_cpu_fallback(first_layers, device)
        run.step(0.97, "Merge tree")
        tree = _tree(layers, semantic, guide, half)
        whole = None if own is None else own.result()
        run.step(1.0, "Merge tree")
        return SegmentsState(
            picture=picture,
            base=base,
            guide=guide,
            scale=step * half,
            features=semantic,
            superpixels=regions,
            edges=edges,
            working_laplacian=sparse.csr_array(matrices[-1], dtype=np.float32),
            eigenpairs=pairs,
            layers=layers,
            tree=tree,
            options=options,
            pixel_graph=whole,
        )


def _step_to(picture: FloatArray, pixels: int) -> int:
    """Give the reduction that brings a picture to about ``pixels`` at most."""
    ratio = np.sqrt(picture.shape[0] * picture.shape[1] / pixels)
    return max(1, int(np.ceil(ratio - 0.1)))


def _regions(
    base: FloatArray, labels: Any, shape: tuple[int, ...], step: int
) -> Superpixels:
    """Compute superpixels of the base picture, or reduce the user's to its size."""
    if labels is None:
        return slic_superpixels(base)
    labels = read_labels(labels, (shape[0], shape[1]))
    return user_superpixels(thinned(labels, step), (base.shape[0], base.shape[1]))


def _features(
    base: FloatArray, source: Any, step: int, device: Any, run: Run
) -> SemanticFeatures | None:
    """Compute features at the base size; features that say nothing are left out."""
    if source is not None and not isinstance(source, (str, bytes)) and step > 1:
        values = np.asarray(source)
        values = values[..., None] if values.ndim == 2 else values
        if values.ndim == 3 and values.dtype.kind in "fiub":
            source = block_means(values, step)
    found = semantic_features(base, source, device=device, run=run)
    if found is not None and float(np.ptp(found.affinity, axis=(0, 1)).max()) < 1e-6:
        warnings.warn(
            "The semantic features are the same everywhere; the segments follow the "
            "colours alone.",
            UserWarning,
            stacklevel=4,
        )
        return None
    return found


def _first_layers(
    matrices: list[sparse.csr_array],
    shapes: list[tuple[int, int]],
    semantic: SemanticFeatures | None,
    guide: FloatArray,
    half: int,
    options: SegmentOptions,
    run: Run,
    device: Any,
) -> tuple[Eigenpairs, FloatArray]:
    """Compute eigenpairs and, in their span, layers ``(n, h, w)``."""
    pairs = _eigenpairs(matrices, shapes, options, device, run.part(0.3, 0.75))
    run.step(0.75, "First guess")
    labels = _first_guess(pairs, semantic, guide, half, options)
    layers = constrained.constrained_sparsification(
        pairs,
        labels,
        constrained.EXACT if options.quality == "exact" else None,
        options.seed,
        device,
        run.part(0.77, 0.97),
    )
    return pairs, layers.reshape(-1, *guide.shape[:2])


def _eigenpairs(
    matrices: list[sparse.csr_array],
    shapes: list[tuple[int, int]],
    options: SegmentOptions,
    device: Any,
    run: Run,
) -> Eigenpairs:
    """Compute the smallest eigenpairs at the working size."""
    count = min(options.n_eigenvectors, max(matrices[-1].shape[0] // 4, 2))
    if options.quality == "exact":
        return exact_eigenpairs(matrices[0], count, options.seed, run)
    enlarge = [
        partial(enlarged_columns, small=small, step=2, shape=large)
        for small, large in pairwise(shapes)
    ]
    return filtered_eigenpairs(matrices, enlarge, count, options.seed, device, run=run)


def _first_guess(
    pairs: Eigenpairs,
    semantic: SemanticFeatures | None,
    guide: FloatArray,
    half: int,
    options: SegmentOptions,
) -> NDArray[np.int32]:
    """Cluster the pixels by features or, without any, by their eigenvectors."""
    if semantic is None and float(np.ptp(guide, axis=(0, 1)).max()) < 1e-6:
        warnings.warn(
            "The picture has one colour; it is one segment.", UserWarning, stacklevel=4
        )
        return np.zeros(len(pairs.vectors), dtype=np.int32)
    if semantic is None:
        points = _spectral_points(pairs)
    else:
        # Up to three channels of the user's own count as the paper has them.
        own = semantic.grouping.shape[-1] <= 3
        values = semantic.affinity if own else semantic.grouping
        points = block_means(values, half).reshape(len(pairs.vectors), -1)
    return clusters(points, options.n_clusters, options.seed)


def _spectral_points(pairs: Eigenpairs, count: int = 20) -> FloatArray:
    """Scale the lowest eigenvectors as coordinates of the pixels (Levin et al.)."""
    lowest = pairs.values[:count]
    spread = np.sqrt(np.maximum(lowest - lowest[0], 0) + max(lowest[-1], 1e-9) * 0.05)
    return np.asarray(pairs.vectors[:, :count] / spread.astype(np.float32), np.float32)


def _tree(
    layers: FloatArray, semantic: SemanticFeatures | None, guide: FloatArray, half: int
) -> MergeTree:
    """Build the merge tree; its costs are compared at one size for all pictures."""
    from scipy.ndimage import gaussian_filter
    from skimage.color import rgb2lab

    step = max(1, round(max(guide.shape[:2]) / TREE_SIDE))
    lab = rgb2lab(block_means(guide, step))
    lab = gaussian_filter(lab, (0.7, 0.7, 0)).astype(np.float32)
    grouping = None
    if semantic is not None:
        grouping = block_means(block_means(semantic.grouping, half), step)
    small = np.ascontiguousarray(
        block_means(layers.transpose(1, 2, 0), step).transpose(2, 0, 1)
    )
    return merge_tree(layers, small, grouping, lab)
