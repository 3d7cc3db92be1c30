"""Errors of a matte against the true one, as alphamatting.com defines them.

All of them look at the unknown region of the trimap only. Rhemann et al., "A
Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

Alpha = NDArray[np.float64]


def matte_errors(
    alpha: ArrayLike, truth: ArrayLike, unknown: ArrayLike | None = None
) -> dict[str, float]:
    """All four errors.

    Parameters
    ----------
    alpha, truth : array_like (H, W)
        The matte and the true matte, in [0, 1].
    unknown : bool array_like (H, W), optional
        Where to look; everywhere when not given.

    Returns
    -------
    dict
        ``"SAD"``, ``"Grad"`` and ``"Conn"`` in thousands, ``"MSE"`` a pixel.
    """
    return {
        "SAD": sad(alpha, truth, unknown),
        "MSE": mse(alpha, truth, unknown),
        "Grad": gradient_error(alpha, truth, unknown),
        "Conn": connectivity_error(alpha, truth, unknown),
    }


def sad(alpha: ArrayLike, truth: ArrayLike, unknown: ArrayLike | None = None) -> float:
    """Sum of absolute differences, in thousands."""
    found, true, where = _checked(alpha, truth, unknown)
    return float(np.abs(found - true)[where].sum() / 1000)


def mse(alpha: ArrayLike, truth: ArrayLike, unknown: ArrayLike | None = None) -> float:
    """Mean squared difference (zero for an empty region)."""
    found, true, where = _checked(alpha, truth, unknown)
    return float(np.square(found - true)[where].sum() / max(where.sum(), 1))


def gradient_error(
    alpha: ArrayLike,
    truth: ArrayLike,
    unknown: ArrayLike | None = None,
    sigma: float = 1.4,
) -> float:
    """Squared difference of the gradient magnitudes, summed, in thousands.

    Gradients are taken with first derivatives of a Gaussian, whose kernels have unit
    Euclidean norm, borders replicated.
    """
    found, true, where = _checked(alpha, truth, unknown)
    difference = _gradient(found, sigma) - _gradient(true, sigma)
    return float(np.square(difference)[where].sum() / 1000)


def connectivity_error(
    alpha: ArrayLike,
    truth: ArrayLike,
    unknown: ArrayLike | None = None,
    step: float = 0.1,
) -> float:
    """Difference of the degrees of connectedness, summed, in thousands.

    At each threshold, the source is the largest 4-connected region where both mattes
    reach it. A pixel's level is the last threshold at which it was still in the source;
    being more than 0.15 above that level counts as disconnected.
    """
    found, true, where = _checked(alpha, truth, unknown)
    thresholds = np.arange(0, 1 + step / 2, step)
    level = np.full(found.shape, -1.0)
    for i in range(1, len(thresholds)):
        both = (found >= thresholds[i]) & (true >= thresholds[i])
        source = _largest_region(both)
        level[(level == -1) & ~source] = thresholds[i - 1]
    level[level == -1] = 1

    def degree(matte: Alpha) -> Alpha:
        above = matte - level
        return 1 - above * (above >= 0.15)

    return float(np.abs(degree(found) - degree(true))[where].sum() / 1000)


def _largest_region(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    regions, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    return regions == sizes.argmax()


def _gradient(alpha: Alpha, sigma: float) -> Alpha:
    """Gradient magnitude with first-order Gaussian derivatives."""
    epsilon = 1e-2
    half = int(
        np.ceil(sigma * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * sigma * epsilon)))
    )
    x = np.arange(-half, half + 1)
    smooth = np.exp(-(x**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    derivative = -x * smooth / sigma**2
    norm = np.linalg.norm(smooth) * np.linalg.norm(derivative)

    def along(axis: int) -> Alpha:
        first = ndimage.convolve1d(alpha, derivative, axis=axis, mode="nearest")
        return ndimage.convolve1d(first, smooth, axis=1 - axis, mode="nearest") / norm

    return np.hypot(along(0), along(1))


def _checked(
    alpha: ArrayLike, truth: ArrayLike, unknown: ArrayLike | None
) -> tuple[Alpha, Alpha, NDArray[np.bool_]]:
    """Mattes in float64 and the region, of one size."""
    found, true = np.asarray(alpha, np.float64), np.asarray(truth, np.float64)
    where = np.ones(true.shape, bool) if unknown is None else np.asarray(unknown, bool)
    if found.ndim != 2 or found.shape != true.shape or where.shape != true.shape:
        raise ValueError(
            f"The mattes have shapes {found.shape} and {true.shape}, the region "
            f"{where.shape}; all need the same (H, W)."
        )
    return found, true, where
