"""A set of soft segments while it is edited: level, split, merge, names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_softlayers._bridge import Picture
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.run import Run

MOST_LAYERS = 15
Group = tuple[int, ...]


@dataclass
class SegmentsModel:
    """Layers of a picture, and the nodes of the merge tree that each one joins.

    Parameters
    ----------
    layers : SoftLayers
        Of `soft_segments` or `cut`, perhaps merged.
    picture : Picture
    device : str
    groups : list of tuple of int
        Tree nodes of every layer; empty where layers did not come from the tree.
    names : dict
        Names that the user gave, by group.
    edited : bool
        Whether the layers are no longer a plain level of the tree.
    """

    layers: SoftLayers
    picture: Picture
    device: str
    groups: list[Group] = field(default_factory=list)
    names: dict[Group, str] = field(default_factory=dict)
    edited: bool = False

    @classmethod
    def from_layers(
        cls, layers: SoftLayers, picture: Picture, device: str
    ) -> SegmentsModel:
        """Start from the result of `soft_segments`."""
        return cls(layers, picture, device, _groups_of(layers))

    @property
    def most(self) -> int:
        """The largest number of layers that the tree has."""
        tree = self.layers.extras.get("tree")
        return 2 if tree is None else max(2, min(MOST_LAYERS, tree.leaf_count))

    def level(self, count: int, run: Run | None = None) -> SegmentsModel:
        """The tree's own level with so many layers."""
        from napari_softlayers._core.segments import cut

        layers = cut(self.layers, count, device=self.device, run=run)
        return self._with(layers, _groups_of(layers), edited=False)

    def can_split(self, index: int) -> bool:
        """Tell whether a layer can be taken apart."""
        tree = self.layers.extras.get("tree")
        if tree is None or index >= len(self.groups) or not self.groups[index]:
            return False
        group = self.groups[index]
        return len(group) > 1 or tree.children(group[0]) is not None

    def split(self, index: int, run: Run | None = None) -> SegmentsModel:
        """Take a layer apart: a merged one into its parts, a node into its children.

        Raises
        ------
        ValueError
            When the layer has no parts.
        """
        if not self.can_split(index):
            raise ValueError(
                f"'{self.layers.names[index]}' has no smaller parts; choose another one."
            )
        group = self.groups[index]
        parts = group
        if len(group) == 1:
            parts = self.layers.extras["tree"].children(group[0])
        groups = [*self.groups[:index], *((part,) for part in parts)]
        return self._cut([*groups, *self.groups[index + 1 :]], run)

    def merge(self, chosen: Sequence[int]) -> SegmentsModel:
        """Join layers into one.

        Raises
        ------
        ValueError
            When fewer than two were chosen, or all of them.
        """
        if len(set(chosen)) < 2 or len(set(chosen)) >= len(self.layers):
            raise ValueError(
                f"{len(set(chosen))} of {len(self.layers)} layers are selected; select "
                "two or more, but not all, to merge them."
            )
        rows = sorted(set(chosen))
        merged = self.layers.merge([rows])
        merged.extras = dict(self.layers.extras)
        merged.parameters = dict(self.layers.parameters)
        merged.kind = self.layers.kind
        groups = list(self.groups)
        if groups:
            joined = tuple(sorted(node for row in rows for node in groups[row]))
            groups[rows[0]] = joined
            groups = [group for i, group in enumerate(groups) if i not in rows[1:]]
        return self._with(merged, groups, edited=True)

    def rename(self, index: int, name: str) -> None:
        """Give a layer a name that it keeps while its part of the tree is shown."""
        self.layers.names[index] = name
        if self.groups:
            self.names[self.groups[index]] = name

    def code(self) -> str:
        """Calls that lead from the tree's automatic level to these layers."""
        if not self.edited:
            return f"layers = nsl.cut(layers, {len(self.layers)})\n"
        if not self.groups:
            return ""
        nodes = sorted(node for group in self.groups for node in group)
        lines = [f"layers = nsl.cut(layers, nodes={nodes})"]
        merged = [list(group) for group in self.groups if len(group) > 1]
        if merged:
            lines.append("at = layers.extras['nodes'].index")
            lines.append(
                f"layers = layers.merge([[at(n) for n in g] for g in {merged}])"
            )
        return "\n".join(lines) + "\n"

    def _cut(self, groups: list[Group], run: Run | None) -> SegmentsModel:
        """Layers of the given groups of nodes."""
        from napari_softlayers._core.segments import cut

        nodes = sorted(node for group in groups for node in group)
        layers = cut(self.layers, nodes=nodes, device=self.device, run=run)
        order: list[Any] = list(layers.extras["nodes"])
        extras, parameters = layers.extras, layers.parameters
        together = [[order.index(node) for node in group] for group in groups]
        ordered = sorted(
            zip(together, groups, strict=True), key=lambda pair: min(pair[0])
        )
        joined = [rows for rows, _ in ordered if len(rows) > 1]
        if joined:
            layers = layers.merge(joined)
            layers.extras, layers.parameters = extras, parameters
        return self._with(layers, [group for _, group in ordered], edited=True)

    def _with(
        self, layers: SoftLayers, groups: list[Group], edited: bool
    ) -> SegmentsModel:
        """The same picture with other layers; known parts keep their names."""
        layers.parameters.pop("merged", None)
        if edited and groups:
            layers.parameters["nodes"] = sorted(n for group in groups for n in group)
            layers.parameters["n_segments"] = None
            merged = [list(group) for group in groups if len(group) > 1]
            if merged:
                layers.parameters["merged"] = merged
        if groups:
            own = [self.names.get(group) for group in groups]
            layers.names = [
                name or f"segment {index + 1}" for index, name in enumerate(own)
            ]
        return SegmentsModel(
            layers, self.picture, self.device, groups, dict(self.names), edited
        )


def _groups_of(layers: SoftLayers) -> list[Group]:
    """One node a layer, where the layers came from the tree."""
    nodes = layers.extras.get("nodes")
    if nodes is None or any(node is None for node in nodes):
        return []
    return [(int(node),) for node in nodes]
