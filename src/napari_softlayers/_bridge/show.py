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

from .helpers import active_kept
from .pictures import Picture, grid_of, identity_of, result_dtype_of
from .places import (
    Grid,
    frame_shape,
    is_layer,
    levels_of,
    overlap,
    set_visible,
    with_axes,
)
from .planes import follow_planes
from .record import record_of, write_record
from .results import (
    ORIGINAL,
    clear_results,
    digest_of,
    put_frame,
    recorded_for,
    results_for,
)


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
    stack = layers.rgba(dtype if dtype is not None else dtype_of(like))
    earlier = results_for(viewer, source, layers.kind)
    if earlier and np.ndim(earlier[0].data) > 3 and len(earlier[0].data) > 1:
        clear_results(viewer, earlier)  # of a whole stack: takes the place of this one
        earlier = []
    kept = hide_for(viewer, source)
    records = records_of_set(layers, source, grid, stack, **kept)
    place = {} if grid is None else grid.place()
    shown = place_set(viewer, earlier, stack, records, place, source, fresh)
    hide_others(viewer, source, layers.kind)
    follow_planes(viewer)
    return shown


def place_set(
    viewer: Any,
    old: Sequence[Any],
    stack: NDArray[Any],
    records: list[ResultRecord],
    place: dict[str, Any],
    source: Any,
    fresh: bool,
) -> list[Any]:
    """Put pixels ``(K, H, W, 4)`` and records into the layers of a set, in their order.

    Layers of the set are updated, superfluous ones removed, missing ones added above.
    ``place``: spatial arguments; empty without a source.
    """
    with active_kept(viewer):
        for layer in list(old[len(stack) :]):
            viewer.layers.remove(layer)
        _free_names(old, records, fresh)
        shown: list[Any] = []
        for index, (data, record) in enumerate(zip(stack, records, strict=True)):
            if index < len(old):
                shown.append(_update(old[index], data, record, place, fresh))
            else:
                shown.append(add_layer(viewer, data, record, place, source, shown))
    return shown


def limits_of(dtype: DTypeLike) -> tuple[float, float]:
    """Contrast limits that show values as they are (napari stretches colours else)."""
    return 0.0, largest(dtype)


def records_of_set(
    layers: SoftLayers, source: Any, grid: Grid | None, stack: NDArray[Any], **kept: Any
) -> list[ResultRecord]:
    """The record of every layer; ``kept``: further fields, alike for all."""
    means = []
    for alpha, rgb in zip(layers.alphas, layers.colors, strict=True):
        light = alpha.reshape(-1) @ rgb.reshape(-1, 3)
        mean = np.clip(light / max(float(alpha.reshape(-1).sum()), 1e-6), 0, 1)
        means.append([round(float(value), 4) for value in mean])
    return new_records(
        layers.names,
        means,
        layers.coverage,
        source,
        kind=layers.kind,
        plane=() if grid is None else grid.step,
        words="" if grid is None else grid.words(),
        digest=digest_of(list(stack)),
        recipe=recipe_of(layers),
        **kept,
    )


def new_records(
    names: Sequence[str], colors: Any, coverage: Any, source: Any, **common: Any
) -> list[ResultRecord]:
    """Records of a new set; ``common``: the fields that all layers have alike."""
    if source is not None:
        common |= {"source": str(source.name), "source_id": identity_of(source)}
    run = uuid4().hex[:12]
    each = zip(names, colors, coverage, strict=True)
    return [
        ResultRecord(
            run=run,
            index=index,
            name=name,
            color=color,
            coverage=round(float(share), 5),
            **common,
        )
        for index, (name, color, share) in enumerate(each)
    ]


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


def dtype_of(like: Any) -> np.dtype[Any]:
    """What results of a layer or Picture are shown in; uint8 of anything else."""
    if isinstance(like, Picture):
        return like.dtype
    return result_dtype_of(levels_of(like)[0]) if is_layer(like) else np.dtype(np.uint8)


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
    place: dict[str, Any],
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
    if place:
        layer.data = with_axes(data, place)
    else:
        put_frame(layer, data)
    for key, value in place.items():
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
    place: dict[str, Any],
    source: Any,
    below: list[Any],
) -> Any:
    """Add one layer right above its source and the layers already shown."""
    from napari.layers import Image

    layer = Image(
        with_axes(data, place),
        rgb=True,
        name=record.full_name,
        blending="additive",
        opacity=1.0 if source is None else float(source.opacity),
        contrast_limits=limits_of(data.dtype),
        interpolation2d=str(getattr(source, "interpolation2d", "nearest")),
        **place,
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
    for record, layer in recorded_for(viewer, identity_of(source)):
        if record.kind != kind:
            set_visible(layer, False)


def hide_for(viewer: Any, source: Any) -> dict[str, Any]:
    """Hide a source and what would shine through; what a record keeps of that.

    What was hidden for an earlier result of it is kept as well.
    """
    if source is None:
        return {"source_visible": False, "hidden": ()}
    earlier = [record for record, _ in recorded_for(viewer, identity_of(source))]
    visible = source.visible or any(record.source_visible for record in earlier)
    hidden = [identity for record in earlier for identity in record.hidden]
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
