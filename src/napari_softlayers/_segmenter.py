"""Clicks from the console and the docks: the core's segmenter for layers and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ._api import from_picture, noted, segment_inputs
from ._bridge import is_layer, picture_of
from ._core.run import as_run
from ._recipes import Preparation, checked

if TYPE_CHECKING:
    import torch

    from ._core.arrays import FloatArray
    from ._core.layers.soft_layers import SoftLayers
    from ._core.run import Run


class Segmenter:
    """Cut objects out of a picture by clicks: slow steps once, then milliseconds.

    Parameters
    ----------
    image : napari Image layer or array_like
        See `matte`.
    features, superpixels, channels, step, level, nan, device, run
        See `soft_segments`; what it computed for the picture before is used again.
    **options
        Further parameters of the slow steps, such as ``seed=1``.

    Attributes
    ----------
    picture : Picture
        What the clicks are on.
    recipe : Recipe
        How it was prepared, without clicks.

    Examples
    --------
    >>> segmenter = Segmenter(viewer.layers["photo"])
    >>> preview = segmenter.click([(120, 80), (30, 200)], [1, 0])
    >>> segmenter.refine().to_napari(viewer)
    """

    def __init__(
        self,
        image: Any,
        features: Any = "bundled",
        *,
        superpixels: Any = None,
        channels: tuple[int, ...] | None = None,
        step: Sequence[int] | None = None,
        level: int | None = None,
        nan: str = "refuse",
        device: str | torch.device = "auto",
        run: Run | None = None,
        **options: Any,
    ) -> None:
        from ._core.segments.segmenter import Segmenter as CoreSegmenter

        options = checked(Preparation, options, "Segmenter")
        self.picture = picture_of(
            image, channels=channels, step=step, level=level, nan=nan
        )
        self._inputs = segment_inputs(features, superpixels, self.picture)
        values = {name: marks.values for name, marks in self._inputs.items()}
        self.core = CoreSegmenter(
            self.picture.data, device=device, run=as_run(run), **values, **options
        )
        self.recipe = noted(
            self.picture,
            self._inputs,
            kind="clicks",
            device=str(device),
            options=asdict(self.core.state.options),
        )

    def click(
        self, points: Any, labels: Any, levels: Sequence[int] | None = None
    ) -> SoftLayers:
        """Answer all clicks so far with a preview.

        Parameters
        ----------
        points : napari Points layer or array_like, ``(n, 2)``
            Row and column of each click, in pixels of the picture. The points of a layer
            are taken where they lie over the image in the world.
        labels : array_like of int, ``(n,)``
            1, 2, ... for the objects, 0 for what belongs to none.
        levels : sequence of int, optional
            For each object, steps along the merge tree that the segment below its first
            click is grown by (below 0: shrunk).

        Returns
        -------
        SoftLayers
            The rest at the bottom, then the objects; smaller than a large picture.

        Raises
        ------
        ValueError
            When a click lies outside of the picture, two on one pixel contradict each
            other, or none adds to an object.
        """
        places = self._pixels_of(points) if is_layer(points) else points
        return self.core.click(places, labels, levels)

    def _pixels_of(self, points: Any) -> Any:
        """Rows and columns of a Points layer's points in the picture."""
        if not hasattr(points, "symbol"):
            raise TypeError(
                f"'{points.name}' is a {type(points).__name__} layer; a Points layer, or "
                "rows and columns, are needed."
            )
        grid = self.picture.grid
        if grid is None or len(points.data) == 0:
            return points.data
        world = np.array([points.data_to_world(tuple(p)) for p in points.data])
        away = np.flatnonzero(~grid.on_plane(world))
        if len(away):
            raise ValueError(
                f"Point {away[0]} of '{points.name}' lies on another plane than the "
                "picture; give the points of this plane alone."
            )
        return grid.pixels_of(world)

    def undo(self) -> SoftLayers | None:
        """Go back to the answer before the last one; None when there was none."""
        return self.core.undo()

    def refine(self, run: Run | None = None) -> SoftLayers:
        """Give the last answer at the picture's size.

        Raises
        ------
        RuntimeError
            Before the first click.
        """
        layers = self.core.refine(as_run(run))
        return from_picture(layers, self.picture, self._inputs, self.recipe.device)

    def levels_at(self, point: Any) -> tuple[int, int]:
        """How many steps the segment at a point shrinks (0 or less) and grows."""
        return self.core.levels_at(point)

    def segment_at(self, point: Any, level: int = 0) -> FloatArray:
        """Alphas of the automatic segment at a point, at the working size ``(h, w)``."""
        return self.core.segment_at(point, level)
