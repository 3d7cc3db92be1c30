"""napari-softlayers: soft layers that always add up to the picture.

Arrays are float32 in [0, 1] (sRGB values as stored), alphas have shape ``(K, H, W)`` and
sum to the picture's own alpha (one where it is opaque), colours ``(K, H, W, 3)`` are
straight (not premultiplied). Every name is loaded when it is first used.
"""

from importlib import import_module
from typing import Any

from ._core.version import VERSION as __version__

_PUBLIC = {
    "Cancelled": "napari_softlayers._core.run",
    "METHODS": "napari_softlayers._core.matting",
    "Run": "napari_softlayers._core.run",
    "Segmenter": "napari_softlayers._segmenter",
    "SoftLayers": "napari_softlayers._core.layers.soft_layers",
    "cut": "napari_softlayers._api",
    "layers_from_napari": "napari_softlayers._bridge",
    "matte": "napari_softlayers._api",
    "open_layers": "napari_softlayers._io",
    "palette_layers": "napari_softlayers._api",
    "palette_stack": "napari_softlayers._api",
    "rerun": "napari_softlayers._rerun",
    "save_layers": "napari_softlayers._io",
    "soft_segments": "napari_softlayers._api",
    "trimap_from_mask": "napari_softlayers._core.matting",
}

__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        import_module("napari_softlayers._methods")
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
