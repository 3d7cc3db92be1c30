"""A document as napari layer data."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.layers.alphas import additive_from_over, snap
from napari_softlayers._core.picture import largest
from napari_softlayers._recipes.record import KEY, ResultRecord, read_record

from ._document import Document, Layer, fingerprint, flat, on_canvas
from ._soft_document import noted_recipe

LayerData = tuple[Any, dict[str, Any], str]
SPACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
BLENDING = {"normal": "translucent_no_depth", "plus": "additive"}


def document_to_napari(document: Document) -> list[LayerData]:
    """Turn a document into napari layer data, the bottom layer first."""
    info = document.checked_info()
    alphas = _additive_alphas(document, info.get("sets", []))
    notes = info.get("napari", [])
    result: list[LayerData] = []
    for index, (layer, opacity, visible) in enumerate(flat(document.items)):
        note = notes[index] if index < len(notes) else {}
        data = layer.pixels
        if index in alphas:
            data = data.copy()
            data[..., 3] = alphas[index]
        meta = {
            "name": layer.name,
            "rgb": True,
            "opacity": opacity,
            "visible": visible,
            "blending": note.get("blending", _blending(layer, index in alphas)),
            "contrast_limits": (0, int(largest(data.dtype))),
            "metadata": _metadata(document, info, note, index, data),
        }
        axes = note.get("axes", 0)
        leading = (1,) * (axes if isinstance(axes, int) and 0 <= axes < 9 else 0)
        frame = data.reshape(*leading, *data.shape)
        result.append((frame, meta | _space(note, layer), "image"))
    return result


def _blending(layer: Layer, in_set: bool) -> str:
    if layer.mode == "multiply":
        return "multiplicative"
    return "additive" if in_set else BLENDING.get(layer.mode, BLENDING["normal"])


def _additive_alphas(
    document: Document, sets: list[list[int]]
) -> dict[int, NDArray[Any]]:
    """Integer additive alphas of the layers that were written as a normal stack."""
    found: dict[int, NDArray[Any]] = {}
    layers = document.layers()
    for numbers in sets:
        dtype = layers[numbers[0]].pixels.dtype
        levels = int(largest(dtype))
        stack = [on_canvas(layers[k], document)[..., 3] for k in numbers]
        alphas = snap(additive_from_over(stack), levels)
        for k, alpha in zip(numbers, alphas, strict=True):
            part = layers[k]
            height, width = part.pixels.shape[:2]
            inside = alpha[part.y : part.y + height, part.x : part.x + width]
            found[k] = np.rint(inside * levels).astype(dtype)
    return found


def _metadata(
    document: Document,
    info: dict[str, Any],
    note: dict[str, Any],
    index: int,
    data: NDArray[Any],
) -> dict[str, Any]:
    """The record that result layers carry, so that the docks know them again."""
    run = f"file-{fingerprint(document.layers()):08x}"
    record = read_record(note.get("record"))
    if record is not None:
        origin = record.source_id or record.run
        record = record.changed(
            run=f"{run}-{zlib.crc32(record.run.encode()):08x}",
            source_id=f"{run}-{zlib.crc32(origin.encode()):08x}",
        )
        return {KEY: record.plain()}
    if not info.get("soft"):
        return {}
    weight = data[..., 3].astype(np.float64)
    mean = np.tensordot(weight, data[..., :3], 2) / max(weight.sum(), 1.0)
    red, green, blue = (float(v) for v in np.round(mean / largest(data.dtype), 4))
    record = ResultRecord(
        kind=str(info.get("kind", "layers")),
        run=run,
        index=index,
        name=document.layers()[index].name,
        source_id=run,
        coverage=round(float(weight.mean()) / largest(data.dtype), 5),
        color=(red, green, blue),
        recipe=noted_recipe(info),
    )
    return {KEY: record.plain()}


def _space(note: dict[str, Any], layer: Layer) -> dict[str, Any]:
    space = note.get("space")
    if isinstance(space, dict):
        return {key: space[key] for key in SPACE if key in space}
    return {"translate": (layer.y, layer.x)} if (layer.x, layer.y) != (0, 0) else {}
