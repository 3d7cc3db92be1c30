"""Changing a result set that is already in the viewer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.layers.alphas import over_from_additive
from napari_softlayers._core.layers.compositing import Checks, check_layers
from napari_softlayers._core.layers.edit import Adjustment
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.picture import from_dtype, to_dtype
from napari_softlayers._recipes import recipe_of

from . import results
from .pictures import picture_again, picture_of
from .places import put_frame, spatial_of
from .record import record_of, write_record
from .show import limits_of, name_layers, place_set, records_of_set

CHECKED_PIXELS = 1 << 20
BLENDING = {"additive": "additive", "normal": "translucent_no_depth"}
KEPT = ("run", "source", "source_id", "source_visible", "hidden", "plane", "words")
"""What a set keeps when its layers are edited."""


def replace_set(viewer: Any, old: Sequence[Any], layers: SoftLayers) -> list[Any]:
    """Show edited layers in the place of a result set.

    They are placed as `place_set` does it; the set stays the same run, additive.
    """
    first = record_of(old[0])
    stack = layers.rgba(results.stored_frame(old[0]).dtype)
    records = records_of_set(layers, None, None, stack)
    if first is not None:
        kept = {name: getattr(first, name) for name in KEPT}
        records = [record.changed(**kept) for record in records]
    place, source = spatial_of(old[0]), results.source_of(viewer, old[0])
    shown = place_set(viewer, old, stack, records, place, source, False)
    name_layers(shown, [record.full_name for record in records])
    return shown


def rename_set(layers: Sequence[Any], soft: SoftLayers) -> None:
    """Give a result set the names and the recipe of ``soft``, whose pixels it shows."""
    recipe = recipe_of(soft)
    for layer, name in zip(layers, soft.names, strict=True):
        _note(layer, name=name, recipe=recipe)
    pairs = zip(layers, soft.names, strict=True)
    name_layers(layers, [results.full_name(layer, name) for layer, name in pairs])


def stack_mode(layers: Sequence[Any]) -> str:
    """How a result set is blended: "additive" or "normal"."""
    record = record_of(layers[0])
    return "additive" if record is None else record.stack


def set_stack_mode(viewer: Any, layers: Sequence[Any], mode: str) -> None:
    """Switch a result set between additive and normal ("over") blending.

    Only alphas and blending change, and for integer layers the way back is exact. In a
    normal stack the layers have to lie in the order of their index, so they are moved
    there. ``layers``: a whole result set, the bottom one first.
    """
    if mode not in BLENDING:
        raise ValueError(f"mode={mode!r} is not known; use 'additive' or 'normal'.")
    if stack_mode(layers) == mode:
        return
    soft = results.layers_from_napari(layers)
    dtype = results.stored_frame(layers[0]).dtype
    alphas = soft.rgba(dtype)[..., 3]
    if mode == "normal":
        floating = dtype.kind == "f"
        alphas = soft.normal_stack() if floating else over_from_additive(alphas)
        lowest = min(viewer.layers.index(layer) for layer in layers)
        for place, layer in enumerate(layers, lowest):
            viewer.layers.move(viewer.layers.index(layer), place)
    for layer, alpha in zip(layers, alphas, strict=True):
        frame = results.stored_frame(layer).copy()
        frame[..., 3] = alpha
        put_frame(layer, frame)
        layer.blending = BLENDING[mode]
        _note(layer, stack=mode)


def _note(layer: Any, **changes: Any) -> None:
    record = record_of(layer)
    if record is not None:
        write_record(layer, record.changed(**changes))


def is_rgba(layer: Any) -> bool:
    """Accept RGBA images of one frame."""
    try:
        return results.stored_frame(layer).shape[-1] == 4
    except (AttributeError, TypeError):
        return False


def add_cleaned(viewer: Any, layer: Any, cleaned: NDArray[Any]) -> None:
    """Show cleaned colours right above the layer that they came from, and hide that."""
    from napari.layers import Image

    made = Image(
        cleaned.reshape(layer.data.shape),
        rgb=True,
        name=f"{layer.name} · clean",
        blending=layer.blending,
        opacity=layer.opacity,
        contrast_limits=limits_of(cleaned.dtype),
        **spatial_of(layer),
    )
    viewer.layers.insert(viewer.layers.index(layer) + 1, made)
    layer.visible = False


def checks_of(viewer: Any, layers: Sequence[Any]) -> Checks:
    """Compare what the layers add up to with their source, if it is still there.

    Of large pictures only every n-th pixel of every n-th row is looked at, about a
    megapixel in all.
    """
    pixels = math.prod(results.stored_frame(layers[0]).shape[:2])
    step = max(1, math.ceil(math.sqrt(pixels / CHECKED_PIXELS)))
    frames = np.stack([results.rgba_of(layer, step) for layer in layers])
    alphas = results.additive_alphas(layers, frames[..., 3])
    light = _light_below(viewer, layers)
    thin = None if light is None else light[::step, ::step]
    return check_layers(alphas, frames[..., :3], thin)


def _light_below(viewer: Any, layers: Sequence[Any]) -> NDArray[np.float32] | None:
    """What the source of a set shows, ``alpha * image``, as the result took it."""
    source, record = results.source_of(viewer, layers[0]), record_of(layers[0])
    if source is None or record is None:
        return None
    if record.recipe is None:  # layers from elsewhere, shown over an image
        picture = picture_of(source, step=record.plane or None)
    else:
        picture = picture_again(source, record.recipe.frame)
    if picture.shape != results.stored_frame(layers[0]).shape[:2]:
        return None
    if picture.alpha is None:
        return picture.data
    return picture.alpha[..., None] * picture.data


def adjustment_of(layer: Any) -> Adjustment:
    """The adjustment that a layer shows and that is not baked yet."""
    record = record_of(layer)
    if record is None or record.adjust is None:
        return Adjustment()
    return record.adjust


def adjusted_colors(
    layers: Sequence[Any], layer: Any, adjustment: Adjustment
) -> NDArray[Any]:
    """RGB of a layer of a set with another adjustment, from its original colours."""
    original = results.unadjusted_frame(layer)[..., :3]
    if adjustment.is_neutral:
        return original
    if stack_mode(layers) == "additive":
        alpha = results.rgba_of(layer)[..., 3]
    else:
        alphas = np.stack([results.rgba_of(other)[..., 3] for other in layers])
        alpha = results.additive_alphas(layers, alphas)[list(layers).index(layer)]
    colors = adjustment.apply(from_dtype(original), alpha)
    return to_dtype(colors, original.dtype)


def show_adjusted(layer: Any, adjustment: Adjustment, colors: NDArray[Any]) -> None:
    """Put adjusted colours into a layer; the original ones stay with it."""
    original = results.unadjusted_frame(layer)[..., :3].copy()
    frame = results.stored_frame(layer).copy()
    frame[..., :3] = colors
    put_frame(layer, frame)
    results.forget_original(layer)
    if adjustment.is_neutral:
        _note(layer, adjust=None)
    else:
        layer.metadata = {**layer.metadata, results.ORIGINAL: original}
        _note(layer, adjust=adjustment)
