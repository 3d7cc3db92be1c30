"""Damaged and hostile files: a clear error, bounded memory, nothing written."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from napari_softlayers._io import _files, open_layers, read_document, save_layers
from napari_softlayers._io._png import SIGNATURE, read_png, write_png

STACK = (
    '<?xml version="1.0"?><image version="0.0.3" w="8" h="6"><stack>'
    '<layer name="a" src="data/a.png"/></stack></image>'
)
PIXELS = np.full((6, 8, 4), 200, np.uint8)


def archive(path, parts, mimetype=b"image/openraster"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        if mimetype is not None:
            file.writestr("mimetype", mimetype)
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def good_parts(**changes):
    parts = {"stack.xml": STACK, "data/a.png": write_png(PIXELS)}
    return {k: v for k, v in (parts | changes).items() if v is not None}


def huge_png(width, height, bits=8):
    """A PNG that says it is large and whose zeros are packed a thousandfold."""
    head = struct.pack(">IIBBBBB", width, height, bits, 6, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + width * 4 * bits // 8)
    body = b"".join(packer.compress(row) for _ in range(min(height, 3000)))
    body += packer.flush()
    chunks = b""
    for kind, data in ((b"IHDR", head), (b"IDAT", body), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(kind + data))
        chunks += struct.pack(">I", len(data)) + kind + data + check
    return SIGNATURE + chunks


def test_the_plain_archive_opens(tmp_path):
    layers = open_layers(archive(tmp_path / "a.ora", good_parts()))
    assert layers.names == ["a"]
    assert np.allclose(layers.alphas, 200 / 255)


ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE image [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    '<image w="8" h="6"><stack><layer name="&b;" src="data/a.png"/></stack></image>'
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE image [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<image w="8" h="6"><stack><layer name="&x;" src="data/a.png"/></stack></image>'
)


def with_source(source):
    return STACK.replace("data/a.png", source)


def with_size(width, height):
    return STACK.replace('w="8"', f'w="{width}"').replace('h="6"', f'h="{height}"')


BAD_STACKS = {
    "entities": (ENTITIES, "document type"),
    "external entity": (OUTSIDE, "document type"),
    "no xml": ("hello", "damaged stack.xml"),
    "cut off": (STACK[:-20], "damaged stack.xml"),
    "no stack": ('<image w="8" h="6"/>', "no layer stack"),
    "another root": (STACK.replace("image", "picture"), "no layer stack"),
    "no layers": ('<image w="8" h="6"><stack/></image>', "no visible layer"),
    "no size": (STACK.replace('w="8"', ""), "w='None'"),
    "words for numbers": (with_size("wide", 6), "w='wide'"),
    "not a number": (with_size("nan", 6), "w='nan'"),
    "zero size": (with_size(0, 6), "0x6"),
    "negative size": (with_size(-8, 6), "-8x6"),
    "huge": (with_size(60000, 60000), "megapixels"),
    "huge side": (with_size(1000000, 1), "1000000x1"),
    "path outside": (with_source("../../a.png"), "only files inside"),
    "absolute path": (with_source("/etc/passwd"), "only files inside"),
    "drive": (with_source("C:\\a.png"), "only files inside"),
    "address": (with_source("http://example.org/a.png"), "only files inside"),
    "empty source": (with_source(""), "only files inside"),
    "missing picture": (with_source("data/b.png"), "lacks its part 'data/b.png'"),
    "opacity": (STACK.replace("name=", 'opacity="7" name='), "opacity='7'"),
    "far away": (STACK.replace("name=", 'x="1e300" name='), "x='1e300'"),
    "deep": (
        '<image w="8" h="6">' + "<stack>" * 900 + "</stack>" * 900 + "</image>",
        "nested",
    ),
    "many": (
        '<image w="8" h="6"><stack>' + "<layer/>" * 20000 + "</stack></image>",
        "nested",
    ),
}


@pytest.mark.parametrize("case", BAD_STACKS)
def test_bad_stacks(tmp_path, case):
    xml, message = BAD_STACKS[case]
    path = archive(tmp_path / "a.ora", good_parts(**{"stack.xml": xml}))
    with pytest.raises(ValueError, match=message):
        open_layers(path)
    assert list(tmp_path.iterdir()) == [path]


BAD_PARTS = {
    "no stack": ({"stack.xml": None}, "lacks its part 'stack.xml'"),
    "no PNG": ({"data/a.png": b"GIF89a" * 20}, "is not a PNG"),
    "empty": ({"data/a.png": b""}, "is not a PNG"),
    "cut off": ({"data/a.png": write_png(PIXELS)[:45]}, "damaged"),
    "much larger": (
        {"data/a.png": write_png(np.zeros((2048, 2048, 4), "u1"))},
        "large",
    ),
    "damaged notes": ({"softlayers.json": b"{"}, "damaged"),
    "notes are a list": ({"softlayers.json": b"[1]"}, "object was expected"),
    "deep notes": ({"softlayers.json": b'{"a":' + b"[" * 200000}, "damaged"),
}


@pytest.mark.parametrize("case", BAD_PARTS)
def test_bad_parts(tmp_path, case):
    parts, message = BAD_PARTS[case]
    with pytest.raises(ValueError, match=message):
        open_layers(archive(tmp_path / "a.ora", good_parts(**parts)))


@pytest.mark.parametrize("mimetype", [None, b"application/zip"])
def test_archives_that_are_no_openraster(tmp_path, mimetype):
    path = archive(tmp_path / "a.ora", good_parts(), mimetype)
    with pytest.raises(ValueError, match=r"mimetype|OpenRaster"):
        open_layers(path)


def test_no_archive_at_all(tmp_path):
    path = tmp_path / "a.ora"
    for data in (b"", b"PK", b"hello" * 100):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="damaged"):
            open_layers(path)


def test_every_cut_of_a_file_is_a_clear_error(tmp_path, layers):
    whole = save_layers(layers, tmp_path / "a.ora").read_bytes()
    path = tmp_path / "cut.ora"
    for share in (0.05, 0.3, 0.6, 0.9, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ValueError, match="cut.ora"):
            open_layers(path)


def test_flipped_bytes_never_crash(tmp_path, layers):
    """Any single damage is a ValueError, or opens as layers of the right form."""
    rng = np.random.default_rng(5)
    for name in ("a.ora", "a.tif", "a.psd"):
        whole = save_layers(layers, tmp_path / name).read_bytes()
        damaged = tmp_path / f"b{(tmp_path / name).suffix}"
        for place in rng.integers(0, len(whole), 40):
            data = bytearray(whole)
            data[place] ^= 1 << int(rng.integers(8))
            damaged.write_bytes(data)
            try:
                opened = open_layers(damaged)
            except ValueError:
                continue
            assert opened.alphas.shape == (len(opened), *opened.shape)
            assert np.isfinite(opened.alphas).all()
            assert opened.alphas.min() >= 0
            assert opened.alphas.max() <= 1


def peak_of(action):
    """Largest memory in use while an action fails."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_bombs_need_little_memory(tmp_path):
    zeros = b"\0" * (100 << 20)
    for part in ("stack.xml", "data/a.png", "mimetype", "softlayers.json"):
        path = tmp_path / "bomb.ora"
        if part == "mimetype":
            archive(path, good_parts(), mimetype=zeros)
        else:
            archive(path, good_parts(**{part: zeros}))
        assert path.stat().st_size < 2 << 20
        assert peak_of(lambda: open_layers(path)) < 40 << 20  # noqa: B023


def test_png_bomb(tmp_path):
    for width, height in ((30000, 30000), (4000, 4000)):
        parts = good_parts(**{"data/a.png": huge_png(width, height)})
        path = archive(tmp_path / "bomb.ora", parts)
        assert path.stat().st_size < 4 << 20
        assert peak_of(lambda: open_layers(path)) < 40 << 20  # noqa: B023


def test_a_size_that_is_a_lie(tmp_path):
    path = archive(tmp_path / "a.ora", good_parts(**{"data/a.png": b"\0" * (2 << 20)}))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"data/a.png") - 46 + 24
    data[place : place + 4] = struct.pack("<I", 100)
    path.write_bytes(data)
    assert peak_of(lambda: open_layers(path)) < 40 << 20


def test_many_layers_on_a_large_canvas(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "memory_limit", lambda: 1 << 30)
    layer = '<layer name="a" src="data/a.png"/>'
    xml = with_size(5000, 5000).replace(layer, layer * 500)
    path = archive(tmp_path / "a.ora", good_parts(**{"stack.xml": xml}))
    with pytest.raises(ValueError, match=r"would need .* GiB"):
        open_layers(path)


def test_huge_photoshop_header(tmp_path):
    pytest.importorskip("psd_tools")
    path = tmp_path / "a.psd"
    path.write_bytes(struct.pack(">4sH6sHIIHH", b"8BPS", 1, b"", 3, 300000, 9, 8, 3))
    with pytest.raises(ValueError, match="300000"):
        open_layers(path)
    for data in (b"", b"8BPS", b"GIF89a" * 20):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="no Photoshop file"):
            open_layers(path)


def test_tiff_that_is_none(tmp_path):
    path = tmp_path / "a.tif"
    for data in (b"", b"II*\0", b"hello" * 50):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="a.tif"):
            open_layers(path)


def test_tiff_bomb(tmp_path):
    """A strip whose packed zeros are far more than the page says."""
    import tifffile

    path = tmp_path / "a.tif"
    small = np.zeros((64, 64, 4), np.uint8)
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(path, small, compression="zlib", **options)
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        tag = page.tags["StripOffsets"]
        counts = page.tags["StripByteCounts"]
        places = tag.valueoffset, counts.valueoffset
    bomb = zlib.compress(b"\0" * (200 << 20), 9)
    data = bytearray(path.read_bytes())
    for place, value in zip(places, (len(data), len(bomb)), strict=True):
        data[place : place + 4] = struct.pack("<I", value)
    path.write_bytes(data + bomb)
    assert peak_of(lambda: open_layers(path)) < 40 << 20


def test_tiff_pages_that_are_no_layers(tmp_path):
    import tifffile

    path = tmp_path / "a.tif"
    for array in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.int32)):
        tifffile.imwrite(path, array)
        with pytest.raises(ValueError, match="needed"):
            open_layers(path)


BAD_FOLDERS = {
    "missing file": ({"file": "b.png"}, "is missing"),
    "path outside": ({"file": "../a.png"}, "only files inside"),
    "absolute": ({"file": "/etc/passwd"}, "only files inside"),
    "opacity": ({"opacity": "half"}, "opacity='half'"),
    "nan": ({"x": float("nan")}, "x=nan"),
    "mode": ({"mode": "screen"}, "Blending 'screen'"),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_folders(tmp_path, case):
    change, message = BAD_FOLDERS[case]
    folder = tmp_path / "layers"
    folder.mkdir()
    (folder / "a.png").write_bytes(write_png(PIXELS))
    (tmp_path / "a.png").write_bytes(write_png(PIXELS))
    index = {"width": 8, "height": 6, "layers": [{"file": "a.png"} | change]}
    (folder / "layers.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=message):
        open_layers(folder)


FORGED = [
    {"sets": [[5, 9]]},
    {"sets": [[]]},
    {"sets": [[0, 0]]},
    {"sets": [3]},
    {"napari": [1, 2]},
    {"napari": [{"record": 3}]},
    {"kind": [1]},
    {"parameters": [1, 2]},
    {"extras": "x"},
]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("name", ["a.ora", "folder", "a.tif"])
def test_forged_notes_are_not_believed(tmp_path, layers, forged, name):
    from napari_softlayers._io import write_document
    from napari_softlayers._io._to_napari import document_to_napari
    from napari_softlayers._io.png_folder import write_png_folder

    document = read_document(save_layers(layers, tmp_path / name))
    document.info |= forged
    write = write_png_folder if name == "folder" else write_document
    write(document, tmp_path / name)
    again = read_document(tmp_path / name)
    assert open_layers(tmp_path / name).parameters == {}
    assert len(document_to_napari(again)) == 5


@pytest.mark.parametrize("array", [[300], [-1], ["x"], [[1], [2, 3]], None])
def test_forged_arrays_in_notes(tmp_path, array):
    notes = {"parameters": {"a": {"array": array, "shape": [1], "of": "uint8"}}}
    parts = good_parts(**{"softlayers.json": json.dumps(notes).encode()})
    with pytest.raises(ValueError, match="softlayers.json"):
        open_layers(archive(tmp_path / "a.ora", parts))


def test_a_large_picture_on_a_small_canvas(tmp_path):
    (tmp_path / "a.png").write_bytes(write_png(np.zeros((2048, 2048, 4), np.uint8)))
    index = {"width": 8, "height": 6, "layers": [{"file": "a.png"}] * 9}
    (tmp_path / "layers.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="too large"):
        open_layers(tmp_path)


def test_folder_without_or_with_a_broken_index(tmp_path):
    with pytest.raises(ValueError, match="has no layers.json"):
        open_layers(tmp_path)
    for text in ("[]", "{}", '{"layers": []}', '{"layers": [3]}', "{"):
        (tmp_path / "layers.json").write_text(text)
        with pytest.raises(ValueError, match="layers.json"):
            open_layers(tmp_path)


def test_other_kinds_and_missing_files(tmp_path):
    (tmp_path / "a.xcf").write_bytes(b"x")
    with pytest.raises(ValueError, match="can be opened"):
        open_layers(tmp_path / "a.xcf")
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        open_layers(tmp_path / "b.ora")


def test_pngs_of_other_programs(rng):
    """Palette, grey, RGB, interlaced, 16 bits with every filter: as Pillow reads them."""
    values = rng.integers(0, 256, (9, 11, 4), dtype=np.uint8)
    image = Image.fromarray(values)
    for mode in ("L", "LA", "P", "RGB", "RGBA", "1"):
        buffer = io.BytesIO()
        converted = image.convert("RGB").convert(mode) if mode != "RGBA" else image
        converted.save(buffer, format="PNG")
        read = read_png(buffer.getvalue(), "x")
        assert np.array_equal(read, np.asarray(converted.convert("RGBA")))
    deep = rng.integers(0, 65536, (70, 11, 4), dtype=np.uint16)
    deep[:, :, :2] = np.cumsum(np.ones((70, 11, 2)), axis=0)
    assert np.array_equal(read_png(write_png(deep), "x"), deep)
    opaque = read_png(write_png(deep[..., :3]), "x")
    assert np.array_equal(opaque[..., :3], deep[..., :3])
    assert (opaque[..., 3] == 65535).all()
    grey = read_png(write_png(deep[..., 0]), "x")
    assert np.array_equal(grey[..., 1], deep[..., 0])


def test_read_document_names_the_file(tmp_path):
    path = tmp_path / "picture of a dog.ora"
    path.write_bytes(b"x")
    with pytest.raises(ValueError, match="picture of a dog.ora"):
        read_document(path)
