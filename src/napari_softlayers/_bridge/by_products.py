"""By-products of soft segments as layers to look at: features, superpixels, ..."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._recipes.record import HelperRecord

from .pictures import Picture
from .places import on_plane
from .record import remove_helpers, write_record

BY_PRODUCT = "by-product"
BY_PRODUCTS = ("segment map", "features", "superpixels", "eigenvector")
GOLDEN = 0.618034
RGB = {"rgb": True, "contrast_limits": (0, 255)}


def distinct_colors(count: int) -> NDArray[np.float32]:
    """Colours ``(count, 3)`` that are easy to tell apart."""
    colors = [
        colorsys.hsv_to_rgb(
            (0.02 + index * GOLDEN) % 1, 0.75 - 0.25 * (index % 3 == 2), 0.95
        )
        for index in range(count)
    ]
    return np.array(colors, np.float32).reshape(count, 3)


def segment_map(layers: SoftLayers) -> NDArray[np.uint8]:
    """Draw every layer in a colour of its own, mixed by the alphas, ``(H, W, 3)``."""
    flat = np.tensordot(layers.alphas, distinct_colors(len(layers)), axes=(0, 0))
    return np.rint(np.clip(flat, 0, 1) * 255).astype(np.uint8)


def by_product(
    layers: SoftLayers, which: str, number: int = 1
) -> tuple[Any, dict[str, Any]]:
    """Array of one of the `BY_PRODUCTS`, and how a napari layer shows it.

    ``layers``: of `soft_segments`. ``number``: which eigenvector, from 1. Raises
    ValueError when there is no such by-product.
    """
    if which == "segment map":
        return segment_map(layers), RGB
    state = layers.extras.get("state")
    if state is None:
        raise ValueError("These layers carry no by-products; press Compute first.")
    if which == "features":
        if state.features is None:
            raise ValueError(
                "There are no features: the segments were made from colours alone."
            )
        return np.rint(state.features.affinity * 255).astype(np.uint8), RGB
    if which == "superpixels":
        return state.superpixels.labels.astype(np.int32) + 1, {"opacity": 0.5}
    vectors = state.eigenpairs.vectors
    if not 1 <= number <= vectors.shape[1]:
        raise ValueError(
            f"Eigenvector {number} was asked for; there are {vectors.shape[1]}."
        )
    data = vectors[:, number - 1].reshape(state.guide.shape[:2])
    reach = max(float(np.abs(data).max()), 1e-9)
    return data, {"colormap": "gray", "contrast_limits": (-reach, reach)}


def show_by_product(
    viewer: Any, layers: SoftLayers, picture: Picture, which: str, number: int = 1
) -> Any:
    """Add a by-product over its image, in the place of the one shown before."""
    from napari.layers import Image, Labels

    data, settings = by_product(layers, which, number)
    title = f"eigenvector {number}" if which == "eigenvector" else which
    owner = picture.input.id or ""
    record = HelperRecord(kind=BY_PRODUCT, what=which, source_id=owner)
    remove_helpers(viewer, record)
    place: dict[str, Any] = {}
    if picture.grid is not None:
        grid = replace(picture.grid, shape=data.shape[:2])
        data, place = on_plane(data, grid), grid.place()
    kind: Any = Labels if which == "superpixels" else Image
    made = kind(data, name=f"{picture.name} · {title}", **settings, **place)
    write_record(made, record)
    viewer.layers.append(made)
    return made
