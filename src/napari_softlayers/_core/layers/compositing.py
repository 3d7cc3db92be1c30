"""Soft layers on other backgrounds, and whether they keep what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..picture import as_image
from .soft_layers import SoftLayers

BACKGROUNDS = ("black", "white", "checkerboard")
CHECK_SIZE = 16
CHECK_GREYS = (0.5, 0.8)


def composite_over(
    layers: SoftLayers, which: Sequence[int | str], background: Any
) -> FloatArray:
    """Show some of the layers on another background.

    ``which`` sequence of int or str: the layers to be seen. ``background`` {"black",
    "white", "checkerboard"}, colour ``(3,)`` or picture: a picture of any size and
    dtype; it is scaled to cover the layers and cut to their middle. Returns float32
    ``(H, W, 3)``.
    """
    seen = layers.subset(which)
    return np.clip(seen.composite(_background(background, layers.shape)), 0, 1)


def _background(background: Any, shape: tuple[int, int]) -> FloatArray:
    if isinstance(background, str):
        if background not in BACKGROUNDS:
            raise ValueError(
                f"background={background!r} is not known; use one of "
                f"{', '.join(BACKGROUNDS)}, a colour or a picture."
            )
        if background == "checkerboard":
            return checkerboard(shape)
        return np.full(3, float(background == "white"), np.float32)
    if np.shape(background) == (3,):
        color = np.asarray(background, np.float32)
        if not ((color >= 0) & (color <= 1)).all():
            raise ValueError(f"The colour {background} has values outside of [0, 1].")
        return color
    return cover(as_image(background), shape)


def checkerboard(shape: tuple[int, int]) -> FloatArray:
    """Grey squares, ``(H, W, 3)``."""
    rows, columns = np.indices(shape, sparse=True)
    light = (rows // CHECK_SIZE + columns // CHECK_SIZE) % 2 == 0
    grey = np.where(light, CHECK_GREYS[1], CHECK_GREYS[0]).astype(np.float32)
    return np.repeat(grey[..., None], 3, axis=-1)


def cover(picture: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Scale a picture so that it covers a shape, and cut its middle out."""
    if picture.shape[:2] == tuple(shape):
        return picture
    from skimage.transform import resize

    height, width = picture.shape[:2]
    factor = max(shape[0] / height, shape[1] / width)
    size = (max(shape[0], round(height * factor)), max(shape[1], round(width * factor)))
    scaled = resize(picture, size, order=1, anti_aliasing=factor < 1)
    top, left = (size[0] - shape[0]) // 2, (size[1] - shape[1]) // 2
    cut = scaled[top : top + shape[0], left : left + shape[1]]
    return np.clip(cut, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Checks:
    """How well layers keep what they promise; see `check_layers`."""

    mean_error: float
    max_error: float
    sum_range: tuple[float, float]


def check_layers(
    alphas: NDArray[Any], colors: NDArray[Any], picture: NDArray[Any] | None
) -> Checks:
    """Compare the sum of layers with the picture, and that of alphas with one.

    ``alphas`` ``(K, H, W)``. ``colors`` ``(K, H, W, 3)``. ``picture`` ``(H, W, 3)``:
    without it the errors are NaN.
    """
    total = np.zeros(colors.shape[1:], np.float64)
    for alpha, color in zip(alphas, colors, strict=True):
        total += alpha[..., None] * color
    sums = alphas.sum(axis=0, dtype=np.float64)
    mean = largest = float("nan")
    if picture is not None:
        error = np.abs(total - picture)
        mean, largest = float(error.mean()), float(error.max())
    return Checks(mean, largest, (float(sums.min()), float(sums.max())))
