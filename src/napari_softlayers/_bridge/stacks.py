"""Palette layers of a whole stack as lazy additive layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from .results import KEY
from .show import limits_of
from .space import SPATIAL_KEYS, is_layer, levels_of

if TYPE_CHECKING:
    from napari_softlayers._core.palette.stack import PaletteStack


def stack_of(source: Any) -> Any:
    """Read a colour stack ``(T, H, W, 3 or 4)`` from a napari Image layer or an array.

    Raises
    ------
    TypeError
        When the layer is no RGB image with one leading axis.
    """
    if not is_layer(source):
        return source
    array = levels_of(source)[0]
    if not getattr(source, "rgb", False) or array.ndim != 4:
        raise TypeError(
            f"'{source.name}' has shape {tuple(array.shape)}; an RGB stack (T, H, W, 3) "
            "is needed. For a single picture use palette_layers."
        )
    return array


def show_stack(
    viewer: Any, stack: PaletteStack, like: Any = None, dtype: DTypeLike = np.uint8
) -> list[Any]:
    """Add one lazy layer a palette colour; a frame is decomposed when it is shown.

    Parameters
    ----------
    viewer : napari.Viewer
    stack : PaletteStack
    like : napari Image layer, optional
        The source: gives place in space and name, and is hidden.
    dtype : {uint8, uint16, float32}

    Returns
    -------
    list of napari.layers.Image
    """
    place = {key: getattr(like, key) for key in SPATIAL_KEYS} if is_layer(like) else {}
    prefix = f"{like.name} · " if is_layer(like) else ""
    shown = []
    for name, color, data in zip(
        stack.names, stack.palette, stack.rgba(dtype), strict=True
    ):
        record = {"kind": "palette stack", "color": [float(value) for value in color]}
        shown.append(
            viewer.add_image(
                data,
                rgb=True,
                name=prefix + name,
                blending="additive",
                contrast_limits=limits_of(dtype),
                metadata={KEY: record},
                **place,
            )
        )
    if is_layer(like):
        like.visible = False
    return shown
