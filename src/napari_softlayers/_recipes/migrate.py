"""Results of version 0.1: its dictionary of parameters -> a recipe."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from .options import options_of
from .recipe import EditNote, Frame, Input, Look, Recipe

LAYERS = ("trimap", "superpixels")


def recipe_from_parameters(
    kind: str, parameters: Any, source: str = "", source_id: str = ""
) -> Recipe | None:
    """A recipe from what version 0.1 noted.

    ``parameters``: of the record of a layer, or of a file. ``source``, ``source_id``:
    name and id of the image, where they are known. Returns Recipe or None: None when it
    cannot be read or says too little.
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
    device = str(values.pop("device", "auto"))
    live = bool(values.pop("live", False))
    if kind == "segments" and values.get("n_segments") is None:
        values["n_segments"] = "auto"
    known = options_of(kind, method).model_fields
    options = {name: value for name, value in values.items() if name in known}
    return Recipe(
        kind=kind,
        method=method,
        device=device,
        options=options_of(kind, method)(**options).model_dump(),
        inputs=inputs,
        frame=frame,
        edits=tuple(edits),
        live=live,
    )


def _edits(values: dict[str, Any]) -> list[EditNote]:
    """What was done after computing, as far as version 0.1 noted it."""
    nodes, merged = values.pop("nodes", None), values.pop("merged", None)
    edits = []
    if nodes is not None:
        edits.append(EditNote(name="cut", arguments={"nodes": list(nodes)}))
    if merged:
        edits.append(EditNote(name="merge_nodes", arguments={"groups": merged}))
    recolored = values.pop("recolored", None)
    if recolored is not None:
        edits.append(EditNote(name="recolor", arguments={"palette": recolored}))
    adjustments = values.pop("adjustments", None) or {}
    for name, numbers in adjustments.items():
        edits.append(EditNote(name="adjust", arguments={"index": name} | numbers))
    return edits


def _frame(values: dict[str, Any]) -> Frame:
    step, channels = values.pop("step", None), values.pop("channels", None)
    limits = values.pop("limits", None)
    return Frame(
        step=None if step is None else tuple(step),
        channels=None if channels is None else tuple(channels),
        level=values.pop("level", 0),
        look=None if limits is None else Look(limits=tuple(limits)),
    )


def _inputs(kind: str, values: dict[str, Any]) -> dict[str, Input]:
    """Layers by their names: that was all that version 0.1 knew of them."""
    found = {}
    for what in LAYERS:
        name = values.pop(what, None)
        if name is not None:
            found[what] = Input(name=str(name))
    if kind in ("segments", "clicks"):
        features = values.pop("features", None)
        found["features"] = Input(value=features)
    return found


def _split(values: dict[str, Any], source: str, source_id: str) -> Recipe:
    """Palette layers cut up by segments."""
    inner = dict(values["segments"])
    note = inner.pop("stored", None)
    segments = _plain("segments", inner, source, source_id)
    if note is not None:
        stored = EditNote(name="stored", arguments={"dtype": note["dtype"]})
        segments = segments.model_copy(update={"edits": (*segments.edits, stored)})
    palette = _plain("palette", dict(values["palette"]), source, source_id)
    edits = [*palette.edits]
    edits.append(EditNote(name="split_by", arguments={"segments": segments.plain()}))
    if values.get("order") is not None:
        order = list(values["order"])
        edits.append(EditNote(name="reordered", arguments={"order": order}))
    if values.get("recolored") is not None:
        arguments = {"palette": values["recolored"]}
        edits.append(EditNote(name="recolor", arguments=arguments))
    return palette.model_copy(update={"edits": tuple(edits), "frame": _frame(values)})
