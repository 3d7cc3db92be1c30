"""Multi-page TIFF: one RGBA page a layer, with the layers' names as page names."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_softlayers._core.layers.soft_layers import SoftLayers

from ._document import (
    Document,
    believable,
    from_notes,
    layer_from_entry,
    notes_of,
    printable,
)
from ._files import (
    MAX_LAYERS,
    decode_json,
    encode_json,
    memory_limit,
    parsing,
    replacing,
)
from ._icc import rgb_profile
from ._png import as_rgba
from ._soft_document import assembled, described
from ._tiff_pictures import ICC_PROFILE, check_page, in_colours

PAGE_NAME = 285


def write_tiff(document: Document, path: Path) -> None:
    """Write a document, the bottom layer first."""
    layers = document.layers()
    pages, names = [x.pixels for x in layers], [x.name for x in layers]
    _write_pages(path, pages, names, notes_of(document), document.profile)


def write_float_tiff(layers: SoftLayers, path: Path) -> None:
    """Write alphas and colours as 32-bit floats, without any loss."""
    pages = list(layers.rgba(np.float32))
    names = [printable(name) for name in layers.names]
    notes = {"soft": described(layers), "checksum": _checksum(pages)}
    _write_pages(path, pages, names, notes, layers.profile)


def _write_pages(
    path: Path,
    pages: list[NDArray[Any]],
    names: list[str],
    notes: dict[str, Any],
    profile: bytes | None,
) -> None:
    notes = {"program": "napari-softlayers"} | notes
    with replacing(path) as part, tifffile.TiffWriter(part) as writer:
        for number, (pixels, name) in enumerate(zip(pages, names, strict=True)):
            label = name.encode()
            writer.write(
                pixels,
                photometric="rgb",
                extrasamples=["unassalpha"],
                compression="zlib",
                description=encode_json(notes) if number == 0 else None,
                metadata=None,
                extratags=[(PAGE_NAME, 2, len(label) + 1, label + b"\0", True)],
                software="napari-softlayers",
                iccprofile=profile,
            )


def read_tiff(path: Path) -> Document:
    """The pages of a TIFF as layers, bottom first; of other programs: a plain stack."""
    what = f"'{path.name}'"
    pages, names, notes, profile = _read_pages(path)
    entries = notes.get("layers", [])
    if not isinstance(entries, list) or len(entries) != len(pages):
        entries = [{}] * len(pages)
    layers = []
    for name, page, entry in zip(names, pages, entries, strict=True):
        entry = entry if isinstance(entry, dict) else {}
        label = f"'{name}' in {what}"
        rgba = _as_rgba(page, name, what)
        layers.append(layer_from_entry(entry | {"name": name}, rgba, label))
    height, width = pages[0].shape[:2]
    notes = {"width": width, "height": height} | notes | {"layers": entries}
    return from_notes(notes, layers, profile, what)


def read_float_tiff(path: Path) -> SoftLayers | None:
    """Layers written by `write_float_tiff`; None when the file is of another kind."""
    what = f"'{path.name}'"
    with parsing(what), tifffile.TiffFile(path) as file:
        first = file.pages.first
        if first.dtype != np.float32 or '"soft"' not in first.description:
            return None
    pages, names, notes, profile = _read_pages(path)
    soft = notes.get("soft")
    if not isinstance(soft, dict) or any(page.shape[-1] != 4 for page in pages):
        return None
    if notes.get("checksum") != _checksum(pages):
        soft = {}
    if any(page.shape != pages[0].shape for page in pages):
        raise ValueError(f"The pages of {what} have different sizes.")
    stack = np.stack(pages)
    _check_range(stack, what)
    info = believable(soft, len(pages))
    return assembled(stack[..., 3], stack[..., :3], names, info, profile, what)


def _check_range(values: NDArray[Any], what: str) -> None:
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
        raise ValueError(f"{what} holds values outside of [0, 1].")


def _checksum(pages: list[NDArray[Any]]) -> int:
    check = 0
    for page in pages:
        check = zlib.crc32(np.ascontiguousarray(page).data, check)
    return check


def _read_pages(
    path: Path,
) -> tuple[list[NDArray[Any]], list[str], dict[str, Any], bytes | None]:
    """All pages, their names, the notes in the first one's description, the profile."""
    what = f"'{path.name}'"
    pages, names = [], []
    budget = memory_limit()
    with parsing(what), tifffile.TiffFile(path) as file:
        description = file.pages.first.description
        profile = rgb_profile(file.pages.first.tags.valueof(ICC_PROFILE))
        for number, page in enumerate(file.pages):
            if number >= MAX_LAYERS:
                raise ValueError(f"{what} has more than {MAX_LAYERS} pages.")
            if len(page.shape) != 3 or page.shape[-1] not in (3, 4):
                raise ValueError(
                    f"A page of {what} has shape {page.shape}; RGB or RGBA pages are "
                    "needed."
                )
            budget -= 3 * check_page(page, f"A page of {what}")
            if budget < 0:
                raise ValueError(f"{what} needs more memory than there is.")
            tag = page.aspage().tags.get(PAGE_NAME)
            names.append(str(tag.value) if tag else f"page {number + 1}")
            pages.append(in_colours(page.asarray(), page.aspage(), what, []))
    if "napari-softlayers" not in description[:100_000]:
        return pages, names, {}, profile
    notes = decode_json(description.encode(), f"The notes in {what}")
    return pages, names, notes, profile


def _as_rgba(page: NDArray[Any], name: str, what: str) -> NDArray[Any]:
    """uint8 or uint16 RGBA."""
    if page.dtype.kind == "f":
        _check_range(page, what)
        page = np.rint(page * 65535).astype(np.uint16)
    if page.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"Page '{name}' of {what} has dtype {page.dtype}; uint8, uint16 or float is "
            "needed."
        )
    return as_rgba(page)
