"""PNG pictures of 8 and 16 bits a channel, to and from bytes."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._files import MAX_SIDE, memory_limit, parsing, replacing
from ._icc import rgb_profile

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COMPRESSION = 4
HEADER_END = 33


def write_png(pixels: NDArray[Any], profile: bytes | None = None) -> bytes:
    """Encode grey, RGB or RGBA of uint8 or uint16, with the profile of its colours."""
    import imagecodecs

    plain = np.ascontiguousarray(pixels)
    data = bytes(imagecodecs.png_encode(plain, level=COMPRESSION))
    if profile is None:
        return data
    note = b"iCCPICC profile\0\0" + zlib.compress(profile)
    chunk = (
        struct.pack(">I", len(note) - 4) + note + struct.pack(">I", zlib.crc32(note))
    )
    return data[:HEADER_END] + chunk + data[HEADER_END:]


def save_png(path: Path, pixels: NDArray[Any], profile: bytes | None = None) -> None:
    """Write one picture; see `write_png`."""
    with replacing(path) as part:
        part.write_bytes(write_png(pixels, profile))


def png_size(data: bytes, what: str) -> tuple[int, int]:
    """Width and height that a PNG declares, before anything is decoded."""
    if len(data) < HEADER_END or data[:8] + data[12:16] != SIGNATURE + b"IHDR":
        raise ValueError(f"{what} is not a PNG picture.")
    width, height = struct.unpack(">II", data[16:24])
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(f"{what} says it is {width}x{height} pixels; it is damaged.")
    return width, height


def is_deep(data: bytes) -> bool:
    """Whether the data are a PNG of 16 bits a channel."""
    return data.startswith(SIGNATURE) and len(data) > 24 and data[24] == 16


def read_png(data: bytes, what: str) -> NDArray[Any]:
    """Decode to straight RGBA of uint8 or uint16; check the size of it first."""
    from PIL import Image

    png_size(data, what)
    if is_deep(data):
        return as_rgba(read_deep_png(data, what))
    with parsing(what), Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return np.array(image.convert("RGBA"))


def read_deep_png(data: bytes, what: str) -> NDArray[np.uint16]:
    """Decode 16 bits a channel (which Pillow halves), ``(H, W)`` or ``(H, W, 2..4)``."""
    import imagecodecs

    with parsing(what):
        return np.asarray(imagecodecs.png_decode(data))


def as_rgba(pixels: NDArray[Any]) -> NDArray[Any]:
    """Grey ``(H, W)``, grey with alpha, RGB or RGBA as straight RGBA."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[-1] in (2, 4):
        color, alpha = pixels[..., :-1], pixels[..., -1:]
    else:
        top = np.iinfo(pixels.dtype).max
        color, alpha = pixels, np.full((*pixels.shape[:2], 1), top, pixels.dtype)
    color = np.broadcast_to(color, (*pixels.shape[:2], 3))
    return np.concatenate([color, alpha], axis=-1)


def png_profile(data: bytes) -> Any:
    """ICC profile that a PNG carries, or None."""
    from PIL import Image

    damage = (OSError, SyntaxError, ValueError, struct.error)
    with (
        suppress(*damage, EOFError, Image.DecompressionBombError),
        Image.open(io.BytesIO(data), formats=["PNG"]) as image,
    ):
        return image.info.get("icc_profile")
    return None


class PngReader:
    """Reads the layers of one canvas, and keeps account of what they have cost."""

    def __init__(self, width: int, height: int) -> None:
        self.size = f"{width}x{height}"
        self.pixels = max(width * height, 1 << 16)
        self.budget = memory_limit()
        self.profile: bytes | None = None

    def read(self, data: bytes, what: str) -> NDArray[Any]:
        """Straight RGBA of one layer, its size checked before it is decoded."""
        width, height = png_size(data, what)
        self.budget -= 12 * width * height
        if self.budget < 0 or width * height > 4 * self.pixels:
            raise ValueError(
                f"{what} is {width}x{height} pixels on a canvas of {self.size}; that is "
                "too large to be opened."
            )
        self.profile = self.profile or rgb_profile(png_profile(data))
        return read_png(data, what)
