"""A TIFF that holds one picture, of whatever kind of pixels."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC as Kind

from napari_softlayers._core.picture import ROUNDING, common_white, largest

from ._files import check_canvas, memory_limit, parsing, white_of_bits
from ._icc import cmyk_to_rgb, index_or_grey, lab_to_rgb

ORIENTATION, MAX_SAMPLE_VALUE, INK_SET = 274, 281, 332
# Samples that say the colour; further ones are alpha or anything else.
SAMPLES = {
    Kind.MINISWHITE: 1,
    Kind.MINISBLACK: 1,
    Kind.MASK: 1,
    Kind.PALETTE: 1,
    Kind.RGB: 3,
    Kind.YCBCR: 3,
    Kind.CIELAB: 3,
    Kind.ICCLAB: 3,
    Kind.SEPARATED: 4,
}
CONVERTED = (Kind.SEPARATED, Kind.CIELAB, Kind.ICCLAB)
OWN_WHITE = (Kind.PALETTE, Kind.CIELAB, Kind.ICCLAB)  # whatever their samples reach
ALPHAS = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)


def read_tiff(path: Path, labels: bool, notes: list[str]) -> dict[str, Any]:
    """Pixels, profile, orientation, bits and white of a TIFF's only picture.

    ``labels`` gives the indices of a palette instead of their colours. What was guessed
    is added to ``notes``. ``white``: what means full light, where it is known.
    """
    what = f"'{path.name}'"
    with parsing(what), tifffile.TiffFile(path, _multifile=False) as file:
        if file.pages.first.aspage().software == "napari-softlayers":
            raise ValueError(
                f"{what} is a file of layers, where a picture is needed. Open it with "
                "napari_softlayers.open_layers, or in napari."
            )
        series = _only_series(file, what)
        page = series.keyframe.aspage()
        lengths = {  # without those of length 1 that are not the picture's own
            axis: length
            for axis, length in zip(series.axes, series.shape, strict=True)
            if length > 1 or axis in "YX"
        }
        axes, shape = "".join(lengths), tuple(lengths.values())
        _check_axes(axes, lengths, page, what)
        parts = [part for part in series.pages if part is not None]
        if 8 * sum(check_page(part, what) for part in parts) > memory_limit():
            raise ValueError(f"{what} needs more memory than there is.")
        pixels = series.asarray().reshape(shape)
        if axes[0] in "CS":
            pixels = np.moveaxis(pixels, 0, -1)
        bits = _significant_bits(page, file.ome_metadata or "", pixels)
        white = _white(pixels, page, bits, what, notes)
        colours = in_colours(pixels, page, what, notes, white)
        if labels and page.photometric == Kind.PALETTE:
            pixels = index_or_grey(pixels, colours, notes)
        else:
            pixels = colours
        if page.photometric in OWN_WHITE and pixels.ndim == 3 and pixels.shape[2] == 3:
            white = int(largest(pixels.dtype))
        return {
            "lossy": page.compression == JPEG,
            "pixels": pixels,
            "profile": page.tags.valueof(ICC_PROFILE),
            "converted": page.photometric in CONVERTED,
            "orientation": page.tags.valueof(ORIENTATION, 1),
            "bits": bits,
            "white": white,
        }


def _only_series(file: tifffile.TiffFile, what: str) -> Any:
    """The file's picture; small copies of it (thumbnails, pyramids) do not count."""
    full = [x for x in file.series if not x.keyframe.is_reduced] or file.series
    if len(full) != 1:
        sizes = " and ".join(str(tuple(series.shape)) for series in full[:4])
        raise ValueError(
            f"{what} holds {len(full)} pictures of the shapes {sizes}; one is needed. "
            "Save the page that you want as a file of its own."
        )
    return full[0]


def _check_axes(axes: str, lengths: dict[str, int], page: Any, what: str) -> None:
    """Refuse stacks, and channels that nobody said to be red, green and blue."""
    if re.fullmatch("YX|YX[SC]|[SC]YX", axes):
        _check_channels(lengths.get("S", lengths.get("C", 1)), page, what)
        return
    own = "YXS" if "S" in axes else "YXC"
    pages = math.prod(n for axis, n in lengths.items() if axis not in own)
    raise ValueError(
        f"{what} holds {pages} pages (axes {axes}, shape {tuple(lengths.values())}); one "
        "picture is needed. Save the page that you want as a file of its own, or open the "
        "stack in napari."
    )


def _own_samples(page: Any, what: str) -> int:
    """How many samples of a page are its colour."""
    if page.photometric not in SAMPLES:
        name = getattr(page.photometric, "name", page.photometric)
        raise ValueError(
            f"{what} has pixels of the kind {name}, which are not read; save it as RGB."
        )
    return SAMPLES[page.photometric]


def _check_channels(count: int, page: Any, what: str) -> None:
    own = _own_samples(page, what)
    alpha = any(kind in ALPHAS for kind in page.extrasamples)
    if count < own or (own == 1 and count > 1 and not (count == 2 and alpha)):
        raise ValueError(
            f"{what} has {count} channels that it does not say to be red, green and blue; "
            "choose three of them: napari shows each as a layer, and the functions of "
            "napari_softlayers take an array with channels=(red, green, blue)."
        )


def in_colours(
    pixels: NDArray[Any],
    page: Any,
    what: str,
    notes: list[str],
    white: int | None = None,
) -> NDArray[Any]:
    """Decoded samples as grey ``(H, W)``, RGB or straight RGBA.

    ``white``: what means full light; as a rule, the largest value of the dtype.
    """
    own = _own_samples(page, what)
    samples = pixels if pixels.ndim == 3 else pixels[..., None]
    if samples.dtype.kind not in "buif":
        raise ValueError(f"{what} has pixels of {samples.dtype}; numbers are needed.")
    if samples.dtype.kind == "b":
        samples = samples.astype(np.uint8) * np.uint8(255)
    white = int(largest(samples.dtype)) if white is None else white
    color, extra = samples[..., :own], samples[..., own:]
    color = _in_rgb(color, page, what, white)
    kinds = [*page.extrasamples, *[0] * extra.shape[-1]]
    places = [k for k in range(extra.shape[-1]) if kinds[k] in ALPHAS]
    if extra.shape[-1] > len(places[:1]):
        notes.append("channels that are neither colour nor transparency are left out")
    if not places:
        return color[..., 0] if color.shape[-1] == 1 else color
    alpha = extra[..., places[0], None]
    if kinds[places[0]] == tifffile.EXTRASAMPLE.ASSOCALPHA:
        color = _unassociated(color, alpha, white)
    color = np.broadcast_to(color, (*color.shape[:2], 3))
    return np.concatenate([color, alpha.astype(color.dtype)], axis=-1)


def _in_rgb(color: NDArray[Any], page: Any, what: str, white: int) -> NDArray[Any]:
    """Colour samples of any photometric interpretation as grey or RGB."""
    kind = page.photometric
    bits = int(np.max(page.bitspersample))
    if kind == Kind.MINISWHITE:
        return np.asarray(white - color, color.dtype)
    if kind in (Kind.CIELAB, Kind.ICCLAB, Kind.YCBCR) and bits not in (8, 16):
        raise ValueError(
            f"{what} has {bits} bits a channel that are not RGB; save it so."
        )
    if kind == Kind.PALETTE:
        return _looked_up(color[..., 0], page, what)
    if kind == Kind.SEPARATED:
        if page.tags.valueof(INK_SET, 1) != 1 or color.dtype.kind != "u":
            raise ValueError(f"{what} has other inks than CMYK; save it as RGB.")
        return cmyk_to_rgb(color, page.tags.valueof(ICC_PROFILE), white)
    if kind in CONVERTED:
        return _lab(color, page, what)
    if kind == Kind.YCBCR and page.compression != JPEG:
        from PIL import Image

        if color.dtype != np.uint8:
            raise ValueError(f"{what} is YCbCr of {color.dtype}; save it as RGB.")
        packed = Image.fromarray(np.ascontiguousarray(color), "YCbCr")
        return np.asarray(packed.convert("RGB"))
    return color


def _looked_up(index: NDArray[Any], page: Any, what: str) -> NDArray[Any]:
    """The colours of a palette, 8 bits where these say all."""
    table = page.colormap
    if table is None or index.dtype.kind != "u" or index.max() >= np.shape(table)[1]:
        raise ValueError(f"{what} has a palette that lacks colours; it is damaged.")
    colors = np.asarray(table, np.uint16).T
    if not (colors & 255).any() or (colors >> 8 == colors & 255).all():
        colors = (colors >> 8).astype(np.uint8)
    elif colors.max() < 256:
        colors = colors.astype(np.uint8)
    return colors[index]


def _lab(samples: NDArray[Any], page: Any, what: str) -> NDArray[Any]:
    """CIELab of 8 or 16 bits as sRGB of as many; a and b are signed, or have an offset."""
    if samples.dtype not in (np.uint8, np.uint16, np.int8, np.int16):
        raise ValueError(f"{what} is CIELab of {samples.dtype}; save it as RGB.")
    size = samples.dtype.itemsize
    raw = samples.view(f"u{size}")
    top, step = (65535, 256) if size == 2 else (255, 1)
    if page.photometric == Kind.ICCLAB:
        ab = raw[..., 1:].astype(np.float32) - np.float32(128 * step)
    else:
        ab = raw[..., 1:].view(f"i{size}").astype(np.float32)
    light = raw[..., :1].astype(np.float32) * np.float32(100 / top)
    rgb = lab_to_rgb(np.concatenate([light, ab / step], axis=-1))
    return np.rint(rgb * top).astype(raw.dtype)


def _unassociated(color: NDArray[Any], alpha: NDArray[Any], white: int) -> NDArray[Any]:
    """Straight colours of those that were multiplied with alpha; black below none."""
    top, light = 1 if color.dtype.kind == "f" else white, color.astype(np.float64)
    ratio = np.divide(light * top, alpha, out=np.zeros(color.shape), where=alpha > 0)
    if color.dtype.kind == "f":
        return ratio.astype(color.dtype)
    return np.rint(np.clip(ratio, 0, top)).astype(color.dtype)


def _white(
    samples: NDArray[Any], page: Any, bits: int | None, what: str, notes: list[str]
) -> int | None:
    """What means full light: as the file says it; guessed where it must be known."""
    kind, number = page.photometric, samples.dtype.kind
    alphas = [x for x in page.extrasamples if x in ALPHAS]
    if kind in OWN_WHITE or number not in "uif":
        return None
    if bits is not None:
        return white_of_bits(samples, bits, notes)
    relative = number in "ui" and tifffile.EXTRASAMPLE.ASSOCALPHA in alphas[:1]
    if kind not in (Kind.MINISWHITE, Kind.SEPARATED) and not relative:
        return None
    seen = np.isfinite(samples)
    if (low := float(samples.min(where=seen, initial=0))) < -ROUNDING:
        raise ValueError(
            f"{what} has values down to {low:g}; values from 0 are needed to know what is "
            "white. Rescale it first."
        )
    channels, own = np.atleast_3d(np.where(seen, samples, 0)), SAMPLES[kind]
    places = [own + page.extrasamples.index(x) for x in alphas[:1]]
    alpha = float(channels[..., places].max(initial=0))
    return common_white(float(channels[..., :own].max()), alpha, samples.dtype)


def _significant_bits(page: Any, ome: str, pixels: NDArray[Any]) -> int | None:
    """Bits per sample that the file says to be used, to 16 where all are."""
    if pixels.dtype.kind != "u" or not isinstance(page.bitspersample, int):
        return None
    stored = 8 * pixels.dtype.itemsize
    if 1 < page.bitspersample < stored and page.photometric != Kind.PALETTE:
        return page.bitspersample
    found = re.search(r'SignificantBits="(\d+)"', ome[:100_000])
    if found and (8 < int(found[1]) < stored or int(found[1]) == stored == 16):
        return int(found[1])
    tops = page.tags.valueof(MAX_SAMPLE_VALUE)
    top = int(np.max(tops)) if tops is not None else 0
    if stored == 16 and (top & (top + 1)) == 0 and 255 < top < 65536:
        return top.bit_length()
    return None


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
    """The bytes of a page; refuses what is not what it says, or packed in unknown ways."""
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
