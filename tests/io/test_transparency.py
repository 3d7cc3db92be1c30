"""Pictures that are transparent in places, profiles and names go through every file."""

from __future__ import annotations

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageCms
from test_round_trips import CASES, flattened, in_linear_light

from napari_softlayers import SoftLayers
from napari_softlayers._core.layers.alphas import (
    additive_from_over,
    over_from_additive,
    snap,
)
from napari_softlayers._io import open_layers, read_document, save_layers

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
KINDS = ["soft", "hole", "half", "speckle", "faint"]


def coverage(kind, shape):
    """Alpha of a picture: a soft edge, a hole, one grey, noise, next to nothing."""
    rows, columns = np.indices(shape)
    rng = np.random.default_rng(7)
    alpha = {
        "soft": np.clip((columns - 10) / 30, 0, 1),
        "hole": (np.hypot(rows - 30, columns - 30) > 12).astype(float),
        "half": np.full(shape, 0.5),
        "speckle": rng.random(shape) * (rng.random(shape) > 0.3),
        "faint": np.full(shape, 2 / 255),
    }[kind]
    return np.rint(alpha * 255).astype(np.float32) / np.float32(255)


@pytest.fixture(params=KINDS)
def veiled(request, layers) -> SoftLayers:
    """Layers of a picture with an alpha."""
    alpha = coverage(request.param, layers.shape)
    return SoftLayers(
        layers.alphas * alpha,
        layers.colors,
        layers.names,
        layers.kind,
        {"n": 5},
        image=layers.image,
        alpha=alpha,
    )


def light_of(layers):
    return np.einsum("khw,khwc->hwc", layers.alphas, layers.colors)


FLOAT = ("a.tif", {"bits": 32})


@pytest.mark.parametrize(("name", "options"), [*CASES, FLOAT])
def test_the_alpha_comes_back(tmp_path, veiled, name, options):
    back = open_layers(save_layers(veiled, tmp_path / name, **options))
    top = {16: 65535, 32: 1 << 22}.get(options.get("bits"), 255)
    total = np.rint(veiled.alphas.sum(axis=0) * top) / top
    assert back.alpha is not None
    assert np.abs(back.alpha - total).max() < 1e-6
    assert np.abs(back.alphas.sum(axis=0) - back.alpha).max() < 1e-6
    assert np.abs(back.alphas - veiled.alphas).max() < 1 / top + 1e-6
    assert np.abs(light_of(back) - light_of(veiled)).max() < 3.5 / top
    assert np.abs(back.alpha[..., None] * back.image - light_of(back)).max() < 1e-5
    assert (back.image >= 0).all()
    assert (back.image <= 1 + 1e-6).all()
    assert back.names == veiled.names
    assert back.parameters["n"] == 5


@pytest.mark.parametrize(("name", "options"), [*CASES, FLOAT])
def test_an_opaque_picture_has_no_alpha(tmp_path, layers, name, options):
    assert open_layers(save_layers(layers, tmp_path / name, **options)).alpha is None


def test_a_cut_out_png(tmp_path, veiled):
    for bits, kind in ((8, np.uint8), (16, np.uint16)):
        save_layers(veiled, tmp_path / "a.png", bits=bits)
        from napari_softlayers._io.picture_files import read_picture_file

        found = read_picture_file(tmp_path / "a.png").pixels
        top = np.iinfo(kind).max
        assert found.dtype == kind
        alpha = veiled.alphas.sum(axis=0)
        assert np.array_equal(found[..., 3], np.rint(alpha * top).astype(kind))
        shown = found[..., :3] / top * (found[..., 3:] / top)
        assert np.abs(shown - light_of(veiled)).max() < 1.1 / top


@pytest.mark.parametrize("name", ["a.ora", "a.psd"])
def test_other_programs_see_the_transparent_picture(tmp_path, veiled, name):
    document = read_document(save_layers(veiled, tmp_path / name))
    seen = flattened([layer.pixels for layer in document.layers()]) / 255
    assert np.abs(seen[..., 3] - veiled.alphas.sum(axis=0)).max() < 3 / 255
    shown = seen[..., :3] * seen[..., 3:]
    assert np.abs(shown - light_of(veiled)).max() < 6 / 255


def test_the_merged_picture_of_openraster_is_transparent(tmp_path, veiled):
    with zipfile.ZipFile(save_layers(veiled, tmp_path / "a.ora")) as file:
        merged = np.asarray(Image.open(io.BytesIO(file.read("mergedimage.png"))))
    alpha = np.rint(veiled.alphas.sum(axis=0) * 255)
    assert np.abs(merged[..., 3] - alpha).max() <= 1
    shown = merged[..., :3] / 255 * (merged[..., 3:] / 255)
    assert np.abs(shown - light_of(veiled)).max() < 4 / 255


def straight(layers):
    total = layers.alphas.sum(axis=0)[..., None]
    return light_of(layers) / np.maximum(total, 1e-9), total[..., 0]


def test_linear_light_of_transparent_layers(tmp_path, veiled):
    """GIMP shows the straight colours wherever there is something to be seen."""
    path = save_layers(veiled, tmp_path / "gimp.ora", linear_light=True, bits=16)
    wanted, total = straight(veiled)
    stack = [layer.pixels / 257 for layer in read_document_as_stored(path)]
    shown = unveiled(stack)
    clear = total > 0.02
    assert np.abs(shown - wanted)[clear].max(initial=0) < 1.5 / 255
    back = open_layers(path)
    assert np.abs(back.alphas - veiled.alphas).max() < 1 / 65535
    assert np.abs(light_of(back) - light_of(veiled)).max() < 0.1 / 255


@pytest.mark.parametrize("which", [[0], [1, 3], [4, 2, 0], ["dog", "nom/é"]])
def test_linear_light_of_a_subset(tmp_path, layers, which):
    part = layers.subset(which)
    path = save_layers(part, tmp_path / "gimp.ora", linear_light=True)
    wanted, total = straight(part)
    shown = unveiled([layer.pixels for layer in read_document_as_stored(path)])
    clear = total > 0.2
    assert np.abs(shown - wanted)[clear].max() < 4 / 255
    assert np.abs(shown - wanted)[clear].mean() < 0.7 / 255
    back = open_layers(path)
    assert np.abs(light_of(back) - light_of(part)).max() < 2.5 / 255


def read_document_as_stored(path):
    """The layers as they lie in the file, nothing turned back."""
    from napari_softlayers._io.openraster import read_openraster

    return read_openraster(path).layers()


def unveiled(stack):
    """What GIMP shows of a stack with nothing below, as straight colour."""
    cover = np.zeros(stack[0].shape[:2])
    for pixels in stack:
        alpha = pixels[..., 3] / 255
        cover = alpha + cover * (1 - alpha)

    def linear(v):
        return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)

    shown = linear(in_linear_light(stack)) / np.maximum(cover, 1e-9)[..., None]
    return np.where(
        shown <= 0.0031308,
        shown * 12.92,
        1.055 * np.maximum(shown, 1e-9) ** (1 / 2.4) - 0.055,
    )


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_over_stacks_of_sums_below_one_are_undone_exactly(rng, kind):
    top = np.iinfo(kind).max
    for share in (0.02, 0.3, 0.7, 0.999):
        sharp = rng.random((9, 50, 50)) ** rng.uniform(0, 30, (9, 50, 50))
        sharp *= rng.random(sharp.shape) < 0.6
        total = np.maximum(sharp.sum(axis=0), 1e-9)
        sharp *= share * rng.random((50, 50)) / total
        alphas = SoftLayers(sharp, np.zeros((9, 50, 50, 3))).rgba(kind)[..., 3]
        stack = over_from_additive(alphas)
        back = snap(additive_from_over(list(stack / top)), top)
        assert np.array_equal(np.rint(back * top), alphas)


# in napari


def test_results_of_transparent_layers_through_napari(tmp_path, veiled):
    from napari.components import ViewerModel

    from napari_softlayers._bridge import show
    from napari_softlayers._io._readers_writers import read, write

    viewer = ViewerModel()
    show(viewer, veiled, dtype=np.uint8)
    data = [layer.as_layer_data_tuple() for layer in viewer.layers]
    for name in ("a.ora", "a.psd", "a.tif"):
        write(str(tmp_path / name), data)
        opened = read(str(tmp_path / name))
        for (pixels, meta, _), old in zip(opened, viewer.layers, strict=True):
            assert meta["blending"] == "additive"
            assert np.array_equal(pixels, old.data)
        back = open_layers(tmp_path / name)
        assert np.abs(back.alpha - veiled.alphas.sum(axis=0)).max() < 1 / 255


@pytest.mark.parametrize(
    "kinds", [("matte", "matte"), ("segments", "matte"), ("m",) * 3]
)
@pytest.mark.parametrize("name", ["a.ora", "a.tif", "a.psd"])
def test_results_in_one_file_stay_apart(tmp_path, layers, kinds, name):
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_softlayers._bridge import result_sets, show
    from napari_softlayers._io._readers_writers import read, write

    viewer = ViewerModel()
    for number, kind in enumerate(kinds):
        photo = viewer.add_image(
            np.uint8(layers.image * 255), rgb=True, name=f"photo {number}"
        )
        parts = layers.merge([[0, 1], [2, 3, 4]] if number else [[0, 1, 2], [3, 4]])
        parts.kind = kind
        show(viewer, parts, like=photo)
    sets = {k: [x.name for x in v] for k, v in result_sets(viewer).items()}
    assert len(sets) == len(kinds)
    write(str(tmp_path / name), [x.as_layer_data_tuple() for x in viewer.layers])
    opened = ViewerModel()
    for item in read(str(tmp_path / name)):
        opened.layers.append(Layer.create(*item))
    again = {k: [x.name for x in v] for k, v in result_sets(opened).items()}
    assert list(again.values()) == list(sets.values())
    assert [kind for _, kind in again] == list(kinds)


# profiles


@pytest.mark.parametrize(("name", "options"), [*CASES, FLOAT])
def test_profiles_go_through_every_file(tmp_path, layers, name, options):
    colored = SoftLayers(layers.alphas, layers.colors, profile=SRGB)
    path = save_layers(colored, tmp_path / name, **options)
    assert open_layers(path).profile == SRGB
    assert open_layers(save_layers(layers, tmp_path / f"b{name}")).profile is None


def test_what_else_carries_the_profile(tmp_path, layers):
    colored = SoftLayers(layers.alphas, layers.colors, profile=SRGB)
    for bits in (8, 16):
        folder = save_layers(colored, tmp_path / f"folder{bits}", bits=bits)
        for file in folder.glob("*.png"):
            assert Image.open(file).info["icc_profile"] == SRGB
        described = json.loads((folder / "layers.json").read_text())
        assert described["info"]["profile"] == "sRGB built-in"
        cut = save_layers(colored, tmp_path / "cut.png", bits=bits)
        assert Image.open(cut).info["icc_profile"] == SRGB
    with zipfile.ZipFile(save_layers(colored, tmp_path / "a.ora")) as file:
        merged = Image.open(io.BytesIO(file.read("mergedimage.png")))
        assert merged.info["icc_profile"] == SRGB
    assert (
        Image.open(save_layers(colored, tmp_path / "a.tif")).info["icc_profile"] == SRGB
    )
    gimp = save_layers(colored, tmp_path / "g.ora", linear_light=True)
    assert open_layers(gimp).profile == SRGB


# names


ALPHABETS = [
    ["фон", "人物", "خلفية", "पृष्ठभूमि", "🦊 fox"],
    ["Größe", "naïve ﬁ", "Ω≈ç√", "日本語レイヤー", "한국어"],
    ["x" * 400, "é" * 300, "a/b\\c:d", "<&\"'>", "  spaces  "],
    ["con", "..", "%s", "{0}", "-"],
]


@pytest.mark.parametrize("names", ALPHABETS)
@pytest.mark.parametrize(("name", "options"), [*CASES, FLOAT])
def test_names_of_any_alphabet(tmp_path, layers, names, name, options):
    named = SoftLayers(layers.alphas, layers.colors, names)
    back = open_layers(save_layers(named, tmp_path / name, **options))
    longest = 255 if name.endswith(".psd") else 1000
    assert back.names == [text.strip()[:longest] for text in names]


BAD = ["a\0b", "\udcff\udc80 photo", "\x01\x02", "line\u2028two", "\ud800"]
SEEN = ["ab", "photo", "layer", "line\u2028two", "layer"]


@pytest.mark.parametrize(("name", "options"), [*CASES, FLOAT])
def test_characters_that_files_cannot_hold_are_taken_out(
    tmp_path, layers, name, options
):
    odd = SoftLayers(layers.alphas, layers.colors, BAD, parameters={"image": "\udcff"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = open_layers(save_layers(odd, tmp_path / name, **options))
    assert back.names == SEEN
