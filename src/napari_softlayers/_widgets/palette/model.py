"""Palette layers while their colours are changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._bridge import Picture
from napari_softlayers._core.layers.edit import reordered
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.run import Run

from ..parts.picture_request import PictureRequest

Color = tuple[float, float, float]
FEWEST, MOST = 2, 12


@dataclass(frozen=True)
class PaletteRequest(PictureRequest):
    """Settings of the dock at one moment; ``palette`` is a count, "auto" or colours."""

    palette: Any
    locked: list[Color] | None
    method: str
    selection: str
    smoothing: float
    seed: int

    def solve(self, run: Run, _post: Callable[[Any], None]) -> PaletteModel:
        """Read the picture and take it apart."""
        picture = self.picture()
        run.check()
        return self.model_of(picture, run)

    def model_of(self, picture: Picture, run: Run) -> PaletteModel:
        """Take a picture apart that has been read."""
        from napari_softlayers._core.palette import palette_layers

        layers = palette_layers(
            picture.data,
            self.palette,
            self.method,
            selection=self.selection,
            smoothing=self.smoothing,
            locked=self.locked,
            seed=self.seed,
            device=self.device,
            run=run,
        )
        return PaletteModel(layers, picture)

    def stack(self, run: Run, _post: Callable[[Any], None]) -> Any:
        """Choose one palette for all frames; the frames are computed when looked at."""
        from napari_softlayers._api import palette_stack

        run.step(0, "Choosing a palette for all frames")
        return palette_stack(
            self.image,
            self.palette,
            method=self.method,
            selection=self.selection,
            smoothing=self.smoothing,
            locked=self.locked,
            seed=self.seed,
            device=self.device,
        )


@dataclass
class PaletteModel:
    """Palette layers as they were taken apart, and the colours they have now.

    Parameters
    ----------
    layers : SoftLayers
        In the colours of the picture.
    picture : Picture
    colors : list of colours
        What the layers are painted with now; the palette's own at first.
    locked : list of bool
        Colours that stay when another palette is chosen.
    """

    layers: SoftLayers
    picture: Picture
    colors: list[Color] = field(default_factory=list)
    locked: list[bool] = field(default_factory=list)
    _recolorer: Any = None

    def __post_init__(self) -> None:
        self.colors = self.colors or self.palette
        self.locked = self.locked or [False] * len(self.layers)

    @property
    def palette(self) -> list[Color]:
        """The palette that the picture was taken apart with."""
        return [as_color(color) for color in self.layers.extras["palette"]]

    @property
    def recolored(self) -> bool:
        """Whether a layer has another colour than the palette's."""
        return not np.allclose(self.colors, self.palette, atol=1e-4)

    def shown_layers(self) -> SoftLayers:
        """Layers in their present colours."""
        return self.layers.recolor(self.colors) if self.recolored else self.layers

    def preview(self) -> NDArray[np.uint8]:
        """The picture in the present colours, uint8 ``(H, W, 3)``, quickly."""
        if self._recolorer is None:
            from napari_softlayers._core.palette import Recolorer

            self._recolorer = Recolorer(self.layers)
        return np.array(self._recolorer(self.colors))

    def reordered(self, order: Sequence[int]) -> PaletteModel:
        """The same layers in another order, bottom first."""
        chosen = [int(index) for index in order]
        layers = reordered(self.layers, chosen)
        palette = self.layers.parameters.get("palette")
        if isinstance(palette, list) and len(palette) == len(chosen):
            layers.parameters = {
                **self.layers.parameters,
                "palette": [palette[index] for index in chosen],
            }
        elif "segments" in self.layers.parameters:
            order = self.layers.parameters.get("order", range(len(chosen)))
            layers.parameters = {
                **self.layers.parameters,
                "order": [order[index] for index in chosen],
            }
        return PaletteModel(
            layers,
            self.picture,
            [self.colors[index] for index in chosen],
            [self.locked[index] for index in chosen],
        )

    def split_by(self, segments: SoftLayers, run: Run) -> PaletteModel:
        """Cut the layers up along segments, so that each object has colours of its own."""
        from napari_softlayers._core.palette import intersect

        layers = intersect(segments, self.layers, run=run)
        pairs = np.asarray(layers.extras["pairs"])
        colors = [self.colors[int(color)] for _, color in pairs]
        return PaletteModel(layers, self.picture, colors)


def as_color(values: Any) -> Color:
    """Three plain numbers in [0, 1]."""
    red, green, blue = (min(max(float(value), 0.0), 1.0) for value in tuple(values)[:3])
    return red, green, blue
