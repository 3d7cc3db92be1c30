"""Soft layers -> additive RGBA layers in a viewer, added or updated in place."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import DTypeLike

from napari_softlayers import __version__
from napari_softlayers._core.layers.soft_layers import SoftLayers

from .read import Picture, _result_dtype
from .results import KEY, identity_of, result_sets
from .space import frame_shape, is_layer, levels_of, place_in_space, set_visible


def show(
    viewer: Any,
    layers: SoftLayers,
    like: Any = None,
    dtype: DTypeLike | None = None,
    *,
    fresh: bool = False,
) -> list[Any]:
    """Show soft layers in a viewer as additive RGBA images.

    An earlier result of the same source and kind is updated in place: the user's
    opacity, visibility and names stay, superfluous layers go. The source is hidden, and
    so are results of another kind from the same source, for their light would add.

    Parameters
    ----------
    viewer : napari.Viewer
    layers : SoftLayers
    like : napari Image layer or Picture, optional
        The source: gives place in space, name, dtype and order in the layer list.
    dtype : dtype, optional
        uint8, uint16 or float32; the source's by default, uint8 without one.
    fresh : bool
        Updated layers get their own name, full opacity and are visible: for results
        whose layers no longer mean what the earlier ones meant.

    Returns
    -------
    list of napari.layers.Image
        The bottom one first.
    """
    source = like.layer if isinstance(like, Picture) else like
    place = _place(like, layers.shape)
    stack = layers.rgba(dtype if dtype is not None else _dtype_of(like))
    records = _records(layers, like, source, stack.dtype)
    earlier = _earlier(viewer, source, layers.kind)
    active = viewer.layers.selection.active
    known_visible = [
        layer.metadata[KEY].get("source_visible", True) for layer in earlier
    ]
    was_visible = known_visible[0] if known_visible else _is_visible(source)
    for layer in earlier[len(stack) :]:
        viewer.layers.remove(layer)
    _free_names(earlier, records, fresh)
    limits = _limits_like(source, records[0]["params"], stack.dtype)
    shown: list[Any] = []
    for index, (data, record) in enumerate(zip(stack, records, strict=True)):
        record["source_visible"] = bool(was_visible)
        if index < len(earlier):
            shown.append(_update(earlier[index], data, record, place, fresh))
        else:
            shown.append(_add(viewer, data, record, place, source, shown))
            shown[-1].contrast_limits = limits
    _hide_others(viewer, source, layers.kind)
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return shown


def limits_of(dtype: DTypeLike) -> tuple[float, float]:
    """Contrast limits that show values as they are (napari stretches colours else)."""
    kind = np.dtype(dtype)
    return (0.0, 1.0) if kind.kind == "f" else (0.0, float(np.iinfo(kind).max))


def _limits_like(
    source: Any, parameters: dict[str, Any], dtype: np.dtype[Any]
) -> tuple[float, float]:
    """Contrast limits with which the layers together look as the source does.

    napari shows ``(value - low) / (high - low)`` also for colours; as alphas sum to one,
    the source's own limits on every layer give the source's look. A source whose values
    were scaled by its limits already needs none.
    """
    usual = limits_of(dtype)
    if not is_layer(source) or parameters.get("limits") is not None:
        return usual
    kind = np.dtype(levels_of(source)[0].dtype)
    if kind.kind == "b":
        return usual
    top = limits_of(kind)[1]
    low, high = (float(value) / top * usual[1] for value in source.contrast_limits)
    return (low, high) if high > low else usual


def _place(like: Any, shape: tuple[int, int]) -> dict[str, Any]:
    """Spatial arguments for layers of some shape; none without a source."""
    if isinstance(like, Picture):
        return dict(like.spatial)
    if not is_layer(like):
        return {}
    if getattr(like, "multiscale", False):
        return place_in_space(like, shape)
    if frame_shape(like) != tuple(shape):
        height, width = frame_shape(like)
        raise ValueError(
            f"The layers are {shape[0]}x{shape[1]}, '{like.name}' is {height}x{width}; "
            "show them with the image that they were made from."
        )
    return place_in_space(like)


def _dtype_of(like: Any) -> np.dtype[Any]:
    if isinstance(like, Picture):
        return like.dtype
    return _result_dtype(levels_of(like)[0]) if is_layer(like) else np.dtype(np.uint8)


def _is_visible(source: Any) -> bool:
    return bool(source.visible) if is_layer(source) else False


def _records(
    layers: SoftLayers, like: Any, source: Any, dtype: np.dtype[Any]
) -> list[dict[str, Any]]:
    """Metadata of every layer: small plain values."""
    run = uuid4().hex[:12]
    params = dict(layers.parameters)
    if isinstance(like, Picture):
        params |= like.parameters
    common = {
        "version": __version__,
        "kind": layers.kind,
        "run": run,
        "source": source.name if is_layer(source) else "",
        "source_id": identity_of(source) if is_layer(source) else "",
        "params": plain(params),
        "stack": "additive",
        "dtype": str(dtype),
    }
    weights = layers.alphas.reshape(len(layers), -1)
    records = []
    for index, (name, coverage) in enumerate(
        zip(layers.names, layers.coverage, strict=True)
    ):
        flat = layers.colors[index].reshape(-1, 3)
        mean = weights[index] @ flat / max(float(weights[index].sum()), 1e-6)
        own = {
            "index": index,
            "name": name,
            "coverage": round(float(coverage), 5),
            "color": [round(float(value), 4) for value in np.clip(mean, 0, 1)],
        }
        records.append(common | own)
    return records


def plain(value: Any) -> Any:
    """Turn parameters into values that JSON knows; big arrays become their shape."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size <= 64 else f"array of {value.shape}"
    if isinstance(value, np.generic):
        return value.item()
    try:
        json.dumps(value)
    except TypeError:
        return str(value)
    return value


def _earlier(viewer: Any, source: Any, kind: str) -> list[Any]:
    """Layers of an earlier result of the same source and kind."""
    if not is_layer(source):
        return []
    return result_sets(viewer).get((identity_of(source), kind), [])


def _full_name(record: dict[str, Any]) -> str:
    return (
        f"{record['source']} · {record['name']}" if record["source"] else record["name"]
    )


def _free_names(
    layers: list[Any], records: list[dict[str, Any]], fresh: bool = False
) -> None:
    """Take names away that other layers are about to get: napari would number them."""
    for layer, record in zip(layers, records, strict=False):
        old = layer.metadata[KEY]
        own = fresh or layer.name == _full_name(old)
        if own and layer.name != _full_name(record):
            waiting = {**old, "name": f"{record['index']} {record['run']}"}
            layer.metadata = {**layer.metadata, KEY: waiting}
            layer.name = _full_name(waiting)


def _update(
    layer: Any,
    data: Any,
    record: dict[str, Any],
    place: dict[str, Any],
    fresh: bool = False,
) -> Any:
    """Put new data into an earlier result layer; keep what the user set."""
    old = layer.metadata[KEY]
    same_type = np.dtype(old.get("dtype", "uint8")) == data.dtype
    if fresh or layer.name == _full_name(old):
        layer.name = _full_name(record)
    if fresh:
        if layer.opacity != 1:
            layer.opacity = 1.0
        set_visible(layer, True)
    layer.data = data
    if not same_type:
        limits = limits_of(data.dtype)
        layer.contrast_limits_range = limits
        layer.contrast_limits = limits
    for key, value in place.items():
        if not _same(getattr(layer, key), value):
            setattr(layer, key, value)
    if old.get("stack") == "normal":
        layer.blending = "additive"
    layer.metadata = {**layer.metadata, KEY: record}
    return layer


def _same(old: Any, new: Any) -> bool:
    """Compare two spatial values without raising."""
    if hasattr(old, "affine_matrix") and hasattr(new, "affine_matrix"):
        return np.array_equal(old.affine_matrix, new.affine_matrix)
    try:
        return bool(np.array_equal(np.asarray(old), np.asarray(new)))
    except (TypeError, ValueError):
        return False


def _add(
    viewer: Any,
    data: Any,
    record: dict[str, Any],
    place: dict[str, Any],
    source: Any,
    below: list[Any],
) -> Any:
    """Add one layer right above its source and the layers already shown."""
    from napari.layers import Image

    layer = Image(
        data,
        rgb=True,
        name=_full_name(record),
        blending="additive",
        contrast_limits=limits_of(data.dtype),
        interpolation2d=_interpolation(source),
        metadata={KEY: record},
        **place,
    )
    anchor = below[-1] if below else source
    if anchor is not None and anchor in viewer.layers:
        viewer.layers.insert(viewer.layers.index(anchor) + 1, layer)
    else:
        viewer.layers.append(layer)
    return layer


def _interpolation(source: Any) -> str:
    return str(getattr(source, "interpolation2d", "nearest"))


def _hide_others(viewer: Any, source: Any, kind: str) -> None:
    """Hide the source and its results of other kinds."""
    if not is_layer(source):
        return
    set_visible(source, False)
    for (owner, other), layers in result_sets(viewer).items():
        if owner == identity_of(source) and other != kind:
            for layer in layers:
                set_visible(layer, False)
