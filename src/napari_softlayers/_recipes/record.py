"""What layers of the plugin carry in their metadata and in files, typed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from napari_softlayers._core.layers.edit import Adjustment
from napari_softlayers._core.version import VERSION

from .migrate import recipe_from_parameters
from .recipe import Recipe, read_recipe

KEY = "napari-softlayers"
FORMAT = 2
"""Format 1 is version 0.1's."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ResultRecord(_Model):
    """What a layer of a result says of itself.

    ``run``: one text for all layers of a set. ``index``: 0 is the bottom. ``name``: as
    the method gave it. ``source``, ``source_id``: name and id of the image. ``plane``:
    index along the image's leading axes; empty for a single picture. ``words``: the
    plane in words, such as "z = 7". ``coverage``: share of the picture. ``color``: the
    mean. ``stack`` {"additive", "normal"}. ``source_visible``: whether the image was
    visible before. ``hidden``: ids of the layers below that were hidden with it.
    ``digest``: of the set's pixels as they were shown.
    """

    format: int = FORMAT
    version: str = VERSION
    kind: str
    run: str
    index: int
    name: str = "layer"
    source: str = ""
    source_id: str = ""
    plane: tuple[int, ...] = ()
    words: str = ""
    coverage: float = 0.0
    color: tuple[float, float, float] = (0.5, 0.5, 0.5)
    stack: str = "additive"
    source_visible: bool = True
    hidden: tuple[str, ...] = ()
    digest: str = ""
    recipe: Recipe | None = None
    adjust: Adjustment | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_any_version(cls, values: Any) -> Any:
        """Read what version 0.1 wrote; a recipe that makes no sense is none."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        if "params" in values:
            values["recipe"] = recipe_from_parameters(
                str(values.get("kind")),
                values.pop("params"),
                str(values.get("source", "")),
                str(values.get("source_id", "")),
            )
        values["recipe"] = read_recipe(values.get("recipe"))
        return values

    @property
    def full_name(self) -> str:
        """Name of the layer in the viewer."""
        return f"{self.source} · {self.name}" if self.source else self.name

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        values = self.model_dump(mode="json", exclude={"recipe"})
        return values | {"recipe": self.recipe.plain() if self.recipe else None}

    def changed(self, **values: Any) -> ResultRecord:
        """The record with some fields changed."""
        return self.model_copy(update=values)


class HelperRecord(_Model):
    """What a layer that only helps says of itself: a preview, prompts, an overlay."""

    kind: str
    source_id: str = ""
    what: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return self.model_dump(exclude_defaults=True) | {"kind": self.kind}


def read_record(values: Any) -> ResultRecord | None:
    """A result's record from plain values of any version; None when it makes no sense."""
    try:
        return ResultRecord.model_validate(values)
    except ValidationError:
        return None


def read_helper(values: Any) -> HelperRecord | None:
    """A helper layer's record from plain values; None for results and for nonsense."""
    if read_record(values) is not None:
        return None
    try:
        return HelperRecord.model_validate(values)
    except ValidationError:
        return None
