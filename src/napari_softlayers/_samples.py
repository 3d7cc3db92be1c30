"""Sample data: pictures that ship with scikit-image, with trimaps; a poster whose
palette and layers are known. Nothing is downloaded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._core.layers.alphas import additive_from_over

POSTER_PALETTE = np.array(
    [
        [0.96, 0.93, 0.84],
        [0.85, 0.29, 0.16],
        [0.11, 0.24, 0.42],
        [0.93, 0.69, 0.22],
        [0.20, 0.55, 0.45],
    ],
    np.float32,
)
POSTER_SIZE = (360, 480)

# Outlines of the object in pixels (column, row), drawn by hand.
PORTRAIT_OUTLINE = (
    ((157, 65), (165, 48), (185, 38), (195, 25), (220, 17), (245, 17), (270, 28))
    + ((290, 48), (300, 75), (300, 100), (290, 118), (275, 135), (265, 150), (256, 175))
    + ((275, 190), (292, 210), (303, 235), (318, 240), (335, 255), (348, 275))
    + ((358, 310), (362, 345), (375, 346), (400, 344), (425, 350), (450, 365))
    + ((475, 390), (488, 415), (495, 445), (505, 460), (511, 480), (511, 511))
    + ((48, 511), (40, 500), (30, 475), (24, 450), (21, 400), (25, 350), (38, 300))
    + ((42, 280), (53, 260), (70, 240), (90, 225), (110, 205), (115, 190), (125, 170))
    + ((140, 157), (165, 150), (183, 148), (183, 135), (172, 125), (160, 110))
    + ((155, 90),)
)
CAT_OUTLINE = (
    ((38, 0), (398, 0), (386, 20), (376, 40), (368, 58), (357, 72), (358, 100))
    + ((361, 120), (360, 145), (355, 165), (345, 185), (325, 205), (312, 225))
    + ((308, 250), (304, 265), (290, 282), (280, 299), (0, 299), (0, 125), (20, 117))
    + ((30, 105), (32, 80), (35, 40))
)


def portrait() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A portrait, uint8 ``(512, 512, 3)``, and its trimap ``(512, 512)``.

    The trimap is 0 where unknown, 1 on the background and 2 on the person.
    """
    from skimage.data import astronaut

    return _with_band(astronaut(), PORTRAIT_OUTLINE, 11, 12)


def cat() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A cat, uint8 ``(300, 451, 3)``, and its trimap ``(300, 451)``.

    The trimap is 0 where unknown, 1 on the background and 2 on the cat.
    """
    from skimage.data import chelsea

    return _with_band(chelsea(), CAT_OUTLINE, 14, 16)


def _with_band(
    picture: Any, outline: tuple[tuple[int, int], ...], inner: int, outer: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture and the trimap of an outline: known so many pixels away from it."""
    from scipy.ndimage import distance_transform_edt
    from skimage.draw import polygon2mask

    mask = polygon2mask(picture.shape[:2], np.array(outline)[:, ::-1])
    trimap = np.zeros(mask.shape, np.uint8)
    trimap[distance_transform_edt(mask) > inner] = 2
    trimap[distance_transform_edt(~mask) > outer] = 1
    return np.asarray(picture), trimap


def poster_layers() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The poster's true alphas ``(5, 360, 480)``, summing to one, and its palette."""
    height, width = POSTER_SIZE
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = rows / height, columns / width
    over = [
        np.ones_like(x),
        0.95 * _soft_step(0.16 - np.hypot(x - 0.68, (y - 0.32) * 0.75), 0.012),
        _soft_step(y - 0.62 - 0.08 * np.sin(7 * x), 0.02),
        0.7 * _soft_step(y - 0.80 - 0.05 * np.sin(11 * x + 1), 0.05),
        0.9 * _soft_step(0.10 - np.hypot(x - 0.22, (y - 0.5) * 0.75), 0.06),
    ]
    return additive_from_over(over), POSTER_PALETTE.copy()


def _soft_step(distance: NDArray[Any], width: float) -> NDArray[Any]:
    """Rise from 0 to 1 around distance 0."""
    value = np.clip(distance / width * 0.5 + 0.5, 0, 1)
    return value * value * (3 - 2 * value)


def poster_picture() -> NDArray[np.uint8]:
    """The poster, uint8 ``(360, 480, 3)``: the sum of its layers."""
    alphas, palette = poster_layers()
    picture = np.einsum("khw,kc->hwc", alphas, palette)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _with_trimap(
    picture: NDArray[Any], trimap: NDArray[Any], name: str
) -> list[tuple[Any, dict[str, Any], str]]:
    from ._widgets.matte.trimap_layers import TRIMAP_OPACITY, trimap_colormap

    labels = {
        "name": f"{name} · trimap",
        "opacity": TRIMAP_OPACITY,
        "colormap": trimap_colormap(),
    }
    return [(picture, {"name": name, "rgb": True}, "image"), (trimap, labels, "labels")]


def portrait_with_trimap() -> list[tuple[Any, dict[str, Any], str]]:
    """A portrait and its trimap as napari layers."""
    return _with_trimap(*portrait(), "portrait")


def fur_with_trimap() -> list[tuple[Any, dict[str, Any], str]]:
    """A cat and its trimap as napari layers."""
    return _with_trimap(*cat(), "cat")


def poster() -> list[tuple[Any, dict[str, Any], str]]:
    """A painted poster whose palette is known, as a napari layer."""
    metadata = {"palette": POSTER_PALETTE.tolist()}
    meta = {"name": "poster", "rgb": True, "metadata": metadata}
    return [(poster_picture(), meta, "image")]
