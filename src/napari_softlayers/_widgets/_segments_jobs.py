"""Settings of the segments dock, and what it computes in its thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_softlayers._bridge import is_layer, labels_of, picture_of
from napari_softlayers._core.compute import Run

from ._options import Option
from ._segments_model import SegmentsModel

BUNDLED, COLORS, LAYER, HUB = (
    "bundled",
    "none (colours alone)",
    "image layer",
    "hub model",
)
OPTIONS = (
    Option("quality", "Quality", "fast", "exact takes minutes", ("fast", "exact")),
    Option("grouping", "Grouping", "tree", "How first layers join", ("tree", "kmeans")),
    Option(
        "color_affinity", "Colour affinity", True, "Join like colours nearby (Eq. 4)"
    ),
    Option("semantic_affinity", "Semantic affinity", True, "Join like objects (Eq. 5)"),
    Option("normalised", "Normalised Laplacian", False, "Eq. 3 of the paper"),
    Option(
        "affinity_weight",
        "Affinity weight",
        0.01,
        "Of both affinities in the Laplacian",
        high=0.1,
        step=0.005,
    ),
    Option(
        "color_radius",
        "Colour radius",
        0.2,
        "Reach of the colour affinity, a fraction of the picture",
        high=1.5,
        step=0.05,
    ),
    Option(
        "semantic_threshold",
        "Semantic threshold",
        0.15,
        "Feature distance where the semantic affinity turns negative",
        high=2.0,
        step=0.05,
    ),
    Option("n_eigenvectors", "Eigenvectors", 100, "Size of the subspace", (), 10, 200),
    Option("n_clusters", "First layers", 40, "Layers before the grouping", (), 2, 100),
    Option("seed", "Seed", 0, "The same seed gives the same layers", (), 0, 99999),
)


@dataclass(frozen=True)
class SegmentsRequest:
    """Settings of the dock at one moment.

    ``features`` is a name, an image layer or None.
    """

    image: Any
    step: tuple[int, ...]
    channels: tuple[int, ...] | None
    megapixels: float
    count: int | str
    features: Any
    superpixels: Any
    device: str
    cache_bytes: int
    options: dict[str, Any]

    def solve(self, run: Run, _post: Callable[[Any], None]) -> SegmentsModel:
        """Compute the layers."""
        from napari_softlayers._core import segments

        segments.CACHE.limit = self.cache_bytes
        picture = picture_of(
            self.image,
            channels=self.channels,
            step=self.step,
            megapixels=self.megapixels,
        )
        run.check()
        source, regions = self.features, self.superpixels
        layers = segments.soft_segments(
            picture.data,
            self.count,
            feature_array(source) if is_layer(source) else source,
            device=self.device,
            superpixels=None
            if regions is None
            else labels_of(regions, shape=picture.shape),
            run=run,
            **self.options,
        )
        if is_layer(source):
            layers.parameters["features"] = source.name
        if regions is not None:
            layers.parameters["superpixels"] = regions.name
        return SegmentsModel.from_layers(layers, picture, self.device)


def feature_array(layer: Any) -> Any:
    """Features ``(H, W, D)`` of an image layer."""
    values = np.asarray(layer.data)
    if layer.rgb or values.ndim == 2:
        return values
    return np.moveaxis(values, -3, -1)
