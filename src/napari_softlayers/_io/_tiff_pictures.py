"""A TIFF that holds one picture, of whatever kind of pixels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ._files import memory_limit, parsing
from ._icc import cmyk_to_rgb, lab_to_rgb
from ._tiff_pages import ICC_PROFILE, JPEG, check_page

ORIENTATION, MAX_SAMPLE_VALUE, INK_SET = 274, 281, 332
GREY_WHITE, GREY, RGB, PALETTE, MASK, CMYK, YCBCR, LAB, ICC_LAB = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    9,
)
SAMPLES = {GREY_WHITE: 1, GREY: 1, RGB: 3, PALETTE: 1, MASK: 1, CMYK: 4, YCBCR: 3}
SAMPLES |= {LAB: 3, ICC_LAB: 3}
ASSOCIATED, STRAIGHT = 1, 2


def read_tiff(path: Path, labels: bool, notes: list[str]) -> dict[str, Any]:
    """Pixels, profile, orientation and significant bits of a TIFF's only picture.

    ``labels`` gives the indices of a palette instead of their colours. What was guessed
    is added to ``notes``.

    Raises
    ------
    ValueError
        When it holds several pictures, channels without colours, or is damaged.
    """
    what = f"'{path.name}'"
    with parsing(what), tifffile.TiffFile(path, _multifile=False) as file:
        series = _only_series(file, what)
        page = series.keyframe.aspage()
        axes, shape = _used_axes(series)
        _check_axes(axes, shape, page, what)
        parts = [part for part in series.pages if part is not None]
        if 8 * sum(check_page(part, what) for part in parts) > memory_limit():
            raise ValueError(f"{what} needs more memory than there is.")
        pixels = series.asarray().reshape(shape)
        if axes[0] in "CS":
            pixels = np.moveaxis(pixels, 0, -1)
        if not (labels and page.photometric == PALETTE):
            pixels = in_colours(pixels, page, what, notes)
        return {
            "pixels": pixels,
            "profile": page.tags.valueof(ICC_PROFILE),
            "converted": page.photometric in (CMYK, LAB, ICC_LAB),
            "orientation": page.tags.valueof(ORIENTATION, 1),
            "bits": _significant_bits(page, file.ome_metadata or "", pixels),
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


def _used_axes(series: Any) -> tuple[str, tuple[int, ...]]:
    """Axes and lengths, without those of length 1 that are not the picture's own."""
    kept = [
        (axis, length)
        for axis, length in zip(series.axes, series.shape, strict=True)
        if length > 1 or axis in "YX"
    ]
    return "".join(axis for axis, _ in kept), tuple(length for _, length in kept)


def _check_axes(axes: str, shape: tuple[int, ...], page: Any, what: str) -> None:
    """Refuse stacks, and channels that nobody said to be red, green and blue."""
    if re.fullmatch("YX|YX[SC]|[SC]YX", axes):
        count = max(shape[axes.index(axis)] for axis in axes if axis in "SC") if (
            len(axes) == 3
        ) else 1  # fmt: skip
        _check_channels(count, page, what)
        return
    stack = [f"{n} along {axis}" for axis, n in zip(axes, shape, strict=True)][:-2]
    pages = int(
        np.prod([n for axis, n in zip(axes, shape, strict=True) if axis not in "YXSC"])
    )
    raise ValueError(
        f"{what} holds {pages} pages ({', '.join(stack)}; axes {axes}, shape {shape}); one "
        "picture is needed. Save the page that you want as a file of its own, or open the "
        "stack in napari."
    )


def _check_channels(count: int, page: Any, what: str) -> None:
    if page.photometric not in SAMPLES:
        name = getattr(page.photometric, "name", page.photometric)
        raise ValueError(
            f"{what} has pixels of the kind {name}, which are not read; save it as RGB."
        )
    own = SAMPLES[page.photometric]
    alpha = any(kind in (ASSOCIATED, STRAIGHT) for kind in page.extrasamples)
    if count < own or (own == 1 and count > 1 and not (count == 2 and alpha)):
        raise ValueError(
            f"{what} has {count} channels that it does not say to be red, green and blue; "
            "choose three of them: napari shows each as a layer, and the functions of "
            "napari_softlayers take an array with channels=(red, green, blue)."
        )


def in_colours(
    pixels: NDArray[Any], page: Any, what: str, notes: list[str]
) -> NDArray[Any]:
    """Decoded samples as grey ``(H, W)``, RGB or straight RGBA."""
    own = SAMPLES.get(page.photometric, 0)
    samples = pixels if pixels.ndim == 3 else pixels[..., None]
    if samples.dtype.kind not in "buif":
        raise ValueError(f"{what} has pixels of {samples.dtype}; numbers are needed.")
    if samples.dtype.kind == "b":
        samples = samples.astype(np.uint8) * np.uint8(255)
    color, extra = samples[..., :own], samples[..., own:]
    color = _in_rgb(color, page, what)
    kinds = [*page.extrasamples, *[0] * extra.shape[-1]]
    places = [k for k in range(extra.shape[-1]) if kinds[k] in (ASSOCIATED, STRAIGHT)]
    if extra.shape[-1] > len(places[:1]):
        notes.append("channels that are neither colour nor transparency are left out")
    if not places:
        return color[..., 0] if color.shape[-1] == 1 else color
    alpha = extra[..., places[0], None]
    if kinds[places[0]] == ASSOCIATED:
        color = _unassociated(color, alpha)
    color = np.broadcast_to(color, (*color.shape[:2], 3))
    return np.concatenate([color, alpha.astype(color.dtype)], axis=-1)


def _in_rgb(color: NDArray[Any], page: Any, what: str) -> NDArray[Any]:
    """Colour samples of any photometric interpretation as grey or RGB."""
    kind = page.photometric
    bits = int(np.max(page.bitspersample))
    if kind == GREY_WHITE and color.dtype.kind == "u":
        top = 255 if bits == 1 else (1 << bits) - 1
        return np.asarray(top - color, color.dtype)
    if kind in (CMYK, YCBCR, LAB, ICC_LAB) and bits not in (8, 16):
        raise ValueError(
            f"{what} has {bits} bits a channel that are not RGB; save it so."
        )
    if kind == PALETTE:
        return _looked_up(color[..., 0], page, what)
    if kind == CMYK:
        if page.tags.valueof(INK_SET, 1) != 1 or color.dtype.kind != "u":
            raise ValueError(f"{what} has other inks than CMYK; save it as RGB.")
        return cmyk_to_rgb(color, page.tags.valueof(ICC_PROFILE))
    if kind in (LAB, ICC_LAB):
        return _lab(color, page, what)
    if kind == YCBCR and page.compression != JPEG:
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
    deep = samples.dtype.itemsize == 2
    raw = samples.view(np.uint16 if deep else np.uint8)
    top, step = (65535, 256) if deep else (255, 1)
    ab = raw[..., 1:].astype(np.float32)
    if page.photometric == ICC_LAB:
        ab -= 128 * step
    else:
        ab = raw[..., 1:].view(np.int16 if deep else np.int8).astype(np.float32)
    light = raw[..., :1].astype(np.float32) * np.float32(100 / top)
    rgb = lab_to_rgb(np.concatenate([light, ab / step], axis=-1))
    return np.rint(rgb * top).astype(raw.dtype)


def _unassociated(color: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Straight colours of those that were multiplied with alpha; black below none."""
    top = 1.0 if color.dtype.kind == "f" else float(np.iinfo(color.dtype).max)
    ratio = np.divide(
        color.astype(np.float64) * top,
        alpha,
        out=np.zeros(color.shape),
        where=alpha > 0,
    )
    if color.dtype.kind == "f":
        return ratio.astype(color.dtype)
    return np.rint(np.clip(ratio, 0, top)).astype(color.dtype)


def _significant_bits(page: Any, ome: str, pixels: NDArray[Any]) -> int | None:
    """Bits per sample that the file says to be used, where fewer than are stored."""
    if pixels.dtype.kind != "u" or not isinstance(page.bitspersample, int):
        return None
    stored = 8 * pixels.dtype.itemsize
    if 1 < page.bitspersample < stored and page.photometric != PALETTE:
        return page.bitspersample
    found = re.search(r'SignificantBits="(\d+)"', ome[:100_000])
    if found and 8 < int(found[1]) < stored:
        return int(found[1])
    tops = page.tags.valueof(MAX_SAMPLE_VALUE)
    largest = int(np.max(tops)) if tops is not None else 0
    if stored == 16 and (largest & (largest + 1)) == 0 and 255 < largest < 65535:
        return largest.bit_length()
    return None
