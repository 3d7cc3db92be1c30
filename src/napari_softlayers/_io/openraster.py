"""OpenRaster files (``.ora``), as Krita, GIMP and MyPaint read and write them."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from ._document import Document, Group, Layer
from ._files import (
    MAX_JSON_BYTES,
    check_canvas,
    decode_json,
    encode_json,
    parsing,
    replacing,
)
from ._png import PngReader, write_png

MIMETYPE = b"image/openraster"
INFO = "softlayers.json"
MODES = {"normal": "svg:src-over", "plus": "svg:plus", "multiply": "svg:multiply"}
THUMBNAIL = 256
MAX_ENTRIES = 10_000
MAX_XML_BYTES = 1 << 22
MAX_ELEMENTS = 10_000
MAX_DEPTH = 64


def write_openraster(document: Document, path: Path) -> None:
    """Write a document; ``path`` is replaced only when everything is written."""
    layers = document.layers()
    with replacing(path) as part, zipfile.ZipFile(part, "x") as archive:
        _add(archive, "mimetype", MIMETYPE)
        _add(archive, "stack.xml", _stack_xml(document, layers), packed=True)
        for number, layer in enumerate(layers):
            _add(archive, _source(number), write_png(layer.pixels, document.profile))
        merged = document.flatten()
        _add(archive, "mergedimage.png", write_png(merged, document.profile))
        _add(archive, "Thumbnails/thumbnail.png", _thumbnail(merged))
        _add(archive, INFO, encode_json(document.info), packed=True)


def _source(number: int) -> str:
    return f"data/layer{number:03d}.png"


def _add(
    archive: zipfile.ZipFile, name: str, data: bytes, packed: bool = False
) -> None:
    """Add one entry with a fixed date, so that equal layers give equal files."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    archive.writestr(entry, data, compress_type=method)


def _stack_xml(document: Document, layers: list[Layer]) -> bytes:
    """The stack, top layer first."""
    size = {"w": str(document.width), "h": str(document.height)}
    about = {"version": "0.0.3", **size, "xres": "72", "yres": "72"}
    image = ElementTree.Element("image", about)
    stack = ElementTree.SubElement(image, "stack")
    for number, layer in reversed(list(enumerate(layers))):
        attributes = {
            "name": layer.name,
            "src": _source(number),
            "x": str(layer.x),
            "y": str(layer.y),
            "opacity": f"{layer.opacity:.6g}",
            "visibility": "visible" if layer.visible else "hidden",
            "composite-op": MODES.get(layer.mode, "svg:src-over"),
        }
        ElementTree.SubElement(stack, "layer", attributes)
    return ElementTree.tostring(image, encoding="utf-8", xml_declaration=True)


def _thumbnail(merged: NDArray[Any]) -> bytes:
    """At most 256 pixels a side, 8 bits."""
    from PIL import Image

    if merged.dtype == np.uint16:
        merged = (merged >> 8).astype(np.uint8)
    image = Image.fromarray(merged)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def read_openraster(path: Path) -> Document:
    """Read a document; nothing is unpacked to disk.

    Declared sizes are checked before anything is decoded and again while reading, so
    that memory stays bounded whatever the file holds.
    """
    what = f"'{path.name}'"
    with parsing(what), zipfile.ZipFile(path) as archive:
        return _Reader(archive, what).document()


class _Reader:
    """Reads one archive."""

    layers: PngReader

    def __init__(self, archive: zipfile.ZipFile, what: str) -> None:
        self.archive = archive
        self.what = what
        if len(archive.infolist()) > MAX_ENTRIES:
            raise ValueError(
                f"{what} has {len(archive.infolist())} parts; it is no picture."
            )

    def document(self) -> Document:
        if self.part("mimetype", 100).strip() != MIMETYPE:
            raise ValueError(f"{self.what} does not say that it is an OpenRaster file.")
        root = parse_xml(self.part("stack.xml", MAX_XML_BYTES), self.what)
        stack = root.find("stack")
        if root.tag != "image" or stack is None:
            raise ValueError(f"{self.what} has no layer stack in its stack.xml.")
        width, height = self.pixels(root, "w", ""), self.pixels(root, "h", "")
        check_canvas(width, height, len(list(stack.iter("layer"))), self.what)
        self.layers = PngReader(width, height)
        items = self.items(stack, 0, 0)
        info = {}
        if INFO in self.archive.namelist():
            notes = self.part(INFO, MAX_JSON_BYTES)
            info = decode_json(notes, f"{INFO} in {self.what}")
        return Document(width, height, items, info, profile=self.layers.profile)

    def part(self, name: str, limit: int) -> bytes:
        """One entry's bytes; never more than ``limit`` of them."""
        if name not in self.archive.namelist():
            raise ValueError(f"{self.what} lacks its part '{name}'; it is damaged.")
        entry = self.archive.getinfo(name)
        if entry.file_size > limit:
            raise ValueError(
                f"The part '{name}' of {self.what} has {entry.file_size} bytes; at "
                f"most {limit} can be right."
            )
        with self.archive.open(entry) as stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise ValueError(f"The part '{name}' of {self.what} is larger than it says")
        return data

    def items(self, stack: ElementTree.Element, x: int, y: int) -> list[Layer | Group]:
        """Layers and groups of a stack, bottom first."""
        found: list[Layer | Group] = []
        for element in reversed(list(stack)):
            left, top = x + self.pixels(element, "x"), y + self.pixels(element, "y")
            if element.tag == "stack":
                inside = self.items(element, left, top)
                name = element.get("name", "group")
                found.append(Group(name, inside, *self.shown(element)))
            elif element.tag == "layer":
                found.append(self.layer(element, left, top))
        return found

    def layer(self, element: ElementTree.Element, x: int, y: int) -> Layer:
        source = element.get("src", "")
        where = PurePosixPath(source)
        outside = where.is_absolute() or ".." in where.parts or "\\" in source
        if not source or outside or ":" in source:
            raise ValueError(
                f"{self.what} names a layer's picture '{source}'; only files inside of "
                "it are read."
            )
        limit = min(9 * self.layers.pixels * 4, self.layers.budget)
        label = f"'{source}' in {self.what}"
        pixels = self.layers.read(self.part(source, limit), label)
        operator = element.get("composite-op", "svg:src-over")
        modes = {value: key for key, value in MODES.items()}
        mode = modes.get(operator, operator)
        name = element.get("name") or where.stem
        return Layer(name, pixels, x, y, *self.shown(element), mode)

    def pixels(self, element: ElementTree.Element, key: str, default: str = "0") -> int:
        far = 1 << 20
        needed = "a whole number of pixels"
        return round(self.number(element, key, default, (-far, far), needed))

    def shown(self, element: ElementTree.Element) -> tuple[float, bool]:
        """Opacity and visibility."""
        needed = "a number from 0 to 1"
        opacity = self.number(element, "opacity", "1", (0, 1), needed)
        return opacity, element.get("visibility", "visible") == "visible"

    def number(
        self,
        element: ElementTree.Element,
        key: str,
        default: str,
        span: tuple[float, float],
        needed: str,
    ) -> float:
        try:
            value = float(element.get(key, default))
        except ValueError:
            value = math.nan
        if not span[0] <= value <= span[1]:
            raise ValueError(
                f"{self.what} says {key}='{element.get(key)}' for its {element.tag}; "
                f"{needed} is needed."
            )
        return value


def parse_xml(data: bytes, what: str) -> ElementTree.Element:
    """Parse XML that may come from anywhere: no document type, no entities, no depth."""
    builder = ElementTree.TreeBuilder()
    seen = {"elements": 0, "depth": 0}

    def start(tag: str, attributes: dict[str, str]) -> None:
        seen["elements"] += 1
        seen["depth"] += 1
        if seen["elements"] > MAX_ELEMENTS or seen["depth"] > MAX_DEPTH:
            raise ValueError(f"{what} has too many or too deeply nested layers.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        seen["depth"] -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise ValueError(
            f"{what} declares a document type or entities in its stack.xml; such files "
            "are not opened."
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, LookupError, AssertionError) as error:
        raise ValueError(f"{what} has a damaged stack.xml: {error}") from error
