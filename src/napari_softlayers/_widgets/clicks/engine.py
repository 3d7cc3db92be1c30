"""The `Segmenter` as the click mode needs it."""

from __future__ import annotations

import numpy as np

from napari_softlayers._bridge import Grid
from napari_softlayers._bridge.pictures import check_unchanged
from napari_softlayers._bridge.prompts import Prompts
from napari_softlayers._core.layers.soft_layers import Edit, SoftLayers
from napari_softlayers._core.run import Run
from napari_softlayers._recipes import Recipe
from napari_softlayers._segmenter import Segmenter


class ClickEngine:
    """A picture of a layer that is ready for clicks."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.picture = segmenter.picture
        self._answered: object = None
        self._refined: tuple[object, SoftLayers] | None = None

    @property
    def grid(self) -> Grid:
        """The picture's pixels in the world."""
        return self.picture.grid or Grid(self.picture.layer, self.picture.shape)

    def quick(self, prompts: Prompts, grown: tuple[int, ...], run: Run) -> SoftLayers:
        """Answer clicks at once, perhaps at a smaller size: rest first, then objects.

        ``grown``: steps of the merge tree that each object was grown (or shrunk) by.
        Raises ChangedError when the image holds another picture by now.
        """
        run.check()
        self._check()
        self._answered = None
        layers = self.segmenter.click(prompts.points, prompts.labels, levels=grown)
        self._answered = (prompts.key, grown)
        return layers

    def fine(self, prompts: Prompts, grown: tuple[int, ...], run: Run) -> SoftLayers:
        """Answer clicks with the matte at the picture's size, named as the user counts."""
        key, names = (prompts.key, grown), names_of(prompts)
        if self._refined is not None and self._refined[0] == key:
            self._check()
            layers = self._refined[1]
        else:
            if self._answered != key:
                self.quick(prompts, grown, run)
            layers = self.segmenter.refine(run=run)
            self._refined = key, layers
        return layers if names == layers.names else layers.renamed(names)

    def _check(self) -> None:
        check_unchanged(
            self.picture, "it had been prepared for clicks; switch Click on"
        )

    def level_range(self, prompts: Prompts, number: int) -> tuple[int, int]:
        """How far an object can shrink (0 or less) and grow (0 or more)."""
        label = prompts.label_of(number)
        if label is None:
            return 0, 0
        first = int(np.argmax(prompts.labels == label))
        return self.segmenter.levels_at(prompts.points[first])

    def recipe(self, prompts: Prompts, grown: tuple[int, ...]) -> Recipe:
        """How the objects of some clicks are made."""
        recipe = self.segmenter.recipe
        clicks = {
            "points": np.floor(prompts.points + 0.5).astype(int).tolist(),
            "labels": prompts.labels.tolist(),
            "levels": list(grown),
        }
        gaps = prompts.objects != tuple(range(1, len(prompts.objects) + 1))
        edits = [Edit("renamed", {"names": names_of(prompts)})] if gaps else []
        options = recipe.options | clicks
        return recipe.model_copy(update={"options": options}).with_edits(edits)


def names_of(prompts: Prompts) -> list[str]:
    """Names of the rest and of the objects, which the user counts with gaps."""
    return ["rest", *(f"object {number}" for number in prompts.objects)]
