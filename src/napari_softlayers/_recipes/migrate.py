"""Results of version 0.1: its dictionary of parameters -> a recipe."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from napari_softlayers._core.layers.edit import Edit

from .options import options_of
from .recipe import Frame, Input, Look, Recipe

LAYERS = ("trimap", "superpixels")
EDITS = {
    "nodes": ("cut", "nodes"),
    "merged": ("merge_nodes", "groups"),
    "order": ("reordered", "order"),
    "recolored": ("recolor", "palette"),
}
"""What version 0.1 noted of edits -> the edit and its argument, in this order."""


def recipe_from_parameters(
    kind: str, parameters: Any, source: str = "", source_id: str = ""
) -> Recipe | None:
    """A recipe from what version 0.1 noted; None when that says too little.

    ``parameters``: of the record of a layer, or of a file. ``source``, ``source_id``:
    name and id of the image, where they are known.
    """
    if not isinstance(parameters, dict):
        return None
    values = dict(parameters)
    try:
        if "segments" in values and "palette" in values and kind == "palette":
            return _split(values, source, source_id)
        return _plain(kind, values, source, source_id)
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _plain(kind: str, values: dict[str, Any], source: str, source_id: str) -> Recipe:
    edits = _edits(values)
    method = str(values.pop("method", "")) if kind == "matte" else ""
    frame = _frame(values)
    inputs = {"image": Input(name=source or None, id=source_id or None)}
    inputs |= _inputs(kind, values)
    if kind == "segments" and values.get("n_segments") is None:
        values["n_segments"] = "auto"
    model = options_of(kind, method)
    options = {name: values[name] for name in model.model_fields if name in values}
    return Recipe(
        kind=kind,
        method=method,
        device=str(values.get("device", "auto")),
        options=model(**options).model_dump(),
        inputs=inputs,
        frame=frame,
        edits=tuple(edits),
        live=bool(values.get("live", False)),
    )


def _edits(values: dict[str, Any]) -> list[Edit]:
    """What was done after computing, as far as version 0.1 noted it."""
    noted = {old: values.pop(old, None) for old in EDITS}
    edits = [
        Edit(name, {argument: list(noted[old])})
        for old, (name, argument) in EDITS.items()
        if noted[old]
    ]
    adjustments = values.pop("adjustments", None) or {}
    for name, numbers in adjustments.items():
        edits.append(Edit("adjust", {"index": name} | numbers))
    return edits


def _frame(values: dict[str, Any]) -> Frame:
    limits = values.pop("limits", None)
    return Frame(
        step=values.pop("step", None),
        channels=values.pop("channels", None),
        level=values.pop("level", 0),
        look=None if limits is None else Look(limits=limits),
    )


def _inputs(kind: str, values: dict[str, Any]) -> dict[str, Input]:
    """Layers by their names: that was all that version 0.1 knew of them."""
    named = {what: values.pop(what, None) for what in LAYERS}
    found = {what: Input(name=str(n)) for what, n in named.items() if n is not None}
    if kind in ("segments", "clicks"):
        found["features"] = Input(value=values.pop("features", None))
    return found


def _split(values: dict[str, Any], source: str, source_id: str) -> Recipe:
    """Palette layers cut up by segments."""
    inner = dict(values["segments"])
    note = inner.pop("stored", None)
    segments = _plain("segments", inner, source, source_id)
    if note is not None:
        stored = Edit("stored", {"dtype": note["dtype"]})
        segments = segments.with_edits([*segments.edits, stored])
    palette = _plain("palette", dict(values["palette"]), source, source_id)
    split = Edit("split_by", {"segments": segments.plain()})
    changed = palette.with_edits([*palette.edits, split, *_edits(values)])
    return changed.model_copy(update={"frame": _frame(values)})
