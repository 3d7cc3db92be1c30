"""A recipe as text for the console: a call that gives the same result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_softlayers._core.layers.edit import Edit

from .recipe import Input, Recipe, check_edit, read_recipe

CALLS = {
    "matte": "matte",
    "segments": "soft_segments",
    "clicks": "Segmenter",
    "palette": "palette_layers",
}
FIRST = {"segments": "n_segments", "palette": "palette"}
FRAME = {"step", "channels", "level", "nan"}
CLICKS = ("points", "labels", "levels")

Namer = Callable[[Input], str]


def code_of(
    recipe: Recipe, name_of: Namer | None = None, dtype: str | None = None
) -> str:
    """Lines for napari's console that make the result of a recipe and show it.

    ``name_of``: gives the present name of an input's layer; the noted one by default.
    ``dtype``: of the layers that are shown; the picture's by default.
    """
    namer = name_of or (lambda given: given.name or "")
    lines = ["import napari_softlayers as nsl", ""]
    picture = _layer("image", recipe.input("image"), namer, lines)
    lines.append(f"picture = {picture}")
    lines += _call(recipe, namer, "layers")
    shown_as = "" if dtype is None else f", dtype={dtype!r}"
    lines.append(f"layers.to_napari(viewer{shown_as})")
    return "\n".join(lines) + "\n"


def _call(recipe: Recipe, namer: Namer, target: str) -> list[str]:
    """The call and the edits after it."""
    model = recipe.model_options()
    options = model.changed()
    clicks = {name: options.pop(name) for name in CLICKS if name in options}
    parts, lines = ["picture"], list[str]()
    if recipe.kind == "matte":
        parts.append(_layer("trimap", recipe.input("trimap"), namer, lines))
        parts.append(repr(recipe.method))
    if recipe.kind in FIRST:
        name = FIRST[recipe.kind]
        options.pop(name, None)
        parts.append(repr(_plain(getattr(model, name))))
    for name in ("features", "superpixels"):
        given = recipe.inputs.get(name)
        if given is not None and (given.name or given.value != "bundled"):
            parts.append(f"{name}={_layer(name, given, namer, lines)}")
    parts += [f"{name}={_plain(value)!r}" for name, value in options.items()]
    read = recipe.frame.model_dump(include=FRAME, exclude_defaults=True)
    read |= recipe.model_dump(include={"device"}, exclude_defaults=True)
    parts += [f"{name}={value!r}" for name, value in read.items() if value != ()]
    name = "palette_stack" if recipe.frame.every else CALLS[recipe.kind]
    call = f"nsl.{name}({', '.join(parts)})"
    if recipe.kind != "clicks":
        lines.append(f"{target} = {call}")
    else:
        made = [repr(_plain(clicks[name])) for name in CLICKS if name in clicks]
        lines += [
            f"segmenter = {call}",
            f"segmenter.click({', '.join(made)})",
            f"{target} = segmenter.refine()",
        ]
    for edit in recipe.edits:
        lines += _edit(edit, namer, target)
    return lines


def _layer(what: str, given: Input, namer: Namer, lines: list[str]) -> str:
    """An input as an expression; of an array, a name that must be put in, said before."""
    if given.name is None and (what != "features" or given.value == "array"):
        lines.append(f"# The {what} was an array, which is not kept: put it in below.")
        return f"your_{what}"
    if given.name is None:
        return repr(given.value)
    return f"viewer.layers[{namer(given)!r}]"


def _edit(edit: Edit, namer: Namer, target: str) -> list[str]:
    check_edit(edit)
    if edit.name == "merge_nodes":
        groups = _plain(edit.arguments["groups"])
        return [
            f"at = {target}.extras['nodes'].index",
            f"{target} = {target}.merge([[at(n) for n in g] for g in {groups!r}])",
        ]
    if edit.name == "split_by":
        segments = read_recipe(edit.arguments["segments"])
        if segments is None:
            raise ValueError("The recipe of the segments cannot be read; compute anew.")
        lines = _call(segments, namer, "segments")
        return [*lines, f"{target} = segments.intersect({target})"]
    arguments = ", ".join(f"{k}={_plain(v)!r}" for k, v in edit.arguments.items())
    if edit.name == "cut":
        return [f"{target} = nsl.cut({target}, {arguments})"]
    return [f"{target} = {target}.{edit.name}({arguments})"]


def _plain(value: Any) -> Any:
    """Tuples of colours and points as lists: shorter to read."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
