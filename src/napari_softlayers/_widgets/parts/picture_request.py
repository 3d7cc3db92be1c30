"""What every computation of the docks starts from: one picture, read in its thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_softlayers._bridge import Grid, Picture, grid_of, picture_of
from napari_softlayers._recipes import Frame


@dataclass(frozen=True)
class PictureRequest:
    """An image layer, the frame of it, and where to compute, at one moment."""

    image: Any
    step: tuple[int, ...]
    channels: tuple[int, ...] | None
    megapixels: float
    device: str

    def grid(self) -> Grid:
        """The picture's pixels in the world, without reading them."""
        return grid_of(
            self.image,
            channels=self.channels,
            step=self.step,
            megapixels=self.megapixels,
        )[0]

    def frame(self) -> Frame:
        """Which picture of the image it is, as a recipe says it."""
        grid, level = grid_of(
            self.image,
            channels=self.channels,
            step=self.step,
            megapixels=self.megapixels,
        )
        return Frame(step=grid.step or None, channels=self.channels, level=level)

    def picture(self) -> Picture:
        """Read the picture."""
        return picture_of(
            self.image,
            channels=self.channels,
            step=self.step,
            megapixels=self.megapixels,
        )
