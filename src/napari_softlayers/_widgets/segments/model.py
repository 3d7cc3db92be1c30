"""A set of soft segments while it is edited: level, split, merge, names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_softlayers._api import cut, soft_segments
from napari_softlayers._bridge import Picture
from napari_softlayers._bridge.pictures import check_unchanged
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.run import Run
from napari_softlayers._recipes import Recipe
from napari_softlayers._recipes.options import Preparation
from napari_softlayers._segmenter import Segmenter

from ..parts.picture_request import PictureRequest

if TYPE_CHECKING:
    from napari_softlayers._core.segments import MergeTree


MOST_LAYERS = 15
Group = tuple[int, ...]


@dataclass(frozen=True)
class SegmentsModel:
    """Layers of a picture, and the parts that each one joins.

    Every change starts from the parts again, so that its recipe is never longer than a
    cut, a merge and names.

    ``parts``: of `soft_segments` or `cut`, as they were: with the tree and its state.
    ``layers``: the same merged and named. ``groups`` list of tuple of int: the parts of
    every layer: nodes of the tree, or numbers of the layers of ``parts`` where they did
    not come from the tree. ``names``: names that the user gave, by group.
    """

    parts: SoftLayers
    layers: SoftLayers
    picture: Picture
    groups: list[Group]
    names: Mapping[Group, str]

    @classmethod
    def of(
        cls,
        parts: SoftLayers,
        picture: Picture,
        groups: Sequence[Group] | None = None,
        names: Mapping[Group, str] | None = None,
    ) -> SegmentsModel:
        """Join parts, each on its own by default; known groups keep their names."""
        tree, names = tree_of(parts), dict(names or {})
        order = list(range(len(parts)) if tree is None else parts.extras["nodes"])
        rows = {
            group: [order.index(part) for part in group]
            for group in groups or [(part,) for part in order]
        }
        ordered = sorted(rows, key=lambda group: min(rows[group]))
        joined = [rows[group] for group in ordered if len(group) > 1]
        layers = parts.merge(joined) if joined else parts
        model = cls(parts, layers, picture, ordered, names)
        return model if model.own_names == layers.names else model._named()

    @property
    def own_names(self) -> list[str]:
        """The user's names, and numbers for the other layers."""
        return [
            self.names.get(group, f"segment {number}")
            for number, group in enumerate(self.groups, 1)
        ]

    @property
    def tree(self) -> MergeTree | None:
        """The merge tree; None where the layers did not come from it."""
        return tree_of(self.parts)

    @property
    def most(self) -> int:
        """The largest number of layers that the tree has."""
        leaves = 2 if self.tree is None else self.tree.leaf_count
        return max(2, min(MOST_LAYERS, leaves))

    @property
    def edited(self) -> bool:
        """Whether the layers are no longer a plain level of the tree."""
        chosen = any("nodes" in edit.arguments for edit in self.parts.edits)
        return chosen or len(self.groups) < len(self.parts)

    def level(self, count: int, run: Run | None = None) -> SegmentsModel:
        """The tree's own level with so many layers."""
        self._check()
        parts = cut(self.parts, count, run=run)
        return self.of(parts, self.picture, names=self.names)

    def can_split(self, index: int) -> bool:
        """Tell whether a layer can be taken apart."""
        return index < len(self.groups) and bool(self._smaller(self.groups[index]))

    def split(self, index: int, run: Run | None = None) -> SegmentsModel:
        """Take a layer apart: a merged one into its parts, a node into its children.

        Raises ValueError when the layer has no parts.
        """
        self._check()
        group = self.groups[index]
        smaller = self._smaller(group)
        if not smaller:
            raise ValueError(
                f"'{self.layers.names[index]}' has no smaller parts; choose another one."
            )
        groups = [*self.groups, *((part,) for part in smaller)]
        groups.remove(group)
        parts = self.parts
        if len(group) == 1:
            nodes = sorted(node for one in groups for node in one)
            parts = cut(parts, nodes=nodes, run=run)
        return self.of(parts, self.picture, groups, self.names)

    def merge(self, chosen: Sequence[int]) -> SegmentsModel:
        """Join layers into one.

        Raises ValueError when fewer than two were chosen, or all of them.
        """
        self._check()
        rows = set(chosen)
        if not 1 < len(rows) < len(self.groups):
            raise ValueError(
                f"{len(rows)} of {len(self.groups)} layers are selected; select two or "
                "more, but not all, to merge them."
            )
        joined = tuple(sorted(part for row in rows for part in self.groups[row]))
        rest = [group for i, group in enumerate(self.groups) if i not in rows]
        return self.of(self.parts, self.picture, [*rest, joined], self.names)

    def renamed(self, index: int, name: str) -> SegmentsModel:
        """Give a layer a name that it keeps while its part of the tree is shown."""
        names = {**self.names, self.groups[index]: name}
        return replace(self, names=names)._named()

    def _named(self) -> SegmentsModel:
        """The same with its own names, which are the last edit."""
        layers, edits = self.layers, self.layers.edits
        if edits and edits[-1].name == "renamed":
            layers = replace(layers, edits=edits[:-1])
        return replace(self, layers=layers.renamed(self.own_names))

    def _smaller(self, group: Group) -> Group:
        """What a layer can be taken apart into; nothing where it cannot."""
        if len(group) > 1:
            return group
        return (self.tree and self.tree.children(group[0])) or ()

    def _check(self) -> None:
        check_unchanged(self.picture, "its segments had been computed; press Compute")


def tree_of(layers: SoftLayers) -> MergeTree | None:
    """The merge tree that layers are nodes of; None where they are not."""
    nodes = layers.extras.get("nodes")
    tree: MergeTree = layers.extras["tree"]
    return None if nodes is None or None in nodes else tree


@dataclass(frozen=True)
class SegmentsRequest(PictureRequest):
    """Settings of the dock at one moment.

    ``features`` is a name, an image layer or None; ``options`` those of `Segments`.
    """

    features: Any
    superpixels: Any
    cache_bytes: int
    options: dict[str, Any]

    def solve(self, run: Run, _post: Callable[[Any], None]) -> SegmentsModel:
        """Compute the layers."""
        given = self._given(run)
        layers, picture = soft_segments(**given, **self.options), given["image"]
        check_unchanged(picture, "the computation had begun; press Compute")
        return SegmentsModel.of(layers, picture)

    def segmenter(self, run: Run) -> Segmenter:
        """Make a picture ready for clicks."""
        slow = {name: self.options[name] for name in Preparation.shown()}
        return Segmenter(**self._given(run), **slow)

    def _given(self, run: Run) -> dict[str, Any]:
        """Read the picture; what it is computed from."""
        from napari_softlayers._core import segments

        segments.CACHE.limit = self.cache_bytes
        picture = self.picture()
        run.check()
        return {
            "image": picture,
            "features": self.features,
            "superpixels": self.superpixels,
            "device": self.device,
            "run": run,
        }

    def recipe(self) -> Recipe:
        """What `solve` would do."""
        own = {} if self.superpixels is None else {"superpixels": self.superpixels}
        inputs = {"features": self.features} | own
        return self.recipe_of(inputs, kind="segments", options=self.options)
