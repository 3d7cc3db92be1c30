"""Soft layers -> additive RGBA layers in a viewer, added or updated in place."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.picture import largest
from napari_softlayers._recipes import recipe_of
from napari_softlayers._recipes.record import ResultRecord

from .pictures import Picture, grid_of, result_dtype_of
from .places import (
    Grid,
    frame_shape,
    identity_of,
    is_layer,
    overlap,
    put_frame,
    set_visible,
    with_axes,
)
from .planes import follow_planes
from .record import active_kept, record_of, write_record
from .results import (
    clear_results,
    digest_of,
    forget_original,
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

    See `SoftLayers.to_napari`; ``like`` may be a Picture. ``fresh``: updated layers get
    their own name, full opacity and are visible: for results whose layers no longer
    mean what the earlier ones meant.
    """
    source = like.layer if isinstance(like, Picture) else like
    source = source if is_layer(source) else None
    grid = _grid(like, source, layers.shape)
    stack = layers.rgba(dtype if dtype is not None else dtype_of(like))
    earlier = results_for(viewer, source, layers.kind)
    if earlier and np.ndim(earlier[0].data) > 3 and len(earlier[0].data) > 1:
        clear_results(viewer, earlier)  # of a whole stack: takes the place of this one
        earlier = []
    kept = hide_for(viewer, source, layers.kind)
    records = records_of_set(layers, source, grid, stack, **kept)
    place = {} if grid is None else grid.place()
    shown = place_set(viewer, earlier, stack, records, place, source, fresh)
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
        names = [_name_now(*pair, fresh) for pair in zip(old, records, strict=False)]
        name_layers(old[: len(names)], names)
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
    layers: SoftLayers,
    source: Any,
    grid: Grid | None,
    stack: NDArray[Any],
    **kept: Any,
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
    return replace(grid_of(source)[0], shape=(int(shape[0]), int(shape[1])))


def dtype_of(like: Any) -> np.dtype[Any]:
    """What results of a layer or Picture are shown in; uint8 of anything else."""
    if isinstance(like, Picture):
        return like.dtype
    return result_dtype_of(like) if is_layer(like) else np.dtype(np.uint8)


def _name_now(layer: Any, record: ResultRecord, fresh: bool) -> str:
    """Name of a layer that is updated: the user's, where there is one."""
    old = record_of(layer)
    own = fresh or old is None or layer.name == old.full_name
    return record.full_name if own else str(layer.name)


def name_layers(layers: Sequence[Any], names: Sequence[str]) -> None:
    """Name layers; first out of each other's way, for napari keeps names unique."""
    changed = [
        (layer, name)
        for layer, name in zip(layers, names, strict=True)
        if layer.name != name
    ]
    for layer, _ in changed:
        layer.name = f"{layer.name} before"
    for layer, name in changed:
        layer.name = name


def _update(
    layer: Any,
    data: NDArray[Any],
    record: ResultRecord,
    place: dict[str, Any],
    fresh: bool,
) -> Any:
    """Put new data into an earlier result layer; keep what the user set."""
    old = record_of(layer)
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
        if not np.array_equal(getattr(layer, key), value):
            setattr(layer, key, value)
    if not same_type:
        layer.contrast_limits_range = limits_of(data.dtype)
        layer.contrast_limits = limits_of(data.dtype)
    if old is not None and old.stack == "normal":
        layer.blending = "additive"
    forget_original(layer)
    write_record(layer, record)
    return layer


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


def hide_for(viewer: Any, source: Any, kind: str) -> dict[str, Any]:
    """Hide what would shine through results of a kind; what a record keeps of that.

    That is their source, its results of other kinds, and what lies below it; what was
    hidden for an earlier result of it is kept as well.
    """
    if source is None:
        return {"source_visible": False, "hidden": ()}
    earlier = []
    for record, layer in recorded_for(viewer, identity_of(source)):
        earlier.append(record)
        if record.kind != kind:
            set_visible(layer, False)
    visible = source.visible or any(record.source_visible for record in earlier)
    hidden = [identity for record in earlier for identity in record.hidden]
    hidden += _hide_below(viewer, source)
    if source in viewer.layers:  # seen in another viewer, it stays so there
        set_visible(source, False)
    return {"source_visible": bool(visible), "hidden": tuple(dict.fromkeys(hidden))}


def hidden_words(shown: Sequence[Any]) -> str:
    """What the screen lost to a result, as a sentence; empty where that is nothing."""
    record = record_of(shown[0]) if shown else None
    if record is None or not record.hidden:
        return ""
    count = len(record.hidden)
    layers_were = "layer below was" if count == 1 else "layers below were"
    return (
        f"{count} {layers_were} hidden; what was seen through or beside "
        f"'{record.source}' is not seen now."
    )


def warn_of_hidden(shown: list[Any]) -> list[Any]:
    """Say what the screen lost to a result, where no dock does; the layers shown."""
    if words := hidden_words(shown):
        warnings.warn(words, UserWarning, stacklevel=3)
    return shown


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
