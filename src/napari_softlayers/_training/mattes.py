"""Procedural mattes with exact alphas, to train matting networks with.

True mattes of photographs are scarce; these are made to measure. Each kind is a function
of a size and a seeded generator. The alpha *is* the truth: a training picture is
composited with it (see `composites`), so nothing about it is estimated.

>>> import numpy as np
>>> matte = make_matte("hair", 128, np.random.default_rng(0))
>>> matte.alpha.shape, float(matte.alpha.min()), float(matte.alpha.max())
((128, 128), 0.0, 1.0)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import shapes
from .shapes import Array, coverage, random_blob, smooth_noise


class Matte(NamedTuple):
    """A procedural matte.

    Attributes
    ----------
    alpha : float32 array (H, W)
        Opacity in [0, 1]; exact.
    shine : float32 array (H, W)
        Share of white in the foreground's colour (reflections on glass), in [0, 1].
    """

    alpha: Array
    shine: Array


def make_matte(kind: str, size: int, rng: np.random.Generator) -> Matte:
    """Make one matte.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    size : int
        Side of the square in pixels, at least 32.
    rng : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    Matte

    Raises
    ------
    ValueError
        For an unknown kind or a size under 32.
    """
    if kind not in _MAKERS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if size < 32:
        raise ValueError(f"size must be at least 32 pixels, not {size}")
    alpha = np.clip(_MAKERS[kind](size, rng), 0, 1).astype(np.float32)
    shine = np.zeros_like(alpha)
    if kind == "glass":
        alpha, shine = _with_highlights(alpha, rng)
    return Matte(alpha, shine)


def random_matte(
    size: int, rng: np.random.Generator, weights: dict[str, float] | None = None
) -> Matte:
    """Make a matte of a random kind.

    Parameters
    ----------
    size : int
        Side in pixels.
    rng : numpy.random.Generator
    weights : dict of str to float, optional
        How often each kind is drawn, default `WEIGHTS`.
    """
    weights = WEIGHTS if weights is None else weights
    kinds = sorted(weights)
    share = np.array([weights[kind] for kind in kinds], float)
    return make_matte(str(rng.choice(kinds, p=share / share.sum())), size, rng)


def _solid(size: int, rng: np.random.Generator) -> Array:
    """One to three smooth opaque shapes, at times with a hole or a thin limb."""
    parts = [
        coverage(random_blob(size, rng, (0.1, 0.38), rng.uniform(0.1, 0.9)).distance)
        for _ in range(rng.integers(1, 4))
    ]
    alpha = shapes.over(*parts)
    if rng.random() < 0.3:
        hole = random_blob(size, rng, (0.04, 0.12))
        alpha = alpha * (1 - coverage(hole.distance))
    if rng.random() < 0.5:
        alpha = shapes.over(alpha, _limbs(size, rng, int(rng.integers(1, 6))))
    return alpha


def _limbs(size: int, rng: np.random.Generator, count: int) -> Array:
    """Thick tapering opaque branches out of the middle of the picture."""
    steps = size
    t = np.linspace(0, 1, steps)
    alpha = np.zeros((size, size), np.float32)
    for _ in range(count):
        start = rng.uniform(0.3, 0.7, 2) * size
        angle = rng.uniform(0, 2 * np.pi) + rng.normal(0, 1.2) * t
        length = rng.uniform(0.3, 0.7) * size
        y = start[0] + np.cumsum(np.sin(angle)) * length / steps
        x = start[1] + np.cumsum(np.cos(angle)) * length / steps
        radius = rng.uniform(0.008, 0.05) * size * (1 - rng.uniform(0.4, 0.9) * t)
        for i in range(0, steps, max(1, int(radius[0] / 2))):
            _disc(alpha, y[i], x[i], max(radius[i], 0.5))
    return alpha


def _disc(alpha: Array, y: float, x: float, radius: float) -> None:
    half = int(np.ceil(radius)) + 1
    top, left = int(y) - half, int(x) - half
    rows, columns = np.mgrid[0 : 2 * half + 1, 0 : 2 * half + 1]
    gap = np.hypot(top + rows + 0.5 - y, left + columns + 0.5 - x)
    shapes.stamp(alpha, coverage((radius - gap).astype(np.float32)), top, left)


def _hair(size: int, rng: np.random.Generator) -> Array:
    """A head with long curled strands around it."""
    head = random_blob(size, rng, (0.12, 0.28), 0.25)
    count = int(rng.integers(150, 900))
    inside = coverage(head.distance, rng.uniform(1, 6))
    arc = rng.uniform(0.4, 1.0)
    which = (rng.random() + arc * rng.random(count)) % 1.0
    index = (which * len(head.outline)).astype(int) % len(head.outline)
    sunk = rng.uniform(0, 0.06, (count, 1)) * size
    roots = head.outline[index] - head.normals[index] * sunk
    lean = rng.normal(0, 0.5)
    directions = _turned(head.normals[index], lean + rng.normal(0, 0.35, count))
    lengths = rng.uniform(0.1, rng.uniform(0.2, 0.45), count) * size
    widths = rng.uniform(0.25, rng.uniform(0.6, 1.8), count) * size / 256
    hair = shapes.strands(
        size,
        roots,
        directions,
        lengths,
        widths,
        rng,
        rng.uniform(0.2, 2.0),
        rng.uniform(0.6, 1.0),
    )
    return shapes.over(inside, hair)


def _fur(size: int, rng: np.random.Generator) -> Array:
    """A body with a dense coat of short strands."""
    body = random_blob(size, rng, (0.18, 0.36), 0.5)
    count = int(rng.integers(1200, 3500))
    index = rng.integers(0, len(body.outline), count)
    sunk = rng.uniform(0, 0.04, (count, 1)) * size
    roots = body.outline[index] - body.normals[index] * sunk
    comb = rng.uniform(0, 2 * np.pi)
    grain = np.array([np.sin(comb), np.cos(comb)]) * rng.uniform(0, 0.8)
    directions = body.normals[index] + grain
    directions = _turned(directions, rng.normal(0, 0.3, count))
    lengths = rng.uniform(0.03, rng.uniform(0.06, 0.14), count) * size
    widths = rng.uniform(0.4, 1.3, count) * size / 256
    coat = shapes.strands(
        size, roots, directions, lengths, widths, rng, 0.6, rng.uniform(0.7, 1)
    )
    return shapes.over(coverage(body.distance, rng.uniform(1, 4)), coat)


def _turned(
    directions: NDArray[np.float64], angles: NDArray[np.float64]
) -> NDArray[np.float64]:
    cos, sin = np.cos(angles), np.sin(angles)
    y, x = directions[:, 0], directions[:, 1]
    turned = np.stack([cos * y + sin * x, cos * x - sin * y], 1)
    return np.asarray(turned / np.maximum(np.hypot(y, x), 1e-9)[:, None])


def _net(size: int, rng: np.random.Generator) -> Array:
    """A net, a veil or lace: a warped lattice, in a shape or across the picture."""
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[0:size, 0:size] / size
    bend = rng.uniform(0, 0.06)
    u = x * np.cos(angle) + y * np.sin(angle) + bend * smooth_noise(size, 3, rng)
    v = y * np.cos(angle) - x * np.sin(angle) + bend * smooth_noise(size, 3, rng)
    pitch = rng.uniform(6, 24) / 256
    if rng.random() < 0.35:  # lace: round holes in a cloth
        gap = np.hypot(*(abs((w / pitch) % 1 - 0.5) for w in (u, v)))
        hole = rng.uniform(0.25, 0.45)
        alpha = coverage(((gap - hole) * pitch * size).astype(np.float32))
    else:
        thread = rng.uniform(0.6, 2.2) * size / 256
        lines = []
        for w in (u, v):
            gap = abs((w / pitch + 0.5) % 1 - 0.5) * pitch * size
            lines.append(np.clip(thread / 2 + 0.5 - gap, 0, min(thread, 1.0)))
        alpha = shapes.over(*(line.astype(np.float32) for line in lines))
    alpha = alpha * rng.uniform(0.6, 1.0)
    if rng.random() < 0.75:
        cloth = random_blob(size, rng, (0.25, 0.45), 0.3)
        alpha = alpha * coverage(cloth.distance)
        if rng.random() < 0.5:
            rim = coverage(rng.uniform(1, 4) * size / 256 - abs(cloth.distance))
            alpha = np.maximum(alpha, rim)
    return alpha.astype(np.float32)


def _leaves(size: int, rng: np.random.Generator) -> Array:
    """Branches with leaves."""
    alpha = _limbs(size, rng, int(rng.integers(1, 4)))
    scale = rng.uniform(0.02, 0.09) * size
    centre = rng.uniform(0.25, 0.75, (int(rng.integers(1, 4)), 2)) * size
    for _ in range(int(rng.integers(30, 140))):
        at = centre[rng.integers(len(centre))] + rng.normal(0, 0.17 * size, 2)
        long = scale * rng.uniform(0.6, 1.4)
        _leaf(alpha, at, long, long * rng.uniform(0.25, 0.5), rng.uniform(0, 2 * np.pi))
    return alpha


def _leaf(
    alpha: Array, at: NDArray[np.float64], long: float, wide: float, angle: float
) -> None:
    half = int(np.ceil(long)) + 1
    top, left = int(at[0]) - half, int(at[1]) - half
    rows, columns = np.mgrid[0 : 2 * half + 1, 0 : 2 * half + 1]
    dy, dx = top + rows + 0.5 - at[0], left + columns + 0.5 - at[1]
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    # Two arcs that meet in the tips.
    inside = wide * (1 - (along / long) ** 2) - abs(across)
    inside = np.where(abs(along) < long, inside, -1)
    shapes.stamp(alpha, coverage(inside.astype(np.float32)), top, left)


def _smoke(size: int, rng: np.random.Generator) -> Array:
    """A cloud: several octaves of noise in a soft shape."""
    field = np.zeros((size, size), np.float32)
    for octave in range(5):
        field += smooth_noise(size, 2.5 * 2**octave, rng) * 0.55**octave
    puff = random_blob(size, rng, (0.2, 0.4), 0.4)
    soft = np.clip(puff.depth() / (rng.uniform(0.06, 0.2) * size), 0, 1)
    density = soft * np.clip(0.5 + rng.uniform(0.3, 0.7) * field, 0, None)
    thick = rng.uniform(0.8, 4.0)
    alpha = 1 - np.exp(-thick * density**1.3)
    return np.where(alpha < 0.004, 0, alpha).astype(np.float32)


def _blur(size: int, rng: np.random.Generator) -> Array:
    """A solid shape in motion or out of focus."""
    alpha = _solid(size, rng)
    if rng.random() < 0.5:
        length = rng.uniform(0.02, 0.12) * size
        return shapes.motion_blur(alpha, length, rng.uniform(0, np.pi))
    return shapes.disc_blur(alpha, rng.uniform(0.008, 0.04) * size)


def _glass(size: int, rng: np.random.Generator) -> Array:
    """A clear body: constant partial alpha with a denser rim."""
    body = random_blob(size, rng, (0.2, 0.38), 0.25)
    rim = np.exp(-body.depth() / (rng.uniform(0.01, 0.05) * size))
    base = rng.uniform(0.05, 0.45)
    alpha = base + (rng.uniform(0.5, 1.0) - base) * rim
    return np.asarray(alpha * coverage(body.distance), np.float32)


def _with_highlights(alpha: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Bright, nearly opaque reflections inside a clear body."""
    size = alpha.shape[0]
    shine = np.zeros_like(alpha)
    for _ in range(int(rng.integers(1, 5))):
        spot = random_blob(size, rng, (0.01, 0.08), 0.4, 0.3)
        light = coverage(spot.distance, rng.uniform(1, 8)) * rng.uniform(0.5, 1.0)
        np.maximum(shine, light * (alpha > 0), out=shine)
    return shapes.over(alpha, shine) * (alpha > 0), shine


_MAKERS: dict[str, Callable[[int, np.random.Generator], Array]] = {
    "hair": _hair,
    "fur": _fur,
    "net": _net,
    "leaves": _leaves,
    "smoke": _smoke,
    "blur": _blur,
    "glass": _glass,
    "solid": _solid,
}
#: The kinds of mattes.
KINDS = tuple(_MAKERS)
#: How often `random_matte` draws each kind.
WEIGHTS = {
    "hair": 0.24,
    "fur": 0.2,
    "net": 0.06,
    "leaves": 0.14,
    "smoke": 0.07,
    "blur": 0.08,
    "glass": 0.05,
    "solid": 0.16,
}
