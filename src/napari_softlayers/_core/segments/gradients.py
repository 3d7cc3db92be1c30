"""Colour gradients with rotation-invariant kernels, and the sparsity they allow."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import correlate1d

from ..arrays import DoubleArray, FloatArray


@lru_cache(maxsize=8)
def derivative_kernels(taps: int = 13) -> tuple[DoubleArray, DoubleArray]:
    r"""Design the separable prefilter and first-derivative kernels for a gradient.

    ``taps``: odd length of both kernels, at least 3. Returns ``prefilter``,
    ``derivative`` ``(taps,)``: the prefilter sums to 1; the derivative of a unit ramp
    is 1.

    The gradient turns with the picture when the derivative kernel is the derivative of
    the prefilter, :math:`D(\omega) = j \omega P(\omega)`. Both kernels follow from
    least squares over all frequencies with :math:`P(0) = 1`.

    See Farid and Simoncelli, Differentiation of discrete multidimensional signals, IEEE
    TIP 13(4), 2004, doi:10.1109/TIP.2004.823819.
    """
    if taps < 3 or taps % 2 == 0:
        raise ValueError(f"taps={taps}; an odd number of at least 3 is needed.")
    side = taps // 2
    frequency = np.linspace(0, np.pi, 2001)[1:, None]
    offsets = np.arange(1, side + 1)
    even = np.hstack([np.ones_like(frequency), 2 * np.cos(frequency * offsets)])
    odd = 2 * np.sin(frequency * offsets)
    mismatch = np.hstack([frequency * even, -odd])
    total = np.concatenate([[1.0], np.full(side, 2.0), np.zeros(side)])
    solution = np.linalg.solve(mismatch.T @ mismatch, total)
    solution /= total @ solution
    half, slope = solution[: side + 1], solution[side + 1 :]
    prefilter = np.concatenate([half[:0:-1], half])
    derivative = np.concatenate([-slope[::-1], [0.0], slope])
    return prefilter, derivative


def gradient_magnitude(picture: FloatArray, taps: int = 13) -> FloatArray:
    """Give the length of the colour gradient at each pixel, ``(H, W)``.

    The squares of both directions are summed over the channels; the picture is
    continued beyond its border by its outermost pixels.
    """
    prefilter, derivative = derivative_kernels(taps)
    total = np.zeros(picture.shape[:2])
    for along in (0, 1):
        smooth = correlate1d(picture, prefilter, axis=1 - along, mode="nearest")
        slope = correlate1d(smooth, derivative, axis=along, mode="nearest")
        total += (slope.astype(np.float64) ** 2).sum(axis=-1)
    return np.sqrt(total).astype(np.float32)


def sparsity_exponents(picture: FloatArray) -> FloatArray:
    r"""Give :math:`\gamma_p = \min(0.9 + |\nabla c_p|, 1)`, ``(H, W)`` (Eq. 10b)."""
    return np.asarray(np.minimum(0.9 + gradient_magnitude(picture), 1), np.float32)
