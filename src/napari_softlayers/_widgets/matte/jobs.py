"""What the matte dock computes in its thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._api import from_picture, matte
from napari_softlayers._bridge import Marks, Over, Picture, trimap_of
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.run import Run

from ..parts.picture_request import PictureRequest

Result = tuple[SoftLayers, Picture]


@dataclass(frozen=True)
class MatteRequest(PictureRequest):
    """Settings of the dock at one moment; ``names`` are those that the user gave."""

    trimap: Over
    method: str
    names: dict[int, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def solve(self, run: Run, _post: Callable[[Any], None]) -> Result:
        """Solve for the layers."""
        picture = self.picture()
        run.check()
        return self.matte_of(picture, trimap_of(self.trimap, picture), run), picture

    def matte_of(self, picture: Picture, marks: Marks, run: Run) -> SoftLayers:
        """Layers of a picture that has been read; says how much of the trimap changed."""
        layers = matte(
            picture, marks, self.method, device=self.device, run=run, **self.options
        )
        repaired = layers.extras.get("trimap")
        if repaired is not None:
            layers.extras["changed"] = float((repaired != marks.values).mean())
        return self._named(layers, marks)

    def layers_of(
        self,
        picture: Picture,
        marks: Marks,
        alphas: NDArray[np.float32],
        run: Run,
        clean: bool = False,
    ) -> SoftLayers:
        """Layers of given alphas; without ``clean``, in the picture's own colours.

        The picture's colours add up to it as well and cost nothing, which is enough for
        a preview.
        """
        from napari_softlayers._core.matting import layer_names

        names, parameters = layer_names(_labels(marks)), {"method": "closed_form"}
        about: Any = {"names": names, "kind": "matte", "parameters": parameters}
        data = picture.data
        if clean:
            layers = SoftLayers.from_alphas(
                data, alphas, device=self.device, run=run, **about
            )
        else:
            colors = np.broadcast_to(data, (*alphas.shape, 3))
            layers = SoftLayers(alphas, colors, image=data, **about)
        made = from_picture(layers, picture, {"trimap": marks}, self.device, live=True)
        return self._named(made, marks)

    def _named(self, layers: SoftLayers, marks: Marks) -> SoftLayers:
        """Give layers the user's names."""
        labels = _labels(marks)
        if len(labels) != len(layers):
            return layers
        named = zip(labels, layers.names, strict=True)
        names = [self.names.get(label, name) for label, name in named]
        return layers if names == layers.names else layers.renamed(names)


def _labels(marks: Marks) -> list[int]:
    return [int(label) for label in np.unique(marks.values) if label]


class LiveSolver:
    """Keeps what a picture needs for quick answers between strokes."""

    def __init__(self) -> None:
        self._held: tuple[Any, Any] | None = None

    def clear(self) -> None:
        """Forget the picture."""
        self._held = None

    def solve(
        self, request: MatteRequest, run: Run, post: Callable[[Any], None]
    ) -> Result:
        """Post a coarse preview and return the full matte."""
        picture = request.picture()
        marks = trimap_of(request.trimap, picture)
        live = self._prepared(picture, run.part(0, 0.4))
        alphas = live.preview(marks.values, run, labels=True)
        post((request.layers_of(picture, marks, alphas, run), picture))
        if request.method != "closed_form":
            return request.matte_of(picture, marks, run.part(0.4, 1)), picture
        alphas = live.solve(marks.values, run.part(0.4, 0.8), labels=True)
        run = run.part(0.8, 1)
        return request.layers_of(picture, marks, alphas, run, True), picture

    def _prepared(self, picture: Picture, run: Run) -> Any:
        """`LiveMatte` of a picture, kept for as long as its content is the same."""
        from napari_softlayers._core.matting.live import LiveMatte

        key = (picture.input.digest, picture.frame)
        held = self._held
        if held is None or held[0] != key:
            run.step(0, "preparing the picture")
            held = self._held = (key, LiveMatte(picture.data, run=run))
        return held[1]
