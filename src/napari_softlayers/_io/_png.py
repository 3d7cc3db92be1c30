"""PNG pictures of 8 and 16 bits a channel, to and from bytes."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._files import MAX_SIDE

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COMPRESSION = 4
CHANNELS = {1: 0, 3: 2, 4: 6}
ROWS = 64


def write_png(pixels: NDArray[Any]) -> bytes:
    """Encode ``(H, W, 4)``, ``(H, W, 3)`` or ``(H, W)`` pixels of uint8 or uint16."""
    if pixels.dtype == np.uint16:
        return _write_16_bit(pixels)
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(buffer, format="PNG", compress_level=COMPRESSION)
    return buffer.getvalue()


def png_size(data: bytes, what: str) -> tuple[int, int]:
    """Width and height that a PNG declares, before anything is decoded.

    Raises
    ------
    ValueError
        When it is no PNG.
    """
    if len(data) < 33 or not data.startswith(SIGNATURE) or data[12:16] != b"IHDR":
        raise ValueError(f"{what} is not a PNG picture.")
    width, height = struct.unpack(">II", data[16:24])
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ValueError(f"{what} says it is {width}x{height} pixels; it is damaged.")
    return width, height


def read_png(data: bytes, what: str) -> NDArray[Any]:
    """Decode to straight RGBA, ``(H, W, 4)`` of uint8 or uint16.

    Check `png_size` first: this needs memory for the whole picture.

    Raises
    ------
    ValueError
        When the data are damaged or cut off.
    """
    from PIL import Image

    png_size(data, what)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            raw = image.tile[0].args if image.tile else ""
            if image.mode == "I;16":
                return _grey_16_bit(np.asarray(image))
            if raw in ("RGB;16B", "RGBA;16B"):
                return _read_16_bit(data, str(raw))
            return np.array(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise ValueError(f"{what} is damaged: {error}") from error
    except (zlib.error, IndexError, Image.DecompressionBombError) as error:
        raise ValueError(f"{what} is damaged: {error}") from error


def _read_16_bit(data: bytes, raw: str) -> NDArray[np.uint16]:
    """Decode twice, for Pillow keeps one byte of two: the high one, then the low one."""
    from PIL import Image

    halves = []
    for mode in (raw, raw.replace("16B", "16L")):
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.tile = [image.tile[0]._replace(args=mode)]
            halves.append(np.asarray(image).astype(np.uint16))
    values = (halves[0] * np.uint16(256)) + halves[1]
    if values.shape[-1] == 4:
        return values
    opaque = np.full((*values.shape[:2], 1), 65535, np.uint16)
    return np.concatenate([values, opaque], axis=-1)


def _grey_16_bit(grey: NDArray[Any]) -> NDArray[np.uint16]:
    values = np.repeat(grey.astype(np.uint16)[..., None], 4, axis=-1)
    values[..., 3] = 65535
    return values


def _write_16_bit(pixels: NDArray[np.uint16]) -> bytes:
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    header = struct.pack(">IIBBBBB", width, height, 16, CHANNELS[channels], 0, 0, 0)
    step = 2 * channels
    rows = pixels.reshape(height, -1).astype(">u2").view(np.uint8)
    packer = zlib.compressobj(COMPRESSION)
    above = np.zeros((1, rows.shape[1]), np.uint8)
    body = []
    for start in range(0, height, ROWS):
        part = rows[start : start + ROWS]
        previous = np.concatenate([above, part[:-1]])
        body.append(packer.compress(_filtered(part, previous, step).tobytes()))
        above = part[-1:]
    body.append(packer.flush())
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", b"".join(body))
    return SIGNATURE + chunks + _chunk(b"IEND", b"")


def _filtered(
    rows: NDArray[np.uint8], above: NDArray[np.uint8], step: int
) -> NDArray[np.uint8]:
    """Each row with the filter (none, left, up) whose differences are the smallest."""
    left = np.zeros_like(rows)
    left[:, step:] = rows[:, :-step]
    choices = np.stack([rows, rows - left, rows - above])
    cost = np.abs(choices.view(np.int8).astype(np.int16)).sum(axis=-1)
    best = cost.argmin(axis=0)
    chosen = np.take_along_axis(choices, best[None, :, None], axis=0)[0]
    return np.concatenate([best[:, None].astype(np.uint8), chosen], axis=1)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
