"""Clean colours for any RGBA picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..picture import from_dtype, to_dtype
from ..run import SILENT, Run
from .edit import smooth

FILL_DECAY = 1e-2
OPAQUE_POWER = 32
CLEARLY_LESS = 0.3


def decontaminate(rgba: NDArray[Any], run: Run = SILENT) -> NDArray[Any]:
    """Clean the colours of any RGBA picture: remove what shines through its soft edges.

    When the transparent part still holds the original picture, foreground and background
    are estimated together and the foreground is kept. When it has been cleared, the
    colours of the opaque part go on into the edge instead. The alpha is not changed;
    colours are set everywhere, also where it is zero.

    ``rgba`` ``(H, W, 4)``: uint8, uint16, or float in [0, 1]; straight alpha. Returns
    ``(H, W, 4)``, same dtype. Raises ValueError when the shape does not fit, or there
    is nothing to take colours from.
    """
    from .colors import estimate_colors

    array = np.asarray(rgba)
    if array.ndim != 3 or array.shape[-1] != 4:
        raise ValueError(f"The picture has shape {array.shape}; (H, W, 4) is needed.")
    if array.dtype.kind == "f" and not ((array >= 0) & (array <= 1)).all():
        raise ValueError("The picture has values outside of [0, 1], or NaN; clip it.")
    unit = from_dtype(array)  # hidden colours too: they may be the background
    picture, alpha = unit[..., :3], unit[..., 3]
    if not alpha.any():
        raise ValueError(
            "The picture is fully transparent; it has no colours to clean."
        )
    colors = _extended(picture, alpha)
    if _background_is_known(picture, alpha, colors):
        colors = estimate_colors(picture, np.stack([1 - alpha, alpha]), run=run)[1]
    result = array.copy()
    seen = alpha[..., None] < 1
    result[..., :3] = np.where(seen, to_dtype(colors, array.dtype), array[..., :3])
    return result


def _background_is_known(
    picture: FloatArray, alpha: FloatArray, extended: FloatArray
) -> bool:
    """Whether the transparent pixels hold what shines through the soft edges.

    A varied surrounding does. One colour may be the true background or a cleared one:
    it is true when blending it with the colours of the opaque part explains the edge
    far better than those colours alone.
    """
    clear = picture[alpha == 0]
    if len(clear) == 0:
        return False
    if not (np.ptp(clear, axis=0) < 1e-6).all():
        return True
    edge = (alpha > 0.1) & (alpha < 0.9)
    weight = alpha[edge][:, None]
    blended = weight * extended[edge] + (1 - weight) * clear[0]
    seen = picture[edge]
    error = np.abs(seen - blended).sum()
    return bool(error < CLEARLY_LESS * np.abs(seen - extended[edge]).sum())


def _extended(picture: FloatArray, alpha: FloatArray) -> FloatArray:
    """Colours of the opaque part, carried on over ever wider neighbourhoods."""
    weight = (alpha / alpha.max()) ** OPAQUE_POWER
    total = weight[..., None] * picture
    known = weight.copy()
    radius, share = 1.0, 1.0
    while radius < 2 * max(alpha.shape):
        share *= FILL_DECAY
        known += share * smooth(weight, radius)
        total += share * smooth(weight[..., None] * picture, radius)
        radius *= 3
    mean = (weight[..., None] * picture).sum((0, 1)) / weight.sum()
    colors = (total + 1e-12 * mean) / (known[..., None] + 1e-12)
    return np.clip(colors, 0, 1).astype(np.float32)
