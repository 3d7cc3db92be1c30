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


def target_path(path: str, kind: str) -> Path:
    """The path with the ending of a kind of file, unless it has it already."""
    suffix, _ = FORMATS[kind]
    target = Path(path)
    if suffix and target.suffix.lower() not in (suffix, f"{suffix}f"):
        target = target.with_name(target.name + suffix)
    return target


def file_filter(kind: str) -> str:
    """What a file dialog shows."""
    suffix, _ = FORMATS[kind]
    return f"{kind.partition(' (')[0]} (*{suffix})"


def export_code(names: list[str], kind: str, rows: list[int] | None) -> str:
    """The export as a call for the console; ``rows`` None is the whole set."""
    suffix, options = FORMATS[kind]
    chosen = "" if rows is None else f".subset({rows})"
    extra = "".join(f", {key}={value!r}" for key, value in options.items())
    return (
        "import napari_softlayers as nsl\n\n"
        f"names = {names!r}\n"
        f"layers = nsl.layers_from_napari([viewer.layers[n] for n in names]){chosen}\n"
        f"nsl.save_layers(layers, 'layers{suffix}'{extra})\n"
    )
