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
NORMAL = "translucent_no_depth"
BLENDING = {"plus": "additive", "multiply": "multiplicative"}


def document_to_napari(document: Document) -> list[LayerData]:
    """Turn a document into napari layer data, the bottom layer first."""
    info = document.checked_info()
    run = f"file-{fingerprint(document.layers()):08x}"
    alphas = _additive_alphas(document, info.get("sets", []))
    notes = info.get("napari", [])
    result: list[LayerData] = []
    for index, (layer, opacity, visible) in enumerate(flat(document.items)):
        note = notes[index] if index < len(notes) else {}
        data, mode = layer.pixels, layer.mode
        if index in alphas:
            data, mode = data.copy(), "plus"
            data[..., 3] = alphas[index]
        meta = {
            "name": layer.name,
            "rgb": True,
            "opacity": opacity,
            "visible": visible,
            "blending": note.get("blending", BLENDING.get(mode, NORMAL)),
            "contrast_limits": (0, int(largest(data.dtype))),
            "metadata": _metadata(layer.name, info, note, index, data, run),
        }
        axes = note.get("axes", 0)
        leading = (1,) * (axes if isinstance(axes, int) and 0 <= axes < 9 else 0)
        frame = data.reshape(*leading, *data.shape)
        result.append((frame, meta | _space(note, layer), "image"))
    return result


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
    name: str,
    info: dict[str, Any],
    note: dict[str, Any],
    index: int,
    data: NDArray[Any],
    run: str,
) -> dict[str, Any]:
    """The record that result layers carry, so that the docks know them again."""
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
        name=name,
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
