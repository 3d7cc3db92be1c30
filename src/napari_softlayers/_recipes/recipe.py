"""How a result was made: method, options, inputs, frame and edits, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_softlayers._core.layers.edit import Edit
from napari_softlayers._core.layers.soft_layers import SoftLayers

from .options import Options, options_of, refusal

FORMAT = 2
"""Version 0.1 had no recipes, only a dictionary of parameters: format 1."""
CHANGED = "It was written by another version or changed; compute anew."


class Model(BaseModel):
    """Plain values, checked on the way in."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(Model):
    """Something that a result was made from.

    ``name`` and ``id`` are those of a napari layer, ``digest`` tells its content from any
    other; ``value`` is what is no layer: a name of features, None, "array".
    """

    name: str | None = None
    id: str | None = None
    digest: str | None = None
    value: str | None = None


class Look(Model):
    """How a layer's values become the picture on the screen."""

    limits: tuple[float, float] | None = None
    gamma: float = 1.0
    colormap: str | None = None


class Frame(Model):
    """Which picture of a layer or array was taken; ``every``: all of a stack."""

    step: tuple[int, ...] | None = None
    channels: tuple[int, ...] | None = None
    level: int = 0
    nan: str = "refuse"
    look: Look | None = None
    every: bool = False


EDITS: dict[str, tuple[str, ...]] = {
    "adjust": ("index", "exposure", "saturation", "hue", "blur"),
    "cut": ("n_segments", "nodes", "grouping"),
    "duplicate": ("index",),
    "feather": ("index", "radius"),
    "merge": ("groups",),
    "merge_nodes": ("groups",),  # version 0.1 noted nodes of the tree
    "recolor": ("palette",),
    "renamed": ("names",),
    "reordered": ("order",),
    "split_by": ("segments",),
    "stored": ("dtype",),
    "subset": ("layers",),
}
"""Edits that a recipe may name, and their arguments: nothing else is run or copied."""


def check_edit(edit: Edit) -> None:
    """Refuse what is no edit: recipes come with files of others, too."""
    known = EDITS.get(edit.name)
    if known is None:
        raise ValueError(
            f"The recipe names the edit {edit.name!r}; known are {', '.join(EDITS)}. "
            f"{CHANGED}"
        )
    wrong = set(edit.arguments) - set(known)
    if wrong or (known[0] not in edit.arguments and edit.name != "cut"):
        raise ValueError(
            f"The recipe's edit {edit.name!r} has the arguments "
            f"{', '.join(map(repr, edit.arguments)) or 'none'}; {', '.join(known)} "
            f"are needed. {CHANGED}"
        )


InputName = Annotated[str, Field(pattern="^(image|trimap|features|superpixels)$")]


class Recipe(Model):
    """Everything that it takes to make a result again.

    ``kind`` {"matte", "segments", "clicks", "palette"}. ``method``: of a matte.
    ``options``: checked by the model of the kind; complete. ``inputs`` dict of str to
    Input: "image", and "trimap", "features", "superpixels". ``live``: whether it came
    from the live mode, which builds on all strokes before.
    """

    format: int = FORMAT
    kind: str
    method: str = ""
    device: str = "auto"
    options: dict[str, Any] = Field(default_factory=dict)
    inputs: dict[InputName, Input] = Field(default_factory=dict)
    frame: Frame = Frame()
    edits: tuple[Edit, ...] = ()
    live: bool = False

    def input(self, name: str) -> Input:
        """One of the inputs. Raises ValueError when the recipe does not name it."""
        if name not in self.inputs:
            raise ValueError(
                f"The recipe of this {self.kind} result names no {name}. {CHANGED}"
            )
        return self.inputs[name]

    def model_options(self) -> Options:
        """The options. Raises ValueError when they do not fit the kind or the method."""
        model = options_of(self.kind, self.method)
        try:
            return model(**self.options)
        except ValidationError as error:
            name, needed = refusal(model, error)
            raise ValueError(
                f"The recipe of this {self.kind} result says {name}="
                f"{self.options.get(name)!r}; {needed}. {CHANGED}"
            ) from error

    def with_edits(self, edits: Iterable[Edit]) -> Recipe:
        """The recipe of a result after edits."""
        return self.model_copy(update={"edits": tuple(edits)})

    def plain(self) -> dict[str, Any]:
        """As JSON has it, without what is usual."""
        return self.model_dump(mode="json", exclude_defaults=True) | {"format": FORMAT}


def recipe_of(layers: SoftLayers) -> Recipe | None:
    """The whole recipe of layers, edits included; None when they have none."""
    recipe: Recipe | None = layers.recipe
    return None if recipe is None else recipe.with_edits(layers.edits)


def with_recipe(layers: SoftLayers, recipe: Recipe | None) -> SoftLayers:
    """Layers that know a whole recipe, edits included."""
    if recipe is None:
        return layers
    return replace(layers, recipe=recipe.with_edits(()), edits=recipe.edits)


def read_recipe(values: Any) -> Recipe | None:
    """A recipe from a file or from a layer's metadata; None when it makes no sense."""
    if isinstance(values, Recipe):
        return values
    if not isinstance(values, dict) or values.get("format", 0) != FORMAT:
        return None
    try:
        return Recipe.model_validate(values)
    except ValidationError:
        return None
