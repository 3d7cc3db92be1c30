"""The segmenter: slow steps once, then objects by clicks in milliseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray, to_numpy
from ..checks import whole, wholes
from ..layers.soft_layers import SoftLayers
from ..run import SILENT, Run
from ..threads import one_thread
from . import relaxed_sparsification as relaxed
from .clicks import ClickModel, Prompts
from .finishing import guided_upsampling, refined
from .graphs import sparsity_exponents
from .pipeline import prepare_segments
from .state import SegmentOptions, SegmentsState

PREVIEW = relaxed.RelaxedOptions(iterations=4, last_steps=2)
"""The refinement of the preview, at the working size."""
KEPT_STEPS = 200
"""So many answers can be undone; only the clicks of each are kept."""


class Segmenter:
    """Cut objects out of a picture by clicks.

    ``image`` array_like: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``. ``features``,
    ``superpixels``, ``device``: see `soft_segments`. ``run``: progress and cancelling
    of the slow steps; those of a picture seen before come from the cache.
    ``**options``: fields of `SegmentOptions`, such as ``seed``.

    Examples
    --------
    >>> segmenter = Segmenter(picture)
    >>> preview = segmenter.click([(120, 80)], [1])
    >>> preview = segmenter.click([(120, 80), (30, 200)], [1, 0])
    >>> layers = segmenter.refine()
    """

    def __init__(
        self,
        image: Any,
        features: Any = "bundled",
        *,
        superpixels: Any = None,
        device: Any = "auto",
        run: Run = SILENT,
        **options: Any,
    ) -> None:
        self.state: SegmentsState = prepare_segments(
            image, features, SegmentOptions(**options), superpixels, device, run
        )
        self._model = ClickModel(self.state)
        self._exponents = sparsity_exponents(self.state.guide)
        self._history: deque[_Clicks] = deque(maxlen=KEPT_STEPS)
        self._alphas: FloatArray | None = None  # of the last clicks

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.state.picture.shape[0], self.state.picture.shape[1]

    def click(
        self, points: ArrayLike, labels: ArrayLike, levels: Sequence[int] | None = None
    ) -> SoftLayers:
        """Answer all clicks so far with a preview; see `napari_softlayers.Segmenter`.

        The layers, of kind "clicks", are at the working size (half the picture's, or
        less for large pictures) and have the picture's own colours; `refine` gives them
        at full size. ``levels`` are steps along the merge tree that the segment of an
        object's first click is larger (or smaller) than the most plausible one.
        """
        places, numbers = self._checked(points, labels)
        objects = np.unique(numbers[numbers > 0]).tolist()
        steps = self._checked_levels(levels, len(objects))
        positions = np.searchsorted(objects, numbers) + 1
        wanted = np.where(numbers > 0, positions, 0)
        prompts = Prompts(self._working_pixels(places), wanted, steps)
        names = ["rest", *(f"object {k}" for k in objects)]
        clicks = _Clicks(places, numbers, names, prompts)
        self._alphas = self._preview(prompts)
        self._history.append(clicks)
        return self._preview_layers(clicks, self._alphas)

    def undo(self) -> SoftLayers | None:
        """Go back to the answer before the last one; None when there was none.

        The last 200 answers can be undone.
        """
        if self._history:
            self._history.pop()
        if not self._history:
            self._alphas = None
            return None
        self._alphas = self._preview(self._history[-1].prompts)
        return self._preview_layers(self._history[-1], self._alphas)

    def refine(self, run: Run = SILENT) -> SoftLayers:
        """Give the last answer at the picture's size, sparsified there and coloured.

        Raises RuntimeError: before the first click.
        """
        if self._alphas is None:
            raise RuntimeError("There is nothing to refine yet; call click() first.")
        clicks, alphas = self._history[-1], self._alphas
        if self.state.scale > 1:
            alphas = guided_upsampling(
                alphas, self.state.guide, self.state.picture, self.state.scale
            )
        start = relaxed.rounded_layers(alphas)
        fine = relaxed.unit_sum(refined(self.state, start, "cpu", run.part(0.0, 0.6)))
        _pin(fine, clicks.places, clicks.prompts.labels)
        return SoftLayers.from_alphas(
            self.state.picture,
            fine,
            names=clicks.names,
            kind="clicks",
            parameters=self._parameters(clicks),
            extras={"tree": self.state.tree, "state": self.state},
            run=run.part(0.6, 1.0),
        )

    def node_at(self, point: ArrayLike) -> int:
        """Give the merge tree's most plausible node at a point of the picture."""
        return self._model.node_at(self._pixel(point))

    def segment_at(self, point: ArrayLike, level: int = 0) -> FloatArray:
        """Give the alphas of the segment at a point, at the working size ``(h, w)``.

        ``point`` ``(2,)``: row and column. ``level``: steps along the merge tree,
        larger above 0 and smaller below.
        """
        steps = whole(level, "level")
        return self.state.tree.alphas(self._model.node_at(self._pixel(point), steps))

    def levels_at(self, point: ArrayLike) -> tuple[int, int]:
        """Give how many steps the segment at a point shrinks (<= 0) and grows."""
        nodes = self._model.path(self._pixel(point))
        place = self._model.place(nodes)
        return -place, len(nodes) - 1 - place

    def _preview(self, prompts: Prompts) -> FloatArray:
        """Compute the alphas ``(K + 1, h, w)`` of an answer at the working size."""
        with one_thread():
            first = relaxed.rounded_layers(self._model.alphas(prompts))
            sharp = relaxed.relaxed_sparsification(
                first, self.state.working_laplacian, self._exponents, PREVIEW
            )
            alphas = relaxed.unit_sum(sharp)
        rows, columns = np.divmod(prompts.pixels, self._model.shape[1])
        _pin(alphas, np.stack([rows, columns], axis=1), prompts.labels)
        return alphas

    def _preview_layers(self, clicks: _Clicks, alphas: FloatArray) -> SoftLayers:
        guide = self.state.guide
        return SoftLayers(
            alphas,
            np.broadcast_to(guide, (len(alphas), *guide.shape)),
            clicks.names,
            "clicks",
            self._parameters(clicks),
            {"tree": self.state.tree, "state": self.state},
            guide.copy(),
        )

    def _parameters(self, clicks: _Clicks) -> dict[str, Any]:
        semantic = self.state.features
        return {
            "points": clicks.places.tolist(),
            "labels": clicks.numbers.tolist(),
            "levels": list(clicks.prompts.steps),
            "features": None if semantic is None else semantic.source,
            **asdict(self.state.options),
        }

    def _pixel(self, point: ArrayLike) -> int:
        """Give the flat index at the working size of a point of the picture."""
        values = to_numpy(point, "point")
        if values.size != 2:
            raise ValueError(f"point={point!r} came; a row and a column are needed.")
        places, _ = self._checked(values.reshape(1, 2), [1])
        return int(self._working_pixels(places)[0])

    def _working_pixels(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the flat indices at the working size of pixels ``(n, 2)``."""
        small = np.floor((places + 0.5) / self.state.scale).astype(np.int64)
        small = np.minimum(small, np.array(self._model.shape) - 1)
        return np.asarray(small @ np.array([self._model.shape[1], 1]))

    def _checked(
        self, points: ArrayLike, labels: ArrayLike
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Check clicks and round them to pixels ``(n, 2)``."""
        places = to_numpy(points, "points").astype(float)
        numbers = to_numpy(labels, "labels")
        if places.ndim != 2 or places.shape[1] != 2 or len(places) == 0:
            raise ValueError(
                f"points has shape {places.shape}; (n, 2) with rows and columns of at "
                "least one click is needed."
            )
        if numbers.shape != (len(places),) or numbers.dtype.kind not in "iub":
            raise ValueError(
                f"labels has shape {numbers.shape} and dtype {numbers.dtype}; one whole "
                f"number for each of the {len(places)} clicks is needed."
            )
        if not np.isfinite(places).all():
            raise ValueError("A click has a place that is NaN or infinite.")
        pixels = np.floor(places + 0.5).astype(np.int64)
        outside = ((pixels < 0) | (pixels >= self.shape)).any(axis=1)
        if outside.any():
            row, column = places[outside][0]
            raise ValueError(
                f"The click at row {row:g}, column {column:g} lies outside of the "
                f"{self.shape[0]}x{self.shape[1]} picture."
            )
        numbers = numbers.astype(np.int64)
        if (numbers < 0).any() or not (numbers > 0).any():
            raise ValueError(
                "Labels must be 1 or more for objects and 0 for removals, and at least "
                "one click must add to an object; click on the object first."
            )
        for pixel in np.unique(pixels, axis=0):
            here = np.unique(numbers[(pixels == pixel).all(axis=1)])
            if len(here) > 1:
                raise ValueError(
                    f"Clicks on the pixel {tuple(pixel.tolist())} contradict each other: "
                    f"labels {here.tolist()}. Remove all but one of them."
                )
        return pixels, numbers

    def _checked_levels(
        self, levels: Sequence[int] | None, count: int
    ) -> tuple[int, ...]:
        given = [] if levels is None else wholes(levels, "levels")
        steps = tuple(given) or (0,) * count
        if len(steps) != count:
            raise ValueError(
                f"levels has {len(steps)} numbers for {count} objects; one each is needed."
            )
        return steps


class _Clicks(NamedTuple):
    """Clicks of one answer."""

    places: NDArray[np.int64]
    numbers: NDArray[np.int64]
    names: list[str]
    prompts: Prompts


def _pin(
    alphas: FloatArray, places: NDArray[np.int64], layers: NDArray[np.int64]
) -> None:
    """Give each click's own pixel to its layer where another one won it."""
    for (row, column), layer in zip(places, layers, strict=True):
        if alphas[layer, row, column] <= 0.5:
            alphas[:, row, column] = 0
            alphas[layer, row, column] = 1
