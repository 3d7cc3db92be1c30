"""Soft layers as a document, and what a document means as soft layers.

Some programs, such as GIMP since 2.10, blend in linear light: they undo the sRGB curve,
blend, and apply it again. Where a layer is partly transparent
the picture would come out wrong, so the layers' colours are moved by as little as possible
until their sum is the picture there, too.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from napari_softlayers._core.arrays import FloatArray
from napari_softlayers._core.layers.alphas import over_from_additive, snap
from napari_softlayers._core.layers.edit import from_linear, to_linear
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.picture import largest
from napari_softlayers._recipes import Recipe, read_recipe, recipe_of, with_recipe
from napari_softlayers._recipes.migrate import recipe_from_parameters

from ._document import Document, Group, Layer, contributions, on_canvas
from ._files import check_canvas
from ._icc import profile_name

OPAQUE = 1e-5


def from_soft_layers(
    layers: SoftLayers, bits: int, additive: bool, light: str = "sRGB"
) -> Document:
    """Make a document of soft layers, as a normal stack or with additive alphas."""
    pixels = layers.rgba(np.uint8 if bits == 8 else np.uint16)
    if not additive:
        pixels[..., 3] = over_from_additive(pixels[..., 3])
    mode = "plus" if additive else "normal"
    named = zip(layers.names, pixels, strict=True)
    items: list[Layer | Group] = [Layer(name, rgba, mode=mode) for name, rgba in named]
    info = described(layers) | {
        "sets": [] if additive else [list(range(len(layers)))],
        "soft": True,
        "light": light,
    }
    height, width = layers.shape
    whole = bool(np.abs(layers.alphas.sum(axis=0) - 1).max() < 1e-3)
    picture = np.clip(layers.image, 0, 1) if whole else None
    document = Document(width, height, items, info, picture, layers.profile)
    document.sign()
    return document


def described(layers: SoftLayers) -> dict[str, Any]:
    """What is noted of layers beside their pixels."""
    recipe = recipe_of(layers)
    info: dict[str, Any] = {
        "kind": layers.kind,
        "parameters": layers.parameters,
        "extras": layers.extras,
        "recipe": None if recipe is None else recipe.plain(),
    }
    if layers.profile is not None:
        info["profile"] = profile_name(layers.profile)
    return info


def noted_recipe(info: dict[str, Any]) -> Recipe | None:
    """The recipe that was noted, by version 0.1 as parameters; None without one."""
    if "recipe" in info:
        return read_recipe(info["recipe"])
    return recipe_from_parameters(str(info.get("kind")), info.get("parameters"))


def to_soft_layers(document: Document, what: str) -> SoftLayers:
    """What the visible layers of a document contribute to its picture."""
    check_canvas(document.width, document.height, len(document.layers()), what)
    parts = contributions(document)
    if not parts:
        raise ValueError(f"{what} has no visible layer; show at least one in it.")
    _warn_about_left_out(document, [layer for layer, _ in parts], what)
    alphas = np.stack([alpha for _, alpha in parts])
    info = document.checked_info()
    if info.get("soft"):
        alphas = snap(alphas, int(largest(parts[0][0].pixels.dtype)))
    colors = np.stack([on_canvas(layer, document)[..., :3] for layer, _ in parts])
    names = [layer.name for layer, _ in parts]
    return assembled(alphas, colors, names, info, document.profile, what)


def assembled(
    alphas: FloatArray,
    colors: FloatArray,
    names: list[str],
    info: dict[str, Any],
    profile: bytes | None,
    what: str,
) -> SoftLayers:
    """Soft layers of a file, with the alpha that they leave the picture."""
    total = alphas.sum(axis=0)
    if total.max() > 1 + 1e-3:
        warnings.warn(
            f"The layers of {what} add up to more than the picture can hold; their "
            "alphas were scaled down there.",
            stacklevel=3,
        )
        alphas = alphas / np.maximum(total, 1)
        total = np.minimum(total, 1)
    layers = SoftLayers(
        alphas,
        colors,
        names,
        str(info.get("kind", "layers")),
        dict(info.get("parameters", {})),
        dict(info.get("extras", {})),
        profile=profile,
    )
    if total.min() < 1 - OPAQUE:
        layers.alpha, layers.image = np.minimum(total, 1), straight(layers)
    return with_recipe(layers, noted_recipe(info))


def straight(layers: SoftLayers) -> FloatArray:
    """The layers' light divided by their alpha; the bottom colour where it is none."""
    total = layers.alphas.sum(axis=0)[..., None]
    light = np.einsum("khw,khwc->hwc", layers.alphas, layers.colors)
    return np.divide(light, total, out=layers.colors[0].copy(), where=total > 0)


def _warn_about_left_out(document: Document, used: list[Layer], what: str) -> None:
    hidden = [x.name for x in document.layers() if not any(x is y for y in used)]
    if hidden:
        warnings.warn(
            f"Hidden layers of {what} were left out: {', '.join(hidden)}.", stacklevel=4
        )
    other = {x.mode for x in used} - {"normal", "plus"}
    if other:
        warnings.warn(
            f"{what} blends with {', '.join(sorted(other))}; it is opened as normal "
            "blending.",
            stacklevel=4,
        )


def for_linear_light(layers: SoftLayers) -> SoftLayers:
    """Layers with ``sum_k alpha_k lin(color_k) == alpha lin(picture)``.

    ``alpha`` is what the layers' alphas sum to, ``picture`` their straight colour. Their
    own ``composite`` is no longer the picture: they are made for such a program.
    """
    light = to_linear(np.clip(straight(layers), 0, 1))
    colors = _exact(light, layers.alphas, to_linear(layers.colors))
    return replace(layers, colors=np.clip(from_linear(colors), 0, 1))


def from_linear_light(layers: SoftLayers) -> SoftLayers:
    """The way back: layers whose sum is the picture as they stand."""
    linear = replace(layers, colors=to_linear(layers.colors))
    picture = np.clip(from_linear(np.clip(straight(linear), 0, 1)), 0, 1)
    colors = _exact(picture, layers.alphas, layers.colors)
    return replace(layers, colors=colors, image=picture)


def without_linear_light(document: Document, what: str) -> Document:
    """Turn a document that we wrote for linear light into a plain one."""
    if document.checked_info().get("light") != "linear":
        return document
    layers = from_linear_light(to_soft_layers(document, what))
    bits = 8 * document.layers()[0].pixels.dtype.itemsize
    return from_soft_layers(layers, bits, additive=False)


def _exact(picture: FloatArray, alphas: FloatArray, colors: FloatArray) -> FloatArray:
    """Colours whose mean, weighted with alphas, is the (straight) picture."""
    from napari_softlayers._core.layers.colors import exact_colors

    shares = alphas / np.maximum(alphas.sum(axis=0), np.float32(1e-9))
    return exact_colors(picture, shares, colors)
