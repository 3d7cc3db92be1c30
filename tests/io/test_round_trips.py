"""What is saved comes back: alphas, colours, names, parameters, the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_softlayers import SoftLayers
from napari_softlayers._core.layers.alphas import (
    additive_from_over,
    over_from_additive,
    snap,
)
from napari_softlayers._io import open_layers, read_document, save_layers
from napari_softlayers._io.openraster import read_openraster
from napari_softlayers._recipes import recipe_of

OLD = Path(__file__).parents[1] / "data" / "v01"

CASES = [
    ("a.ora", {}),
    ("a.ora", {"bits": 16}),
    ("a.ora", {"additive": True}),
    ("a.ora", {"additive": True, "bits": 16}),
    ("a.psd", {}),
    ("a.psd", {"form": "transparency"}),
    ("a.tif", {}),
    ("a.tiff", {"bits": 16}),
    ("a.tif", {"additive": False}),
    ("folder", {}),
    ("folder", {"bits": 16, "additive": False}),
]


def flattened(stack):
    """Pillow's own compositing of RGBA pictures, the bottom one first."""
    base = Image.fromarray(stack[0])
    for pixels in stack[1:]:
        base = Image.alpha_composite(base, Image.fromarray(pixels))
    return np.asarray(base)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_layers_come_back_rounded_to_their_bits(tmp_path, layers, name, options):
    path = save_layers(layers, tmp_path / name, **options)
    back = open_layers(path)
    kind = np.uint16 if options.get("bits") == 16 else np.uint8
    top = np.iinfo(kind).max
    stored = layers.rgba(kind)
    assert np.array_equal(np.rint(back.alphas * top), stored[..., 3])
    assert np.array_equal(np.rint(back.colors * top), stored[..., :3])
    assert np.abs(back.alphas - layers.alphas).max() < 1 / top
    moved = np.abs(
        back.colors - layers.colors
    )  # the strongest layer makes up for the sum
    strongest = np.arange(len(layers))[:, None, None] == stored[..., 3].argmax(axis=0)
    assert moved[~strongest].max() < 0.51 / top
    assert moved[strongest].max() < 4 / top
    assert np.abs(back.alphas.sum(axis=0) - 1).max() < 1e-6
    assert np.abs(back.composite() - layers.image).max() < 1.01 / top
    assert back.recomposition_error < 1e-6
    assert back.names == layers.names
    assert back.kind == "segments"
    assert back.parameters["n"] == 5
    assert back.parameters["seed"] == 3
    assert np.array_equal(back.parameters["points"], np.eye(3))


def test_float_tiff_is_lossless(tmp_path, layers):
    back = open_layers(save_layers(layers, tmp_path / "a.tif", bits=32))
    assert np.array_equal(back.alphas, layers.alphas)
    assert np.array_equal(back.colors, layers.colors)
    assert back.names == layers.names
    assert back.kind == "segments"


def test_saving_again_changes_nothing(tmp_path, layers):
    first = save_layers(layers, tmp_path / "a.ora")
    second = save_layers(open_layers(first), tmp_path / "b.ora")
    one, two = read_document(first), read_document(second)
    for a, b in zip(one.layers(), two.layers(), strict=True):
        assert np.array_equal(a.pixels, b.pixels)


def test_equal_layers_give_equal_files(tmp_path, layers):
    one = save_layers(layers, tmp_path / "a.ora").read_bytes()
    assert save_layers(layers, tmp_path / "b.ora").read_bytes() == one


@pytest.mark.parametrize("name", ["a.ora", "a.psd"])
def test_flattened_by_another_program_it_is_the_picture(tmp_path, layers, name):
    document = read_document(save_layers(layers, tmp_path / name))
    seen = flattened([layer.pixels for layer in document.layers()])
    assert (seen[..., 3] == 255).all()
    difference = np.abs(seen[..., :3] / 255 - layers.image)
    assert difference.mean() < 1.5 / 255
    assert difference.max() < 6 / 255


def test_photoshop_composite_is_the_picture(tmp_path, layers):
    psd_tools = pytest.importorskip("psd_tools")
    for form in ("masks", "transparency"):
        path = save_layers(layers, tmp_path / f"{form}.psd", form=form)
        psd = psd_tools.PSDImage.open(path)
        seen = np.asarray(psd.composite(force=True).convert("RGB")) / 255
        assert np.abs(seen - layers.image).mean() < 1.5 / 255
        preview = np.asarray(psd.topil().convert("RGB")) / 255
        assert np.abs(preview - layers.image).mean() < 1.5 / 255
        assert [layer.name for layer in psd] == layers.names
        assert all(layer.has_mask() == (form == "masks") for layer in psd)


def test_photoshop_masks_keep_the_colours_everywhere(tmp_path, layers):
    psd_tools = pytest.importorskip("psd_tools")
    psd = psd_tools.PSDImage.open(save_layers(layers, tmp_path / "a.psd"))
    for layer, rgba in zip(psd, layers.rgba(), strict=True):
        assert np.array_equal(np.rint(layer.numpy("color") * 255), rgba[..., :3])


def test_pyora_opens_it(tmp_path, layers):
    pyora = pytest.importorskip("pyora")
    path = save_layers(layers, tmp_path / "a.ora")
    project = pyora.Project.load(str(path))
    assert [layer.name for layer in project.children] == layers.names[::-1] or [
        layer.name for layer in project.children
    ] == layers.names
    seen = np.asarray(project.get_image_data(use_original=False).convert("RGB")) / 255
    assert np.abs(seen - layers.image).mean() < 1.5 / 255


def in_linear_light(stack):
    """ "Over" as GIMP does it: the sRGB curve undone, blended, applied again."""

    def linear(v):
        return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)

    light = np.zeros((*stack[0].shape[:2], 3))
    for pixels in stack:
        alpha = pixels[..., 3:] / 255
        light = light * (1 - alpha) + alpha * linear(pixels[..., :3] / 255)
    curve = 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, curve)


def test_linear_light_for_gimp(tmp_path, layers):
    plain = read_openraster(save_layers(layers, tmp_path / "plain.ora"))
    path = save_layers(layers, tmp_path / "gimp.ora", linear_light=True)
    adapted = read_openraster(path)
    error = [
        np.abs(in_linear_light([x.pixels for x in d.layers()]) - layers.image).mean()
        for d in (plain, adapted)
    ]
    assert error[0] > 1.5 / 255
    assert error[1] < 0.5 / 255
    back = open_layers(path)
    assert np.array_equal(np.rint(back.alphas * 255), layers.rgba()[..., 3])
    assert np.abs(back.composite() - layers.image).mean() < 0.5 / 255
    assert back.names == layers.names
    assert back.parameters["n"] == 5
    for name, options in (("a.psd", {}), ("b.ora", {"additive": True})):
        with pytest.raises(ValueError, match="linear_light"):
            save_layers(layers, tmp_path / name, linear_light=True, **options)


def test_a_cut_out_stays_transparent(tmp_path, layers):
    part = layers.subset(["dog", "nom/é"])
    for name in ("a.ora", "a.psd", "a.tif"):
        back = open_layers(save_layers(part, tmp_path / name))
        stored = part.rgba(np.uint8)[..., 3]
        assert np.array_equal(np.rint(back.alphas * 255), stored)
        assert np.abs(back.composite() - part.composite()).mean() < 1.5 / 255


def test_one_layer(tmp_path, layers):
    whole = layers.merge([list(range(5))])
    back = open_layers(save_layers(whole, tmp_path / "a.ora"))
    assert (back.alphas == 1).all()
    assert np.abs(back.composite() - layers.image).max() < 1 / 255


def test_over_stack_of_any_alphas_is_undone_exactly(rng):
    for kind in (np.uint8, np.uint16):
        top = np.iinfo(kind).max
        sharp = rng.random((12, 40, 40)) ** rng.uniform(0, 30, (12, 40, 40))
        sharp *= rng.random(sharp.shape) < 0.6
        sharp[0] += 1e-9
        alphas = SoftLayers(
            (sharp / sharp.sum(axis=0)), np.zeros((12, 40, 40, 3))
        ).rgba(kind)[..., 3]
        stack = over_from_additive(alphas)
        assert (stack[1:][alphas[1:] == 0] == 0).all()
        assert (stack[0] == top).all()
        raw = additive_from_over(list(stack / top))
        below = np.cumsum(raw, axis=0) * top - np.cumsum(alphas.astype(float), axis=0)
        assert np.abs(below).max() <= 0.5 + 1e-3
        assert np.array_equal(np.rint(snap(raw, top) * top), alphas)


def test_parameters_of_an_edited_file_are_not_believed(tmp_path, layers):
    from napari_softlayers._io.openraster import write_openraster

    document = read_document(save_layers(layers, tmp_path / "a.ora"))
    document.layers()[2].pixels[10:20, 10:20, :3] = 255
    write_openraster(document, tmp_path / "b.ora")
    back = open_layers(tmp_path / "b.ora")
    assert back.parameters == {}
    assert np.abs(back.alphas - layers.alphas).max() < 2 / 255


def test_objects_among_the_parameters_are_left_out_with_a_warning(tmp_path, layers):
    odd = SoftLayers(layers.alphas, layers.colors, parameters={"net": object(), "n": 2})
    with pytest.warns(UserWarning, match="net .* cannot be stored"):
        save_layers(odd, tmp_path / "a.ora")
    assert open_layers(tmp_path / "a.ora").parameters == {"n": 2}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.jpg", {}, "use .ora, .psd"),
        ("a.psd", {"bits": 16}, "bits=16 does not fit"),
        ("a.ora", {"bits": 32}, "bits=32 does not fit"),
        ("a.psd", {"additive": True}, "adds layers up"),
        ("a.psd", {"form": "paths"}, "form='paths'"),
    ],
)
def test_options_that_do_not_fit(tmp_path, layers, name, options, message):
    with pytest.raises(ValueError, match=message):
        save_layers(layers, tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_photoshop_without_psd_tools(tmp_path, layers, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "psd_tools", None)
    with pytest.raises(ImportError, match=r"napari-softlayers\[psd\]"):
        save_layers(layers, tmp_path / "a.psd")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.ora", {}), ("a.ora", {"additive": True}), ("a.ora", {"linear_light": True})]
    + [("a.psd", {}), ("a.tif", {}), ("b.tif", {"bits": 32}), ("folder", {})],
)
def test_the_recipe_is_kept(tmp_path, layers, name, options):
    back = open_layers(save_layers(layers, tmp_path / name, **options))
    assert recipe_of(back) == recipe_of(layers)
    assert back.recipe == layers.recipe and len(back.edits) == 1


@pytest.mark.parametrize("name", ["matte.ora", "matte.psd", "matte.tif", "matte"])
def test_files_of_0_1_give_a_recipe(name):
    recipe = recipe_of(open_layers(OLD / name))
    assert (recipe.kind, recipe.method) == ("matte", "closed_form")
    assert recipe.inputs["trimap"].name == "painted"
    assert recipe.options["solver_tolerance"] == 1e-4


def test_edits_noted_by_0_1_are_kept():
    recipe = recipe_of(open_layers(OLD / "palette_recoloured.ora"))
    assert [edit.name for edit in recipe.edits] == ["recolor"]
    assert recipe.edits[0].arguments["palette"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
