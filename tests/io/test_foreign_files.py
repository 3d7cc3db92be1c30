"""Stacks that other programs wrote: offsets, groups, opacity, blending."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image

from napari_softlayers._io import open_layers, read_document
from napari_softlayers._io._document import Document, Group, Layer, contributions
from napari_softlayers._io._png import write_png


def solid(color, alpha=255, shape=(6, 8)):
    return np.broadcast_to(np.uint8([*color, alpha]), (*shape, 4)).copy()


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def write(path, stack, pictures):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", b"image/openraster\n")
        file.writestr("stack.xml", f'<image w="8" h="6">{stack}</image>')
        for name, pixels in pictures.items():
            file.writestr(f"data/{name}.png", write_png(pixels))
        file.writestr("mergedimage.png", write_png(solid(RED)))
    return path


def layer(name, extra=""):
    return f'<layer name="{name}" src="data/{name}.png" {extra}/>'


def test_offset_layers_are_cut_at_the_canvas(tmp_path):
    stack = (
        '<stack><layer name="top" src="data/top.png" x="-2" y="4"/>'
        '<layer name="low" src="data/low.png"/></stack>'
    )
    pictures = {"top": solid(RED, shape=(5, 5)), "low": solid(BLUE)}
    layers = open_layers(write(tmp_path / "a.ora", stack, pictures))
    assert layers.names == ["low", "top"]
    expected = np.zeros((6, 8), bool)
    expected[4:, :3] = True
    assert np.array_equal(layers.alphas[1], expected)
    assert np.array_equal(layers.alphas[0], ~expected)
    assert (layers.colors[1] == [1, 0, 0]).all()


def test_groups_have_an_opacity_of_their_own(tmp_path):
    inner = layer("a", 'opacity="0.5"') + layer("b")
    stack = f'<stack><stack opacity="0.4" x="0">{inner}</stack>{layer("c")}</stack>'
    pictures = {"a": solid(RED), "b": solid(GREEN), "c": solid(BLUE)}
    layers = open_layers(write(tmp_path / "a.ora", stack, pictures))
    assert layers.names == ["c", "b", "a"]
    assert np.allclose(layers.alphas[:, 0, 0], [0.6, 0.2, 0.2])
    assert np.allclose(layers.composite()[0, 0], [0.2, 0.2, 0.6])


def test_hidden_layers_and_groups_are_left_out(tmp_path):
    hidden = f'<stack visibility="hidden">{layer("a")}</stack>'
    off = layer("b", 'visibility="hidden"')
    stack = f"<stack>{hidden}{off}{layer('c')}</stack>"
    pictures = {"a": solid(RED), "b": solid(GREEN), "c": solid(BLUE)}
    path = write(tmp_path / "a.ora", stack, pictures)
    with pytest.warns(UserWarning, match="Hidden layers .* left out: b, a"):
        layers = open_layers(path)
    assert layers.names == ["c"]
    assert len(read_document(path).layers()) == 3


def test_a_transparent_picture_keeps_its_holes(tmp_path):
    stack = f"<stack>{layer('a')}{layer('b')}</stack>"
    pictures = {"a": solid(RED, 51), "b": solid(GREEN, 102)}
    layers = open_layers(write(tmp_path / "a.ora", stack, pictures))
    assert np.allclose(layers.alphas[:, 0, 0], [0.4 * 0.8, 0.2])


def test_added_light_hides_nothing(tmp_path):
    plus = layer("a", 'composite-op="svg:plus" opacity="0.5"')
    half = layer("b", 'opacity="0.5"')
    stack = f"<stack>{plus}{half}</stack>"
    pictures = {"a": solid(RED), "b": solid(GREEN)}
    layers = open_layers(write(tmp_path / "a.ora", stack, pictures))
    assert np.allclose(layers.composite()[0, 0], [0.5, 0.5, 0])


def test_too_much_light_is_scaled_with_a_warning(tmp_path):
    plus = layer("a", 'composite-op="svg:plus"')
    stack = f"<stack>{plus}{layer('b')}</stack>"
    pictures = {"a": solid(RED), "b": solid(GREEN)}
    path = write(tmp_path / "a.ora", stack, pictures)
    with pytest.warns(UserWarning, match="add up to more"):
        layers = open_layers(path)
    assert np.allclose(layers.alphas.sum(axis=0), 1)


def test_other_blending_is_named(tmp_path):
    screen = layer("a", 'composite-op="svg:screen"')
    stack = f"<stack>{screen}{layer('b')}</stack>"
    path = write(tmp_path / "a.ora", stack, {"a": solid(RED), "b": solid(GREEN)})
    with pytest.warns(UserWarning, match="svg:screen"):
        open_layers(path)


def test_unknown_elements_and_attributes_do_no_harm(tmp_path):
    stack = (
        '<stack isolation="auto" name="root"><layer name="a" src="data/a.png" '
        'edit-locked="true" selected="true"/><annotation href="x"/></stack>'
    )
    layers = open_layers(write(tmp_path / "a.ora", stack, {"a": solid(RED)}))
    assert (layers.alphas == 1).all()


def test_deep_and_shallow_pictures_in_one_file(tmp_path):
    stack = f"<stack>{layer('a')}{layer('b')}</stack>"
    deep = solid(RED, 128).astype(np.uint16) * 257
    pictures = {"a": deep, "b": solid(GREEN)}
    layers = open_layers(write(tmp_path / "a.ora", stack, pictures))
    assert np.allclose(layers.alphas[1], 128 / 255)


def test_contributions_equal_compositing_one_by_one(rng):
    """Against plain Porter-Duff "over", group after group."""

    def random(height, width):
        return rng.integers(0, 256, (height, width, 4), dtype=np.uint8)

    inner = [Layer("c", random(6, 8)), Layer("d", random(3, 4), 2, 1, 0.7)]
    items = [
        Layer("a", random(6, 8)),
        Group("g", [*inner, Group("h", [Layer("e", random(9, 9), -2, -3)], 0.3)], 0.6),
        Layer("f", random(6, 8), opacity=0.5),
    ]
    document = Document(8, 6, items)
    alphas = [alpha for _, alpha in contributions(document)]

    def over(parts):
        light, cover = np.zeros((6, 8, 3)), np.zeros((6, 8, 1))
        for part in parts:
            if isinstance(part, Group):
                own, alpha = over(part.items)
            else:
                canvas = Image.new("RGBA", (8, 6))
                canvas.paste(Image.fromarray(part.pixels), (part.x, part.y))
                values = np.asarray(canvas) / 255
                alpha = values[..., 3:]
                own = values[..., :3] * alpha
            own, alpha = own * part.opacity, alpha * part.opacity
            light, cover = own + light * (1 - alpha), alpha + cover * (1 - alpha)
        return light, cover

    _, cover = over(items)
    assert np.allclose(sum(alphas), cover[..., 0], atol=1e-6)
    flat = document.flatten() / 255
    light, _ = over(items)
    assert np.abs(flat[..., :3] * flat[..., 3:] - light).max() < 1.01 / 255


def test_photoshop_groups_masks_and_opacity(tmp_path):
    psd_tools = pytest.importorskip("psd_tools")
    psd = psd_tools.PSDImage.new("RGB", (8, 6))
    low = psd.create_pixel_layer(Image.fromarray(solid(BLUE)[..., :3]), name="low")
    half = solid(RED, 255, (4, 5))
    half[:, :2, 3] = 0
    top = psd.create_pixel_layer(
        Image.fromarray(half), name="top", top=1, left=2, opacity=128
    )
    hidden = psd.create_pixel_layer(Image.fromarray(solid(GREEN)), name="off")
    hidden.visible = False
    psd.create_group(layer_list=[top], name="group")
    psd.save(tmp_path / "a.psd")
    assert low.name == "low"
    with pytest.warns(UserWarning, match="left out: off"):
        layers = open_layers(tmp_path / "a.psd")
    expected = np.zeros((6, 8))
    expected[1:5, 4:7] = 128 / 255
    assert layers.names == ["low", "top"]
    assert np.allclose(layers.alphas[1], expected, atol=0.5 / 255)


def test_plain_tiff_pages_are_an_ordinary_stack(tmp_path):
    import tifffile

    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(solid(BLUE)[..., :3], photometric="rgb")
        file.write(solid(RED, 51), photometric="rgb", extrasamples=["unassalpha"])
    layers = open_layers(tmp_path / "a.tif")
    assert np.allclose(layers.alphas[:, 0, 0], [0.8, 0.2])
    assert layers.names == ["page 1", "page 2"]


@pytest.mark.parametrize("kind", ["cmyk", "associated", "grey", "lab", "cfa"])
def test_tiff_pages_of_other_colours(tmp_path, kind):
    import tifffile

    path = tmp_path / "a.tif"
    red, half = solid((200, 20, 10)), solid((100, 10, 5), 128)
    if kind == "cmyk":
        Image.fromarray(red[..., :3]).convert("CMYK").save(path)
    elif kind == "associated":
        tifffile.imwrite(path, half, photometric="rgb", extrasamples=["assocalpha"])
    elif kind == "grey":
        two = red[..., [0, 0, 0]]
        tifffile.imwrite(path, two, photometric="minisblack", planarconfig="contig")
    elif kind == "lab":
        lab = np.broadcast_to(np.uint8([108, 65, 54]), (6, 8, 3)).copy()
        tifffile.imwrite(path, lab, photometric="cielab")
    else:
        tifffile.imwrite(path, red[..., :3], photometric="rgb")
        data = bytearray(path.read_bytes())
        with tifffile.TiffFile(path) as file:
            place = file.pages.first.tags["PhotometricInterpretation"].valueoffset
        data[place : place + 2] = (32844).to_bytes(2, "little")
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"a\.tif"):
            open_layers(path)
        return
    layers = open_layers(path)
    wanted = (200, 200, 200) if kind == "grey" else (200, 20, 10)
    assert np.abs(layers.colors[0] * 255 - wanted).max() < 6
    assert np.allclose(layers.alphas, 128 / 255 if kind == "associated" else 1)
