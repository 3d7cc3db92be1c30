"""Soft layers on other backgrounds, and whether they keep what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, to_numpy
from ..picture import as_image

if TYPE_CHECKING:
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


def _background(background: Any, shape: tuple[int, int]) -> Any:
    """What `SoftLayers.composite` takes, for a name and for a picture of any size."""
    if isinstance(background, str):
        if background not in BACKGROUNDS:
            raise ValueError(
                f"background={background!r} is not known; use one of "
                f"{', '.join(BACKGROUNDS)}, a colour or a picture."
            )
        if background == "checkerboard":
            return checkerboard(shape)
        return np.full(3, float(background == "white"), np.float32)
    return background if np.ndim(background) < 2 else cover(as_image(background), shape)


def behind(background: Any, shape: tuple[int, int]) -> FloatArray:
    """A colour ``(3,)`` or a picture ``(H, W, 3)`` in [0, 1] behind layers."""
    if isinstance(background, (str, bool)):
        raise TypeError(
            f"background={background!r} came; a colour such as (1, 1, 1), which is "
            "white, or a picture is needed."
        )
    values = to_numpy(background, "background")
    if values.ndim > 1:
        picture = as_image(background)
        if picture.shape[:2] == shape:
            return picture
    elif values.shape in ((), (3,)):
        if np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1:
            return np.asarray(values, np.float32)
        raise ValueError(
            f"background={background!r} came, a colour with values outside of [0, 1]. "
            "Divide 8-bit colours by 255."
        )
    raise ValueError(
        f"The background has shape {values.shape}; a colour (3,) or a picture of the "
        f"layers' size, {(*shape, 3)}, is needed."
    )


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
