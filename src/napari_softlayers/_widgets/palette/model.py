"""Palette layers while their colours are changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._bridge import Picture
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.picture import to_dtype
from napari_softlayers._core.run import Run
from napari_softlayers._recipes import Frame, Recipe
from napari_softlayers._recipes.options import Palette

from ..parts.picture_request import PictureRequest

Color = tuple[float, float, float]
FEWEST, MOST = 2, 12


@dataclass(frozen=True)
class PaletteRequest(PictureRequest):
    """Settings of the dock at one moment.

    ``options``: those of the recipe. ``every``: all frames of a stack.
    """

    options: dict[str, Any]
    every: bool

    def solve(self, run: Run, _post: Callable[[Any], None]) -> PaletteModel:
        """Read the picture and take it apart."""
        picture = self.picture()
        run.check()
        return self.model_of(picture, run)

    def model_of(self, picture: Picture, run: Run) -> PaletteModel:
        """Take a picture apart that has been read."""
        from napari_softlayers._api import palette_layers

        layers = palette_layers(picture, device=self.device, run=run, **self.options)
        return PaletteModel(layers, picture)

    def stack(self, run: Run, _post: Callable[[Any], None]) -> Any:
        """Choose one palette for all frames; the frames are computed when looked at."""
        from napari_softlayers._api import palette_stack

        run.step(0, "Choosing a palette for all frames")
        layers = palette_stack(self.image, device=self.device, **self.options)
        layers.frame(self.step[0], run.part(0.5, 1))
        return layers

    def recipe(self) -> Recipe:
        """What the main button would do."""
        options = Palette(**self.options).model_dump()
        frame = Frame(every=True) if self.every else None
        return self.recipe_of({}, kind="palette", options=options, frame=frame)


@dataclass
class PaletteModel:
    """Palette layers as they were taken apart, and the colours they have now.

    ``layers``: in the colours of the picture. ``colors``: what the layers are painted
    with now; the palette's own at first. ``locked``: colours that stay when another
    palette is chosen.
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
    def is_split(self) -> bool:
        """Whether the layers were cut up by segments."""
        return "pairs" in self.layers.extras

    @property
    def recolored(self) -> bool:
        """Whether a layer has another colour than the palette's."""
        return not np.allclose(self.colors, self.palette, atol=1e-4)

    def shown_layers(self) -> SoftLayers:
        """Layers in their present colours."""
        return self.layers.recolor(self.colors) if self.recolored else self.layers

    def preview(self) -> NDArray[np.uint8]:
        """The picture in the present colours, uint8 ``(H, W, 3 or 4)``, quickly."""
        if self._recolorer is None:
            from napari_softlayers._core.palette.recolor import Recolorer

            self._recolorer = Recolorer(self.layers)
        colors = np.array(self._recolorer(self.colors))
        alpha = self.layers.alpha
        if alpha is None:
            return colors
        return np.dstack([colors, to_dtype(alpha, np.uint8)])

    def reordered(self, order: Sequence[int]) -> PaletteModel:
        """The same layers in another order, bottom first."""
        chosen = [int(index) for index in order]
        return PaletteModel(
            self.layers.reordered(chosen),
            self.picture,
            [self.colors[index] for index in chosen],
            [self.locked[index] for index in chosen],
        )

    def split_by(self, segments: SoftLayers, run: Run) -> PaletteModel:
        """Cut the layers up along segments, so that each object has colours of its own."""
        layers = segments.intersect(self.layers, run=run)
        colors = [self.colors[int(color)] for _, color in layers.extras["pairs"]]
        return PaletteModel(layers, self.picture, colors)


def as_color(values: Any) -> Color:
    """Three plain numbers in [0, 1]."""
    red, green, blue = (min(max(float(value), 0.0), 1.0) for value in tuple(values)[:3])
    return red, green, blue
