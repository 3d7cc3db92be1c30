"""Recipes: options as the methods have them, code that runs, records of version 0.1."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

import napari_softlayers as nsl
from napari_softlayers._bridge import record_of
from napari_softlayers._core.matting import METHODS
from napari_softlayers._core.matting import _method as method_of
from napari_softlayers._core.palette import palette_layers
from napari_softlayers._core.segments import soft_segments
from napari_softlayers._core.segments.state import SegmentOptions
from napari_softlayers._recipes import MATTES, options_of, read_recipe, recipe_of
from napari_softlayers._recipes.code import code_of
from napari_softlayers._recipes.migrate import recipe_from_parameters
from napari_softlayers._recipes.record import KEY

OLD = Path(__file__).parent / "data" / "v01"
NOT_OPTIONS = {"image", "features", "superpixels", "device", "run", "initial"}
BY_USER = {"mask", "processing", "visible"}


def defaults_of(function, leave_out=()):
    return {
        p.name: p.default
        for p in inspect.signature(function).parameters.values()
        if p.name not in NOT_OPTIONS | set(leave_out) and p.default is not p.empty
    }


@pytest.mark.parametrize("method", METHODS)
def test_models_of_mattes_have_the_methods_own_defaults(method):
    assert set(MATTES) == set(METHODS)
    assert MATTES[method]().model_dump() == defaults_of(method_of(method))


def test_models_of_segments_and_palettes_have_the_functions_defaults():
    segments = defaults_of(soft_segments) | vars(SegmentOptions())
    assert options_of("segments")().model_dump() == segments
    assert options_of("palette")().model_dump() == defaults_of(palette_layers, BY_USER)
    given = options_of("clicks")().model_dump()
    for name in ("points", "labels", "levels"):
        given.pop(name)
    assert given == vars(SegmentOptions())


@pytest.mark.parametrize("kind", ["segments", "palette", "clicks", *MATTES])
def test_every_option_that_is_shown_has_title_and_help(kind):
    model = options_of("matte", kind) if kind in MATTES else options_of(kind)
    for name in model.shown():
        field = model.model_fields[name]
        assert field.title and field.description, (kind, name)


def test_an_unknown_kind_or_option_is_named():
    with pytest.raises(ValueError, match="no recipe for 'matte best'"):
        options_of("matte", "best")
    recipe = read_recipe({"format": 2, "kind": "palette", "options": {"smoothing": -1}})
    with pytest.raises(ValueError, match="smoothing=-1.*compute anew"):
        recipe.model_options()


@pytest.mark.parametrize(
    "values",
    [None, [], "x", {}, {"format": 3, "kind": "matte"}, {"format": 2}]
    + [{"format": 2, "kind": "matte", "edits": [[5]]}, {"format": 2, "kind": 7}]
    + [{"format": 2, "kind": "matte", "frame": {"step": "x"}}]
    + [
        {"format": 2, "kind": "matte", "inputs": {"image": {}, name: {}}}
        for name in ("", "Trimap", "nodes", "image2", "trimap\n")
    ],
)
def test_what_makes_no_sense_is_no_recipe(values):
    assert read_recipe(values) is None


# ---- code ------------------------------------------------------------


@pytest.fixture
def viewer(astronaut):
    viewer = ViewerModel()
    photo = np.stack([astronaut[::-1], astronaut])
    viewer.add_image(photo, rgb=True, name="photo", contrast_limits=(20, 200))
    codes = np.moveaxis(astronaut[..., [0, 1, 2, 0]] / 255, -1, 0)
    viewer.add_image(codes, name="codes", scale=(1, 2, 2))
    trimap = np.zeros((128, 128), np.uint8)
    trimap[:20] = 1
    trimap[70:110, 40:90] = 2
    viewer.add_labels(trimap, name="trimap")
    viewer.dims.set_point(0, 1)
    return viewer


def split(v):
    palette = nsl.palette_layers(v.layers["photo"], 3)
    segments = nsl.soft_segments(v.layers["photo"], 3, None).stored("uint8")
    crossed = segments.intersect(palette)
    return crossed.recolor(np.linspace(0, 1, 3 * len(crossed)).reshape(-1, 3))


def clicked(v):
    segmenter = nsl.Segmenter(v.layers["codes"], None, channels=(0, 1, 2), seed=1)
    segmenter.click([(60, 64), (10, 10)], [1, 0])
    return segmenter.refine().renamed(["rest", "face"])


MADE = {
    "matte": lambda v: nsl.matte(v.layers["photo"], v.layers["trimap"], "knn"),
    "another frame": lambda v: nsl.palette_layers(v.layers["photo"], 3, step=(0,)),
    "channels": lambda v: nsl.palette_layers(v.layers["codes"], 4, channels=(3, 1)),
    "recoloured": lambda v: nsl.palette_layers(v.layers["photo"], 2).recolor(
        [(1, 0, 0), (0, 0.5, 1)]
    ),
    "levels": lambda v: (
        nsl.cut(nsl.soft_segments(v.layers["photo"], 4, None), 3)
        .merge([[0, 2]])
        .renamed(["one", "two"])
    ),
    "edits": lambda v: (
        nsl.matte(v.layers["photo"], v.layers["trimap"])
        .duplicate(1)
        .feather(0, 2.5)
        .reordered([2, 0, 1])
        .adjust(1, exposure=0.5, hue=20)
    ),
    "split": split,
    "clicks": clicked,
}


@pytest.mark.parametrize("name", MADE)
def test_code_and_rerun_give_the_same_bits(viewer, name):
    layers = MADE[name](viewer)
    code = code_of(recipe_of(layers))
    shown = layers.to_napari(viewer)
    again = nsl.rerun(shown[-1])
    np.testing.assert_array_equal(again.alphas, layers.alphas)
    np.testing.assert_array_equal(again.colors, layers.colors)
    assert again.names == layers.names

    fresh = ViewerModel()
    for layer in list(viewer.layers):
        if record_of(layer) is None:
            data, meta, kind = layer.as_layer_data_tuple()
            getattr(fresh, f"add_{kind}")(data.copy(), **meta | {"visible": True})
    exec(code, {"viewer": fresh})
    made = [layer for layer in fresh.layers if record_of(layer) is not None]
    assert [layer.name for layer in made] == [layer.name for layer in shown]
    for one, other in zip(made, shown, strict=True):
        np.testing.assert_array_equal(one.data, other.data)


# ---- version 0.1 ------------------------------------------------------------


@pytest.fixture
def old():
    arrays = np.load(OLD / "inputs.npz")
    records = json.loads((OLD / "records.json").read_text())
    viewer = ViewerModel()
    viewer.add_image(arrays["picture"], rgb=True, name="photo", scale=(2, 3))
    viewer.add_labels(arrays["trimap"], name="painted", scale=(2, 3))
    return viewer, records, arrays


@pytest.mark.parametrize("kind", ["matte", "palette", "segments", "clicks"])
def test_records_of_0_1_are_read(old, kind):
    viewer, records, arrays = old
    for metadata in records[kind]:
        name = f"photo · {metadata[KEY]['name']}"
        data = np.zeros((24, 32, 4), np.uint8)
        viewer.add_layer(Image(data, rgb=True, name=name, metadata=metadata))
    record = record_of(viewer.layers[-1])
    assert (record.kind, record.source, record.stack) == (kind, "photo", "additive")
    layers = nsl.rerun(viewer.layers[-1])
    assert len(layers) == len(records[kind])
    assert layers.names == [entry[KEY]["name"] for entry in records[kind]]
    shares = [entry[KEY]["coverage"] for entry in records[kind]]
    np.testing.assert_allclose(layers.coverage, shares, atol=2e-3)
    if kind == "matte":
        np.testing.assert_allclose(layers.alphas, arrays["alphas"], atol=1e-6)


def test_a_split_of_0_1_keeps_its_order():
    segments = {"n_segments": 3, "features": None, "seed": 2}
    segments["stored"] = {"dtype": "uint8", "digest": 5}
    palette = {"palette": [[0, 0, 0], [1, 1, 1]], "method": "mixture"}
    recipe = recipe_from_parameters(
        "palette", {"segments": segments, "palette": palette, "order": [1, 0]}, "a", "b"
    )
    assert [edit.name for edit in recipe.edits] == ["split_by", "reordered"]
    inner = read_recipe(recipe.edits[0].arguments["segments"])
    assert [edit.name for edit in inner.edits] == ["stored"]


@pytest.mark.parametrize(
    "parameters",
    [None, {"method": "best"}, {"step": "x", "method": "knn"}, {"merged": 5}]
    + [{"method": "knn", "neighbours": "many"}, {"method": "knn", "level": [1]}],
)
def test_damaged_parameters_of_0_1_are_no_recipe(parameters):
    assert recipe_from_parameters("matte", parameters) is None
