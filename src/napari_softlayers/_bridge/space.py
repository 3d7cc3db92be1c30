"""Where a layer lies: its scale, translation, rotation, shear, affine, units, axes."""

from __future__ import annotations

from typing import Any

import numpy as np

SPATIAL_KEYS = (
    "scale",
    "translate",
    "rotate",
    "shear",
    "affine",
    "units",
    "axis_labels",
)


def is_layer(thing: Any) -> bool:
    """Tell whether something is a napari layer (an array otherwise)."""
    return hasattr(thing, "as_layer_data_tuple")


def set_visible(layer: Any, visible: bool) -> None:
    """Show or hide a layer; napari redraws at every assignment, so only on a change."""
    if bool(layer.visible) != visible:
        layer.visible = visible


def levels_of(layer: Any) -> list[Any]:
    """Arrays of a layer, the full-size one first; one entry unless multiscale."""
    return list(layer.data) if getattr(layer, "multiscale", False) else [layer.data]


def frame_shape(layer: Any, level: int = 0) -> tuple[int, int]:
    """Height and width of one frame of an image or labels layer."""
    shape = levels_of(layer)[level].shape
    height, width = shape[-3:-1] if getattr(layer, "rgb", False) else shape[-2:]
    return int(height), int(width)


def place_in_space(layer: Any, shape: tuple[int, int] | None = None) -> dict[str, Any]:
    """Spatial arguments for a two-dimensional layer that covers a layer's last two axes.

    Parameters
    ----------
    layer : napari layer
        Of two or more dimensions.
    shape : (int, int), optional
        Height and width of the new layer's data, where it differs from the full frame
        (a coarser level): scale and translation are corrected so that both cover the
        same area, pixel edges on pixel edges.

    Returns
    -------
    dict
        scale, translate, rotate, shear, affine, units, axis_labels.
    """
    dims = int(layer.ndim)
    last = [dims - 2, dims - 1]
    scale = np.asarray(layer.scale, dtype=float)[-2:]
    translate = np.asarray(layer.translate, dtype=float)[-2:]
    rotate = np.asarray(layer.rotate, dtype=float)[-2:, -2:]
    shear = np.atleast_1d(np.asarray(layer.shear, dtype=float))
    shear = shear[-2:, -2:] if shear.ndim == 2 else shear[-1:]
    place = {
        "scale": scale,
        "translate": translate,
        "rotate": rotate,
        "shear": shear,
        "affine": layer.affine.set_slice(last),
        "units": tuple(layer.units)[-2:],
        "axis_labels": tuple(layer.axis_labels)[-2:],
    }
    full = frame_shape(layer) if shape is not None else (0, 0)
    if shape is None or tuple(shape) == full:
        return place
    factor = np.array(full, dtype=float) / np.array(shape, dtype=float)
    upper = np.array([[1.0, float(shear[0])], [0.0, 1.0]]) if shear.ndim == 1 else shear
    linear = rotate @ upper @ np.diag(scale)
    place["scale"] = scale * factor
    place["translate"] = translate + linear @ ((factor - 1) / 2)
    return place
