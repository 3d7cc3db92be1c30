"""Palette layers: a picture as a few nearly single-coloured soft layers.

The three stages of Akimoto et al., "Fast Soft Color Segmentation" (CVPR 2020): palette
selection, alphas and their processing, residues.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..devices import choose_device
from ..layers.soft_layers import SoftLayers
from ..picture import as_image
from ..run import SILENT, Run
from .decomposer import Decomposer, Processing
from .processing import Masks, as_masks
from .selection import asked_colors, select_palette


def palette_layers(
    image: Any,
    palette: int | str | ArrayLike = 6,
    method: str = "mixture",
    *,
    selection: str = "kmeans",
    smoothing: float = 1.0,
    mask: Masks | None = None,
    processing: Processing | None = None,
    locked: ArrayLike | None = None,
    weights: str | Path | None = None,
    seed: int = 0,
    visible: ArrayLike | None = None,
    device: str | torch.device = "auto",
    run: Run = SILENT,
) -> SoftLayers:
    """Take a picture apart into soft layers of nearly one colour each.

    Like `napari_softlayers.palette_layers`, which says what is not said here.

    Parameters
    ----------
    palette
        Of its colours, equal ones become one layer; their order changes nothing but the
        order of the layers.
    method
        "mixture": the best mixture of up to three palette colours at each pixel.
        "lookup": the same, interpolated in a table of 33^3 colours: for previews while
        a colour is dragged. "network": a trained network sees the neighbourhood too.
    selection : {"kmeans", "hull"}
        How the colours are chosen; see `select_palette`.
    smoothing : float
        Strength of the guided filter on the alphas; 0 switches it off.
    mask : array_like ``(K, H, W)`` or dict of int to ``(H, W)``, optional
        In [0, 1], multiplied with the alphas of each layer (Fig. 10). A dict names only
        some layers by their place in the palette.
    processing : callable, optional
        Gets the alphas ``(K, H, W)`` and gives back others of the same shape; negative
        values are cut and the sum is brought back to one.
    locked : array_like, ``(L, 3)``, optional
        Colours that the palette must hold; they come first.
    weights : str or Path, optional
        Weights for "network": a safetensors file, for example an imported checkpoint.
        The ones that come with the package by default.
    visible : array_like of bool, ``(H, W)``, optional
        Pixels that the colours are chosen from; all by default.

    Returns
    -------
    SoftLayers
        Of kind "palette"; ``extras["palette"]`` holds the colours ``(K, 3)``.
    """
    picture = as_image(image)
    run.step(0, "Choosing the palette")
    seen = picture if visible is None else picture[np.asarray(visible, bool)][None]
    colors = select_palette(
        seen, palette, selection=selection, locked=locked, seed=seed
    )
    counted = isinstance(palette, (str, int, np.integer))
    asked = colors if counted else asked_colors(palette, locked)
    masks = as_masks(mask, asked, picture)
    decompose = Decomposer(
        colors,
        method,
        choose_device(device),
        selection=selection,
        smoothing=smoothing,
        processing=processing,
        weights=weights,
        seed=int(seed),
    )
    noted = {} if mask is None else {"by_user": True}  # arrays are not kept
    return decompose(picture, masks, run, **noted)
