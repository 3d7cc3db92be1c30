"""The options of every method: name, title, range, choices, default and help, once.

The docks' drawers, the command line, "Copy as code", the record in the layers and
`rerun` are made from these models. A new option of a method is one line here and a
parameter of the method's function.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

Color = tuple[float, float, float]
HIDDEN = "for scripts"
"""Marks an option that has no control in the docks."""


class Options(BaseModel):
    """What a method can be told; every field is a keyword of its function."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        """NumPy's values as Python's; no text, and no bool, is a number."""
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        value = value.tolist() if hasattr(value, "tolist") else value
        kind = cls.model_fields[str(info.field_name)].annotation
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        wrong = kind in (int, float) and not number or kind is str and value is None
        if wrong or kind is bool and not isinstance(value, bool):
            raise ValueError("another type")
        return value

    def changed(self) -> dict[str, Any]:
        """Those that differ from their defaults."""
        return self.model_dump(exclude_defaults=True)

    @classmethod
    def shown(cls) -> list[str]:
        """Names of those that the docks and the command line show."""
        fields = cls.model_fields.items()
        return [name for name, field in fields if HIDDEN not in field.metadata]


Tolerance = Annotated[float, Field(gt=0, le=1, title="Solver tolerance"), HIDDEN]
Iterations = Annotated[int, Field(ge=1, title="Solver steps"), HIDDEN]
Weights = Annotated[str, Field(title="Weights"), HIDDEN]


def option(
    default: Any, title: str, description: str, choices: list[Any] | None = None
) -> Any:
    """An option; ``choices`` where not all that its type allows are offered."""
    extra: Any = {"choices": choices} if choices else None
    return Field(default, title=title, description=description, json_schema_extra=extra)


def ranged(default: Any, low: float, high: float, title: str, description: str) -> Any:
    """A number with a range."""
    return Field(default, ge=low, le=high, title=title, description=description)


SEED = ranged(0, 0, 2**31 - 1, "Seed", "The same seed gives the same result")


class ClosedForm(Options):
    """Exact and fastest"""

    eps: Annotated[float, Field(gt=0, title="Window regularisation"), HIDDEN] = 1e-7
    solver_tolerance: Tolerance = 1e-4
    max_iterations: Iterations = 2000


class Knn(Options):
    """Also gathers colours from far away"""

    neighbours: Annotated[tuple[Annotated[int, Field(ge=1)], ...], HIDDEN] = (20, 10)
    position_weights: Annotated[tuple[Annotated[float, Field(ge=0)], ...], HIDDEN] = (
        2.0,
        0.1,
    )
    solver_tolerance: Tolerance = 1e-5
    max_iterations: Iterations = 2000


class InformationFlow(Options):
    """Sharpest in hair and fur"""

    transparent: bool | Literal["auto"] = option(
        "auto",
        "Transparent",
        "For glass, smoke, veils: known colours are not trusted then",
        ["auto", True, False],
    )
    solver_tolerance: Tolerance = 1e-4
    max_iterations: Iterations = 3000


class Auto(Options):
    """Forgives wrong labels, wide bands and scribbles"""

    solver: Literal["closed_form", "information_flow"] = option(
        "closed_form", "Solver", "What solves for the layers in the end"
    )
    tolerance: int = ranged(
        0, 0, 200, "Tolerance", "By how many pixels painted boundaries may be off"
    )
    weights: Weights = "shipped"


class AdaMatting(Options):
    """A network that corrects the trimap"""

    weights: Weights = "adamatting"


class DeepPropagation(Options):
    """A network's affinities"""

    weights: Weights = "deep_propagation"


MATTES: dict[str, type[Options]] = {
    "closed_form": ClosedForm,
    "knn": Knn,
    "information_flow": InformationFlow,
    "auto": Auto,
    "adamatting": AdaMatting,
    "deep_propagation": DeepPropagation,
}


class Preparation(Options):
    """The slow steps behind segments and clicks."""

    quality: Literal["fast", "exact"] = option("fast", "Quality", "exact takes minutes")
    color_affinity: bool = option(
        True, "Colour affinity", "Join like colours nearby (Eq. 4)"
    )
    semantic_affinity: bool = option(
        True, "Semantic affinity", "Join like objects (Eq. 5)"
    )
    normalised: bool = option(False, "Normalised Laplacian", "Eq. 3 of the paper")
    affinity_weight: float = ranged(
        0.01, 0, 0.1, "Affinity weight", "Of both affinities in the Laplacian"
    )
    color_radius: float = ranged(
        0.2,
        0,
        1.5,
        "Colour radius",
        "Reach of the colour affinity, a fraction of the picture",
    )
    semantic_threshold: float = ranged(
        0.15,
        0,
        2,
        "Semantic threshold",
        "Feature distance where the semantic affinity turns negative",
    )
    n_eigenvectors: int = ranged(100, 10, 200, "Eigenvectors", "Size of the subspace")
    n_clusters: int = ranged(40, 2, 100, "First layers", "Layers before the grouping")
    seed: int = SEED


class Segments(Preparation):
    """Soft segments."""

    n_segments: Annotated[int | Literal["auto"], HIDDEN] = option(
        "auto", "Segments", "Number of layers, 2 to 15; auto decides by the picture"
    )
    grouping: Literal["tree", "kmeans"] = option(
        "tree", "Grouping", "How first layers join"
    )


class Clicks(Preparation):
    """Objects from clicks."""

    points: Annotated[list[tuple[int, int]], HIDDEN] = []
    labels: Annotated[list[int], HIDDEN] = []
    levels: Annotated[list[int], HIDDEN] = []


class Palette(Options):
    """Palette layers."""

    palette: Annotated[int | Literal["auto"] | list[Color], HIDDEN] = option(
        6, "Colours", "2 to 12, or auto, or the colours"
    )
    method: Literal["mixture", "lookup", "network"] = option(
        "mixture",
        "Method",
        "mixture: up to three colours a pixel, exact; network: trained",
        ["mixture", "network"],  # lookup is for previews
    )
    selection: Literal["kmeans", "hull"] = option(
        "kmeans",
        "Selection",
        "How colours are chosen: common ones, or the corners of the colour hull",
    )
    smoothing: float = ranged(
        1.0, 0, 10, "Smoothing", "Of the alphas along the picture's edges; 0 is off"
    )
    locked: Annotated[list[Color] | None, HIDDEN] = None
    weights: Annotated[str | None, HIDDEN] = None
    seed: int = SEED


KINDS: dict[str, type[Options]] = {
    "segments": Segments,
    "clicks": Clicks,
    "palette": Palette,
}


def options_of(kind: str, method: str = "") -> type[Options]:
    """The model of a kind of result ("matte" has one a method); ValueError for others."""
    model = MATTES.get(method) if kind == "matte" else KINDS.get(kind)
    if model is None:
        known = ", ".join([*KINDS, *(f"matte {name}" for name in MATTES)])
        raise ValueError(
            f"There is no recipe for '{kind} {method}'; known are {known}."
        )
    return model


def checked(
    model: type[Options],
    options: dict[str, Any],
    what: str,
    besides: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Options that a user gave, as plain values in their ranges.

    ``what``: what has the options, for messages. ``besides``: names of options that are
    passed on as they are. Raises TypeError when there is no such option, ValueError
    when a value does not fit; the message says what would.
    """
    own = {name: value for name, value in options.items() if name not in besides}
    unknown = [name for name in own if name not in model.model_fields]
    if unknown:
        raise TypeError(
            f"{what} has no parameter {', '.join(unknown)}; it has "
            f"{', '.join(dict.fromkeys([*model.model_fields, *besides]))}."
        )
    try:
        values = model(**own)
    except ValidationError as error:
        name, needed = refusal(model, error)
        raise ValueError(f"{name}={options[name]!r} came; {needed}.") from error
    return options | {name: getattr(values, name) for name in own}


def refusal(model: type[Options], error: ValidationError) -> tuple[str, str]:
    """The first option that a model refused, and what it takes, in words."""
    name = str(error.errors()[0]["loc"][0])
    field = model.model_fields.get(name)
    return name, "there is no such option" if field is None else _needed(field)


def _needed(field: FieldInfo) -> str:
    """What an option takes, in words."""
    kinds = {int: "a whole number", float: "a number", bool: "True or False"}
    if get_origin(field.annotation) is Literal:
        return f"use one of {', '.join(map(str, get_args(field.annotation)))}"
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "choices" in extra:
        return f"use one of {extra['choices']}"
    if field.annotation in (str, str | None):
        return "a name or the path of a file is needed"
    if field.annotation not in kinds:
        return f"something such as {field.default!r} is needed"
    words = kinds[field.annotation]
    for sign, name in (("above", "gt"), ("from", "ge"), ("to", "le")):
        for mark in field.metadata:
            if getattr(mark, name, None) is not None:
                words += f" {sign} {getattr(mark, name)}"
    return f"{words} is needed"
