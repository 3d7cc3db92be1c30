"""Result layers in a viewer: which belong together, their pixels, the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.cache import content_key
from napari_softlayers._core.layers.alphas import additive_from_over, coverage_of, snap
from napari_softlayers._core.layers.soft_layers import Edit, SoftLayers
from napari_softlayers._core.picture import from_dtype, largest, to_dtype
from napari_softlayers._recipes import Recipe, recipe_of
from napari_softlayers._recipes.record import ResultRecord

from .places import identity_of, is_layer, not_a, set_visible
from .record import in_order, is_result, record_of, recorded

ORIGINAL = "napari-softlayers original"
"""Where an adjusted layer keeps its colours from before."""


def layer_with_id(viewer: Any, identity: str) -> Any:
    """Find a layer by its id; None when it is no longer there."""
    return next((x for x in viewer.layers if identity_of(x) == identity), None)


def source_of(viewer: Any, layer: Any) -> Any:
    """Find the image that a result came from; None when it is no longer there."""
    record = record_of(layer)
    return None if record is None else layer_with_id(viewer, record.source_id)


def show_by_id(viewer: Any, identity: str, visible: bool = True) -> None:
    """Show or hide the layer with an id, if it is still there."""
    layer = layer_with_id(viewer, identity)
    if layer is not None:
        set_visible(layer, visible)


def result_sets(viewer: Any) -> dict[tuple[str, str], list[Any]]:
    """Result layers of a viewer by source id and kind, each set from the bottom up."""
    sets: dict[tuple[str, str], list[Any]] = {}
    for record, layer in recorded(viewer.layers):
        sets.setdefault((record.source_id, record.kind), []).append(layer)
    return {key: in_order(layers) for key, layers in sets.items()}


def recorded_for(viewer: Any, source_id: str) -> list[tuple[ResultRecord, Any]]:
    """Records and result layers of every kind that came from the image with an id."""
    return [(r, x) for r, x in recorded(viewer.layers) if r.source_id == source_id]


def results_for(viewer: Any, source: Any, kind: str) -> list[Any]:
    """Result layers of one kind that came from an image, the bottom one first."""
    if source is None:
        return []
    return result_sets(viewer).get((identity_of(source), kind), [])


def clear_results(viewer: Any, layers: Iterable[Any]) -> None:
    """Remove result layers; what was hidden for them is seen again.

    Not where another result of the same source is in its place.
    """
    layers = list(layers)
    gone = {record.source_id: record for record, _ in recorded(layers)}
    for layer in layers:
        if layer in viewer.layers:
            viewer.layers.remove(layer)
    for identity, record in gone.items():
        if any(layer.visible for _, layer in recorded_for(viewer, identity)):
            continue
        source = (identity,) if record.source_visible else ()
        for hidden in source + record.hidden:
            show_by_id(viewer, hidden)


def stored_frame(layer: Any) -> NDArray[Any]:
    """Pixels ``(H, W, C)`` of a layer of one frame, without leading axes of length one.

    Raises TypeError when the layer holds more than one frame.
    """
    array = layer.data
    if not hasattr(array, "shape"):
        raise not_a("an RGB or RGBA image", layer)
    shape = tuple(np.shape(array))
    rgb = getattr(layer, "rgb", False) and not getattr(layer, "multiscale", False)
    if not rgb or any(n != 1 for n in shape[:-3]):
        raise TypeError(
            f"'{layer.name}' has shape {shape}; an RGB or RGBA image of one frame is "
            "needed. Take one frame of it first."
        )
    return np.asarray(array).reshape(shape[-3:])


def rgba_of(layer: Any, step: int = 1) -> Any:
    """Values of an RGBA layer of one frame as float32 in [0, 1]; every ``step``-th."""
    frame = stored_frame(layer)
    if frame.shape[-1] != 4:
        raise TypeError(
            f"'{layer.name}' has shape {frame.shape}; an RGBA image (H, W, 4) is needed."
        )
    return from_dtype(frame[::step, ::step])


def additive_alphas(layers: Sequence[Any], alphas: Any) -> Any:
    """Alphas ``(K, H, W)`` that add up, whatever the set's present blending."""
    record = record_of(layers[0])
    if record is None or record.stack != "normal":
        return alphas
    additive = additive_from_over(list(alphas))
    dtype = np.dtype(layers[0].data.dtype)
    return additive if dtype.kind == "f" else snap(additive, int(largest(dtype)))


def digest_of(frames: Sequence[NDArray[Any]]) -> str:
    """What tells the pixels of a set of layers from any others."""
    return content_key(*(np.asarray(frame) for frame in frames))


def layers_from_napari(layers: Iterable[Any]) -> SoftLayers:
    """Read a result set, or any RGBA layers of one size, back from the viewer.

    Parameters
    ----------
    layers : iterable of napari Image layers
        RGBA layers of one frame; result layers are put in the order of their index,
        others stay as they come (the bottom one first).

    Returns
    -------
    SoftLayers
        Colours and alphas as stored in the layers; what the alphas sum to is the
        picture's own alpha. Names are the layers' own without the source's.

    Raises
    ------
    ValueError, TypeError
        When a layer is no RGBA image of one frame or the sizes differ.
    """
    chosen = list(layers) if isinstance(layers, Iterable) else [layers]
    if not all(is_layer(layer) for layer in chosen):
        raise TypeError(f"{layers!r} came; napari layers in a list are needed.")
    if not chosen:
        raise ValueError("No layers came; choose at least one RGBA result layer.")
    if all(is_result(layer) for layer in chosen):
        chosen = in_order(chosen)
    frames = [rgba_of(layer) for layer in chosen]
    if len({frame.shape for frame in frames}) > 1:
        sizes = ", ".join(
            f"'{layer.name}' {frame.shape[0]}x{frame.shape[1]}"
            for layer, frame in zip(chosen, frames, strict=True)
        )
        raise ValueError(f"The layers differ in size ({sizes}); one size is needed.")
    stack = np.stack(frames)
    alphas = np.clip(additive_alphas(chosen, stack[..., 3]), 0, 1)
    total = alphas.sum(axis=0)
    if total.max() > 1 + 1e-3:
        alphas = alphas / np.maximum(total, 1)
    record = record_of(chosen[0])
    read = SoftLayers(
        alphas,
        stack[..., :3],
        [plain_name(layer) for layer in chosen],
        "layers" if record is None else record.kind,
        alpha=coverage_of(alphas),
    )
    return _with_recipe(read, chosen, record)


def _with_recipe(
    read: SoftLayers, layers: list[Any], record: ResultRecord | None
) -> SoftLayers:
    """Note how these layers, rounded and adjusted as they are, are come by again."""
    if record is None or record.recipe is None or not as_shown(layers, record):
        return read
    done = list(record.recipe.edits)
    dtype = str(np.dtype(layers[0].data.dtype))
    done.append(Edit("stored", {"dtype": dtype}))
    records = [record_of(layer) or record for layer in layers]
    for index, own in enumerate(records):
        if own.adjust is not None:
            done.append(Edit("adjust", {"index": index} | vars(own.adjust)))
    if read.names != [own.name for own in records]:
        done.append(Edit("renamed", {"names": list(read.names)}))
    recipe = record.recipe.model_copy(update={"edits": ()})
    return replace(read, recipe=recipe, edits=tuple(done))


def recipe_as_shown(layers: Sequence[Any]) -> Recipe | None:
    """The recipe of a result set as it is in the viewer, edits there included.

    The rounding of the viewer is left out where nothing but names follows it: then the
    layers can be had as they were computed. None when they were painted on.

    Raises ValueError, TypeError when they are no result set of one frame.
    """
    record, recipe = record_of(layers[0]), recipe_of(layers_from_napari(layers))
    if record is None or record.recipe is None or recipe is None:
        return None
    noted = len(record.recipe.edits)
    since = recipe.edits[noted:]
    if all(edit.name in ("stored", "renamed") for edit in since):
        since = tuple(edit for edit in since if edit.name != "stored")
    return recipe.model_copy(update={"edits": (*recipe.edits[:noted], *since)})


def as_shown(layers: Sequence[Any], record: ResultRecord) -> bool:
    """Whether the pixels of a set are still those that were shown, but for adjustments."""
    if not record.digest:  # version 0.1 noted none
        return True
    frames = [unadjusted_frame(layer) for layer in layers]
    if record.stack == "normal":
        if frames[0].dtype.kind == "f":
            return False
        alphas = additive_alphas(
            layers, np.stack([from_dtype(f[..., 3]) for f in frames])
        )
        frames = [frame.copy() for frame in frames]
        for frame, alpha in zip(frames, to_dtype(alphas, frames[0].dtype), strict=True):
            frame[..., 3] = alpha
    return digest_of(frames) == record.digest


def unadjusted_frame(layer: Any) -> NDArray[Any]:
    """Pixels ``(H, W, 4)`` of a result layer without its adjustment."""
    frame = stored_frame(layer)
    record, kept = record_of(layer), layer.metadata.get(ORIGINAL)
    if record is None or record.adjust is None:
        return frame
    if np.shape(kept) != (*frame.shape[:2], 3):
        return frame
    return np.concatenate([np.asarray(kept), frame[..., 3:]], axis=-1)


def full_name(layer: Any, name: str) -> str:
    """A name behind that of a result layer's source."""
    record = record_of(layer)
    return name if record is None else record.changed(name=name).full_name


def forget_original(layer: Any) -> None:
    """Drop the colours of a layer from before its adjustment."""
    layer.metadata = {k: v for k, v in layer.metadata.items() if k != ORIGINAL}


def plain_name(layer: Any) -> str:
    """Name of a layer without its source's."""
    return str(layer.name).removeprefix(full_name(layer, ""))
