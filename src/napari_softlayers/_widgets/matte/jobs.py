"""What the matte dock computes in its thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._bridge import Picture, labels_of
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.run import Run

from ..parts.picture_request import PictureRequest

Result = tuple[SoftLayers, Picture]


@dataclass(frozen=True)
class MatteRequest(PictureRequest):
    """Settings of the dock at one moment; ``trimap`` is a copy."""

    trimap: NDArray[Any]
    trimap_name: str
    method: str
    names: tuple[str, ...] | None
    is_labels: bool = True
    options: dict[str, Any] = field(default_factory=dict)

    def labels(self, picture: Picture) -> NDArray[Any]:
        """The trimap at the picture's level."""
        from napari_softlayers._core.matting import read_trimap

        found = labels_of(self.trimap, shape=picture.shape)
        return read_trimap(found, picture.shape, labels=self.is_labels)

    def solve(self, run: Run, _post: Callable[[Any], None]) -> Result:
        """Solve for the layers."""
        picture = self.picture()
        run.check()
        return self.matte_of(picture, run), picture

    def matte_of(self, picture: Picture, run: Run) -> SoftLayers:
        """Layers of a picture that has been read."""
        from napari_softlayers._core.matting import matte

        labels = self.labels(picture)
        layers = matte(
            picture.data,
            labels,
            self.method,
            device=self.device,
            run=run,
            labels=True,
            **self.options,
        )
        repaired = layers.extras.get("trimap")
        if repaired is not None:
            changed = np.asarray(repaired) != labels
            layers.extras["changed"] = float(changed.mean())
        return self.finish(layers)

    def layers_of(
        self,
        picture: Picture,
        labels: NDArray[Any],
        alphas: NDArray[np.float32],
        run: Run,
        clean: bool = False,
    ) -> SoftLayers:
        """Layers of given alphas; without ``clean``, in the picture's own colours.

        The picture's colours add up to it as well and cost nothing, which is enough for
        a preview.
        """
        from napari_softlayers._core.matting import layer_names

        names = layer_names([int(label) for label in np.unique(labels) if label])
        parameters = {"method": "closed_form", "device": self.device, "live": True}
        if clean:
            layers = SoftLayers.from_alphas(
                picture.data,
                alphas,
                names=names,
                kind="matte",
                parameters=parameters,
                device=self.device,
                run=run,
            )
        else:
            colors = np.broadcast_to(picture.data, (*alphas.shape, 3))
            layers = SoftLayers(
                alphas, colors, names, "matte", parameters, image=picture.data
            )
        return self.finish(layers)

    def finish(self, layers: SoftLayers) -> SoftLayers:
        """Give layers the user's names, and note the trimap."""
        if self.names and len(self.names) == len(layers):
            layers.names = list(self.names)
        layers.parameters["trimap"] = self.trimap_name
        return layers


class LiveSolver:
    """Keeps what a picture needs for quick answers between strokes."""

    def __init__(self) -> None:
        self._held: tuple[Any, Picture, Any] | None = None

    def clear(self) -> None:
        """Forget the picture."""
        self._held = None

    def job(
        self, request: MatteRequest
    ) -> Callable[[Run, Callable[[Any], None]], Result]:
        """A job that posts a coarse preview and returns the full matte."""

        def solve(run: Run, post: Callable[[Any], None]) -> Result:
            picture, live = self._prepared(request, run.part(0, 0.4))
            labels = request.labels(picture)
            alphas = live.preview(labels, run, labels=True)
            post((request.layers_of(picture, labels, alphas, run), picture))
            if request.method != "closed_form":
                return request.matte_of(picture, run.part(0.4, 1)), picture
            alphas = live.solve(labels, run.part(0.4, 0.8), labels=True)
            run = run.part(0.8, 1)
            return request.layers_of(picture, labels, alphas, run, True), picture

        return solve

    def _prepared(self, request: MatteRequest, run: Run) -> tuple[Picture, Any]:
        """Picture and `LiveMatte` of the frame, kept from stroke to stroke."""
        from napari_softlayers._core.matting import LiveMatte

        key = (id(request.image), request.step, request.channels)
        held = self._held
        if held is None or held[0] != key:
            run.step(0, "preparing the picture")
            picture = request.picture()
            held = (key, picture, LiveMatte(picture.data, run=run))
            self._held = held
        return held[1], held[2]
