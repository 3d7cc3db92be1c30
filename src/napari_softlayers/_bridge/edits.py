"""Changing a result set that is already in the viewer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.layers.compositing import Checks, check_layers
from napari_softlayers._core.layers.edit import Adjustment
from napari_softlayers._core.layers.over import over_from_additive
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.picture import to_dtype

from .read import picture_of
from .results import (
    KEY,
    PREVIEW,
    additive_alphas,
    layers_from_napari,
    record_of,
    rgba_of,
    source_of,
)
from .show import _add, _full_name, _records, _update, limits_of
from .space import place_in_space

CHECKED_PIXELS = 1 << 20
ORIGINAL = "napari-softlayers original"
BLENDING = {"additive": "additive", "normal": "translucent_no_depth"}


def replace_set(viewer: Any, old: Sequence[Any], layers: SoftLayers) -> list[Any]:
    """Show edited layers in the place of a result set.

    Layers of the set are updated in the order of their index, superfluous ones are
    removed, missing ones added above; the set stays the same run, additive.

    Returns
    -------
    list of napari.layers.Image
        The bottom one first.
    """
    first = record_of(old[0]) or {}
    dtype = np.asarray(old[0].data).dtype
    place = place_in_space(old[0])
    source = source_of(viewer, old[0])
    records = _records(layers, source, source, dtype)
    shown: list[Any] = []
    for layer in list(old[len(layers) :]):
        viewer.layers.remove(layer)
    for index, (data, record) in enumerate(
        zip(layers.rgba(dtype), records, strict=True)
    ):
        for key in ("run", "source", "source_id", "source_visible"):
            if key in first:
                record[key] = first[key]
        if index < len(old):
            old[index].metadata.pop(ORIGINAL, None)
            shown.append(_update(old[index], data, record, place, False))
        else:
            shown.append(_add(viewer, data, record, place, source, shown))
    _name(shown, [_full_name(record) for record in records])
    return shown


def _name(layers: Sequence[Any], names: Sequence[str]) -> None:
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


def stack_mode(layers: Sequence[Any]) -> str:
    """How a result set is blended: "additive" or "normal"."""
    return str((record_of(layers[0]) or {}).get("stack", "additive"))


def set_stack_mode(viewer: Any, layers: Sequence[Any], mode: str) -> None:
    """Switch a result set between additive and normal ("over") blending.

    Only alphas and blending change, and for integer layers the way back is exact. In a
    normal stack the layers have to lie in the order of their index, so they are moved
    there.

    Parameters
    ----------
    viewer : napari.Viewer
    layers : sequence of napari Image layers
        A whole result set, the bottom one first.
    mode : {"additive", "normal"}
    """
    if mode not in BLENDING:
        raise ValueError(f"mode={mode!r} is not known; use 'additive' or 'normal'.")
    if stack_mode(layers) == mode:
        return
    soft = layers_from_napari(layers)
    dtype = np.asarray(layers[0].data).dtype
    alphas = soft.rgba(dtype)[..., 3]
    if mode == "normal":
        floating = dtype.kind == "f"
        alphas = soft.normal_stack() if floating else over_from_additive(alphas)
        _in_order(viewer, layers)
    for layer, alpha in zip(layers, alphas, strict=True):
        data = np.array(layer.data)
        data[..., 3] = alpha
        layer.data = data
        layer.blending = BLENDING[mode]
        _note(layer, stack=mode)


def _in_order(viewer: Any, layers: Sequence[Any]) -> None:
    """Bring layers into the order of the sequence, from the lowest one's place on."""
    base = min(viewer.layers.index(layer) for layer in layers)
    for offset, layer in enumerate(layers):
        viewer.layers.move(viewer.layers.index(layer), base + offset)


def _note(layer: Any, **changes: Any) -> None:
    record = {**(record_of(layer) or {}), **changes}
    layer.metadata = {**layer.metadata, KEY: record}


def checks_of(viewer: Any, layers: Sequence[Any]) -> Checks:
    """Compare what the layers add up to with their source, if it is still there.

    Of large pictures only every n-th pixel of every n-th row is looked at, about a
    megapixel in all.
    """
    pixels = math.prod(np.shape(layers[0].data)[:2])
    step = max(1, math.ceil(math.sqrt(pixels / CHECKED_PIXELS)))
    frames = np.stack([rgba_of(layer, step) for layer in layers])
    alphas = additive_alphas(layers, frames[..., 3])
    picture = _picture_below(viewer, layers)
    thin = None if picture is None else picture[::step, ::step]
    return check_layers(alphas, frames[..., :3], thin)


def _picture_below(viewer: Any, layers: Sequence[Any]) -> NDArray[np.float32] | None:
    source = source_of(viewer, layers[0])
    if source is None:
        return None
    params = (record_of(layers[0]) or {}).get("params", {})
    channels = params.get("channels")
    picture = picture_of(
        source,
        channels=tuple(channels) if channels else None,
        step=params.get("step"),
    ).data
    return picture if picture.shape[:2] == layers[0].data.shape[:2] else None


# ---- adjustments that stay editable ------------------------------------------------------


def adjustment_of(layer: Any) -> Adjustment:
    """The adjustment that a layer shows and that is not baked yet."""
    stored = (record_of(layer) or {}).get("adjust")
    return Adjustment(**stored) if stored else Adjustment()


def original_colors(layer: Any) -> NDArray[Any]:
    """RGB of a layer without its adjustment, ``(H, W, 3)``, in the layer's dtype."""
    kept = layer.metadata.get(ORIGINAL)
    shape = (*np.shape(layer.data)[:2], 3)
    if (record_of(layer) or {}).get("adjust") and np.shape(kept) == shape:
        return np.asarray(kept)
    return np.asarray(layer.data)[..., :3]


def adjusted_colors(layer: Any, adjustment: Adjustment) -> NDArray[Any]:
    """RGB of a layer with another adjustment, from its original colours."""
    original = original_colors(layer)
    if adjustment.is_neutral:
        return original
    alpha = rgba_of(layer)[..., 3]
    if original.dtype.kind == "f":
        colors = original.astype(np.float32)
    else:
        colors = (original / np.float32(np.iinfo(original.dtype).max)).astype(
            np.float32
        )
    return to_dtype(adjustment.apply(colors, alpha), original.dtype)


def show_adjusted(layer: Any, adjustment: Adjustment, colors: NDArray[Any]) -> None:
    """Put adjusted colours into a layer; the original ones stay with it."""
    original = original_colors(layer).copy()
    data = np.array(layer.data)
    data[..., :3] = colors
    layer.data = data
    kept = {} if adjustment.is_neutral else {ORIGINAL: original}
    rest = {k: v for k, v in layer.metadata.items() if k != ORIGINAL}
    layer.metadata = rest | kept
    _note(layer, adjust=None if adjustment.is_neutral else asdict(adjustment))


def bake(layer: Any) -> None:
    """Make a layer's adjustment its own colours; it can no longer be changed."""
    layer.metadata = {k: v for k, v in layer.metadata.items() if k != ORIGINAL}
    _note(layer, adjust=None)


# ---- previews ----------------------------------------------------------------------------


def put_preview(viewer: Any, preview: Any, picture: NDArray[Any], like: Any) -> Any:
    """Show a picture over everything as a temporary layer; update it when it is there.

    Parameters
    ----------
    viewer : napari.Viewer
    preview : napari Image layer or None
        The one of the last time.
    picture : ndarray of float, ``(H, W, 3)``, in [0, 1]
    like : napari Image layer
        Gives the place in space.

    Returns
    -------
    napari.layers.Image
    """
    from napari.layers import Image

    data = to_dtype(picture, np.uint8)
    if preview is not None and preview in viewer.layers:
        if preview.data.shape == data.shape:
            preview.data = data
            preview.visible = True
            return preview
        viewer.layers.remove(preview)
    active = viewer.layers.selection.active
    made = Image(
        data,
        rgb=True,
        name="preview",
        blending="translucent_no_depth",
        contrast_limits=limits_of(np.uint8),
        metadata={KEY: {"kind": PREVIEW}},
        **place_in_space(like),
    )
    viewer.layers.append(made)
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return made
