"""Settings of the segments dock, and what it computes in its thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_softlayers._api import Segmenter, soft_segments
from napari_softlayers._bridge import Picture
from napari_softlayers._bridge.pictures import check_unchanged
from napari_softlayers._core.run import Run
from napari_softlayers._recipes import Recipe
from napari_softlayers._recipes.options import Preparation

from ..parts.picture_request import PictureRequest, input_of
from .model import SegmentsModel


@dataclass(frozen=True)
class SegmentsRequest(PictureRequest):
    """Settings of the dock at one moment.

    ``features`` is a name, an image layer or None; ``options`` those of `Segments`.
    """

    features: Any
    superpixels: Any
    cache_bytes: int
    options: dict[str, Any]

    def solve(self, run: Run, _post: Callable[[Any], None]) -> SegmentsModel:
        """Compute the layers."""
        picture = self._start(run)
        layers = soft_segments(picture, **self._arguments(run), **self.options)
        check_unchanged(picture, "the computation had begun; press Compute")
        return SegmentsModel.of(layers, picture)

    def segmenter(self, run: Run) -> Segmenter:
        """Make a picture ready for clicks."""
        picture = self._start(run)
        slow = {name: self.options[name] for name in Preparation.shown()}
        return Segmenter(picture, **self._arguments(run), **slow)

    def _start(self, run: Run) -> Picture:
        from napari_softlayers._core import segments

        segments.CACHE.limit = self.cache_bytes
        picture = self.picture()
        run.check()
        return picture

    def _arguments(self, run: Run) -> dict[str, Any]:
        return {
            "features": self.features,
            "superpixels": self.superpixels,
            "device": self.device,
            "run": run,
        }

    def recipe(self) -> Recipe:
        """What `solve` would do."""
        inputs = {"image": self.image, "features": self.features}
        if self.superpixels is not None:
            inputs["superpixels"] = self.superpixels
        return Recipe(
            kind="segments",
            device=self.device,
            options=self.options,
            inputs={name: input_of(source) for name, source in inputs.items()},
            frame=self.frame(),
        )
