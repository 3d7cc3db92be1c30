"""The slow steps behind soft segments, done once for a picture and its options."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..cache import ContentCache, content_key
from ..devices import choose_device
from ..label_images import read_labels
from ..picture import as_image
from ..run import SILENT, Run
from .pipeline import compute_state
from .state import SegmentOptions, SegmentsState

QUALITIES = ("fast", "exact")
SMALLEST_SIDE = 3
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
    options = options or SegmentOptions()
    _check_picture(picture)
    _check_options(options)
    target = sparse_device(device)
    source = features if isinstance(features, str) else _array_or_none(features)
    labels = None if superpixels is None else read_labels(superpixels)
    key = content_key(
        picture, source, labels, asdict(options), target.type, _version(source)
    )
    return CACHE.get_or_compute(
        key,
        lambda: compute_state(picture, source, labels, options, target, run),
        lambda state: state.nbytes,
    )


def sparse_device(device: Any) -> Any:
    """Choose the device of the solvers: MPS has no sparse products, the CPU has."""
    target = choose_device(device)
    return choose_device("cpu") if target.type == "mps" else target


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
    if isinstance(source, str) and Path(source).is_file():
        found = Path(source).stat()
        return (found.st_mtime_ns, found.st_size)
    return None
