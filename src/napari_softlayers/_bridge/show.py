"""Soft layers -> additive RGBA layers in a viewer, added or updated in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.picture import largest
from napari_softlayers._recipes import recipe_of
from napari_softlayers._recipes.record import ResultRecord

from .pictures import Picture, grid_of, identity_of, result_dtype_of
from .places import Grid, frame_shape, is_layer, levels_of, overlap, set_visible
from .planes import follow_planes
from .record import record_of, write_record
from .results import (
    ORIGINAL,
    all_results_for,
    clear_results,
    digest_of,
    put_frame,
    results_for,
)

Place = tuple[int, dict[str, Any]]
"""Number of leading axes of length one, and spatial arguments."""


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
    so is what would shine through: results of another kind from the same source, and
    visible images below that overlap it. A result of one plane of a stack is shown on
    that plane alone; on the others the source is seen.

    ``like`` napari Image layer or Picture: the source: gives place in space, name,
    dtype and order in the layer list. ``dtype``: uint8, uint16 or float32; the source's
    by default, uint8 without one. ``fresh``: updated layers get their own name, full
    opacity and are visible: for results whose layers no longer mean what the earlier
    ones meant. Returns list of napari.layers.Image: the bottom one first.
    """
    source = like.layer if isinstance(like, Picture) else like
    source = source if is_layer(source) else None
    grid = _grid(like, source, layers.shape)
    stack = layers.rgba(dtype if dtype is not None else _dtype_of(like, source))
    earlier = results_for(viewer, source, layers.kind)
    records = records_of_set(layers, source, grid, stack)
    if earlier and np.ndim(earlier[0].data) > 3 and len(earlier[0].data) > 1:
        clear_results(viewer, earlier)  # of a whole stack: takes the place of this one
        earlier = []
    kept = hide_for(viewer, source)
    records = [record.changed(**kept) for record in records]
    place = None if grid is None else (len(grid.index), grid.place())
    shown = place_set(viewer, earlier, stack, records, place, source, fresh)
    hide_others(viewer, source, layers.kind)
    follow_planes(viewer)
    return shown


def place_set(
    viewer: Any,
    old: Sequence[Any],
    stack: NDArray[Any],
    records: list[ResultRecord],
    place: Place | None,
    source: Any,
    fresh: bool,
) -> list[Any]:
    """Put pixels ``(K, H, W, 4)`` and records into the layers of a set, in their order.

    Layers of the set are updated, superfluous ones removed, missing ones added above.
    """
    active = viewer.layers.selection.active
    for layer in list(old[len(stack) :]):
        viewer.layers.remove(layer)
    _free_names(old, records, fresh)
    shown: list[Any] = []
    for index, (data, record) in enumerate(zip(stack, records, strict=True)):
        if index < len(old):
            shown.append(_update(old[index], data, record, place, fresh))
        else:
            shown.append(add_layer(viewer, data, record, place, source, shown))
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return shown


def limits_of(dtype: DTypeLike) -> tuple[float, float]:
    """Contrast limits that show values as they are (napari stretches colours else)."""
    return 0.0, largest(dtype)


def records_of_set(
    layers: SoftLayers, source: Any, grid: Grid | None, stack: NDArray[Any]
) -> list[ResultRecord]:
    """The record of every layer."""
    run, digest = uuid4().hex[:12], digest_of(list(stack))
    weights = layers.alphas.reshape(len(layers), -1)
    records = []
    for index, (name, coverage) in enumerate(
        zip(layers.names, layers.coverage, strict=True)
    ):
        flat = layers.colors[index].reshape(-1, 3)
        mean = weights[index] @ flat / max(float(weights[index].sum()), 1e-6)
        red, green, blue = (round(float(v), 4) for v in np.clip(mean, 0, 1))
        records.append(
            ResultRecord(
                kind=layers.kind,
                run=run,
                index=index,
                name=name,
                source="" if source is None else str(source.name),
                source_id="" if source is None else identity_of(source),
                plane=() if grid is None else grid.step,
                words="" if grid is None else grid.words(),
                coverage=round(float(coverage), 5),
                color=(red, green, blue),
                digest=digest,
                recipe=recipe_of(layers),
            )
        )
    return records


def _grid(like: Any, source: Any, shape: tuple[int, int]) -> Grid | None:
    """The plane that layers of some shape lie on; None without a source."""
    if isinstance(like, Picture):
        return like.grid
    if source is None:
        return None
    if not getattr(source, "multiscale", False) and frame_shape(source) != tuple(shape):
        height, width = frame_shape(source)
        raise ValueError(
            f"The layers are {shape[0]}x{shape[1]}, '{source.name}' is {height}x{width}; "
            "show them with the image that they were made from."
        )
    grid, _ = grid_of(source)
    return Grid(source, (int(shape[0]), int(shape[1])), grid.step)


def _dtype_of(like: Any, source: Any) -> np.dtype[Any]:
    if isinstance(like, Picture):
        return like.dtype
    if source is None:
        return np.dtype(np.uint8)
    return result_dtype_of(levels_of(source)[0])


def _free_names(
    layers: Sequence[Any], records: list[ResultRecord], fresh: bool = False
) -> None:
    """Take names away that other layers are about to get: napari would number them."""
    for layer, record in zip(layers, records, strict=False):
        old = record_of(layer)
        if old is None or not (fresh or layer.name == old.full_name):
            continue
        if layer.name != record.full_name:
            waiting = old.changed(name=f"{record.index} {record.run}")
            write_record(layer, waiting)
            layer.name = waiting.full_name


def _update(
    layer: Any,
    data: NDArray[Any],
    record: ResultRecord,
    place: Place | None,
    fresh: bool,
) -> Any:
    """Put new data into an earlier result layer; keep what the user set."""
    old = record_of(layer)
    if fresh or old is None or layer.name == old.full_name:
        layer.name = record.full_name
    if fresh:
        if layer.opacity != 1:
            layer.opacity = 1.0
        set_visible(layer, True)
    same_type = np.dtype(layer.data.dtype) == data.dtype
    if place is None:
        put_frame(layer, data)
    else:
        layer.data = _with_axes(data, place)
        for key, value in place[1].items():
            if not _same(getattr(layer, key), value):
                setattr(layer, key, value)
    if not same_type:
        layer.contrast_limits_range = limits_of(data.dtype)
        layer.contrast_limits = limits_of(data.dtype)
    if old is not None and old.stack == "normal":
        layer.blending = "additive"
    layer.metadata = {k: v for k, v in layer.metadata.items() if k != ORIGINAL}
    write_record(layer, record)
    return layer


def _with_axes(data: NDArray[Any], place: Place) -> NDArray[Any]:
    return data[(None,) * place[0]]


def _same(old: Any, new: Any) -> bool:
    """Compare two spatial values without raising."""
    if hasattr(old, "affine_matrix") and hasattr(new, "affine_matrix"):
        return np.array_equal(old.affine_matrix, new.affine_matrix)
    try:
        return bool(np.array_equal(np.asarray(old), np.asarray(new)))
    except (TypeError, ValueError):
        return False


def add_layer(
    viewer: Any,
    data: NDArray[Any],
    record: ResultRecord,
    place: Place | None,
    source: Any,
    below: list[Any],
) -> Any:
    """Add one layer right above its source and the layers already shown."""
    from napari.layers import Image

    layer = Image(
        data if place is None else _with_axes(data, place),
        rgb=True,
        name=record.full_name,
        blending="additive",
        opacity=1.0 if source is None else float(source.opacity),
        contrast_limits=limits_of(data.dtype),
        interpolation2d=str(getattr(source, "interpolation2d", "nearest")),
        **({} if place is None else place[1]),
    )
    write_record(layer, record)
    anchor = below[-1] if below else source
    if anchor is not None and anchor in viewer.layers:
        viewer.layers.insert(viewer.layers.index(anchor) + 1, layer)
    else:
        viewer.layers.append(layer)
    return layer


def hide_others(viewer: Any, source: Any, kind: str) -> None:
    """Hide the results of other kinds of a source."""
    if source is None:
        return
    for layer in all_results_for(viewer, identity_of(source)):
        record = record_of(layer)
        if record is not None and record.kind != kind:
            set_visible(layer, False)


def hide_for(viewer: Any, source: Any) -> dict[str, Any]:
    """Hide a source and what would shine through; what a record keeps of that.

    What was hidden for an earlier result of it is kept as well.
    """
    if source is None:
        return {"source_visible": False, "hidden": ()}
    earlier = [record_of(x) for x in all_results_for(viewer, identity_of(source))]
    visible = source.visible or any(r is not None and r.source_visible for r in earlier)
    hidden = [i for r in earlier if r is not None for i in r.hidden]
    hidden += _hide_below(viewer, source)
    set_visible(source, False)
    return {"source_visible": bool(visible), "hidden": tuple(dict.fromkeys(hidden))}


def _hide_below(viewer: Any, source: Any) -> tuple[str, ...]:
    """Hide visible images below the source that overlap it: they would shine through.

    Those below a source that is itself additive shine through it already.
    """
    if source not in viewer.layers or source.blending == "additive":
        return ()
    hidden = []
    for layer in viewer.layers[: viewer.layers.index(source)]:
        record = record_of(layer)
        own = record is not None and record.source_id == identity_of(source)
        image = hasattr(layer, "rgb") and layer.visible and not own
        if image and overlap(layer, source):
            set_visible(layer, False)
            hidden.append(identity_of(layer))
    return tuple(hidden)
