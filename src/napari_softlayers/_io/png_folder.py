"""A folder of PNGs, one a layer, with a ``layers.json`` that says what they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ._document import Document, canvas_of, from_notes, layer_from_entry, notes_of
from ._files import MAX_JSON_BYTES, MAX_LAYERS, decode_json, encode_json, replacing
from ._png import PngReader, write_png

INDEX = "layers.json"


def write_png_folder(document: Document, folder: Path) -> None:
    """Write ``00_name.png`` ... (the bottom layer first) and ``layers.json``.

    A folder that is there already is replaced if it holds nothing but such files.
    """
    check_replaceable(folder)
    index = notes_of(document)
    with replacing(folder) as part:
        part.mkdir()
        for number, layer in enumerate(document.layers()):
            plain = re.sub(r"[^A-Za-z0-9]+", "_", layer.name).strip("_")[:40] or "layer"
            file = f"{number:02d}_{plain}.png"
            (part / file).write_bytes(write_png(layer.pixels, document.profile))
            index["layers"][number]["file"] = file
        (part / INDEX).write_bytes(encode_json(index))


def check_replaceable(folder: Path) -> None:
    """Refuse a folder with other files than ours. Raises ValueError."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"'{folder}' is a file; give another name for the folder.")
    files = {item.name for item in folder.iterdir()} if folder.exists() else set()
    if not files:
        return
    if INDEX not in files:
        raise ValueError(
            f"The folder '{folder}' holds other files; choose a new or an empty one."
        )
    layers = _read_index(folder)["layers"]
    others = files - {INDEX, *(str(entry["file"]) for entry in layers)}
    if others:
        raise ValueError(
            f"The folder '{folder}' also holds {min(others)!r}, which is not one of its "
            "layers; choose another folder."
        )


def read_png_folder(folder: Path) -> Document:
    """Read what `write_png_folder` wrote."""
    index = _read_index(folder)
    what = f"{INDEX} in '{folder.name}'"
    reader = PngReader(*canvas_of(index, what))
    layers = []
    for entry in index["layers"]:
        data, label = _layer_file(folder, entry, reader.budget)
        layers.append(layer_from_entry(entry, reader.read(data, label), label))
    return from_notes(index, layers, reader.profile, what)


def _read_index(folder: Path) -> dict[str, Any]:
    path, label = folder / INDEX, f"{INDEX} in '{folder.name}'"
    if not path.is_file():
        raise ValueError(
            f"The folder '{folder.name}' has no {INDEX}; only folders written as soft "
            "layers can be opened."
        )
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"{label} is too large to be right.")
    index = decode_json(path.read_bytes(), label)
    layers = index.get("layers")
    good = isinstance(layers, list) and 1 <= len(layers) <= MAX_LAYERS
    if not good or not all(isinstance(x, dict) and "file" in x for x in layers or []):
        raise ValueError(f"{label} lists no layers; it is damaged.")
    return index


def _layer_file(folder: Path, entry: dict[str, Any], budget: int) -> tuple[bytes, str]:
    """The bytes of a layer's picture, and what to call it."""
    file = str(entry["file"])
    path = folder / file
    label = f"'{file}' in '{folder.name}'"
    if Path(file).name != file or "\\" in file or ":" in file or path.is_symlink():
        raise ValueError(
            f"{INDEX} in '{folder.name}' names the file '{file}'; only files inside of "
            "the folder are read."
        )
    if not path.is_file():
        raise ValueError(f"{label} is missing.")
    if path.stat().st_size > budget:
        raise ValueError(f"{label} is too large to be opened.")
    return path.read_bytes(), label
