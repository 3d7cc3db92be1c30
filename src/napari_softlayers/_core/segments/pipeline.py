"""The slow steps behind soft segments: from the picture to the merge tree."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import FloatArray
from ..cache import ContentCache, content_key
from ..devices import choose_device, with_cpu_fallback
from ..label_images import read_labels
from ..numerics.eigenvectors import Eigenpairs, exact_eigenpairs, filtered_eigenpairs
from ..numerics.kmeans import clusters
from ..numerics.laplacian import region_pixels
from ..numerics.superpixels import (
    block_means,
    numbered_regions,
    slic_superpixels,
    thinned,
)
from ..picture import as_image
from ..run import SILENT, Run
from . import constrained_sparsification as constrained
from . import graphs
from .features import SemanticFeatures, semantic_features
from .finishing import enlarged_columns
from .merge_tree import MergeTree, merge_tree
from .state import SegmentOptions, SegmentsState

QUALITIES = ("fast", "exact")
SMALLEST_SIDE = 3
BASE_PIXELS = 640 * 480
"""Largest picture that features and superpixels are computed on."""
FULL_PIXELS = 160 * 160
"""Pictures up to this size keep their eigenvectors at full size, others at half."""
TREE_SIDE = 160
"""Long side of the grid on which the merge tree compares layers."""
CACHE = ContentCache(limit=1 << 30)
"""States of the pictures seen last."""


def prepare_segments(
    image: Any,
    features: Any = "bundled",
    options: SegmentOptions | None = None,
    superpixels: Any = None,
    device: Any = "auto",
    run: Run = SILENT,
) -> SegmentsState:
    """Run the slow steps up to the merge tree, or find them in the cache.

    ``image``, ``features``, ``superpixels``, ``device``: see `soft_segments`. Returns
    SegmentsState: for `cut`, and for looking at the steps.
    """
    picture = as_image(image)
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"The picture is {height}x{width}; soft segments need at least "
            f"{SMALLEST_SIDE} pixels on each side. Give a larger part of it."
        )
    options = options or SegmentOptions()
    _check_options(options)
    target = sparse_device(device)
    if features is not None and not isinstance(features, str):
        features = np.asarray(features)
    if superpixels is not None:
        superpixels = read_labels(superpixels, (height, width))
    version = None  # what tells an edited file of features from the one before
    if isinstance(features, str) and Path(features).is_file():
        found = Path(features).stat()
        version = (found.st_mtime_ns, found.st_size)
    key = content_key(
        picture, features, superpixels, asdict(options), target.type, version
    )
    return CACHE.get_or_compute(
        key,
        lambda: compute_state(picture, features, superpixels, options, target, run),
        lambda state: state.nbytes,
    )


def sparse_device(device: Any) -> Any:
    """Choose the device of the solvers: MPS has no sparse products, the CPU has."""
    target = choose_device(device)
    return choose_device("cpu") if target.type == "mps" else target


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


def compute_state(
    picture: FloatArray,
    features: Any,
    superpixels: NDArray[Any] | None,
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
    shape = (picture.shape[0], picture.shape[1])
    step = 1 if exact else _reduction(shape)
    base = block_means(picture, step)
    half = 1 if exact or base[..., 0].size <= FULL_PIXELS else 2
    guide = block_means(base, half)
    with ThreadPoolExecutor(1) as beside:
        levels = graphs.begin_matting(guide, exact, beside, run)
        run.step(0.0, "Superpixels")
        if superpixels is None:
            regions = slic_superpixels(base)
        else:
            regions = numbered_regions(thinned(superpixels, step))
        semantic = _features(base, features, step, device, run.part(0.05, 0.25))
        edges = graphs.affinity_edges(base, regions, semantic, options)
        own = None
        if graphs.band_count(shape) == 1:
            pixels, normalised = region_pixels(regions, shape), options.normalised
            own = beside.submit(
                graphs.pixel_graph, picture, pixels, edges, normalised, run
            )
        matrices = graphs.working_laplacians(
            levels, regions, edges, options.normalised, run.part(0.25, 0.3)
        )

        shapes = [size for size, _ in levels]

        def first_layers(where: Any) -> tuple[Eigenpairs, FloatArray]:
            part = run.part(0.3, 0.75)
            pairs = _eigenpairs(matrices, shapes, options, where, part)
            run.step(0.75, "First guess")
            labels = _first_guess(pairs, semantic, guide, half, options)
            layers = _sparse_layers(pairs, labels, options, where, run.part(0.77, 0.97))
            return pairs, layers.reshape(-1, *guide.shape[:2])

        pairs, layers = with_cpu_fallback(first_layers, device)
        run.step(0.97, "Merge tree")
        tree = _tree(layers, semantic, guide, half)
        whole = None if own is None else own.result()
        run.step(1.0, "Merge tree")
    laplacian = sparse.csr_array(matrices[-1], dtype=np.float32)
    steps = (semantic, regions, edges, laplacian, pairs, layers, tree, options, whole)
    return SegmentsState(picture, base, guide, step * half, *steps)


def _reduction(shape: tuple[int, int]) -> int:
    """How many pixels a side one pixel of the base size stands for."""
    return max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / BASE_PIXELS) - 0.1)))


def _sparse_layers(
    pairs: Eigenpairs, labels: Any, options: SegmentOptions, where: Any, run: Run
) -> FloatArray:
    """Constrained sparsification, as exact as is asked for."""
    exact = options.quality == "exact"
    settings = constrained.EXACT if exact else constrained.FAST
    return constrained.constrained_sparsification(
        pairs, labels, settings, options.seed, where, run
    )


def _features(
    base: FloatArray, source: Any, step: int, device: Any, run: Run
) -> SemanticFeatures | None:
    """Compute features at the base size; features that say nothing are left out."""
    numbers = isinstance(source, np.ndarray) and source.dtype.kind in "fiub"
    if numbers and source.ndim in (2, 3) and step > 1:
        source = block_means(np.atleast_3d(source), step)
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
