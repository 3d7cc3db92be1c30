"""Random smooth shapes, strands and noise: the building blocks of procedural mattes.

Everything is a coverage in [0, 1] on a square grid of pixels, drawn from a seeded NumPy
generator. Lengths are fractions of the side unless they are called pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]


def smooth_noise(size: int, cells: float, rng: np.random.Generator) -> Array:
    """Random smooth field of about ``cells`` bumps along a side, values near [-1, 1].

    Parameters
    ----------
    size : int
        Side in pixels.
    cells : float
        Bumps along a side.
    rng : numpy.random.Generator

    Returns
    -------
    float32 array (size, size)
    """
    coarse = int(np.ceil(cells)) + 3
    values = rng.standard_normal((coarse, coarse)).astype(np.float32)
    zoom = cells / size
    shift = rng.uniform(1, 1.9, 2)
    axis = np.arange(size, dtype=np.float64) * zoom
    weights = [_cubic_weights(axis + s, coarse) for s in shift]
    field: Array = (weights[0] @ values @ weights[1].T).astype(np.float32)
    return field


def _cubic_weights(positions: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Matrix (n, count) that interpolates with uniform cubic B-splines."""
    distance = np.abs(positions[:, None] - np.arange(count))
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, inner, outer) * 1.6


def coverage(distance: Array, blur: float = 1.0) -> Array:
    """Anti-aliased coverage of where a signed distance in pixels is positive."""
    return np.asarray(np.clip(0.5 + distance / blur, 0, 1), np.float32)


@dataclass(frozen=True)
class Blob:
    """A random smooth closed outline.

    Attributes
    ----------
    distance : float32 array (size, size)
        Signed distance to the outline in pixels, positive inside; exact to first order
        near the outline only.
    outline : float64 array (n, 2)
        Points (y, x) on the outline, in pixels.
    normals : float64 array (n, 2)
        Outward directions at those points.
    """

    distance: Array
    outline: NDArray[np.float64]
    normals: NDArray[np.float64]

    def depth(self) -> Array:
        """Distance in pixels of every inner pixel to the outline, 0 outside."""
        inner = np.pad(self.distance > 0, 1, mode="edge")
        depth: Array = ndimage.distance_transform_edt(inner)[1:-1, 1:-1]
        return depth.astype(np.float32)


def random_blob(
    size: int,
    rng: np.random.Generator,
    radius: tuple[float, float] = (0.15, 0.4),
    roughness: float = 0.5,
    spread: float = 0.2,
) -> Blob:
    """A blob whose radius is a random Fourier series of the angle.

    Parameters
    ----------
    size : int
        Side in pixels.
    rng : numpy.random.Generator
    radius : (float, float)
        Range of the mean radius.
    roughness : float
        Strength of the Fourier terms; 0 is an ellipse.
    spread : float
        How far from the middle the centre may be.
    """
    centre = (0.5 + rng.uniform(-spread, spread, 2)) * size
    mean = rng.uniform(*radius) * size
    orders = np.arange(1, 9)
    scale = roughness * rng.standard_normal((2, 8)) / orders**1.2
    stretch, turn = rng.uniform(0.6, 1.0), rng.uniform(0, np.pi)

    def radius_at(angle: NDArray[np.float64]) -> NDArray[np.float64]:
        series = np.full(angle.shape, 0.0)
        for order, (a, b) in zip(orders, scale.T, strict=True):
            series += a * np.cos(order * angle) + b * np.sin(order * angle)
        ellipse = np.hypot(np.cos(angle - turn), np.sin(angle - turn) / stretch)
        return np.asarray(mean * np.exp(0.5 * series) / ellipse)

    y, x = np.mgrid[0:size, 0:size] + 0.5
    dy, dx = y - centre[0], x - centre[1]
    # The radius is tabulated: evaluating the series once a pixel would be slow.
    table_angle = np.linspace(-np.pi, np.pi, 721)
    table = radius_at(table_angle)
    implicit = np.interp(np.arctan2(dy, dx), table_angle, table) - np.hypot(dy, dx)
    gy, gx = np.gradient(implicit)
    distance = (implicit / np.maximum(np.hypot(gy, gx), 0.5)).astype(np.float32)
    points = np.stack([np.sin(table_angle), np.cos(table_angle)], 1) * table[:, None]
    tangent = np.gradient(points, axis=0)
    normals = np.stack([tangent[:, 1], -tangent[:, 0]], 1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    flip = np.sign((normals * points).sum(1, keepdims=True).sum()) or 1.0
    return Blob(distance, points + centre, flip * normals)


def strands(
    size: int,
    roots: NDArray[np.float64],
    directions: NDArray[np.float64],
    lengths: NDArray[np.float64],
    widths: NDArray[np.float64],
    rng: np.random.Generator,
    curl: float = 1.0,
    opacity: float = 1.0,
) -> Array:
    """Coverage of many thin tapered curved strands.

    Parameters
    ----------
    size : int
        Side in pixels.
    roots, directions : float array (n, 2)
        Starts (y, x) in pixels and unit directions there.
    lengths, widths : float array (n,)
        Pixels; the width tapers to a fifth at the tip.
    rng : numpy.random.Generator
    curl : float
        Radians by which a strand may turn along its length; neighbours turn alike.
    opacity : float
        Of a single strand.

    Returns
    -------
    float32 array (size, size)
        In [0, 1]. Overlapping strands add up and saturate smoothly.
    """
    steps = int(np.clip(np.max(lengths) / 0.75, 8, 400))
    t = np.linspace(0, 1, steps)
    turn_field = smooth_noise(size, 4, rng)
    at = np.clip(roots.astype(int), 0, size - 1)
    shared = turn_field[at[:, 0], at[:, 1]]
    turn = curl * (shared + 0.35 * rng.standard_normal(len(roots)))
    wave = curl * 0.3 * rng.standard_normal(len(roots))
    phase = rng.uniform(0, 2 * np.pi, len(roots))
    angle = np.arctan2(directions[:, 0], directions[:, 1])[:, None] + (
        turn[:, None] * t + wave[:, None] * np.sin(6 * t + phase[:, None])
    )
    step = (lengths / steps)[:, None]
    y = roots[:, :1] + np.cumsum(np.sin(angle) * step, 1)
    x = roots[:, 1:] + np.cumsum(np.cos(angle) * step, 1)
    area = widths[:, None] * (1 - 0.8 * t) * step * np.ones_like(y)
    return saturate(splat(size, y, x, opacity * area))


def splat(
    size: int, y: NDArray[np.float64], x: NDArray[np.float64], area: NDArray[np.float64]
) -> Array:
    """Add areas at fractional positions to the four pixels around each of them."""
    y, x, area = y.ravel() - 0.5, x.ravel() - 0.5, area.ravel()
    keep = (y > -1) & (x > -1) & (y < size) & (x < size)
    y, x, area = y[keep], x[keep], area[keep]
    top, left = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    fy, fx = y - top, x - left
    wide = size + 2
    where = (top + 1) * wide + left + 1
    total = np.zeros(wide * wide)
    for offset, weight in (
        (0, (1 - fy) * (1 - fx)),
        (1, (1 - fy) * fx),
        (wide, fy * (1 - fx)),
        (wide + 1, fy * fx),
    ):
        total += np.bincount(where + offset, area * weight, minlength=wide * wide)
    return total.reshape(wide, wide)[1:-1, 1:-1].astype(np.float32)


def saturate(amount: Array) -> Array:
    """``amount / (1 + amount^4)^(1/4)``: the identity for thin layers, 1 for thick."""
    squared = np.minimum(amount, 50.0) ** 2
    filled: Array = amount / np.sqrt(np.sqrt(1 + squared * squared))
    return np.clip(filled, 0, 1).astype(np.float32)


def over(*coverages: Array) -> Array:
    """Coverage of several independent layers: ``1 - prod(1 - c)``."""
    through = np.ones_like(coverages[0])
    for one in coverages:
        through = through * (1 - one)
    return np.clip(1 - through, 0, 1).astype(np.float32)


def motion_blur(alpha: Array, length: float, angle: float) -> Array:
    """Blur along a straight line of ``length`` pixels."""
    half = int(np.ceil(length / 2)) + 1
    side = 2 * half + 1
    t = np.linspace(-length / 2, length / 2, 4 * side)
    y, x = half + 0.5 + t * np.sin(angle), half + 0.5 + t * np.cos(angle)
    kernel = splat(side, y, x, np.full(t.shape, 1 / len(t)))
    return _convolved(alpha, kernel)


def disc_blur(alpha: Array, radius: float) -> Array:
    """Blur with a disc of ``radius`` pixels, as a lens out of focus does."""
    half = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = coverage((radius - np.hypot(y, x)).astype(np.float32))
    return _convolved(alpha, kernel / kernel.sum())


def _convolved(alpha: Array, kernel: Array) -> Array:
    from scipy.signal import fftconvolve

    pad = kernel.shape[0] // 2
    padded = np.pad(alpha, pad, mode="edge")
    blurred = np.clip(fftconvolve(padded, kernel, mode="valid"), 0, 1)
    # Rounding of the transform must not turn opaque and clear pixels into mixed ones.
    blurred[blurred < 1e-5] = 0
    blurred[blurred > 1 - 1e-5] = 1
    return np.asarray(blurred, np.float32)


def stamp(canvas: Array, shape: Array, top: int, left: int) -> None:
    """Lay a small coverage over a canvas in place, cut off at the canvas's border."""
    height, width = canvas.shape
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + shape.shape[0], height), min(left + shape.shape[1], width)
    if y0 < y1 and x0 < x1:
        part = shape[y0 - top : y1 - top, x0 - left : x1 - left]
        np.maximum(canvas[y0:y1, x0:x1], part, out=canvas[y0:y1, x0:x1])
