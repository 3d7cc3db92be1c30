"""What is no input is refused in our own words; what can be read is read rightly."""

from __future__ import annotations

import traceback
import warnings

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points, Shapes, Surface
from PIL import Image as Pillow

import napari_softlayers as nsl
from napari_softlayers._bridge import record_of
from napari_softlayers._cli import main
from napari_softlayers._core.layers.edit import Edit
from napari_softlayers._recipes import Input, Recipe
from napari_softlayers._recipes.code import code_of

SIZE = 24
ROWS, COLUMNS = np.indices((SIZE, SIZE))
DISTANCE = np.hypot(ROWS - 10, COLUMNS - 13)
SOFT = np.clip((7 - DISTANCE) / 3 + 0.5, 0, 1)[..., None]
GROUND = np.dstack([30 + 4 * ROWS, 60 + 3 * COLUMNS, 160 - 4 * ROWS])
PICTURE = (SOFT * (230, 140, 40) + (1 - SOFT) * GROUND).astype(np.uint8)
TRIMAP = np.select([DISTANCE < 5, DISTANCE > 10], [2, 1], 0).astype(np.uint8)
FAST = {"features": None, "n_eigenvectors": 10, "n_clusters": 5}
NOT_A_NUMBER = ("x", None, [1], True)


@pytest.fixture(scope="module")
def palette():
    return nsl.palette_layers(PICTURE, 4)


@pytest.fixture(scope="module")
def segments():
    return nsl.soft_segments(PICTURE, 3, **FAST)


@pytest.fixture(scope="module")
def segmenter():
    return nsl.Segmenter(PICTURE, **FAST)


def refused(call, *args, **options) -> str:
    """The message of an error that this package itself raised."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call(*args, **options)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert "napari_softlayers" in last.filename, str(caught.value)
    assert (last.line or "").startswith("raise"), str(caught.value)
    return str(caught.value)


# ---- pictures ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [torch.uint8, torch.int64, torch.float32, torch.float16, torch.bfloat16],
)
def test_tensors_are_pictures(kind):
    scale = 1 if kind in (torch.uint8, torch.int64) else 255
    tensor = (torch.from_numpy(PICTURE) / scale).to(kind)
    if kind.is_floating_point:
        tensor.requires_grad_()
    image = nsl.palette_layers(tensor, 3).image
    np.testing.assert_allclose(image, PICTURE / 255, atol=4e-3)


@pytest.mark.parametrize(
    "mode", ["RGB", "P", "CMYK", "HSV", "YCbCr", "RGBA", "LA", "L"]
)
def test_images_of_pillow_are_seen_in_their_colours(mode):
    image = Pillow.fromarray(PICTURE)
    grey = mode in ("L", "LA")
    image = image.quantize(64) if mode == "P" else image.convert(mode)
    right = np.asarray(image.convert("RGB")) / 255
    layers = nsl.palette_layers(image, 3)
    np.testing.assert_allclose(layers.image, right, atol=1e-6)
    assert grey == bool(np.ptp(layers.image, axis=-1).max() < 1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("opaque", [4095, 255, 1])
def test_an_alpha_may_have_a_scale_of_its_own(kind, opaque):
    scale = 16 if opaque == 4095 else 1
    if opaque * scale > np.iinfo(kind).max:
        pytest.skip("no such values")
    deep = np.minimum(PICTURE, 200).astype(kind) * kind(scale)
    alpha = np.full((SIZE, SIZE, 1), opaque, kind)
    alpha[:4] = 0
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        layers = nsl.palette_layers(np.concatenate([deep, alpha], -1), 3)
    assert any("opaque" in str(one.message) for one in said) == (opaque == 1)
    right = nsl.palette_layers(deep, 3)
    np.testing.assert_allclose(layers.image[4:], right.image[4:], atol=1e-6)
    np.testing.assert_allclose(layers.alphas[:, 4:].sum(0), 1, atol=1e-6)
    assert not layers.alphas[:, :4].any()


@pytest.mark.parametrize(
    "picture",
    [
        None,
        "photo.png",
        {"a": 1},
        PICTURE.astype(object),
        PICTURE.astype(str),
        PICTURE.astype(complex),
        np.zeros((4, 4), [("r", "u1")]),
        [[1, 2], [3]],
        torch.from_numpy(PICTURE[..., 0].copy()).to_sparse(),
        torch.empty(4, 4, device="meta"),
        torch.from_numpy(PICTURE).permute(2, 0, 1),
        (ValueError, 3),
    ],
)
def test_no_picture(picture):
    assert "picture" in refused(nsl.palette_layers, picture, 3)


CHANNELS = [1, ("a",), (0.5,), True, (0, 1, 2, 3), (), (7,), (-7,), "rgb", (None,)]


@pytest.mark.parametrize("channels", CHANNELS)
def test_no_channels(channels):
    many = np.dstack([PICTURE, PICTURE[..., :2]])
    assert "channels" in refused(nsl.palette_layers, many, 3, channels=channels)


@pytest.mark.parametrize("step", ["x", 0, 1.5, True, (1.5,), ("a",), (9,), (), [None]])
def test_no_step(step):
    layer = Image(np.stack([PICTURE] * 2), rgb=True)
    words = refused(nsl.palette_layers, layer, 3, step=step)
    assert "step" in words or "frame" in words


@pytest.mark.parametrize("level", ["1", 1.0, 1.5, True, 2, -1, (0,), np.nan])
def test_no_level(level):
    layer = Image([PICTURE, PICTURE[::2, ::2]], rgb=True, multiscale=True)
    assert "level" in refused(nsl.palette_layers, layer, 3, level=level)


# ---- options -------------------------------------------------------------------------

WRONG = {
    "eps": (-1, 0, np.nan, np.inf),
    "solver_tolerance": (-1, 0, 2, np.nan),
    "max_iterations": (0, 1.5),
}


@pytest.mark.parametrize("name", WRONG)
def test_no_option_of_closed_form(name):
    for value in (*WRONG[name], *NOT_A_NUMBER):
        words = refused(nsl.matte, PICTURE, TRIMAP, **{name: value})
        assert words.startswith(f"{name}=")
        assert "needed" in words


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("knn", {"neighbours": 2}),
        ("knn", {"neighbours": "ab"}),
        ("knn", {"neighbours": (5,)}),
        ("knn", {"neighbours": (0, 1)}),
        ("knn", {"position_weights": (np.nan, 1)}),
        ("knn", {"position_weights": (-1, 1)}),
        ("information_flow", {"transparent": "x"}),
        ("auto", {"tolerance": None}),
        ("auto", {"tolerance": -1}),
        ("auto", {"solver": "knn"}),
        ("auto", {"weights": 3}),
        ("adamatting", {"weights": None}),
        ("deep_propagation", {"weights": "nowhere"}),
    ],
)
def test_no_option_of_a_method(method, options):
    (name,) = options
    assert name in refused(nsl.matte, PICTURE, TRIMAP, method, **options)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True, np.nan, 2**40])
def test_no_seed(seed):
    for call in (nsl.palette_layers, nsl.soft_segments):
        assert refused(call, PICTURE, 3, seed=seed).startswith("seed=")
    assert refused(nsl.Segmenter, PICTURE, None, seed=seed).startswith("seed=")


@pytest.mark.parametrize("seed", [7, np.int64(7), 123_456_789])
def test_seeds_of_any_whole_type(seed):
    assert len(nsl.palette_layers(PICTURE, 3, seed=seed)) == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("semantic_threshold", None),
        ("color_radius", "x"),
        ("affinity_weight", np.nan),
        ("n_clusters", 1),
        ("n_eigenvectors", 10**6),
        ("color_affinity", "False"),
        ("normalised", None),
        ("quality", "best"),
        ("bogus", 1),
        ("nodes", [0]),
    ],
)
def test_no_option_of_segments(name, value):
    assert name in refused(nsl.soft_segments, PICTURE, 3, **FAST | {name: value})
    assert name in refused(nsl.Segmenter, PICTURE, **FAST | {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("smoothing", v) for v in (-1, np.nan, np.inf, *NOT_A_NUMBER)]
    + [("processing", "x"), ("locked", 5), ("visible", 1), ("metod", "mixture")],
)
def test_no_option_of_palettes(name, value):
    assert name in refused(nsl.palette_layers, PICTURE, 3, **{name: value})


def test_the_least_smoothing_is_a_number():
    faint = nsl.palette_layers(PICTURE, 3, smoothing=1e-12)
    off = nsl.palette_layers(PICTURE, 3, smoothing=0)
    assert np.abs(faint.alphas - off.alphas).mean() < 0.05


@pytest.mark.parametrize("run", ["x", 3, True, print, {}])
def test_no_run(run, palette, segments, segmenter):
    segmenter.click([(10, 13)], [1])
    for call, args in (
        (nsl.matte, (PICTURE, TRIMAP)),
        (nsl.palette_layers, (PICTURE, 3)),
        (nsl.soft_segments, (PICTURE, 3)),
        (nsl.cut, (segments, 3)),
        (segments.intersect, (palette,)),
        (palette.feather, (0, 1)),
        (segmenter.refine, ()),
    ):
        assert "run=" in refused(call, *args, run=run)


@pytest.mark.parametrize(
    "device", [None, "gpu", 3, "", "auto:1", "cpu:x", "cpu:7", "meta"]
)
def test_no_device(device):
    assert "evice" in refused(nsl.matte, PICTURE, TRIMAP, device=device)


# ---- segments and clicks -------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 16, "5", True, None, 2.0, [3], np.array([3, 4])])
def test_no_number_of_segments(count, segments):
    assert "n_segments" in refused(nsl.soft_segments, PICTURE, count, **FAST)
    assert "n_segments" in refused(nsl.cut, segments, count)


@pytest.mark.parametrize(
    "nodes", [5, [], [[1]], "01", [0.5], [None], [True], [99], [0, 0], [np.nan]]
)
def test_no_nodes(nodes, segments):
    assert "ode" in refused(nsl.cut, segments, nodes=nodes)


def test_no_cut(segments, palette):
    for layers in (None, PICTURE, "x", palette):
        assert "soft_segments" in refused(nsl.cut, layers, 3)
    for grouping in ("x", None, ["tree"]):
        assert "tree, kmeans" in refused(nsl.cut, segments, grouping=grouping)
    assert "bogus" in refused(nsl.cut, segments, bogus=1)


@pytest.mark.parametrize(
    ("points", "labels"),
    [
        ("x", "y"),
        (None, None),
        ({1: 2}, [1]),
        ([("a", "b")], [1]),
        ([(1j, 0)], [1]),
        ([[1, 2], [3]], [1, 1]),
        ([(10, 13)], ["a"]),
        ([(99, 1)], [1]),
    ],
)
def test_no_clicks(points, labels, segmenter):
    said = refused(segmenter.click, points, labels).lower()
    assert any(word in said for word in ("points", "labels", "click"))


@pytest.mark.parametrize("levels", ["x", 1, [1.5], [None], [np.nan], [True], [0, 0]])
def test_no_levels(levels, segmenter):
    assert "levels" in refused(segmenter.click, [(10, 13)], [1], levels)


@pytest.mark.parametrize(
    "point", [None, 5, "x", (1,), (1, 2, 3), ("a", "b"), (np.nan, 1)]
)
def test_no_point(point, segmenter):
    refused(segmenter.levels_at, point)
    refused(segmenter.segment_at, point)
    assert "level" in refused(segmenter.segment_at, (10, 13), "x")


# ---- soft layers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "which", [None, 5, True, 1.5, "0", [], [0, 0], [9], np.array(1)]
)
def test_no_subset(which, palette):
    assert "ayer" in refused(palette.subset, which)


def test_subsets_of_anything_in_a_row(palette):
    for which in (np.array([0, 1]), range(2), (x for x in (0, 1)), [np.int64(0), -3]):
        assert palette.subset(which).names == palette.names[:2]


@pytest.mark.parametrize("other", [1, None, "x", [], PICTURE])
def test_no_intersection(other, palette):
    assert "palette_layers" in refused(palette.intersect, other)


BACKGROUNDS = ["white", (255, 255, 255), [1, 0], (1, 1, 1, 1), np.nan, {}, (-1, 0, 0)]


@pytest.mark.parametrize("background", [*BACKGROUNDS, PICTURE[:5], np.zeros((1, 1, 3))])
def test_no_background(background, palette):
    assert "background" in refused(palette.subset([0]).composite, background)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_backgrounds_of_any_dtype(kind, palette):
    scale = {np.uint8: 1, np.uint16: 257, np.float32: 1 / 255}[kind]
    part = palette.subset([0])
    right = part.composite() + (1 - part.alphas.sum(0))[..., None] * PICTURE / 255
    found = part.composite((PICTURE * np.float64(scale)).astype(kind))
    np.testing.assert_allclose(found, right, atol=1e-6)


DTYPES = ["bool", "uint64", "int16", "complex64", "x", None, 3, "O", torch.uint8]


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_dtype(dtype, palette):
    assert "uint8, uint16" in refused(palette.rgba, dtype)
    assert "uint8, uint16" in refused(palette.stored, dtype)


@pytest.mark.parametrize(
    "groups", [None, 1, "ab", [1], [[]], [None], {0: [1]}, [["x"]]]
)
def test_no_groups(groups, palette):
    said = refused(palette.merge, groups)
    assert "group" in said or "layer" in said


@pytest.mark.parametrize("names", ["abcd", None, 5, [], ["a"] * 3, ["a"] * 5])
def test_no_names(names, palette):
    assert "names" in refused(palette.renamed, names)


ORDERS = [None, 5, "0123", [0.0, 1.0, 2.0, 3.0], [True, False, 2, 3], ["a"], [0, 1, 2]]


@pytest.mark.parametrize("order", ORDERS)
def test_no_order(order, palette):
    assert "order" in refused(palette.reordered, order)


@pytest.mark.parametrize("radius", [np.inf, np.nan, -1, 1e9, (1, 2), *NOT_A_NUMBER])
def test_no_radius(radius, palette):
    assert "radius" in refused(palette.feather, 0, radius)
    assert "blur" in refused(palette.adjust, 0, blur=radius)


@pytest.mark.parametrize("name", ["exposure", "saturation", "hue"])
def test_no_adjustment(name, palette):
    extreme = () if name == "hue" else (1e300,)
    for value in (*NOT_A_NUMBER, np.nan, np.inf, *extreme):
        assert name in refused(palette.adjust, 0, **{name: value})


COLORS = [None, "red", ["red"] * 4, np.full((4, 3), np.nan), np.full((4, 3), 255)]


@pytest.mark.parametrize(
    "colors", [*COLORS, np.zeros((5, 3)), np.ma.masked_all((4, 3))]
)
def test_no_palette(colors, palette):
    assert "palette" in refused(palette.recolor, colors)
    if np.shape(colors) != (5, 3):
        assert "palette" in refused(nsl.palette_layers, PICTURE, colors)


@pytest.mark.parametrize("factor", [-1.0, 2.0, 255.0, np.inf])
def test_no_alphas(factor):
    alphas = np.full((2, 4, 4), 0.75, np.float32) * np.float32(factor)
    assert "lphas" in refused(nsl.SoftLayers, alphas, np.zeros((2, 4, 4, 3)))
    if factor == 255:
        assert "255" in refused(nsl.SoftLayers.from_alphas, PICTURE[:4, :4], alphas)


def test_no_viewer(palette):
    for viewer in (None, 3, "x", palette):
        assert "viewer" in refused(palette.to_napari, viewer)
    assert "dtype" in refused(palette.to_napari, ViewerModel(), dtype="int16")


# ---- layers and viewers --------------------------------------------------------------


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(PICTURE, rgb=True, name="photo")
    viewer.add_labels(TRIMAP, name="trimap")
    return viewer


@pytest.mark.parametrize(
    "layer",
    [
        Points([[1, 2]]),
        Shapes([[[1, 1], [1, 9], [9, 9]]], shape_type="polygon"),
        Surface((np.zeros((3, 2)), np.array([[0, 1, 2]]), np.ones(3))),
        Labels(TRIMAP),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_of_other_kinds(layer, viewer, segmenter):
    photo = viewer.layers["photo"]
    refused(nsl.palette_layers, layer, 3)
    refused(nsl.palette_stack, layer, 3)
    refused(nsl.soft_segments, photo, 3, layer)
    refused(nsl.rerun, layer)
    refused(nsl.layers_from_napari, [layer])
    if not isinstance(layer, Labels):
        refused(nsl.matte, photo, layer)
        refused(nsl.soft_segments, photo, 3, None, superpixels=layer)
    if not isinstance(layer, Points):
        assert "Points layer" in refused(segmenter.click, layer, [1])


@pytest.mark.parametrize("layers", [None, 3, "x", [1], [None], []])
def test_no_layers(layers):
    assert "layers" in refused(nsl.layers_from_napari, layers)


@pytest.mark.parametrize("plane", [0, 1])
def test_points_on_another_plane_are_no_clicks(plane):
    viewer = ViewerModel()
    stack = viewer.add_image(np.stack([PICTURE, PICTURE[::-1]]), rgb=True)
    segmenter = nsl.Segmenter(stack, step=(plane,), **FAST)
    here = viewer.add_points([[plane, 10, 13]])
    elsewhere = viewer.add_points([[plane, 10, 13], [1 - plane, 3, 3]])
    assert segmenter.click(here, [1]).alphas[1].max() > 0.5
    assert "another plane" in refused(segmenter.click, elsewhere, [1, 0])


@pytest.mark.parametrize("other", [3, "x", PICTURE])
def test_nowhere_to_show_or_find(other, viewer):
    shown = nsl.palette_layers(viewer.layers["photo"], 2).to_napari(viewer)
    stack = nsl.palette_stack(np.stack([PICTURE] * 2), 2)
    assert "viewer" in refused(nsl.rerun, shown[0], other)
    assert "viewer" in refused(stack.to_napari, other)
    assert "uint8, uint16" in refused(stack.rgba, "int16")
    assert refused(stack.frame, "0").startswith("frame=")


# ---- recipes of others ---------------------------------------------------------------

TAMPERED = [
    {"name": "nothing"},
    {"name": "to_napari", "arguments": {"viewer": 1}},
    {"name": "save", "arguments": {"path": "x.ora"}},
    {"name": "renamed(names=[]); print(1); (", "arguments": {}},
    {"name": "renamed", "arguments": {"names=[]); print(1); x(a": 1}},
    {"name": "renamed", "arguments": {}},
    {"name": "recolor", "arguments": {"palette": [[0, 0, 0]] * 2, "run": None}},
    {"name": "split_by", "arguments": {}},
    {"name": "split_by", "arguments": {"segments": {"kind": "x"}}},
]
WRONG_LATER = [
    {"name": "merge", "arguments": {"groups": 5}},
    {"name": "merge_nodes", "arguments": {"groups": [[1]]}},
    {"name": "cut", "arguments": {"nodes": "x"}},
    {"name": "stored", "arguments": {"dtype": "x"}},
    {"name": "adjust", "arguments": {"index": 0, "hue": "x"}},
]


def tampered(viewer, **changes):
    """A result whose layers' recipe was changed by hand."""
    shown = nsl.matte(viewer.layers["photo"], viewer.layers["trimap"]).to_napari(viewer)
    for layer in shown:
        values = layer.metadata["napari-softlayers"]
        recipe = values["recipe"] | changes
        layer.metadata = {"napari-softlayers": values | {"recipe": recipe}}
    return shown[0]


@pytest.mark.parametrize("edit", TAMPERED)
def test_no_code_from_edits_of_others(edit, viewer):
    layer = tampered(viewer, edits=[edit])
    assert "The recipe" in refused(nsl.rerun, layer, viewer)
    assert "The recipe" in refused(code_of, record_of(layer).recipe)


@pytest.mark.parametrize(
    ("edit", "words"),
    zip(
        WRONG_LATER,
        ("groups=5 came", "nodes [[1]]", "nodes='x' came", "dtype 'x'", "hue='x' came"),
        strict=True,
    ),
)
def test_edits_with_wrong_arguments(edit, words, viewer):
    assert words in refused(nsl.rerun, tampered(viewer, edits=[edit]), viewer)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "x"}, "no recipe for 'x"),
        ({"method": "print(1)"}, "no recipe for 'matte print"),
        ({"options": {"eps": -1}}, "says eps=-1"),
        ({"options": {"eps": None}}, "says eps=None"),
        ({"options": {"bogus": 1}}, "says bogus=1"),
        ({"inputs": {}}, "names no trimap"),
        ({"inputs": {"image": {"name": "photo"}}}, "names no trimap"),
        ({"frame": {"look": {"colormap": "nowhere"}}}, "no colormap 'nowhere'"),
        ({"frame": {"step": "x"}}, "does not say how it was made"),
        ({"edits": 3}, "does not say how it was made"),
    ],
)
def test_recipes_that_make_no_sense(changes, words, viewer):
    assert words in refused(nsl.rerun, tampered(viewer, **changes), viewer)


def test_nodes_of_0_1_are_joined_by_code():
    note = Edit("merge_nodes", {"groups": [[7, 3]]})
    recipe = Recipe(
        kind="segments", inputs={"image": Input(name="photo")}, edits=(note,)
    )
    done = [
        line
        for line in code_of(recipe).splitlines()
        if "merge" in line or "at =" in line
    ]

    class Layers:
        extras = {"nodes": [3, 5, 7]}

        def merge(self, groups):
            return groups

    names = {"layers": Layers()}
    exec("\n".join(done), names)
    assert names["layers"] == [[2, 0]]


# ---- files and the command line ------------------------------------------------------


@pytest.mark.parametrize("path", [None, 3, True, b"x.ora", ["x.ora"], "", "\0.ora"])
def test_no_path(path, palette):
    assert "name" in refused(palette.save, path)
    assert "name" in refused(nsl.open_layers, path)


@pytest.mark.parametrize("layers", [None, "x", PICTURE, ["x"]])
def test_nothing_to_save(layers, tmp_path):
    assert "SoftLayers" in refused(nsl.save_layers, layers, tmp_path / "x.ora")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [("bits", 7), ("bits", "8"), ("bits", None), ("form", "x")]
    + [("additive", 1), ("additive", "no"), ("linear_light", "x"), ("linear_light", 1)],
)
def test_no_way_to_save(name, value, palette, tmp_path):
    path = tmp_path / "x.ora"
    assert name in refused(nsl.save_layers, palette, path, **{name: value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seed", "-1"), "from 0"),
        (("--smoothing", "nan"), "number from 0 to 10"),
        (("--smoothing", "11"), "number from 0 to 10"),
        (("-o", ""), "-o is empty"),
        (("-o", " "), "-o is empty"),
        (("-o", "/"), "no name"),
    ],
)
def test_no_order_on_the_command_line(words, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Pillow.fromarray(PICTURE).save("a.png")
    assert main(["palette", "a.png", "-o", "out", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Input should" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


# ---- first guesses, alphas, functions, backgrounds ------------------------------------


@pytest.mark.parametrize("initial", [{}, object(), 1j, "x", [[1], [2, 3]]])
def test_a_first_guess_is_an_array_of_numbers(initial):
    assert "initial" in refused(nsl.matte, PICTURE, TRIMAP, initial=initial)


@pytest.mark.parametrize("alpha", [[], [1, 2], {}, True, np.full((SIZE, SIZE), 1.5)])
def test_an_alpha_that_covers_layers(palette, alpha):
    assert "alpha" in refused(palette.covered, alpha)


@pytest.mark.parametrize("given", ["x", float("nan"), [], 1])
@pytest.mark.parametrize("name", ["progress", "cancelled"])
def test_a_run_calls_functions(name, given):
    assert name in refused(nsl.Run, **{name: given})


@pytest.mark.parametrize("background", [True, False, "white", {}])
def test_a_background_is_a_colour(palette, background):
    assert "background" in refused(palette.composite, background)


@pytest.mark.parametrize(
    "options",
    [{"labels": "x"}, {"labels": float("nan")}, {"band": True}, {"band": "3"}],
)
def test_a_mask_is_read_as_it_is_said(options):
    name = next(iter(options))
    assert f"{name}=" in refused(nsl.trimap_from_mask, TRIMAP == 2, **options)
