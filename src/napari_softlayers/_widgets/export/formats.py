"""The kinds of files that layers are exported to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenRaster: Krita, MyPaint (.ora)": (".ora", {}),
    "OpenRaster for GIMP (.ora)": (".ora", {"linear_light": True}),
    "OpenRaster, 16 bit (.ora)": (".ora", {"bits": 16}),
    "OpenRaster, additive (.ora)": (".ora", {"additive": True}),
    "Photoshop, GIMP: layer masks (.psd)": (".psd", {}),
    "Photoshop, transparency (.psd)": (".psd", {"form": "transparency"}),
    "One picture, cut out (.png)": (".png", {}),
    "Layered TIFF (.tif)": (".tif", {}),
    "Layered TIFF, float (.tif)": (".tif", {"bits": 32}),
    "Folder of PNGs": ("", {}),
}

ENDINGS = (
    *(".ora", ".psd", ".psb", ".xcf", ".kra", ".zip", ".png", ".jpg", ".jpeg"),
    *(".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg", ".pdf"),
)
"""Endings of other kinds of files: typed for a name, they are replaced."""


def target_path(path: str, kind: str) -> Path:
    """The path with the ending of a kind of file, unless it has it already."""
    suffix, _ = FORMATS[kind]
    target = Path(path)
    ending = target.suffix.lower()
    if suffix and ending in (suffix, f"{suffix}f"):
        return target
    if ending in ENDINGS:
        return target.with_suffix(suffix)
    return target.with_name(target.name + suffix)


def file_filter(kind: str) -> str:
    """What a file dialog shows."""
    suffix, _ = FORMATS[kind]
    return f"{kind.partition(' (')[0]} (*{suffix})"


def taken_code(names: list[str]) -> str:
    """Layers as they are in the viewer, as code for the console."""
    return (
        "import napari_softlayers as nsl\n\n"
        f"names = {names!r}\n"
        "layers = nsl.layers_from_napari([viewer.layers[n] for n in names])\n"
    )


def save_code(kind: str, rows: list[int] | None) -> str:
    """The export as a call for the console; ``rows`` None is the whole set."""
    suffix, options = FORMATS[kind]
    chosen = "" if rows is None else f".subset({rows})"
    extra = "".join(f", {key}={value!r}" for key, value in options.items())
    return f"nsl.save_layers(layers{chosen}, 'layers{suffix}'{extra})\n"
