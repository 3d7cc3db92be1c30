"""Stacks for programs that blend in linear light, such as GIMP since 2.10.

They undo the sRGB curve, blend, and apply it again. Where a layer is partly transparent
the picture would come out wrong, so the layers' colours are moved by as little as possible
until their sum is the picture there, too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_softlayers._core.arrays import FloatArray
from napari_softlayers._core.layers.edit import from_linear, to_linear
from napari_softlayers._core.layers.soft_layers import SoftLayers

from ._document import Document
from ._soft_document import from_soft_layers, straight, to_soft_layers


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
