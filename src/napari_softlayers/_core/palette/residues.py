"""Exact residues: layer colours near the palette that add up to the picture.

Given the alphas, the colours that minimise ``sum_i a_i |u_i - p_i|^2`` (Eq. 8, squared)
subject to ``sum_i a_i u_i = c`` (Eq. 1) and ``0 <= u_i <= 1`` (Eq. 3) are
``u_i = clip(p_i + t, 0, 1)`` with one scalar t a pixel and channel, which
`colors.project_exact` finds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..arrays import FloatArray
from ..layers.colors import project_exact
from ..run import Run
from ..threads import for_bands


def exact_residues(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    palette: torch.Tensor,
    run: Run | None = None,
    places: Sequence[int] | None = None,
) -> FloatArray:
    """Colours of palette layers with an exact sum.

    ``picture`` ``(3, H, W)``, in [0, 1]. ``alphas`` ``(K, H, W)``, summing to 1.
    ``palette`` ``(K, 3)``, in [0, 1]. ``places`` sequence of int: where each layer goes
    in the result. Returns float32 ``(K, H, W, 3)``, in [0, 1]:
    ``sum_k alphas[k] * colors[k] == picture``; a layer without alpha has its palette
    colour.
    """
    count, height, width = alphas.shape
    result = torch.empty(count, height, width, 3)
    where = list(range(count)) if places is None else list(places)
    base = palette[:, :, None, None]

    def work(rows: slice) -> None:
        colors = project_exact(picture[:, rows], alphas[:, rows], base)
        for layer, place in zip(colors, where, strict=True):
            result[place, rows] = layer.permute(1, 2, 0).cpu()

    size = 8 * count * width
    for_bands(work, height, size, alphas.device, run or Run(), "Exact residues")
    return result.numpy()
