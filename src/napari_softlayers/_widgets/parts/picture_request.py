"""What every computation of the docks starts from: one picture, read in its thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_softlayers import _bridge as bridge
from napari_softlayers._recipes import Frame, Input, Recipe


@dataclass(frozen=True)
class PictureRequest:
    """An image layer, the frame of it, and where to compute, at one moment."""

    image: Any
    step: tuple[int, ...]
    channels: tuple[int, ...] | None
    megapixels: float
    device: str

    def _which(self) -> dict[str, Any]:
        names = ("channels", "step", "megapixels")
        return {name: getattr(self, name) for name in names}

    def grid(self) -> bridge.Grid:
        """The picture's pixels in the world, without reading them."""
        return bridge.grid_of(self.image, **self._which())[0]

    def frame(self) -> Frame:
        """Which picture of the image it is, as a recipe says it."""
        grid, level = bridge.grid_of(self.image, **self._which())
        return Frame(step=grid.step or None, channels=self.channels, level=level)

    def picture(self) -> bridge.Picture:
        """Read the picture."""
        return bridge.picture_of(self.image, **self._which())

    def recipe_of(self, inputs: dict[str, Any], **fields: Any) -> Recipe:
        """A recipe that starts from the picture; ``inputs``: layers besides it."""
        sources = {"image": self.image} | inputs
        noted = {name: input_of(source) for name, source in sources.items()}
        frame = fields.pop("frame", None) or self.frame()
        return Recipe(device=self.device, inputs=noted, frame=frame, **fields)


def input_of(source: Any) -> Input:
    """A layer, or a name or None, as a recipe notes it."""
    if bridge.is_layer(source):
        return Input(name=str(source.name), id=bridge.identity_of(source))
    return Input(value=source)
