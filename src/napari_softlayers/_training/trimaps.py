"""Trimaps to train with: optimal ones, and what people in a hurry make of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
#: Classes of a trimap, as the networks see them.
BACKGROUND, UNKNOWN, FOREGROUND = 0, 1, 2
#: Alphas this close to 0 or 1 count as clear or opaque.
TOLERANCE = 0.02


def true_trimap(alpha: Array, tolerance: float = TOLERANCE) -> NDArray[np.uint8]:
    """Optimal trimap of an alpha (AdaMatting, Eq. 2), up to a tolerance."""
    trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    trimap[alpha <= tolerance] = BACKGROUND
    trimap[alpha >= 1 - tolerance] = FOREGROUND
    return trimap


def random_trimap(
    alpha: Array, rng: np.random.Generator, mistakes: float = 0.65
) -> NDArray[np.uint8]:
    """A trimap that a person in a hurry might paint.

    Parameters
    ----------
    alpha : float32 array (H, W)
    rng : numpy.random.Generator
    mistakes : float
        Probability of wrong labels; the rest is right, if wide.

    Returns
    -------
    uint8 array (H, W)
        The optimal trimap with foreground and background eroded by random amounts. With
        mistakes, blobs from small to a third of the side carry a wrong label (swapped,
        or painted over the unknown), or the outline is displaced; at times only
        scribbles are left.
    """
    truth = true_trimap(alpha)
    side = min(alpha.shape)
    widest = side * (0.2 if rng.random() < 0.3 else 0.06)
    trimap = np.full(alpha.shape, UNKNOWN, np.uint8)
    for label in (BACKGROUND, FOREGROUND):
        inside = ndimage.distance_transform_edt(np.pad(truth == label, 1, mode="edge"))
        trimap[inside[1:-1, 1:-1] > rng.uniform(0.5, widest)] = label
    if rng.random() < 0.2:
        share, cell = rng.uniform(0.02, 0.12), rng.uniform(0.03, 0.1) * side
        trimap[~_random_blobs(alpha.shape, share, cell, rng)] = UNKNOWN
    if rng.random() < mistakes:
        near = np.exp(-_distance_to(trimap == UNKNOWN) / (0.15 * side))
        for _ in range(int(rng.integers(1, 3))):
            _make_mistake(trimap, alpha, near, rng)
    return trimap


def _make_mistake(
    trimap: NDArray[np.uint8], alpha: Array, near: Array, rng: np.random.Generator
) -> None:
    """Write wrong labels into a trimap, in place."""
    side = min(trimap.shape)
    kind = rng.random()
    if kind < 0.2:
        dy, dx = rng.integers(-side // 24, side // 24 + 1, 2)
        trimap[:] = np.roll(trimap, (dy, dx), (0, 1))
        return
    if kind < 0.55:  # a limb missed
        y, x = np.mgrid[: trimap.shape[0], : trimap.shape[1]]
        weights = near.ravel() / near.sum()
        centre = np.unravel_index(rng.choice(weights.size, p=weights), trimap.shape)
        stretch = rng.uniform(0.5, 1)
        turn = rng.uniform(0, np.pi)
        dy, dx = y - centre[0], x - centre[1]
        gap = np.hypot(
            dx * np.cos(turn) + dy * np.sin(turn),
            (dy * np.cos(turn) - dx * np.sin(turn)) / stretch,
        )
        where = gap < rng.uniform(0.06, 0.3) * side
    else:
        share = rng.uniform(0.01, 0.15)
        where = _random_blobs(alpha.shape, share, rng.uniform(0.02, 0.1) * side, rng)
    if kind < 0.75:  # known labels swapped
        swap = where & (trimap != UNKNOWN)
        trimap[swap] = FOREGROUND - trimap[swap]
    else:  # painted over, also over what was unknown
        label = FOREGROUND if rng.random() < 0.5 else BACKGROUND
        trimap[where] = label


def _random_blobs(
    shape: tuple[int, ...], share: float, cell: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Mask of smooth random blobs of a typical size that cover a share of the area."""
    coarse = tuple(max(2, round(n / cell)) for n in shape)
    noise = rng.standard_normal(coarse)
    zoom = [n / c for n, c in zip(shape, coarse, strict=True)]
    field = ndimage.zoom(noise, zoom, order=3, grid_mode=True, mode="nearest")
    return np.asarray(field > np.quantile(field, 1 - share))


def _distance_to(mask: NDArray[np.bool_]) -> Array:
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    return np.asarray(ndimage.distance_transform_edt(~mask), np.float32)
