"""Layers and arrays -> features."""

from __future__ import annotations

from typing import Any

import numpy as np

from .space import is_layer, levels_of


def features_of(source: Any) -> Any:
    """Read features ``(H, W, D)`` from an image layer.

    Parameters
    ----------
    source : napari Image layer, or anything else that `soft_segments` takes
        Of a layer, the colours of an RGB picture, or features along the third-last axis
        as napari shows channels, ``(D, H, W)``.

    Returns
    -------
    ndarray, ``(H, W, D)`` or ``(H, W)``; what is no layer comes back as it is
    """
    if not is_layer(source):
        return source
    values = np.asarray(levels_of(source)[0])
    if getattr(source, "rgb", False) or values.ndim < 3:
        return values
    return np.moveaxis(values, -3, -1)
