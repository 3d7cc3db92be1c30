"""Pictures, trimaps and label images from files of any usual kind."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.picture import to_unit, with_alpha

from ._files import MAX_PIXELS, check_canvas, parsing, white_of_bits
from ._icc import cmyk_to_rgb, index_or_grey, profile_name, rgb_profile
from ._png import SIGNATURE, as_rgba, is_deep, png_size, read_deep_png

# Pillow's other formats are rare, or run programs (PostScript).
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "WEBP", "GIF", "PPM", "TGA", "JPEG2000", "AVIF")
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_FILE_BYTES = 1 << 32
ORIENTATION = 0x112


@dataclass(frozen=True)
class PictureFile:
    """What a picture's file holds.

    ``pixels`` ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``: uint8, uint16 or float32 as
    the file has it (label images: any integers); of deep files whose white is known,
    float32 in [0, 1]. ``stored_shape``: height and width as
    they are stored, before the picture was turned upright. ``profile``: ICC profile,
    where the numbers are RGB in it. ``turned``: the file says that it is stored turned or
    mirrored, and it was put upright. ``bits``: significant bits a sample, where the file
    says so. ``notes``: what was taken as what. ``lossy``: compressed in a way that does
    not keep the numbers.
    """

    pixels: NDArray[Any]
    stored_shape: tuple[int, int]
    profile: bytes | None = None
    turned: bool = False
    bits: int | None = None
    notes: list[str] = field(default_factory=list)
    lossy: bool = False


def read_picture_file(
    path: str | Path, *, labels: bool = False, stored_pixels: bool = False
) -> PictureFile:
    """Read a picture, upright and with its own dtype.

    ``path``: TIFF (any photometric interpretation, packing and depth), PNG (8 or 16
    bits), JPEG, BMP, WebP, GIF, PPM, TGA, JPEG 2000 or AVIF; told by its content.
    ``labels``: of an indexed picture, give the indices instead of the colours; numbers
    stay as they are. ``stored_pixels``: leave the picture as it is stored, whatever its
    EXIF data say.
    """
    path = Path(path).expanduser()
    what = f"'{path.name}'"
    notes: list[str] = []
    _check_file(path, what)
    with path.open("rb") as stream:
        start = stream.read(32)
    if start[:4] in TIFF_STARTS:
        from ._tiff_pictures import read_tiff

        found = read_tiff(path, labels, notes)
    elif is_deep(start):
        found = _deep_png(path, what, notes)
    else:
        found = _with_pillow(path, labels, what, notes)
    pixels = _plain_dtype(found["pixels"])
    shape = (int(pixels.shape[0]), int(pixels.shape[1]))
    orientation = found.get("orientation", 1)
    turned = not stored_pixels and orientation in range(2, 9)
    if turned:
        pixels = _upright(pixels, orientation)
    bits, white = found.get("bits"), found.get("white")
    if white is not None and not labels:
        pixels = _full_range(pixels, white)
    profile, pixels = _kept_profile(found, notes), np.ascontiguousarray(pixels)
    lossy = found.get("lossy", False)
    return PictureFile(pixels, shape, profile, turned, bits, notes, lossy)


def _check_file(path: Path, what: str) -> None:
    if not path.exists():
        raise FileNotFoundError(f"{what} does not exist: there is no file '{path}'.")
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise ValueError(f"{what} is {kind}; a picture file is needed.")
    size = path.stat().st_size
    if not 0 < size <= MAX_FILE_BYTES:
        raise ValueError(f"{what} has {size} bytes; it is no picture that can be read.")


@contextmanager
def _opened(source: Any, what: str) -> Iterator[Any]:
    """A Pillow image of a file or of bytes, its size checked, not decoded yet."""
    from PIL import Image, UnidentifiedImageError

    with parsing(what), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        Image.init()
        try:
            file = Image.open(source, formats=[x for x in FORMATS if x in Image.OPEN])
        except UnidentifiedImageError:
            raise ValueError(f"{what} is not a picture that can be read.") from None
        except Image.DecompressionBombError:
            raise ValueError(
                f"{what} is too large: at most {MAX_PIXELS >> 20} megapixels are supported."
            ) from None
        with file as image:
            check_canvas(image.width, image.height, 1, what)
            yield image


def _with_pillow(
    path: Path, labels: bool, what: str, notes: list[str]
) -> dict[str, Any]:
    """8 bits a channel (and what little else Pillow has), with transparency."""
    with _opened(path, what) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":
            raise ValueError(
                f"{what} holds {frames} pages (an animation); one picture is needed. Save "
                "the one that you want as a file of its own."
            )
        profile = image.info.get("icc_profile")
        return {
            "orientation": _orientation(image),
            "pixels": _pillow_pixels(image, labels, profile, notes),
            "profile": profile,
            "converted": image.mode == "CMYK",
            "white": 65535 if image.mode[:4] in ("I", "I;16") else None,  # scaled
            "lossy": image.format in ("JPEG", "MPO")
            or (image.format == "WEBP" and b"VP8L" not in path.read_bytes()),
        }


def _orientation(image: Any) -> Any:
    """What EXIF says of how the picture is stored; damaged EXIF says nothing."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except (ValueError, TypeError, KeyError, SyntaxError, OSError, struct.error):
        return 1


def _pillow_pixels(
    image: Any, labels: bool, profile: Any, notes: list[str]
) -> NDArray[Any]:
    """Pixels of a Pillow image as grey, RGB or straight RGBA, or as indices."""
    if image.mode == "P" and labels:
        colours = np.asarray(image.convert("RGB"))
        return index_or_grey(np.asarray(image), colours, notes)
    if image.mode == "CMYK":
        known = profile if isinstance(profile, bytes) else None
        return cmyk_to_rgb(np.asarray(image), known)
    if image.mode[:4] == "I;16":
        return np.asarray(image).astype(np.uint16)
    if image.mode == "I":  # a grey PPM of more than 8 bits, scaled to 16
        return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
    if image.mode == "F":
        return np.asarray(image)
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _deep_png(path: Path, what: str, notes: list[str]) -> dict[str, Any]:
    """A PNG of 16 bits a channel, which Pillow would halve."""
    data = path.read_bytes()
    check_canvas(*png_size(data, what), 1, what)
    pixels = read_deep_png(data, what)
    if pixels.ndim == 3 and pixels.shape[-1] == 2:
        pixels = as_rgba(pixels)
    bits = _png_bits(data)
    with _opened(io.BytesIO(data), what) as image:
        return {
            "pixels": pixels,
            "profile": image.info.get("icc_profile"),
            "orientation": _orientation(image),
            "bits": bits,
            "white": bits and white_of_bits(pixels, bits, notes),
        }


def _png_bits(data: bytes) -> int | None:
    """Significant bits that a PNG's chunk sBIT says, the most of its channels."""
    place = len(SIGNATURE)
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"sBIT" and 1 <= size <= 4:
            bits = max(data[place + 8 : place + 8 + size])
            return bits if 8 < bits <= 16 else None
        if kind in (b"PLTE", b"IDAT"):
            return None
        place += 12 + size
    return None


def _plain_dtype(pixels: NDArray[Any]) -> NDArray[Any]:
    """Native byte order; floats of any size as float32."""
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo one of the eight EXIF orientations."""
    if orientation >= 5:
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _full_range(pixels: NDArray[Any], white: int) -> NDArray[Any]:
    """Of 8 bits, the whole range; else float32 in [0, 1], of which no white is guessed."""
    if pixels.dtype == np.uint8:
        return np.rint(pixels * (255 / white)).astype(np.uint8)
    if pixels.dtype.kind == "f":
        return pixels / np.float32(white)
    if pixels.ndim == 3 and pixels.shape[-1] == 4:
        return np.dstack(with_alpha(pixels, white))
    return to_unit(pixels, white)


def _kept_profile(found: dict[str, Any], notes: list[str]) -> bytes | None:
    """The ICC profile, where it fits RGB layers."""
    profile = found.get("profile")
    if not isinstance(profile, bytes):
        return None
    if found.get("converted"):
        notes.append(f"shown as sRGB; it was in '{profile_name(profile)}'")
        return None
    kept = rgb_profile(profile)
    if kept is None:
        notes.append(
            f"its colour profile '{profile_name(profile)}' is not for RGB and is left out"
        )
    return kept
