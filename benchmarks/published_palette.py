"""The authors' own way with their palette networks, to compare with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_softlayers._core.networks.palette import STRIDE, PaletteNetwork
from napari_softlayers._core.networks.weights import load_network
from napari_softlayers._core.numerics.guided_filter import GuidedFilter

FloatArray = NDArray[np.float32]

FILTER_RADIUS = 3  # of the guided filter in the authors' notebook
FILTER_EPSILON = 1e-6
LUMA = (0.299, 0.587, 0.114)


def published_layers(
    picture: FloatArray, palette: FloatArray, weights: str | Path
) -> tuple[FloatArray, FloatArray]:
    """Layers as the authors' notebook makes them, to compare with.

    Alphas are smoothed by a guided filter on the grey picture, then divided by their sum
    without clipping; colours come from the residue predictor. The order of the colours
    matters, the sum is not exact, and up to seven rows and columns are cut off.

    Parameters
    ----------
    picture : ndarray of float32, ``(H, W, 3)``
    palette : ndarray of float32, ``(K, 3)``
        As many colours as the weights have slots.
    weights : path-like
        Written by `import_checkpoints`.

    Returns
    -------
    alphas : ndarray of float32, ``(K, H // 8 * 8, W // 8 * 8)``
        May lie outside [0, 1].
    colors : ndarray of float32, ``(K, H // 8 * 8, W // 8 * 8, 3)``
    """
    network = load_network(weights, "cpu", "palette")
    if not isinstance(network, PaletteNetwork) or network.residue is None:
        raise ValueError(f"{weights} holds no residue predictor.")
    slots = network.config.slots
    if palette.shape != (slots, 3):
        raise ValueError(
            f"The palette has shape {palette.shape}; these weights need ({slots}, 3)."
        )
    height, width = (size // STRIDE * STRIDE for size in picture.shape[:2])
    if min(height, width) == 0:
        raise ValueError(
            f"The picture has shape {picture.shape}; 8x8 pixels are needed."
        )
    planes = torch.from_numpy(picture[:height, :width].transpose(2, 0, 1).copy())[None]
    swatches = torch.from_numpy(palette)[None]
    with torch.inference_mode():
        alphas = network(planes, swatches)
        grey = torch.einsum("bchw,c->bhw", planes, torch.tensor(LUMA))
        follow = GuidedFilter(grey.double(), FILTER_RADIUS, FILTER_EPSILON)
        alphas = follow(alphas[0].double())[None].float()
        alphas = alphas / (alphas.sum(1, keepdim=True) + 1e-8)
        colors = network.layer_colors(planes, swatches, alphas)
    return alphas[0].numpy(), colors[0].permute(0, 2, 3, 1).contiguous().numpy()
