"""By-products of soft segments as layers to look at: features, superpixels, ..."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._recipes.record import KEY, HelperRecord

from .helpers import remove_helpers
from .pictures import Picture
from .places import on_plane

BY_PRODUCT = "by-product"
BY_PRODUCTS = ("segment map", "features", "superpixels", "eigenvector")
GOLDEN = 0.618034


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


def by_product(layers: SoftLayers, which: str, number: int = 1) -> tuple[Any, str]:
    """Array of a by-product and the kind of napari layer that shows it.

    ``layers``: of `soft_segments`. ``which``: one of `BY_PRODUCTS`. ``number``: which
    eigenvector, from 1. Raises ValueError when there is no such by-product.
    """
    if which == "segment map":
        return segment_map(layers), "rgb"
    state = layers.extras.get("state")
    if state is None:
        raise ValueError("These layers carry no by-products; press Compute first.")
    if which == "features":
        if state.features is None:
            raise ValueError(
                "There are no features: the segments were made from colours alone."
            )
        return np.rint(state.features.affinity * 255).astype(np.uint8), "rgb"
    if which == "superpixels":
        return state.superpixels.labels.astype(np.int32) + 1, "labels"
    vectors = state.eigenpairs.vectors
    if not 1 <= number <= vectors.shape[1]:
        raise ValueError(
            f"Eigenvector {number} was asked for; there are {vectors.shape[1]}."
        )
    return vectors[:, number - 1].reshape(state.guide.shape[:2]), "grey"


def show_by_product(
    viewer: Any, layers: SoftLayers, picture: Picture, which: str, number: int = 1
) -> Any:
    """Add a by-product over its image, or update the one shown before."""
    from napari.layers import Image, Labels

    data, kind = by_product(layers, which, number)
    title = f"eigenvector {number}" if which == "eigenvector" else which
    owner = picture.input.id or ""
    record = HelperRecord(kind=BY_PRODUCT, what=which, source_id=owner)
    remove_helpers(viewer, record)
    settings: dict[str, Any] = {
        "name": f"{picture.name} · {title}",
        "metadata": {KEY: record.plain()},
    }
    if picture.grid is not None:
        grid = replace(picture.grid, shape=data.shape[:2])
        data, settings = on_plane(data, grid), settings | grid.place()
    made: Any
    if kind == "labels":
        made = Labels(data, opacity=0.5, **settings)
    elif kind == "rgb":
        made = Image(data, rgb=True, contrast_limits=(0, 255), **settings)
    else:
        reach = max(float(np.abs(data).max()), 1e-9)
        made = Image(data, colormap="gray", contrast_limits=(-reach, reach), **settings)
    viewer.layers.append(made)
    return made
