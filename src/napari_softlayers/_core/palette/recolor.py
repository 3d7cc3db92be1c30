"""Recolouring: move the palette and the picture follows.

A layer keeps its alphas and residues, so the new picture is ``c' = clip(c + sum_i a_i (p'_i
- p_i))``: neither the residues nor the layer colours are needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray
from ..layers.colors import as_tensor, exact_colors
from ..layers.soft_layers import Edit, SoftLayers
from ..run import Run
from ..threads import for_bands
from .names import hex_name
from .selection import check_colors


def layer_palette(layers: SoftLayers) -> FloatArray:
    """Give the palette ``(K, 3)`` of layers: the stored one or their mean colours."""
    palette = layers.extras.get("palette")
    if palette is not None and len(palette) == len(layers):
        return np.asarray(palette, dtype=np.float32)
    weights = layers.alphas.reshape(len(layers), -1).astype(np.float64)
    colors = layers.colors.reshape(len(layers), -1, 3)
    total = weights.sum(axis=1)
    means = np.einsum("kn,knc->kc", weights, colors) / np.maximum(total, 1e-9)[:, None]
    plain = colors.mean(axis=1)
    return np.asarray(np.where(total[:, None] > 1e-6, means, plain), np.float32)


def recolor(
    layers: SoftLayers, palette: ArrayLike, dtype: Any = np.float32
) -> NDArray[Any]:
    """Paint the picture with another palette.

    ``layers``: palette layers; any others are moved by their mean colours. ``palette``
    ``(K, 3)``: new colours in [0, 1], in the order of the layers. ``dtype`` {float32,
    uint8}: of the result. Returns ``(H, W, 3)``: ``clip(c + sum_i a_i (p'_i - p_i))``
    in [0, 1], or 0 to 255. Raises ValueError when the palette does not fit the layers.
    """
    return Recolorer(layers, dtype)(palette)


def recolored_layers(layers: SoftLayers, palette: ArrayLike) -> SoftLayers:
    """The layers moved to new colours; their ``image`` is what `recolor` gives."""
    colors = check_colors(palette, most=None)
    picture = recolor(layers, colors)
    shift = (colors - layer_palette(layers)).astype(np.float32)
    moved = np.clip(layers.colors + shift[:, None, None], 0, 1)
    return layers.edited(
        Edit("recolor", {"palette": colors.tolist()}),
        colors=exact_colors(picture, layers.whole(), moved),
        image=picture,
        names=[hex_name(color) for color in colors],
        extras={**layers.extras, "palette": colors.astype(np.float32)},
    )


class Recolorer:
    """A picture that follows its palette, for many quick changes.

    ``dtype`` {uint8, float32}: of the pictures it gives. Each call gives the same array,
    with other contents: copy it to keep it. Only the layers whose colour differs from
    the original are added up.
    """

    def __init__(self, layers: SoftLayers, dtype: Any = np.uint8) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.uint8), np.dtype(np.float32)):
            raise ValueError(
                f"dtype {self.dtype} came; recolouring gives uint8 or float32."
            )
        self.palette = layer_palette(layers)
        self._alphas = as_tensor(layers.whole())
        kind, self._scale, half = torch.float32, 1.0, 0.0
        if self.dtype == np.uint8:
            kind, self._scale, half = torch.uint8, 255.0, 0.5
        self._picture = as_tensor(layers.image.transpose(2, 0, 1)) * self._scale
        self._picture += half  # converting to integers cuts: this rounds
        self._top = self._scale + half
        self._result = torch.empty(*layers.shape, 3, dtype=kind)

    def __call__(self, palette: ArrayLike) -> NDArray[Any]:
        """Give the picture ``(H, W, 3)`` for a new palette ``(K, 3)``."""
        colors = check_colors(palette, most=None)
        if colors.shape != self.palette.shape:
            raise ValueError(
                f"The new palette has shape {colors.shape}; the layers have "
                f"{self.palette.shape}: one colour (red, green, blue) a layer."
            )
        shifts = np.abs(colors - self.palette).max(axis=1)
        moved = np.flatnonzero(shifts > 1e-6)
        moves = (colors - self.palette)[moved].T * self._scale
        mix = torch.from_numpy(moves.astype(np.float32))
        alphas = [self._alphas[layer] for layer in moved]

        def work(rows: slice) -> None:
            band = self._picture[:, rows]
            if alphas:
                light = torch.stack([alpha[rows].flatten() for alpha in alphas])
                band = torch.addmm(band.flatten(1), mix, light).view_as(band)
            band = band.clamp(0, self._top)
            self._result[rows] = band.permute(1, 2, 0)

        count, height, width = self._alphas.shape
        size = (count + 9) * width
        for_bands(work, height, size, self._alphas.device, Run())
        return self._result.numpy()
