"""A layered picture as files know it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from napari_softlayers._core.arrays import FloatArray
from napari_softlayers._core.picture import to_dtype
from napari_softlayers._core.version import VERSION

from ._files import check_canvas

FORMAT = 1
MODES = ("normal", "plus", "multiply")
UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Layer:
    """One picture of a stack.

    ``name``: characters that files cannot hold (controls, parts of undecodable file
    names) are taken out of it, and spaces at its ends. ``pixels`` ndarray of uint8 or
    uint16, ``(h, w, 4)``: straight RGBA. ``x``, ``y``: place of its left upper corner
    on the canvas; may lie outside. ``mode``: "normal", "plus", or the name of another
    blend mode.
    """

    name: str
    pixels: NDArray[Any]
    x: int = 0
    y: int = 0
    opacity: float = 1.0
    visible: bool = True
    mode: str = "normal"

    def __post_init__(self) -> None:
        self.name = printable(self.name)


def printable(name: str) -> str:
    """A name without what XML, UTF-8, UTF-16 or TIFF cannot hold."""
    return UNPRINTABLE.sub("", name).strip() or "layer"


@dataclass
class Group:
    """Layers that are composited together first; the bottom one comes first."""

    name: str
    items: list[Layer | Group]
    opacity: float = 1.0
    visible: bool = True


@dataclass
class Document:
    """A canvas, its layers (the bottom one first) and what we know about them.

    ``info`` is written beside the layers: "kind", "parameters", "extras"; "sets" (lists
    of layer numbers whose alphas were turned from additive into "over" alphas), "napari"
    (one dictionary a layer) and "fingerprint" (checksum of the pixels it belongs to).
    ``profile`` is the ICC profile that the layers' colours are meant in.
    """

    width: int
    height: int
    items: list[Layer | Group]
    info: dict[str, Any] = field(default_factory=dict)
    picture: NDArray[Any] | None = None
    profile: bytes | None = None

    def layers(self) -> list[Layer]:
        """All layers, bottom first, without the groups around them."""
        return [layer for layer, _, _ in flat(self.items)]

    def sign(self) -> None:
        """Note the program and the checksum of the layers in ``info``."""
        self.info |= {
            "program": "napari-softlayers",
            "format": FORMAT,
            "version": VERSION,
            "fingerprint": fingerprint(self.layers()),
        }

    def checked_info(self) -> dict[str, Any]:
        """``info``, or nothing when another program has changed the layers since."""
        if self.info.get("program") != "napari-softlayers":
            return {}
        if self.info.get("fingerprint") != fingerprint(self.layers()):
            return {}
        return believable(self.info, len(self.layers()))

    def flatten(self) -> NDArray[Any]:
        """The visible picture as straight RGBA, ``(H, W, 4)``, in the layers' dtype."""
        layers = self.layers()
        dtype = np.result_type(np.uint8, *(layer.pixels.dtype for layer in layers))
        if self.picture is not None:
            opaque = np.ones((self.height, self.width, 1), np.float32)
            return to_dtype(np.concatenate([self.picture, opaque], axis=-1), dtype)
        light = np.zeros((self.height, self.width, 3), np.float32)
        total = np.zeros((self.height, self.width), np.float32)
        for layer, alpha in contributions(self):
            light += alpha[..., None] * on_canvas(layer, self)[..., :3]
            total += alpha
        covered = np.maximum(total, 1e-6)[..., None]
        rgba = np.concatenate([light / covered, total[..., None]], axis=-1)
        return to_dtype(np.clip(rgba, 0, 1), dtype)


def fingerprint(layers: list[Layer]) -> int:
    """Checksum of all pixels and of how they are put together."""
    check = 0
    for layer in layers:
        size = f"{layer.pixels.shape}{layer.x},{layer.y},{layer.mode}"
        check = zlib.crc32(size.encode(), check)
        check = zlib.crc32(np.ascontiguousarray(layer.pixels).data, check)
    return check


def flat(
    items: list[Layer | Group], opacity: float = 1.0, visible: bool = True
) -> Iterator[tuple[Layer, float, bool]]:
    """Layers with the opacity and visibility that their groups leave them."""
    for item in items:
        own, shown = opacity * item.opacity, visible and item.visible
        if isinstance(item, Group):
            yield from flat(item.items, own, shown)
        else:
            yield item, own, shown


def notes_of(document: Document) -> dict[str, Any]:
    """What is noted of a document beside its pixels."""
    names = ("name", "x", "y", "opacity", "visible", "mode")
    layers = [{name: getattr(x, name) for name in names} for x in document.layers()]
    size = {"width": document.width, "height": document.height}
    return size | {"layers": layers, "info": document.info}


def from_notes(
    notes: dict[str, Any], layers: list[Layer], profile: bytes | None, what: str
) -> Document:
    """A document from its layers and what `notes_of` noted."""
    size, info = canvas_of(notes, what), notes.get("info")
    info = info if isinstance(info, dict) else {}
    return Document(*size, [*layers], info, profile=profile)


def canvas_of(notes: dict[str, Any], what: str) -> tuple[int, int]:
    """Width and height that are noted."""
    for key in ("width", "height"):
        if type(notes.get(key)) is not int:
            raise ValueError(f"{what} says {key}={notes.get(key)!r}; it is damaged.")
    check_canvas(notes["width"], notes["height"], len(notes["layers"]), what)
    return notes["width"], notes["height"]


def layer_from_entry(entry: dict[str, Any], pixels: NDArray[Any], what: str) -> Layer:
    """A layer from its pixels and what `notes_of` noted of it."""
    x, y = entry.get("x", 0), entry.get("y", 0)
    opacity, mode = entry.get("opacity", 1.0), entry.get("mode", "normal")
    numbers = all(isinstance(value, (int, float)) for value in (x, y, opacity))
    if not numbers or not 0 <= opacity <= 1 or not max(abs(x), abs(y)) < 1 << 20:
        raise ValueError(
            f"x={x!r}, y={y!r}, opacity={opacity!r} is noted for {what}; whole pixels "
            "and an opacity from 0 to 1 are needed."
        )
    if mode not in MODES:
        raise ValueError(f"Blending {mode!r} is noted for {what}; {MODES} are known.")
    name, visible = str(entry.get("name", "layer")), bool(entry.get("visible", True))
    return Layer(name, pixels, int(x), int(y), float(opacity), visible, str(mode))


def on_canvas(layer: Layer, document: Document) -> FloatArray:
    """A layer's RGBA on the whole canvas; its outermost colours go on, transparent."""
    pixels = layer.pixels
    height, width = pixels.shape[:2]
    values = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    place = (layer.x, layer.y, width, height)
    if place == (0, 0, document.width, document.height):
        return values
    rows = np.arange(document.height) - layer.y
    columns = np.arange(document.width) - layer.x
    placed = values[
        np.clip(rows, 0, height - 1)[:, None], np.clip(columns, 0, width - 1)[None]
    ]
    outside = (rows < 0) | (rows >= height)
    placed[outside, :, 3] = 0
    placed[:, (columns < 0) | (columns >= width), 3] = 0
    return placed


def contributions(document: Document) -> list[tuple[Layer, FloatArray]]:
    """Visible layers, bottom first, with the share of each pixel that they have.

    ``alpha_k = b_k prod_{j above} (1 - b_j)`` for "over"; a layer that is added
    ("plus") hides nothing. Groups are composited on their own and then multiplied with
    their opacity.
    """
    rest = np.ones((document.height, document.width), np.float64)
    return _of_items(document.items, document, rest)[0][::-1]


def _of_items(
    items: list[Layer | Group], document: Document, rest: NDArray[np.float64]
) -> tuple[list[tuple[Layer, FloatArray]], NDArray[np.float64]]:
    """Contributions from the top down, and what is left for below."""
    found: list[tuple[Layer, FloatArray]] = []
    for item in reversed(items):
        if not item.visible:
            continue
        if isinstance(item, Layer):
            hides = on_canvas(item, document)[..., 3] * np.float64(item.opacity)
            found.append((item, (rest * hides).astype(np.float32)))
            if item.mode != "plus":
                rest = rest * (1 - hides)
        else:
            inside, left = _of_items(item.items, document, np.ones_like(rest))
            outer = rest * item.opacity
            found += [(part, (outer * a).astype(np.float32)) for part, a in inside]
            rest = rest * (1 - item.opacity * (1 - left))
    return found, rest


class _Note(BaseModel):
    """What only napari knows of a layer."""

    blending: str = ""
    space: dict[str, Any] = {}
    axes: int = 0
    record: dict[str, Any] | None = None


class _Info(BaseModel):
    """What is noted of a whole file; further entries are kept."""

    kind: str = "layers"
    parameters: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    sets: list[list[int]] = []
    napari: list[_Note] = []


def believable(info: dict[str, Any], layers: int) -> dict[str, Any]:
    """The notes of a file with that many layers, or none when they are forged."""
    try:
        found = _Info.model_validate(info)
    except ValidationError:
        return {}
    numbers = [number for group in found.sets for number in group]
    fitting = all(0 <= number < layers for number in numbers) and all(found.sets)
    return info if fitting and len(set(numbers)) == len(numbers) else {}
