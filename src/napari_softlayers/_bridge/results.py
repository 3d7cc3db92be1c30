"""Result layers in a viewer: what they are, which belong together, the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from napari_softlayers._core.layers.alphas import simplex
from napari_softlayers._core.layers.over import additive_from_over, snap
from napari_softlayers._core.layers.soft_layers import SoftLayers

from .space import is_layer

KEY = "napari-softlayers"
PREVIEW = "preview"


def record_of(layer: Any) -> dict[str, Any] | None:
    """What a result layer carries in its metadata; None for any other layer.

    Keys: ``version``, ``kind``, ``run`` (one text for all layers of a set), ``index``
    (0 is the bottom), ``source`` (its name), ``source_id``, ``params``, ``coverage``,
    ``color``, ``name`` (as given), ``stack`` ("additive" or "normal").
    """
    if not is_layer(layer):
        return None
    record = layer.metadata.get(KEY)
    return record if isinstance(record, dict) and "kind" in record else None


def is_result(layer: Any) -> bool:
    """Tell whether a layer belongs to a result set (helper layers do not)."""
    record = record_of(layer)
    return record is not None and record["kind"] != PREVIEW and "index" in record


def identity_of(layer: Any) -> str:
    """A text that stays with a layer when it is renamed."""
    return str(getattr(layer, "unique_id", id(layer)))


def source_of(viewer: Any, layer: Any) -> Any:
    """Find the image that a result came from; None when it is no longer there."""
    record = record_of(layer)
    if record is None:
        return None
    for other in viewer.layers:
        if identity_of(other) == record.get("source_id"):
            return other
    return None


def result_sets(viewer: Any) -> dict[tuple[str, str], list[Any]]:
    """Collect the result layers of a viewer by source and kind.

    Returns
    -------
    dict
        ``(source_id, kind)`` -> layers, the bottom one first.
    """
    sets: dict[tuple[str, str], list[Any]] = {}
    for layer in viewer.layers:
        if is_result(layer):
            record = layer.metadata[KEY]
            key = (str(record.get("source_id")), str(record["kind"]))
            sets.setdefault(key, []).append(layer)
    for layers in sets.values():
        layers.sort(key=lambda layer: int(layer.metadata[KEY]["index"]))
    return sets


def results_for(viewer: Any, source: Any, kind: str) -> list[Any]:
    """Result layers of one kind that came from an image, the bottom one first."""
    if source is None:
        return []
    return result_sets(viewer).get((identity_of(source), kind), [])


def clear_results(viewer: Any, layers: Iterable[Any]) -> None:
    """Remove result layers and show their source again if it was visible before."""
    for layer in list(layers):
        record = record_of(layer)
        source = source_of(viewer, layer)
        if source is not None and record is not None and record.get("source_visible"):
            source.visible = True
        if layer in viewer.layers:
            viewer.layers.remove(layer)


def layers_from_napari(layers: Iterable[Any]) -> SoftLayers:
    """Read a result set, or any RGBA layers of one size, back from the viewer.

    Parameters
    ----------
    layers : iterable of napari Image layers
        Two-dimensional RGBA layers; result layers are put in the order of their index,
        others stay as they come (the bottom one first).

    Returns
    -------
    SoftLayers
        Colours as stored in the layers, alphas divided by their sum; the names are the
        layers' own without the source's name.

    Raises
    ------
    ValueError, TypeError
        When a layer is no two-dimensional RGBA image or the sizes differ.
    """
    chosen = list(layers)
    if not chosen:
        raise ValueError("No layers came; choose at least one RGBA result layer.")
    if all(is_result(layer) for layer in chosen):
        chosen.sort(key=lambda layer: int(layer.metadata[KEY]["index"]))
    frames = [rgba_of(layer) for layer in chosen]
    shapes = {frame.shape for frame in frames}
    if len(shapes) > 1:
        sizes = ", ".join(
            f"'{layer.name}' {frame.shape[0]}x{frame.shape[1]}"
            for layer, frame in zip(chosen, frames, strict=True)
        )
        raise ValueError(f"The layers differ in size ({sizes}); one size is needed.")
    stack = np.stack(frames)
    record = record_of(chosen[0]) or {}
    alphas = additive_alphas(chosen, stack[..., 3])
    return SoftLayers(
        simplex(alphas.copy()),
        stack[..., :3],
        [_plain_name(layer) for layer in chosen],
        str(record.get("kind", "layers")),
        dict(record.get("params", {})),
    )


def rgba_of(layer: Any, step: int = 1) -> Any:
    """Values of a 2-D RGBA layer as float32 in [0, 1]; every ``step``-th pixel."""
    array = np.asarray(layer.data)
    if not getattr(layer, "rgb", False) or array.ndim != 3 or array.shape[-1] != 4:
        raise TypeError(
            f"'{layer.name}' has shape {array.shape}; a two-dimensional RGBA image "
            "(H, W, 4) is needed."
        )
    array = array[::step, ::step]
    if array.dtype.kind == "f":
        return np.clip(np.nan_to_num(array), 0, 1).astype(np.float32)
    return (array / np.float64(np.iinfo(array.dtype).max)).astype(np.float32)


def additive_alphas(layers: Sequence[Any], alphas: Any) -> Any:
    """Alphas ``(K, H, W)`` that add up, whatever the set's present blending."""
    if (record_of(layers[0]) or {}).get("stack") != "normal":
        return alphas
    additive = additive_from_over(list(alphas))
    dtype = np.asarray(layers[0].data).dtype
    return additive if dtype.kind == "f" else snap(additive, int(np.iinfo(dtype).max))


def _plain_name(layer: Any) -> str:
    """Name of a layer without its source's."""
    record = record_of(layer)
    if record is None:
        return str(layer.name)
    prefix = f"{record.get('source')} · "
    return str(layer.name).removeprefix(prefix)
