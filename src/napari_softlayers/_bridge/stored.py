"""Results as their layers in the viewer store them, and how to come by them again."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_softlayers._core.layers.alphas import simplex
from napari_softlayers._core.layers.soft_layers import FloatArray, SoftLayers

from .results import layers_from_napari


def stored_layers(layers: Sequence[Any]) -> SoftLayers:
    """Read a result set from the viewer, noting in its parameters what was read.

    With the note, `as_stored` makes the same layers from those computed again.
    """
    read = layers_from_napari(layers)
    read.parameters["stored"] = {
        "dtype": str(np.dtype(layers[0].data.dtype)),
        "digest": _digest(read.alphas),
    }
    return read


def as_stored(layers: SoftLayers, note: dict[str, Any]) -> SoftLayers:
    """Round layers as the viewer does, and check that they are those of a note.

    Raises
    ------
    ValueError
        When the layers in the viewer were others than those computed now.
    """
    dtype = np.dtype(note["dtype"])
    alphas: FloatArray = layers.rgba(dtype)[..., 3]
    if dtype.kind != "f":
        alphas = (alphas / np.float64(np.iinfo(dtype).max)).astype(np.float32)
    alphas = simplex(alphas.copy())
    if _digest(alphas) != note["digest"]:
        raise ValueError(
            "The segments were changed in the viewer after they had been computed (or "
            "were computed on another device), so this split by segments cannot be made "
            "again from its parameters; split the palette layers by them once more."
        )
    return replace(layers, alphas=alphas)


def _digest(alphas: FloatArray) -> int:
    return zlib.crc32(np.ascontiguousarray(alphas).data)
