"""The core's `Segmenter` as the click mode needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_softlayers._bridge import Picture
from napari_softlayers._bridge.prompts import Prompts
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.picture import FloatArray
from napari_softlayers._core.run import Run

from ..segments.jobs import OPTIONS, SegmentsRequest


@dataclass
class ClickEngine:
    """A picture that is ready for clicks.

    Parameters
    ----------
    picture : Picture
    step : tuple of int
        Frame of a stack that the picture is.
    segmenter : Segmenter
    inputs : dict
        Names of the layers that features and superpixels came from.
    settings : dict
        Other arguments of the segmenter, those that differ from its defaults.
    """

    picture: Picture
    step: tuple[int, ...]
    segmenter: Any
    inputs: dict[str, str]
    settings: dict[str, Any]
    _answered: Any = None

    @classmethod
    def prepare(cls, request: SegmentsRequest, run: Run) -> ClickEngine:
        """Run the slow steps, or find them in the cache."""
        from napari_softlayers._core import segments
        from napari_softlayers._core.segments.segmenter import Segmenter

        segments.CACHE.limit = request.cache_bytes
        picture = request.picture()
        run.check()
        options = {k: v for k, v in request.options.items() if k != "grouping"}
        segmenter = Segmenter(
            picture.data, run=run, **request.inputs(picture), **options
        )
        inputs = request.layer_names()
        settings = {
            option.name: options[option.name]
            for option in OPTIONS
            if option.name in options and options[option.name] != option.default
        }
        settings["device"] = request.device
        if "features" not in inputs:
            settings = {"features": request.features} | settings
        if request.channels is not None:
            settings["channels"] = request.channels
        return cls(picture, request.step, segmenter, inputs, settings)

    def point_at(self, position: Any) -> tuple[float, float]:
        """Row and column of the picture at a place in the world."""
        layer = self.picture.layer
        place = np.asarray(layer.world_to_data(tuple(position)[-layer.ndim :]))[-2:]
        full = layer.data[0].shape if layer.multiscale else layer.data.shape
        size = np.array(full[-3:-1] if layer.rgb else full[-2:])
        ratio = np.array(self.picture.shape) / size
        row, column = (place + 0.5) * ratio - 0.5
        return float(row), float(column)

    def quick(self, prompts: Prompts, grown: tuple[int, ...], run: Run) -> SoftLayers:
        """Answer clicks at once, perhaps at a smaller size: rest first, then objects.

        Parameters
        ----------
        prompts : Prompts
        grown : tuple of int
            Steps of the merge tree that each object was grown (or shrunk) by.
        run : Run
        """
        run.check()
        self._answered = None
        layers: SoftLayers = self.segmenter.click(
            prompts.points, prompts.labels, levels=grown
        )
        self._answered = (prompts.key, grown)
        return layers

    def fine(self, prompts: Prompts, grown: tuple[int, ...], run: Run) -> SoftLayers:
        """Answer clicks with the matte at the picture's size."""
        if self._answered != (prompts.key, grown):
            self.quick(prompts, grown, run)
        layers: SoftLayers = self.segmenter.refine(run=run)
        layers.parameters |= self.inputs
        return layers

    def node_at(self, point: tuple[float, float]) -> int:
        """The automatic segment at a point, as a node of the merge tree."""
        return int(self.segmenter.node_at(point))

    def segment_at(self, point: tuple[float, float]) -> FloatArray:
        """Its alpha ``(h, w)``, at the working size."""
        alpha: FloatArray = self.segmenter.segment_at(point)
        return alpha

    def level_range(self, prompts: Prompts, label: int) -> tuple[int, int]:
        """Steps that an object can shrink (0 or less) and grow (0 or more)."""
        first = prompts.points[int(np.argmax(prompts.labels == label))]
        low, high = self.segmenter.levels_at(first)
        return int(low), int(high)

    def code(self, prompts: Prompts, grown: tuple[int, ...]) -> str:
        """The clicks as calls for the console."""
        points = np.floor(prompts.points + 0.5).astype(int).tolist()
        named = {k: f"viewer.layers[{name!r}]" for k, name in self.inputs.items()}
        given = {k: repr(value) for k, value in self.settings.items()} | named
        arguments = "".join(f", {key}={value}" for key, value in given.items())
        levels = f", levels={list(grown)}" if any(grown) else ""
        return (
            "import napari_softlayers as nsl\n\n"
            f"picture = viewer.layers[{self.picture.layer.name!r}]\n"
            f"segmenter = nsl.Segmenter(picture{arguments})\n"
            f"segmenter.click({points}, {prompts.labels.tolist()}{levels})\n"
            "layers = segmenter.refine()\n"
            "layers.to_napari(viewer, like=picture)\n"
        )
