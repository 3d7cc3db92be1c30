"""Photoshop files (``.psd``) through psd-tools, the extra ``psd``."""

from __future__ import annotations

import json
import re
import struct
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.sax.saxutils import escape, unescape

import numpy as np
from numpy.typing import NDArray

from ._document import Document, Group, Layer
from ._files import (
    check_canvas,
    decode_json,
    encode_json,
    memory_limit,
    parsing,
    replacing,
)
from ._icc import rgb_profile

XMP = 1060
ICC = 1039
MAX_NAME = 255
NAMESPACE = "https://napari-softlayers.github.io/ns/1.0/"
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:softlayers="{namespace}">
<softlayers:info>{info}</softlayers:info>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def psd_tools() -> ModuleType:
    """The package psd-tools. Raises ImportError: saying how to install it."""
    try:
        import psd_tools as package
    except ImportError as error:
        raise ImportError(
            "Photoshop files need the package psd-tools: "
            "pip install 'napari-softlayers[psd]'. OpenRaster files ('.ora') need "
            "nothing more."
        ) from error
    return package


def write_photoshop(document: Document, path: Path, form: str = "masks") -> None:
    """Write a document.

    ``form`` {"masks", "transparency"}: "masks" keeps every layer's colours everywhere
    and puts its alpha into a layer mask, which can be edited without loss;
    "transparency" makes the pixels themselves transparent.
    """
    tools = psd_tools()
    from PIL import Image
    from psd_tools.constants import BlendMode

    blend = {"plus": BlendMode.LINEAR_DODGE, "multiply": BlendMode.MULTIPLY}
    mode = "RGB" if form == "masks" else "RGBA"
    psd = tools.PSDImage.new(mode, (document.width, document.height))
    for layer in document.layers():
        pixels = layer.pixels
        if pixels.dtype == np.uint16:
            pixels = np.rint(pixels / 257).astype(np.uint8)
        added = psd.create_pixel_layer(
            Image.fromarray(pixels),
            top=layer.y,
            left=layer.x,
            opacity=round(layer.opacity * 255),
            blend_mode=blend.get(layer.mode, BlendMode.NORMAL),
        )
        added.name = layer.name[:MAX_NAME]  # in Unicode, too, unlike `name=` above
        added.visible = layer.visible
    info = escape(json.dumps(json.loads(encode_json(document.info))))
    _store(psd, XMP, PACKET.format(namespace=NAMESPACE, info=info).encode())
    if document.profile is not None:
        _store(psd, ICC, document.profile)
    with replacing(path) as part:
        psd.save(part, mode="xb")


def _store(psd: Any, key: int, data: bytes) -> None:
    from psd_tools.psd.image_resources import ImageResource

    psd.image_resources[key] = ImageResource(key=key, data=data)


def _stored(psd: Any, key: int) -> bytes:
    data = getattr(psd.image_resources.get(key), "data", b"")
    return data if isinstance(data, bytes) else b""


def _stored_info(psd: Any) -> dict[str, Any]:
    text = _stored(psd, XMP).decode("utf-8", "replace")
    found = re.search(r"<softlayers:info>([^<]*)</softlayers:info>", text)
    if not found or NAMESPACE not in text:
        return {}
    return decode_json(unescape(found[1]).encode(), "The notes in the Photoshop file")


def read_photoshop(path: Path) -> Document:
    """Read the pixel layers and groups of a Photoshop file.

    Adjustment layers, effects and clipping are left out, with a warning.
    """
    tools = psd_tools()
    what = f"'{path.name}'"
    with parsing(what):
        with path.open("rb") as stream:
            _check_header(stream.read(26), what)
        psd = tools.PSDImage.open(path, max_alloc_bytes=memory_limit())
        return _document(psd, what)


def _check_header(header: bytes, what: str) -> None:
    """Signature and size, before the file is parsed."""
    if len(header) < 26 or header[:4] != b"8BPS":
        raise ValueError(f"{what} is no Photoshop file.")
    height, width = struct.unpack(">II", header[14:22])
    check_canvas(width, height, 1, what)


def _document(psd: Any, what: str) -> Document:
    left_out: list[str] = []
    layers = [x for x in psd.descendants() if not x.is_group()]
    check_canvas(psd.width, psd.height, len(layers), what)
    items = _items(psd, left_out)
    if not items:
        raise ValueError("it has no pixel layers")
    if left_out:
        warnings.warn(
            f"Not everything of {what} could be opened: {', '.join(left_out)}.",
            stacklevel=4,
        )
    profile = rgb_profile(_stored(psd, ICC))
    info = _stored_info(psd)
    return Document(psd.width, psd.height, items, info, profile=profile)


def _items(parent: Any, left_out: list[str]) -> list[Layer | Group]:
    found: list[Layer | Group] = []
    for layer in parent:
        shown = (layer.opacity / 255, bool(layer.visible))
        if layer.is_group():
            if layer.mask is not None and not layer.mask.disabled:
                left_out.append(f"the mask of group '{layer.name}'")
            found.append(Group(layer.name, _items(layer, left_out), *shown))
            continue
        if not layer.has_pixels():
            left_out.append(f"'{layer.name}' ({layer.kind})")
            continue
        if layer.clipping:
            left_out.append(f"the clipping of '{layer.name}'")
        if layer.has_effects():
            left_out.append(f"the effects of '{layer.name}'")
        mode = layer.blend_mode.name.lower()
        mode = {"linear_dodge": "plus", "pass_through": "normal"}.get(mode, mode)
        place = (layer.left, layer.top)
        found.append(Layer(layer.name, _pixels(layer), *place, *shown, mode))
    return found


def _pixels(layer: Any) -> NDArray[Any]:
    """Straight RGBA with the layer's transparency and its mask."""
    check_canvas(max(layer.width, 1), max(layer.height, 1), 1, f"'{layer.name}'")
    color = layer.numpy("color")
    if color is None:
        raise ValueError(f"its layer '{layer.name}' holds no pixels")
    if color.shape[-1] == 1:
        color = np.repeat(color, 3, axis=-1)
    if color.shape[-1] != 3:
        raise ValueError("only RGB and grey files can be opened; convert it first")
    shape = layer.numpy("shape")
    alpha = np.ones(color.shape[:2]) if shape is None else np.squeeze(shape, -1)
    mask = layer.mask
    if mask is not None and not mask.disabled:
        alpha = alpha * _mask(layer, mask)
    kind = np.uint16 if layer._psd.depth > 8 else np.uint8
    rgba = np.concatenate([color, alpha[..., None]], axis=-1, dtype=np.float64)
    return np.rint(np.clip(rgba, 0, 1) * np.iinfo(kind).max).astype(kind)


def _mask(layer: Any, mask: Any) -> NDArray[np.float64]:
    """A layer's mask on the layer's own rectangle, in [0, 1]."""
    check_canvas(
        max(mask.width, 1), max(mask.height, 1), 1, f"The mask of '{layer.name}'"
    )
    placed = np.full((layer.height, layer.width), mask.background_color / 255)
    image = mask.topil()
    if image is None:
        return placed
    values = np.asarray(image.convert("L")) / 255
    rows = np.arange(layer.height) + layer.top - mask.top
    columns = np.arange(layer.width) + layer.left - mask.left
    down = (rows >= 0) & (rows < values.shape[0])
    across = (columns >= 0) & (columns < values.shape[1])
    placed[np.ix_(down, across)] = values[np.ix_(rows[down], columns[across])]
    return placed
