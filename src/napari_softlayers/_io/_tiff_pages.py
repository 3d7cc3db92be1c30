"""What is checked of a TIFF page before it is decoded."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ._files import check_canvas

ICC_PROFILE = 34675
JPEG = 7
# Their decoders fill a buffer of the declared size and stop there, JPEG apart.
COMPRESSIONS = {
    1: "none",
    2: "CCITT",
    3: "CCITT",
    4: "CCITT",
    5: "LZW",
    JPEG: "JPEG",
    8: "Deflate",
    32773: "PackBits",
    32946: "Deflate",
    34925: "LZMA",
    50000: "Zstandard",
}


def check_page(page: Any, what: str) -> int:
    """Refuse a page that cannot be what it says, or is packed in an unknown way.

    Returns int: the bytes that it has when it is decoded. Raises ValueError.
    """
    page = page.aspage()
    if page.dtype is None or min(page.imagelength, page.imagewidth) < 1:
        raise ValueError(f"{what} has pixels of an unknown kind.")
    check_canvas(page.imagewidth, page.imagelength, 1, what)
    if page.compression not in COMPRESSIONS:
        name = getattr(page.compression, "name", page.compression)
        known = ", ".join(dict.fromkeys(COMPRESSIONS.values()))
        raise ValueError(
            f"{what} is packed with {name}, which is not read; save it with one of "
            f"{known}."
        )
    _check_segments(page, what)
    return int(np.prod(page.shape, dtype=np.int64)) * page.dtype.itemsize


def _check_segments(page: Any, what: str) -> None:
    """Every strip and tile must lie in the file, and be no larger than it says."""
    file = page.parent.filehandle
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if offset + count > file.size:
            raise ValueError(f"{what} is cut off: its pixels end after the file does.")
        if page.compression == JPEG and count:
            file.seek(offset)
            _check_jpeg(file.read(count), page.chunks, what)


def _check_jpeg(data: bytes, chunk: tuple[int, ...], what: str) -> None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            pixels = image.width * image.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{what} holds a JPEG that cannot be read.") from error
    if pixels > 2 * int(np.prod(chunk, dtype=np.int64)):
        raise ValueError(f"{what} holds more than its size says; it is damaged.")
