"""Alpha layer processing (Section 4.4): smoothing, masks and the bounds of Eq. 3.

All are torch tensors: pictures ``(3, H, W)`` in [0, 1], alphas and masks ``(K, H, W)``,
palettes ``(K, 3)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray
from ..numerics.guided_filter import GuidedFilter, inverses, multiplied, products
from ..run import SILENT, Run
from ..threads import for_bands
from .selection import merge_duplicates

EDGE = 0.05  # variance of the guide below which smoothing = 1 averages (He et al.: eps)
LEAST_EPS = 1e-6  # below, float32 covariances of flat parts have no inverse
DRIFT = 0.2  # how far a layer's colour may lie from its palette colour
TRACE = 0.01  # alphas below are dropped
DAMPING = 0.02  # rho of the step back to the picture's colours


def smooth(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    strength: float = 1.0,
    run: Run = SILENT,
) -> torch.Tensor:
    """Smooth alphas along the picture with a guided filter.

    In windows of about six pixels, each alpha layer is replaced by its affine fit to the
    picture's colours, ``a = w . c + b`` with ``w = (Cov(c) + eps I)^-1 Cov(c, a)`` [1]_;
    the fits are computed at half size and interpolated ("fast guided filter" [2]_).

    ``strength``: 0 changes nothing; ``eps = 0.05 strength``. What comes out sums to 1
    where the alphas do; values may lie slightly outside [0, 1].

    References
    ----------
    .. [1] He, Sun, Tang, "Guided image filtering", ECCV 2010, Eq. 14-16.
    .. [2] He, Sun, "Fast guided filter", arXiv:1505.00996.
    """
    if strength == 0:
        return alphas
    part = run.part(0, 0.2)
    eps = max(EDGE * strength, LEAST_EPS)
    follow = GuidedFilter(picture, 1, eps, step=2, repeat=True, run=part)
    return follow(alphas, run.part(0.2, 1))


def refine(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    palette: torch.Tensor,
    run: Run = SILENT,
) -> torch.Tensor:
    """Bring smoothed alphas back into bounds and back to the picture's colours.

    Bounds: a layer near its palette colour can only hold ``a_i <= (1 - c) / (1 - p_i)``
    and ``a_i <= c / p_i`` in each channel, or Eq. 1 and 3 would push its colour (or
    others') far away: white has no room for a dark layer. Each alpha is cut there, with
    0.2 of freedom for the colour, and alphas below 0.01 are dropped.

    Colours: smoothing decides which layers a pixel belongs to, but blurs how much of
    each. One step along the alphas' own covariance brings the mixture's colour ``m =
    sum a_i p_i`` back to ``c`` without new layers,

        a_i <- a_i (1 + (p_i - m)^T (S + rho I)^-1 (c - m)),
        S = sum_i a_i (p_i - m) (p_i - m)^T,

    which keeps zeros and the sum.

    The alphas may lie outside [0, 1]; what comes out lies in it and sums to 1.
    """
    result = torch.empty_like(alphas)
    cuts = _cuts(palette)
    moments = torch.cat([palette.T, products(palette.T)])

    def work(rows: slice) -> None:
        color = picture[:, rows]
        part = _bound(color, alphas[:, rows].clamp(0, 1), cuts)
        part = _refit(color, part, palette, moments)
        result[:, rows] = _bound(color, part, cuts)

    count, height, width = alphas.shape
    for_bands(work, height, 5 * count * width, alphas.device, run, "Refining alphas")
    return result


def _cuts(palette: torch.Tensor) -> list[tuple[int, int, float, int]]:
    """Layer, channel, factor and side (0: of 1 - c, 1: of c) of the bounds that matter.

    A bound of one or more at every value in [0, 1] never cuts.
    """
    above = 1 / (1 - palette - DRIFT).clamp(min=1e-3)
    below = 1 / (palette - DRIFT).clamp(min=1e-3)
    return [
        (layer, channel, float(reach[layer, channel]), side)
        for side, reach in enumerate((above.cpu(), below.cpu()))
        for layer, channel in torch.nonzero(reach > 1).tolist()
    ]


def _bound(
    color: torch.Tensor, alphas: torch.Tensor, cuts: list[tuple[int, int, float, int]]
) -> torch.Tensor:
    """Cut alphas at their bounds, drop traces, bring the sum to one."""
    sides = (1 - color, color)
    part = alphas * 1.0
    for layer, channel, reach, side in cuts:
        limit = sides[side][channel] * reach
        torch.minimum(part[layer], limit, out=part[layer])
    part.add_(alphas, alpha=1e-6)  # where every layer was cut to nothing
    part /= part.sum(0)
    part.sub_(TRACE).clamp_(min=0)
    return part.div_(part.sum(0))


def _refit(
    color: torch.Tensor,
    alphas: torch.Tensor,
    palette: torch.Tensor,
    moments: torch.Tensor,
) -> torch.Tensor:
    """One damped step of the mixture's colour towards the picture's."""
    found = (moments @ alphas.flatten(1)).unflatten(1, alphas.shape[1:])
    mean = found[:3]
    step = multiplied(inverses(found[3:] - products(mean), DAMPING), color - mean)
    gain = (palette @ step.flatten(1)).unflatten(1, alphas.shape[1:])
    gain += 1 - (mean * step).sum(0)
    return alphas.mul(gain).clamp_(min=0)


def apply_masks(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    masks: torch.Tensor,
    palette: torch.Tensor,
) -> torch.Tensor:
    """Multiply alphas by the user's masks and share out what was taken (Fig. 10).

    Where nothing is left, the allowed layer with the nearest palette colour takes the
    pixel; where every layer is forbidden, the masks are ignored.
    """
    masked = alphas * masks
    total = masked.sum(0)
    lost = total < 1e-4
    if lost.any():
        gaps = torch.cdist(picture[:, lost].T, palette).T
        gaps = torch.where(masks[:, lost] > 0, gaps, torch.inf)
        nearest = torch.zeros_like(gaps).scatter_(0, gaps.argmin(0, keepdim=True), 1)
        free = torch.isinf(gaps).all(0)
        masked[:, lost] = torch.where(free, alphas[:, lost], nearest)
        total = masked.sum(0)
    return masked / total


Masks = ArrayLike | Mapping[int, ArrayLike]


def as_masks(
    mask: Masks | None, colors: NDArray[Any], picture: FloatArray
) -> FloatArray | None:
    """Check the user's masks and bring them to one form.

    ``mask`` ``(K, H, W)``, dict of int to ``(H, W)``, or None. ``colors`` ``(K, 3)``:
    the palette that the masks were made for; masks of equal colours unite. ``picture``
    ``(H, W, 3)``. Returns float32 ``(K', H, W)``, or None: in [0, 1], one mask a
    distinct colour. Raises ValueError when sizes, numbers or values do not fit.
    """
    if mask is None:
        return None
    size = picture.shape[:2]
    if isinstance(mask, Mapping):
        masks = np.ones((len(colors), *size), np.float32)
        for place, values in mask.items():
            if not 0 <= place < len(colors):
                raise ValueError(
                    f"A mask came for colour {place}; the palette has {len(colors)}, "
                    "numbered from 0."
                )
            masks[place] = _one_mask(values, size)
    else:
        stack = np.asarray(mask)
        if stack.ndim != 3 or len(stack) != len(colors):
            raise ValueError(
                f"mask has shape {stack.shape}; one mask a palette colour is needed: "
                f"{(len(colors), *size)}, or a dict of place to mask."
            )
        masks = np.stack([_one_mask(values, size) for values in stack])
    distinct, index = merge_duplicates(colors)
    merged = np.zeros((len(distinct), *size), np.float32)
    np.maximum.at(merged, index, masks)
    return merged


def _one_mask(values: ArrayLike, size: tuple[int, ...]) -> FloatArray:
    """One mask as float32 in [0, 1]; 8-bit masks are divided by 255."""
    mask = np.asarray(values)
    if mask.shape != size:
        raise ValueError(
            f"A mask has shape {mask.shape}; the picture is {size[0]}x{size[1]}, and a "
            "mask must have the same height and width. Resize it first."
        )
    if mask.dtype == np.uint8:
        mask = mask / np.float32(255)
    mask = mask.astype(np.float32)
    if not np.isfinite(mask).all() or mask.min() < 0 or mask.max() > 1:
        raise ValueError(
            f"A mask has values from {mask.min():g} to {mask.max():g}; values in [0, 1] "
            "are needed."
        )
    return mask
