"""napari image layers as a document."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.layers.alphas import over_from_additive
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.picture import largest
from napari_softlayers._recipes.record import KEY, ResultRecord, read_record

from ._document import Document, Layer
from ._to_napari import SPACE

MODES = {"additive": "plus", "multiplicative": "multiply"}
ROUNDING = 0.02  # what edits of integer alphas may move a sum of one by


def napari_to_document(images: Sequence[tuple[Any, dict[str, Any]]]) -> Document:
    """Put napari image layers on one canvas, the bottom one first."""
    arrays = [_frame(data, meta) for data, meta in images]
    deep = any(array.dtype != np.uint8 for array in arrays)
    dtype = np.dtype(np.uint16 if deep else np.uint8)
    metas = [meta for _, meta in images]
    layers = [
        Layer(
            str(meta.get("name", "layer")),
            _rgba(array, meta, dtype),
            *place,
            float(meta.get("opacity", 1)),
            bool(meta.get("visible", True)),
            MODES.get(str(meta.get("blending", "")), "normal"),
        )
        for array, meta, place in zip(
            arrays, metas, _places(metas, arrays), strict=True
        )
    ]
    width = max(layer.x + layer.pixels.shape[1] for layer in layers)
    height = max(layer.y + layer.pixels.shape[0] for layer in layers)
    sets = _complete_sets(layers, metas)
    for numbers in sets:
        _turn_into_normal_stack([layers[k] for k in numbers])
    info: dict[str, Any] = {"sets": sets, "napari": [_note(*image) for image in images]}
    if sets == [list(range(len(layers)))]:
        record = _record(metas[0])
        info |= {"soft": True, "kind": "layers" if record is None else record.kind}
        if record is not None and record.recipe is not None:
            info["recipe"] = record.recipe.plain()
    document = Document(width, height, [*layers], info)
    document.sign()
    return document


def _record(meta: dict[str, Any]) -> ResultRecord | None:
    return read_record((meta.get("metadata") or {}).get(KEY))


def _note(data: Any, meta: dict[str, Any]) -> dict[str, Any]:
    """What only napari knows of a layer."""
    record = _record(meta)
    axes = len(np.shape(data)) - (3 if meta.get("rgb", False) else 2)
    return {
        "blending": str(meta.get("blending", "translucent_no_depth")),
        "space": {k: _plain(meta[k]) for k in SPACE if meta.get(k) is not None},
        "axes": max(axes, 0),
        "record": None if record is None else record.plain(),
    }


def _plain(value: Any) -> Any:
    """A number, a matrix or names (of units, of axes) as JSON knows them."""
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return array.tolist() if array.dtype.kind in "iufU" else [str(x) for x in value]


def _frame(data: Any, meta: dict[str, Any]) -> NDArray[Any]:
    """One picture: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``."""
    if isinstance(data, (list, tuple)) or type(data).__name__ == "MultiScaleData":
        data = data[0]
    inner = 3 if meta.get("rgb", False) else 2
    shape = tuple(np.shape(data))
    if len(shape) < inner or any(n != 1 for n in shape[: len(shape) - inner]):
        raise ValueError(
            f"'{meta.get('name')}' has shape {shape}; layered files hold single "
            "pictures. Take one frame of it first."
        )
    return np.asarray(data).reshape(shape[len(shape) - inner :])


def _rgba(
    array: NDArray[Any], meta: dict[str, Any], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Straight RGBA of the wanted dtype, as the layer looks in the viewer."""
    if not meta.get("rgb", False):
        from napari.utils.colormaps import ensure_colormap

        colors = ensure_colormap(meta.get("colormap", "gray")).map(
            _within(array, meta).ravel() ** float(meta.get("gamma", 1))
        )
        values = np.asarray(colors).reshape(*array.shape, 4)
    elif array.dtype == dtype and array.shape[-1] == 4:
        return array.copy()
    elif array.dtype == np.uint8:
        values = array / 255.0
    else:
        values = _within(array, meta)
        if array.shape[-1] == 4:
            values[..., 3] = np.clip(array[..., 3] / largest(array.dtype), 0, 1)
    if values.shape[-1] == 3:
        values = np.concatenate([values, np.ones_like(values[..., :1])], axis=-1)
    top = np.iinfo(dtype).max
    return np.rint(np.clip(np.nan_to_num(values), 0, 1) * top).astype(dtype)


def _within(array: NDArray[Any], meta: dict[str, Any]) -> NDArray[np.float64]:
    """Values between the layer's contrast limits, from 0 to 1."""
    limits = meta.get("contrast_limits") or (0, 1)
    low, high = float(limits[0]), float(limits[1])
    values = (array.astype(np.float64) - low) / max(high - low, 1e-12)
    return np.clip(np.nan_to_num(values), 0, 1)


def _places(
    metas: list[dict[str, Any]], arrays: list[NDArray[Any]]
) -> list[tuple[int, int]]:
    """Left upper corners in pixels, from the translations of layers of one scale."""
    scales = [np.asarray(meta.get("scale", (1, 1)), float)[-2:] for meta in metas]
    corners = [np.asarray(meta.get("translate", (0, 0)), float)[-2:] for meta in metas]
    if not np.allclose(scales, scales[0]):
        if len({array.shape[:2] for array in arrays}) > 1:
            warnings.warn(
                "The layers have different scales; their pictures are saved side by "
                "side in pixels, from the left upper corner.",
                stacklevel=4,
            )
        return [(0, 0)] * len(metas)
    origin = np.min(corners, axis=0)
    steps = [np.rint((corner - origin) / scales[0]) for corner in corners]
    if np.max(np.abs(steps)) > 1 << 16:
        return [(0, 0)] * len(metas)
    return [(int(step[1]), int(step[0])) for step in steps]


def _complete_sets(layers: list[Layer], metas: list[dict[str, Any]]) -> list[list[int]]:
    """Sets of shown additive layers, on top of nothing shown, that share their pixels."""
    runs: dict[str, list[int]] = {}
    for k, (layer, meta) in enumerate(zip(layers, metas, strict=True)):
        if layer.mode == "plus":
            record = _record(meta)
            runs.setdefault("" if record is None else record.run, []).append(k)
    found = []
    for numbers in runs.values():
        parts = [layers[k] for k in numbers]
        row = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        shown = all(part.visible and part.opacity == 1 for part in parts)
        below = any(layer.visible for layer in layers[: numbers[0]])
        if row and shown and not below and len(parts) > 1 and _share_pixels(parts):
            found.append(numbers)
    return found


def _share_pixels(parts: list[Layer]) -> bool:
    """Whether the alphas of layers in one place nowhere sum to more than one."""
    places = {(part.x, part.y, part.pixels.shape) for part in parts}
    return len(places) == 1 and bool(_shares(parts).sum(0).max() <= 1 + ROUNDING)


def _shares(parts: list[Layer]) -> NDArray[np.float64]:
    alphas = np.stack([part.pixels[..., 3] for part in parts])
    return alphas / np.float64(largest(alphas.dtype))


def _turn_into_normal_stack(parts: list[Layer]) -> None:
    """Replace additive alphas by those of an "over" stack, in place."""
    shares = _shares(parts)
    total = shares.sum(axis=0)
    opaque = total.min() >= 1 - ROUNDING
    alphas = (shares / (total if opaque else np.maximum(total, 1))).astype(np.float32)
    exact = SoftLayers(alphas, np.zeros((*alphas.shape, 3), np.float32))
    stack = over_from_additive(exact.rgba(parts[0].pixels.dtype)[..., 3])
    for part, alpha in zip(parts, stack, strict=True):
        part.pixels, part.mode = part.pixels.copy(), "normal"
        part.pixels[..., 3] = alpha
