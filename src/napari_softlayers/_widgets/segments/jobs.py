"""Settings of the segments dock, and what it computes in its thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_softlayers._bridge import Picture, features_of, is_layer, labels_of
from napari_softlayers._core.run import Run

from ..parts.options import Option
from ..parts.picture_request import PictureRequest
from .model import SegmentsModel

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
class SegmentsRequest(PictureRequest):
    """Settings of the dock at one moment.

    ``features`` is a name, an image layer or None.
    """

    count: int | str
    features: Any
    superpixels: Any
    cache_bytes: int
    options: dict[str, Any]

    def solve(self, run: Run, _post: Callable[[Any], None]) -> SegmentsModel:
        """Compute the layers."""
        from napari_softlayers._core import segments

        segments.CACHE.limit = self.cache_bytes
        picture = self.picture()
        run.check()
        layers = segments.soft_segments(
            picture.data, self.count, run=run, **self.inputs(picture), **self.options
        )
        layers.parameters |= self.layer_names()
        return SegmentsModel.from_layers(layers, picture, self.device)

    def inputs(self, picture: Picture) -> dict[str, Any]:
        """What the core computes the picture's segments from, and where."""
        source, regions = self.features, self.superpixels
        if regions is not None:
            regions = labels_of(regions, shape=picture.shape)
        return {
            "features": features_of(source),
            "superpixels": regions,
            "device": self.device,
        }

    def layer_names(self) -> dict[str, str]:
        """Names of the layers that features and superpixels come from."""
        sources = {"features": self.features, "superpixels": self.superpixels}
        return {
            name: str(source.name)
            for name, source in sources.items()
            if is_layer(source)
        }
