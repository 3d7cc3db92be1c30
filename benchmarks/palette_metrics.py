"""Figures of palette layers: exactness, sparsity, purity, smoothness."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_softlayers import SoftLayers
from napari_softlayers._core.palette.recolor import layer_palette
from napari_softlayers._core.picture import as_image
from napari_softlayers._training.palette_task import sparsity_map


def palette_metrics(layers: SoftLayers, image: Any = None) -> dict[str, float]:
    """All figures of palette layers.

    Parameters
    ----------
    layers : SoftLayers
    image : array_like, ``(H, W, 3)``, optional
        The picture; the one that the layers were made from otherwise.

    Returns
    -------
    dict
        ``"error"`` largest and ``"PSNR"``, ``"SSIM"`` of the sum of the layers,
        ``"sparsity"`` (Eq. 10), ``"color variance"`` (weighted by alpha),
        ``"flat PSNR"`` (without residues) and ``"variation"`` (total, of the alphas).
    """
    picture = layers.image if image is None else as_image(image)
    sum_of_layers = layers.composite()
    palette = layer_palette(layers)
    flat = np.einsum("khw,kc->hwc", layers.alphas, palette, optimize=True)
    alphas = torch.from_numpy(layers.alphas)
    return {
        "error": float(np.abs(sum_of_layers - picture).max()),
        "PSNR": psnr(sum_of_layers, picture),
        "SSIM": ssim(sum_of_layers, picture),
        "sparsity": float(sparsity_map(alphas).mean(dtype=torch.float64)),
        "color variance": color_variance(layers),
        "flat PSNR": psnr(flat, picture),
        "variation": total_variation(layers),
    }


def psnr(found: NDArray[Any], picture: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in decibels of values in [0, 1]; inf when equal."""
    error = float(np.mean((found.astype(np.float64) - picture) ** 2))
    return -10 * math.log10(error) if error > 0 else math.inf


def ssim(found: NDArray[Any], picture: NDArray[Any]) -> float:
    """Structural similarity of RGB pictures (Wang et al. 2004, 7 x 7 windows)."""
    from skimage.metrics import structural_similarity

    if min(picture.shape[:2]) < 7:
        raise ValueError(
            f"The picture is {picture.shape[0]}x{picture.shape[1]}; SSIM needs at least "
            "7x7 pixels."
        )
    return float(structural_similarity(found, picture, channel_axis=-1, data_range=1))


def color_variance(layers: SoftLayers) -> float:
    """Variance of the layers' colours, weighted by alpha.

    Summed over the channels and averaged over the layers that are not empty (Table 2;
    unweighted, invisible colours would count like visible ones).
    """
    found = []
    for alpha, color in zip(layers.alphas, layers.colors, strict=True):
        weights = alpha.ravel().astype(np.float64)
        total = weights.sum()
        if total < 1e-6:
            continue
        values = color.reshape(-1, 3)
        mean = weights @ values / total
        found.append(float(weights @ ((values - mean) ** 2).sum(axis=1) / total))
    return float(np.mean(found))


def total_variation(layers: SoftLayers) -> float:
    """Mean over pixels of ``sum_k |d a_k / dx| + |d a_k / dy|``."""
    alphas = layers.alphas
    height, width = layers.shape
    across = np.abs(np.diff(alphas, axis=2)).sum(dtype=np.float64)
    down = np.abs(np.diff(alphas, axis=1)).sum(dtype=np.float64)
    across /= max(height * (width - 1), 1)
    return float(across + down / max((height - 1) * width, 1))
