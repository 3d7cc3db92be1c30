"""Pictures, trimaps and labels from files: the numbers and colours that were meant."""

from __future__ import annotations

import contextlib
import io
import lzma
import struct
import warnings
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, features

from napari_softlayers import palette_layers
from napari_softlayers._core.picture import read_picture
from napari_softlayers._io import save_layers
from napari_softlayers._io.picture_files import read_picture_file

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def picture(rng):
    """A soft colour ramp with noise, not square, ``(40, 56, 3)``."""
    r, c = np.indices((40, 56))
    ramp = np.dstack([30 + 4 * r, 20 + 3 * c, 220 - 3 * r])
    return np.clip(ramp + rng.integers(-9, 9, ramp.shape), 0, 255).astype(np.uint8)


def pixels(path, **options):
    return read_picture_file(path, **options).pixels


def in_unit(path):
    """The picture in [0, 1], as every method sees it; nothing may be guessed."""
    found = pixels(path)
    assert found.dtype in (np.uint8, np.float32)
    return found / 255 if found.dtype == np.uint8 else found


def png_chunk(data, kind, content):
    """A PNG with one more chunk after its header."""
    check = zlib.crc32(kind + content)
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
    return data[:33] + chunk + data[33:]


# TIFF


@pytest.mark.parametrize(
    "packing",
    ["none", "zlib", "lzw", "packbits", "zstd", "lzma"],
)
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"tile": (16, 16)}])
def test_packings(tmp_path, picture, packing, options):
    path = tmp_path / "a.tif"
    compression = None if packing == "none" else packing
    tifffile.imwrite(
        path, picture, photometric="rgb", compression=compression, **options
    )
    assert np.array_equal(pixels(path), picture)


@pytest.mark.parametrize("kind", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_packings_of_pillow(tmp_path, picture, kind):
    path = tmp_path / "a.tif"
    options = {"quality": 95} if kind == "jpeg" else {}
    Image.fromarray(picture).save(path, compression=kind, **options)
    off = np.abs(pixels(path).astype(int) - picture)
    assert off.mean() < (9 if kind == "jpeg" else 1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, ">u2"])
@pytest.mark.parametrize("planar", [False, True])
def test_depths_and_planes(tmp_path, picture, dtype, planar):
    kind = np.dtype(dtype)
    top = 1 if kind.kind == "f" else np.iinfo(kind).max // 255
    values = picture / 255 if kind.kind == "f" else picture.astype(kind) * top
    values = values.astype(kind)
    path = tmp_path / "a.tif"
    stored = np.moveaxis(values, -1, 0) if planar else values
    tifffile.imwrite(
        path,
        stored,
        photometric="rgb",
        planarconfig="separate" if planar else "contig",
        byteorder=">" if kind.byteorder == ">" else "<",
    )
    found = pixels(path)
    assert found.dtype == (np.float32 if kind.kind == "f" else kind.newbyteorder("="))
    assert np.array_equal(found, values.astype(found.dtype))


@pytest.mark.parametrize("kind", ["ome", "imagej", "shaped"])
def test_axes_that_the_file_names(tmp_path, picture, kind):
    grey = picture[..., 0]
    if kind == "ome":
        path = tmp_path / "a.ome.tif"
        planes = np.moveaxis(picture, -1, 0)
        options = {"photometric": "rgb", "planarconfig": "separate"}
        tifffile.imwrite(path, planes, metadata={"axes": "CYX"}, **options)
        assert np.array_equal(pixels(path), picture)
        tifffile.imwrite(path, grey[None, None], metadata={"axes": "TCYX"})
    elif kind == "imagej":
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, picture, imagej=True, metadata={"axes": "YXS"})
        assert np.array_equal(pixels(path), picture)
        tifffile.imwrite(path, grey, imagej=True, metadata={"axes": "YX"})
    else:
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, picture[None], photometric="rgb")
        assert np.array_equal(pixels(path), picture)
        tifffile.imwrite(path, grey[None], photometric="minisblack")
    assert np.array_equal(pixels(path), grey)


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("where", ["ome", "imagej", "samples"])
def test_channels_without_colours_are_named(tmp_path, rng, count, where):
    stack = rng.integers(0, 255, (count, 9, 12), dtype=np.uint8)
    path = tmp_path / ("a.ome.tif" if where == "ome" else "a.tif")
    if where == "samples":
        tifffile.imwrite(
            path,
            np.moveaxis(stack, 0, -1).copy(),
            photometric="minisblack",
            planarconfig="contig",
            extrasamples=["unspecified"] * (count - 1),
        )
    else:
        options = {"imagej": True} if where == "imagej" else {}
        tifffile.imwrite(
            path,
            stack,
            photometric="minisblack",
            metadata={"axes": "CYX"},
            **options,
        )
    with pytest.raises(ValueError, match=rf"{path.name}.*{count} channels"):
        read_picture_file(path)


@pytest.mark.parametrize("count", [2, 3, 4, 7])
@pytest.mark.parametrize("axes", ["TYX", "ZYX", "ZYXS", ""])
def test_pages_are_named(tmp_path, rng, count, axes):
    shape = (count, 9, 12) + ((3,) if axes.endswith("S") else ())
    stack = rng.integers(0, 255, shape, dtype=np.uint8)
    kind = "rgb" if axes.endswith("S") else "minisblack"
    metadata = {"axes": axes} if axes else None
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric=kind, metadata=metadata)
    with pytest.raises(ValueError, match=rf"'a.tif' holds {count} (pages|pictures)"):
        read_picture_file(tmp_path / "a.tif")


def test_pages_of_different_sizes_and_thumbnails(tmp_path, picture):
    small = picture[:33, :21]
    for subfile in (0, 1):
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            file.write(picture, photometric="rgb", metadata=None)
            file.write(small, photometric="rgb", metadata=None, subfiletype=subfile)
        if subfile:
            assert np.array_equal(pixels(tmp_path / "a.tif"), picture)
        else:
            with pytest.raises(ValueError, match="holds 2 pictures"):
                read_picture_file(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.bool_])
def test_min_is_white(tmp_path, picture, dtype):
    grey = picture[..., 0]
    values = grey > 90 if dtype == np.bool_ else grey.astype(dtype)
    if dtype == np.uint16:
        values = values * np.uint16(257)
    stored = ~values
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="miniswhite")
    expected = values if dtype == np.bool_ else values / np.iinfo(dtype).max
    assert np.abs(in_unit(path) - expected).max() < 1e-6
    tifffile.imwrite(path, values, photometric="minisblack")
    assert np.array_equal(
        pixels(path), values * np.uint8(255 if dtype is np.bool_ else 1)
    )


def guess(words):
    return pytest.warns(UserWarning, match=words)


@pytest.mark.parametrize(
    ("dtype", "white", "factor"),
    [
        ("f4", 1, 1 / 255),
        ("f8", 255, 1),
        ("i2", 1023, 4),
        ("u2", 4095, 16),
        ("i2", 32767, 128),
        ("u4", 4095, 16),
    ],
)
def test_min_is_white_of_other_whites(tmp_path, picture, dtype, white, factor):
    stored = (picture[..., 0] * float(factor)).astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="miniswhite")
    with (
        contextlib.nullcontext() if white in (1, 32767) else guess(f"{white} was taken")
    ):
        found = in_unit(path)
    assert np.abs(found - (1 - stored / white)).max() < 1e-6
    if dtype == "u2":
        tag = (281, "H", 1, white, True)
        tifffile.imwrite(path, stored // 9, photometric="miniswhite", extratags=[tag])
        assert np.abs(in_unit(path) - (1 - stored // 9 / white)).max() < 1e-6


@pytest.mark.parametrize("dtype", ["f4", "i2", "i4"])
def test_min_is_white_of_negative_values_is_refused(tmp_path, picture, dtype):
    stored = picture[..., 0].astype(dtype) - 90
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    with pytest.raises(ValueError, match=r"a\.tif.*values down to"):
        read_picture_file(tmp_path / "a.tif")


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("stated", ["MaxSampleValue", "bitspersample", None])
@pytest.mark.parametrize("profile", [False, True])
def test_cmyk_of_fewer_bits(tmp_path, picture, bits, stated, profile):
    white = (1 << bits) - 1
    shallow = np.asarray(Image.fromarray(picture).convert("CMYK"))
    ink = np.rint(shallow * (white / 255)).astype(np.uint16)
    ink[..., 3] = white // 5
    options = {"iccprofile": ink_profile()} if profile else {}
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.rint(ink / white * 255).astype(np.uint8),
                     photometric="separated", **options)  # fmt: skip
    expected = in_unit(path)
    if stated == "MaxSampleValue":
        options["extratags"] = [(281, "H", 1, white, True)]
    elif stated:
        options["bitspersample"] = bits
    tifffile.imwrite(path, ink, photometric="separated", **options)
    with contextlib.nullcontext() if stated else guess(f"{white} was taken"):
        found = in_unit(path)
    assert np.abs(found - expected).max() < 2 / 255


@pytest.mark.parametrize("colors", [2, 7, 64, 256])
def test_indexed_tiff(tmp_path, picture, colors):
    indexed = Image.fromarray(picture).quantize(colors)
    path = tmp_path / "a.tif"
    indexed.save(path)
    assert np.array_equal(pixels(path), np.asarray(indexed.convert("RGB")))
    assert np.array_equal(pixels(path, labels=True), np.asarray(indexed))
    deep = np.arange(768, dtype=np.uint16).reshape(3, 256) * 85
    index = np.asarray(indexed)
    tifffile.imwrite(path, index, photometric="palette", colormap=deep)
    assert np.abs(in_unit(path) - deep.T[index] / 65535).max() < 1e-6
    tifffile.imwrite(path, index, photometric="palette", colormap=deep // 99)
    assert np.abs(in_unit(path) - (deep // 99).T[index] / 65535).max() < 1e-6


@pytest.mark.parametrize("packing", [None, "tiff_lzw"])
def test_cmyk_without_a_profile(tmp_path, picture, packing):
    path = tmp_path / "a.tif"
    Image.fromarray(picture).convert("CMYK").save(path, compression=packing)
    found = read_picture_file(path)
    assert np.abs(found.pixels.astype(int) - picture).max() <= 1
    deep = np.asarray(Image.fromarray(picture).convert("CMYK")).astype(np.uint16) * 257
    deep[..., 3] = 13107
    tifffile.imwrite(path, deep, photometric="separated")
    assert np.abs(in_unit(path) - picture / 255 * 0.8).max() <= 1.5 / 65535


CORNERS = {
    (0, 0, 0, 0): (100, 0, 0),
    (1, 0, 0, 0): (60, 60, 20),
    (1, 1, 1, 1): (0, 0, 0),
}


def ink_profile():
    """A small CMYK profile whose cyan is a red: a table of the 16 corners in CIELab."""
    corners = np.ndindex(2, 2, 2, 2)
    lab = [CORNERS.get(ink, (70 - 15 * sum(ink), 10, -10)) for ink in corners]
    table = bytes(
        value for L, a, b in lab for value in (round(L * 2.55), a + 128, b + 128)
    )
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + table + ramp * 3
    text = b"Inks of the test\0"
    desc = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": desc, b"cprt": b"text\0\0\0\0-\0", b"wtpt": white, b"A2B0": lut}
    place, index, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        index += name + struct.pack(">II", place + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4sI4s4s4s", place + len(body), b"lcms", 0x2100000, b"prtr", b"CMYK", b"Lab "
    )
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


@pytest.mark.parametrize("name", ["a.tif", "deep.tif", "a.jpg"])
def test_cmyk_through_its_profile(tmp_path, name):
    """The profile's cyan is (241, 91, 113) in sRGB, by its CIELab."""
    ink = np.zeros((32, 48, 4), np.uint8)
    ink[:, 24:, 0] = 255
    path = tmp_path / name
    if name == "deep.tif":
        deep = ink.astype(np.uint16) * 257
        tifffile.imwrite(path, deep, photometric="separated", iccprofile=ink_profile())
    else:
        options = {"quality": 98, "subsampling": 0} if name == "a.jpg" else {}
        Image.fromarray(ink, "CMYK").save(path, icc_profile=ink_profile(), **options)
    found = read_picture_file(path)
    shown = in_unit(path)[:, [4, 40]].mean(axis=0) * 255
    assert np.abs(shown - [(255, 255, 255), (241, 91, 113)]).max() < 6
    assert found.profile is None
    assert any("Inks of the test" in note for note in found.notes)


@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_a_cmyk_profile_that_cannot_be_used_is_an_error_in_words(
    tmp_path, picture, name
):
    image = Image.fromarray(picture).convert("CMYK")
    image.save(tmp_path / name, icc_profile=SRGB[:16] + b"CMYK" + SRGB[20:])
    with pytest.raises(ValueError, match=name):
        read_picture_file(tmp_path / name)


def test_cmyk_jpeg(tmp_path, picture):
    smooth = np.asarray(Image.fromarray(picture).resize((112, 80)))
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth).convert("CMYK").save(path, quality=98, subsampling=0)
    off = np.abs(pixels(path).astype(int) - smooth)
    assert off.mean() < 2


@pytest.mark.parametrize("kind", ["signed 8", "offset 8", "signed 16"])
def test_cielab(tmp_path, kind):
    """Against the color management of Pillow, which knows 8 bits."""
    rgb = np.array([[0, 0, 0], [255, 255, 255], [128, 128, 128], [200, 30, 60]])
    rgb = np.vstack([rgb, [[20, 160, 90], [40, 70, 220], [250, 240, 10]]])
    shown = rgb.astype(np.uint8)[None].repeat(3, axis=0)
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    raw = np.asarray(ImageCms.applyTransform(Image.fromarray(shown), transform))
    path = tmp_path / "a.tif"
    if kind == "offset 8":
        tifffile.imwrite(path, raw ^ np.uint8([0, 128, 128]), photometric="icclab")
    elif kind == "signed 8":
        tifffile.imwrite(path, raw, photometric="cielab")
    else:
        deep = np.empty(raw.shape, np.uint16)
        deep[..., 0] = raw[..., 0] * np.uint16(257)
        signed = raw[..., 1:].view(np.int8).astype(np.int16) * 256
        deep[..., 1:] = signed.view(np.uint16)
        tifffile.imwrite(path, deep, photometric="cielab")
    off = np.abs(in_unit(path) - shown / 255)  # whole steps of a and b are that coarse
    assert off.max() < 8 / 255
    assert off.mean() < 1.5 / 255


def test_ycbcr_without_jpeg(tmp_path, picture):
    path = tmp_path / "a.tif"
    Image.fromarray(picture).convert("YCbCr").save(path)
    assert np.abs(pixels(path).astype(int) - picture).max() <= 3


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_associated_alpha_becomes_straight(tmp_path, picture, rng, dtype):
    kind = np.dtype(dtype)
    top = 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)
    alpha = np.linspace(0, 1, 56)[None, :, None].repeat(40, axis=0)
    straight = picture / 255
    light = np.concatenate([straight * alpha, alpha], axis=-1) * top
    stored = (light if kind.kind == "f" else np.rint(light)).astype(kind)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=["assocalpha"])
    found = in_unit(path)
    assert np.abs(found[..., 3] - stored[..., 3] / top).max() < 1e-6
    off = np.abs(found[..., :3] * alpha - straight * alpha)
    assert off.max() < 1.1 / 255
    visible = alpha[..., 0] > 0.5
    assert np.abs(found[..., :3] - straight)[visible].max() < 2 / 255
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=["unassalpha"])
    assert np.array_equal(pixels(path), stored)


@pytest.mark.parametrize("dtype", ["u2", "i2"])
@pytest.mark.parametrize(("white", "most"), [(1023, 900), (4095, 4080), (4095, 4095)])
def test_one_white_of_colours_and_associated_alpha(
    tmp_path, picture, dtype, white, most
):
    alpha = np.linspace(most / 2, most, 56)[None, :, None].repeat(40, axis=0)
    stored = np.concatenate([picture / 255 * alpha, alpha], axis=-1)
    stored = np.rint(stored).astype(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=["assocalpha"])
    with guess(f"{white} was taken"):
        found = in_unit(path)
    assert np.abs(found[..., 3] - stored[..., 3] / white).max() < 1e-6
    assert np.abs(found[..., :3] - picture / 255).max() < 2 / most


def test_channels_that_are_no_alpha_are_left_out_and_said(tmp_path, picture):
    four = np.dstack([picture, picture[..., :1]])
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, four, photometric="rgb", extrasamples=["unspecified"])
    found = read_picture_file(path)
    assert np.array_equal(found.pixels, picture)
    assert any("left out" in note for note in found.notes)
    grey = np.dstack([picture[..., 0], picture[..., 1]])
    tifffile.imwrite(
        path, grey, photometric="minisblack", extrasamples=["unassalpha"],
        planarconfig="contig",
    )  # fmt: skip
    found = pixels(path)
    assert np.array_equal(found[..., 1], picture[..., 0])
    assert np.array_equal(found[..., 3], picture[..., 1])


def turned(array, orientation):
    """What is stored of an upright picture with an EXIF orientation."""
    stored = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: np.swapaxes(array, 0, 1),
        6: np.rot90(array, 1),
        7: np.rot90(np.swapaxes(array, 0, 1), 2),
        8: np.rot90(array, -1),
    }[orientation]
    return np.ascontiguousarray(stored)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["tif", "png", "deep png", "jpg", "webp"])
def test_orientation(tmp_path, picture, orientation, kind):
    path = tmp_path / f"a.{kind[-3:]}" if kind != "webp" else tmp_path / "a.webp"
    smooth = np.asarray(Image.fromarray(picture[:5, :7]).resize((56, 40)))
    exif = Image.Exif()
    exif[0x112] = orientation
    stored = turned(smooth, orientation)
    if kind == "deep png":
        data = imagecodecs.png_encode(stored.astype(np.uint16) * 257)
        path.write_bytes(png_chunk(data, b"eXIf", exif.tobytes()[6:]))
        smooth, stored = smooth * np.uint16(257), stored * np.uint16(257)
    else:
        lossless = {"lossless": True} if kind == "webp" else {"quality": 98}
        Image.fromarray(stored).save(path, exif=exif, **lossless)
    found = read_picture_file(path)
    assert found.turned == (orientation > 1)
    assert found.stored_shape == stored.shape[:2]
    assert found.pixels.shape == smooth.shape
    limit = 4 if kind == "jpg" else 0
    assert np.abs(found.pixels.astype(int) - smooth).mean() <= limit
    raw = read_picture_file(path, stored_pixels=True)
    assert not raw.turned
    assert np.abs(raw.pixels.astype(int) - stored).mean() <= limit


# significant bits


@pytest.mark.parametrize("share", [0.01, 0.2, 1])
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
@pytest.mark.parametrize("where", ["packed", "MaxSampleValue", "OME", "sBIT"])
def test_significant_bits_of_the_file(tmp_path, rng, bits, where, share):
    """Also of dark pictures: what the file says is not guessed again by the maximum."""
    if (where, bits) == ("packed", 16):
        pytest.skip("the usual 16 bits, which say nothing")
    values = rng.integers(0, int(share * (1 << bits)), (24, 40), dtype=np.uint16)
    values[0, :2] = 0, int(share * ((1 << bits) - 1))
    path = tmp_path / ("a.png" if where == "sBIT" else "a.tif")
    if where == "packed":
        packed = imagecodecs.packints_encode(values, bits)
        write_packed_tiff(path, packed, values.shape, bits)
    elif where == "MaxSampleValue":
        top = (281, "H", 1, (1 << bits) - 1, True)
        tifffile.imwrite(path, values, extratags=[top])
    elif where == "OME":
        path = tmp_path / "a.ome.tif"
        tifffile.imwrite(path, values, metadata={"axes": "YX", "SignificantBits": bits})
    else:
        data = imagecodecs.png_encode(values)
        path.write_bytes(png_chunk(data, b"sBIT", bytes([bits])))
    found = read_picture_file(path)
    assert found.bits == bits
    exact = values / ((1 << bits) - 1)
    assert np.abs(in_unit(path) - exact).max() < 1e-6
    assert any(f"{bits} bits" in note for note in found.notes)
    assert np.array_equal(pixels(path, labels=True), values)


@pytest.mark.parametrize("shift", [0, 2, 4])
def test_bits_that_are_said_are_the_white_of_every_method(tmp_path, picture, shift):
    dark, bits = picture.clip(0, 220).astype(np.uint16) << shift, 10 + shift
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, dark, photometric="rgb", bitspersample=bits)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rgb, alpha = read_picture(read_picture_file(path).pixels)
    assert alpha is None
    assert np.abs(rgb - dark / ((1 << bits) - 1)).max() < 1e-6


def test_an_alpha_with_a_scale_of_its_own_is_said(tmp_path, picture):
    four = np.dstack([picture.astype(np.uint16) * 4, np.full(picture.shape[:2], 255)])
    options = {"extrasamples": ["unassalpha"], "extratags": [(281, "H", 1, 4095, True)]}
    tifffile.imwrite(
        tmp_path / "a.tif", four.astype(np.uint16), photometric="rgb", **options
    )
    with guess("255 was taken as opaque"):
        found = in_unit(tmp_path / "a.tif")
    assert (found[..., 3] == 1).all()
    assert np.abs(found[..., :3] - four[..., :3] / 4095).max() < 1e-6


def write_packed_tiff(path, packed, shape, bits):
    """A grey TIFF by hand: tifffile reads packed integers and does not write them."""
    tags = [
        (256, 4, shape[1]), (257, 4, shape[0]), (258, 3, bits), (259, 3, 1),
        (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, shape[0]), (279, 4, len(packed)),
    ]  # fmt: skip
    body = b"II*\0" + struct.pack("<I", 8 + len(packed) + len(packed) % 2) + packed
    body += b"\0" * (len(packed) % 2) + struct.pack("<H", len(tags))
    for tag, kind, value in tags:
        body += struct.pack("<HHII", tag, kind, 1, value)
    path.write_bytes(body + struct.pack("<I", 0))


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_become_the_whole_range(tmp_path, rng, bits):
    values = rng.integers(0, 1 << bits, (8, 16), dtype=np.uint8)
    values[0, :2] = 0, (1 << bits) - 1
    packed = imagecodecs.packints_encode(values, bits)
    write_packed_tiff(tmp_path / "a.tif", packed, values.shape, bits)
    expected = values * (255 // ((1 << bits) - 1))
    assert np.array_equal(pixels(tmp_path / "a.tif"), expected)
    assert np.array_equal(pixels(tmp_path / "a.tif", labels=True), values)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_in_the_upper_part_have_the_range_already(tmp_path, rng, bits):
    values = rng.integers(0, 1 << bits, (24, 40), dtype=np.uint16) << (16 - bits)
    data = imagecodecs.png_encode(values)
    (tmp_path / "a.png").write_bytes(png_chunk(data, b"sBIT", bytes([bits])))
    found = read_picture_file(tmp_path / "a.png")
    assert np.abs(found.pixels - values / 65535).max() < 1e-6
    assert found.notes == []


@pytest.mark.parametrize("top", [130, 2047 + 700, 65534])
def test_a_largest_value_that_is_no_depth_changes_nothing(tmp_path, rng, top):
    values = rng.integers(0, min(top, 60000), (24, 40), dtype=np.uint16)
    tag = (281, "H", 1, top, True)
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[tag])
    assert np.array_equal(pixels(tmp_path / "a.tif"), values)


# PNG and the rest


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_deep_png_of_every_colour_type(tmp_path, rng, channels):
    values = rng.integers(0, 65536, (9, 11, channels), dtype=np.uint16)
    stored = values[..., 0].copy() if channels == 1 else values
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(stored))
    found = pixels(tmp_path / "a.png")
    assert found.dtype == np.uint16
    if channels == 2:
        assert np.array_equal(found[..., 1], values[..., 0])
        assert np.array_equal(found[..., 3], values[..., 1])
    else:
        assert np.array_equal(found, stored)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("ending", ["png", "webp", "gif", "bmp", "tga"])
def test_usual_modes(tmp_path, picture, mode, ending):
    if ending in ("webp", "gif", "bmp") and mode in ("LA", "RGBA"):
        pytest.skip("not stored like this")
    if ending == "tga" and mode == "1":
        pytest.skip("written damaged by Pillow")
    image = Image.fromarray(picture)
    image.putalpha(Image.fromarray(picture[..., 0]))
    image = image if mode == "RGBA" else image.convert("RGB").convert(mode)
    path = tmp_path / f"a.{ending}"
    image.save(path, **({"lossless": True} if ending == "webp" else {}))
    found = pixels(path)
    with Image.open(path) as again:
        wanted = again.convert("RGBA" if mode in ("LA", "RGBA") else "RGB")
    if found.ndim == 2:
        found = np.repeat(found[..., None], 3, axis=-1)
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.asarray(wanted))


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_transparent_colour(tmp_path, picture, mode):
    image = Image.fromarray(picture).convert(mode)
    value = image.getpixel((3, 4))
    image.save(tmp_path / "a.png", transparency=value)
    found = pixels(tmp_path / "a.png")
    assert found.shape[-1] == 4
    assert found[4, 3, 3] == 0
    assert found[..., 3].max() == 255


@pytest.mark.parametrize("ending", ["png", "gif", "bmp", "tif"])
@pytest.mark.parametrize("most", [1, 2, 5, 200])
def test_indices_are_labels_never_luminance(tmp_path, rng, ending, most):
    index = rng.integers(0, most + 1, (12, 17), dtype=np.uint8)
    image = Image.fromarray(index, "P")
    image.putpalette(rng.integers(0, 256, 768).tolist())
    image.save(tmp_path / f"a.{ending}")
    found = read_picture_file(tmp_path / f"a.{ending}", labels=True)
    if ending == "gif":  # stores a palette without the colours that are not used
        same = [len(np.unique(found.pixels[index == k])) == 1 for k in np.unique(index)]
        assert all(same)
    else:
        assert np.array_equal(found.pixels, index)
    shown = np.asarray(image.convert("RGB"))
    assert np.array_equal(pixels(tmp_path / f"a.{ending}"), shown)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, np.int64])
def test_label_tiffs_stay_as_they_are(tmp_path, rng, dtype):
    labels = rng.integers(0, 9, (12, 17)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", labels)
    found = pixels(tmp_path / "a.tif", labels=True)
    assert found.dtype == dtype
    assert np.array_equal(found, labels)


def test_deep_grey_of_other_kinds(tmp_path, rng):
    grey = rng.integers(0, 65536, (6, 7), dtype=np.uint16)
    header = b"P5\n7 6\n65535\n"
    (tmp_path / "a.pgm").write_bytes(header + grey.astype(">u2").tobytes())
    assert np.abs(in_unit(tmp_path / "a.pgm") - grey / 65535).max() < 1e-6
    assert np.array_equal(pixels(tmp_path / "a.pgm", labels=True), grey)
    Image.fromarray(grey).save(tmp_path / "a.tif")
    assert np.array_equal(pixels(tmp_path / "a.tif"), grey)


def test_the_content_counts_not_the_ending(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.tif", format="PNG")
    assert np.array_equal(pixels(tmp_path / "a.tif"), picture)
    tifffile.imwrite(tmp_path / "a.png", picture, photometric="rgb")
    assert np.array_equal(pixels(tmp_path / "a.png"), picture)


# profiles


def named_profile(name="Wide of the test"):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    data = profile.tobytes()
    old = "sRGB built-in".encode("utf-16-be")
    assert old in data
    return data.replace(old, name[:13].ljust(13).encode("utf-16-be"))


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_profiles_are_kept(tmp_path, picture, ending):
    profile = named_profile()
    Image.fromarray(picture).save(tmp_path / f"a.{ending}", icc_profile=profile)
    assert read_picture_file(tmp_path / f"a.{ending}").profile == profile
    Image.fromarray(picture).save(tmp_path / f"a.{ending}")
    assert read_picture_file(tmp_path / f"a.{ending}").profile is None


@pytest.mark.parametrize("bad", [b"nonsense", b"x" * 400, b"grey"])
def test_profiles_that_do_not_fit_are_left_out_and_said(tmp_path, picture, bad):
    profile = SRGB[:16] + b"GRAY" + SRGB[20:] if bad == b"grey" else bad
    for ending in ("tif", "jpg"):
        Image.fromarray(picture).save(tmp_path / f"a.{ending}", icc_profile=profile)
        found = read_picture_file(tmp_path / f"a.{ending}")
        assert found.profile is None
        assert any("profile" in note for note in found.notes)


# what cannot be read


def broken_files(folder, picture):
    """Name -> a word of the message."""
    Image.fromarray(picture).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[:400])
    Image.fromarray(picture).save(folder / "whole.png")
    (folder / "cut.png").write_bytes((folder / "whole.png").read_bytes()[:400])
    deep = imagecodecs.png_encode(picture.astype(np.uint16) * 257)
    (folder / "cut deep.png").write_bytes(deep[:800])
    tifffile.imwrite(folder / "whole.tif", picture, photometric="rgb")
    flat = (folder / "whole.tif").read_bytes()
    (folder / "cut.tif").write_bytes(flat[:900])
    (folder / "head.tif").write_bytes(flat[:9])
    tifffile.imwrite(folder / "z.tif", picture, photometric="rgb", compression="zlib")
    (folder / "cut z.tif").write_bytes((folder / "z.tif").read_bytes()[:900])
    (folder / "empty.png").write_bytes(b"")
    (folder / "empty.tif").write_bytes(b"")
    (folder / "._a.jpg").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    (folder / "text.png").write_text("no picture")
    (folder / "page.tif").write_text("<html>")
    (folder / "folder.png").mkdir()
    Image.new("1", (20000, 10000)).save(folder / "large.png")
    Image.new("1", (13000, 12000)).save(folder / "large.tif", compression="group4")
    (folder / "script.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9"
    )
    tifffile.imwrite(folder / "complex.tif", np.ones((9, 9), np.complex64))
    frames = [Image.new("L", (9, 9), k) for k in (0, 90, 200)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    words = {
        "large.png": "megapixels",
        "large.tif": "megapixels",
        "film.gif": "3 pages",
    }
    return words | {
        "folder.png": "folder",
        "empty.png": "0 bytes",
        "cut.tif": "cut off",
    }


NAMES = (
    "cut.jpg", "cut.png", "cut deep.png", "cut.tif", "head.tif", "cut z.tif", "empty.png",
    "empty.tif", "._a.jpg", "text.png", "page.tif", "folder.png", "large.png", "large.tif",
    "script.png", "complex.tif", "film.gif",
)  # fmt: skip


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("count", [2, 3])
def test_files_of_layers_are_named(tmp_path, picture, bits, count):
    layers = palette_layers(picture, count)
    save_layers(layers, tmp_path / "own.tif", bits=bits)
    with pytest.raises(
        ValueError, match=r"'own\.tif' is a file of layers.*open_layers"
    ):
        read_picture_file(tmp_path / "own.tif")


def test_failures_name_the_file(tmp_path, picture):
    words = broken_files(tmp_path, picture)
    for name in NAMES:
        with pytest.raises(ValueError) as caught:
            read_picture_file(tmp_path / name)
        assert name in str(caught.value), name
        assert words.get(name, "") in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        read_picture_file(tmp_path / "nothing.png")


def tiff_of(picture, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, picture, photometric="rgb", metadata=None, **options)
    return bytearray(buffer.getvalue())


def with_strip(data, strip):
    """The TIFF with its only strip replaced by another one at its end."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages.first.tags
        places = [
            tags[name].valueoffset for name in ("StripOffsets", "StripByteCounts")
        ]
    for place, value in zip(places, (len(data), len(strip)), strict=True):
        data[place : place + 4] = struct.pack("<I", value)
    return data + strip


def packed_zeros(packer, megabytes=300):
    """Much packed into little, without ever having much."""
    parts = [packer.compress(bytes(1 << 20)) for _ in range(megabytes)]
    return b"".join([*parts, packer.flush()])


BOMBS = {
    "zlib": lambda: packed_zeros(zlib.compressobj()),
    "lzma": lambda: packed_zeros(lzma.LZMACompressor(preset=0)),
    "packbits": lambda: b"\x81\0" * (300 << 13),
    "zstd": lambda: imagecodecs.zstd_encode(bytes(1 << 20)),
    "lzw": lambda: imagecodecs.lzw_encode(bytes(1 << 20)),
    "jpeg": lambda: large_jpeg(),
}


@pytest.mark.parametrize("packing", BOMBS)
def test_strips_that_hold_more_than_they_say(tmp_path, packing):
    """Refused, or read as far as is said; never as large as they are packed."""
    resource = pytest.importorskip("resource")
    small = np.zeros((64, 64, 3), np.uint8)
    data = tiff_of(small, compression=packing)
    (tmp_path / "a.tif").write_bytes(with_strip(data, BOMBS[packing]()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if packing in ("lzw", "lzma"):
        assert not pixels(tmp_path / "a.tif").any()
    else:
        with pytest.raises(ValueError, match=r"a\.tif"):
            read_picture_file(tmp_path / "a.tif")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 << 10


def large_jpeg():
    buffer = io.BytesIO()
    Image.new("RGB", (600, 600)).save(buffer, format="JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["webp", "jpeg2000"])
def test_unknown_packings_are_named(tmp_path, picture, kind):
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", compression=kind)
    with pytest.raises(ValueError, match=r"a\.tif.*packed with"):
        read_picture_file(tmp_path / "a.tif")


def test_flipped_bytes_are_a_picture_or_a_clear_error(tmp_path, picture, rng):
    files = {"a.tif": tiff_of(picture, compression="zlib"), "b.tif": tiff_of(picture)}
    files["c.png"] = bytearray(imagecodecs.png_encode(picture.astype(np.uint16)))
    for kind in ("jpg", "png", "webp", "gif"):
        Image.fromarray(picture).save(tmp_path / f"whole.{kind}")
        files[f"d.{kind}"] = bytearray((tmp_path / f"whole.{kind}").read_bytes())
    for name, whole in files.items():
        for place in [*rng.integers(0, 200, 30), *rng.integers(0, len(whole), 30)]:
            data = bytearray(whole)
            data[place % len(data)] ^= 1 << int(rng.integers(8))
            (tmp_path / name).write_bytes(data)
            try:
                found = read_picture_file(tmp_path / name)
            except ValueError as error:
                assert name in str(error), error
            else:
                assert found.pixels.ndim in (2, 3)


def test_webp_is_there():
    assert features.check("webp")
