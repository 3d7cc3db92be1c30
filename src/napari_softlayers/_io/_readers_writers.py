"""What napari calls to open and save layered files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from . import read_document, write_document
from ._from_napari import napari_to_document
from ._to_napari import LayerData, document_to_napari
from .png_folder import INDEX

Reader = Callable[[str], list[LayerData]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Give a reader for ``.ora``, ``.psd`` or a folder's ``layers.json``."""
    paths = [path] if isinstance(path, str) else path
    if len(paths) != 1:
        return None
    where = Path(paths[0])
    known = where.suffix.lower() in (".ora", ".psd") or where.name == INDEX
    if where.is_dir():
        known = (where / INDEX).is_file()
    return read if known else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Open a layered file as napari layers, the bottom one first.

    Soft layers come back additive, with the alphas that they had; other stacks come with
    the blending, opacity and visibility that the file says.
    """
    where = Path(path if isinstance(path, str) else path[0])
    return document_to_napari(read_document(where))


def write(path: str, layer_data: Sequence[LayerData]) -> list[str]:
    """Save napari layers to ``.ora``, ``.psd`` or ``.tif``.

    Names, opacity, visibility and blending are kept. A complete set of additive soft
    layers, all of them shown, is written as the ordinary stack that every program shows
    as the picture; opened again it is additive. Layers that are no images are left out
    with a warning. Returns the path that was written.
    """
    images = [(data, meta) for data, meta, kind in layer_data if kind == "image"]
    others = [meta.get("name", kind) for _, meta, kind in layer_data if kind != "image"]
    if others:
        warnings.warn(
            f"Only images are saved to '{Path(path).name}'; left out: "
            f"{', '.join(map(str, others))}.",
            stacklevel=2,
        )
    if not images:
        raise ValueError(
            f"There is no image layer to be saved to '{Path(path).name}'; select one."
        )
    write_document(napari_to_document(images), Path(path))
    return [path]
