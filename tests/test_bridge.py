"""Results in a viewer: added, updated, hidden and brought back, on their plane."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

import napari_softlayers as nsl
from napari_softlayers._bridge import (
    clear_results,
    is_result,
    layers_from_napari,
    picture_of,
    record_of,
    result_sets,
    results_for,
    show,
    source_of,
)
from napari_softlayers._bridge.edits import (
    checks_of,
    replace_set,
    set_stack_mode,
)
from napari_softlayers._bridge.places import put_frame
from napari_softlayers._bridge.results import stored_frame
from napari_softlayers._bridge.view_modes import (
    VIEWS,
    preview_rgba,
    put_preview,
    set_view,
)
from napari_softlayers._core.layers.soft_layers import SoftLayers

DTYPES = [np.uint8, np.uint16, np.float32]


@pytest.fixture
def rgb(rng):
    return rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)


@pytest.fixture
def viewer(rgb):
    """A viewer with one photo."""
    model = ViewerModel()
    model.add_image(rgb, rgb=True, name="photo")
    return model


def halves(picture, kind: str = "matte", count: int = 2) -> SoftLayers:
    """Layers with soft random alphas whose colours are the picture's own."""
    data = picture_of(picture).data
    alphas = np.random.default_rng(1).random((count, *data.shape[:2]), np.float32)
    alphas /= alphas.sum(axis=0)
    colors = np.broadcast_to(data, (count, *data.shape)).copy()
    names = ["background", "foreground"] if count == 2 else []
    return SoftLayers(alphas, colors, names, kind)


def summed(layers: list[Image]) -> np.ndarray:
    """Light of additive layers, as the canvas adds it."""
    total = 0.0
    for layer in layers:
        top = 1.0 if layer.data.dtype.kind == "f" else np.iinfo(layer.data.dtype).max
        rgba = stored_frame(layer) / top
        alpha = rgba[..., 3:] if rgba.shape[-1] == 4 else 1
        total = total + layer.opacity * alpha * rgba[..., :3]
    return total


def visible(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


# ---- adding and updating  ----


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shown_layers_add_up_to_the_picture(viewer, rgb, dtype, count):
    source = viewer.layers["photo"]
    source.scale = (0.3, 0.3)
    shown = show(viewer, halves(source, count=count), like=source, dtype=dtype)
    tolerance = 2 / 255 if dtype == np.uint8 else 1e-4
    np.testing.assert_allclose(summed(shown), rgb / 255, atol=tolerance)
    for layer in shown:
        assert layer.data.dtype == dtype
        assert layer.blending == "additive"
        assert layer.rgb
        np.testing.assert_array_equal(layer.scale, source.scale)
    assert not source.visible


def test_a_result_set_knows_its_source_and_recipe(viewer, rgb):
    source = viewer.layers["photo"]
    trimap = np.where(np.indices(rgb.shape[:2])[1] < 25, 1, 2)
    with pytest.warns(UserWarning, match="no unknown"):
        layers = nsl.matte(source, trimap, "knn")
    bottom, top = layers.to_napari(viewer)
    assert [bottom.name, top.name] == ["photo · background", "photo · foreground"]
    record = record_of(top)
    assert (record.kind, record.index) == ("matte", 1)
    assert record.recipe.method == "knn"
    assert record.recipe.inputs["image"].name == "photo"
    assert record.run == record_of(bottom).run
    assert record.coverage == pytest.approx(0.5)
    source.name = "renamed"
    assert source_of(viewer, top) is source
    assert is_result(top)
    assert not is_result(source)
    assert list(result_sets(viewer).values()) == [[bottom, top]]


@pytest.mark.parametrize(("before", "after"), [(3, 2), (2, 3), (2, 2), (1, 4)])
def test_a_second_result_updates_in_place_and_keeps_the_users_settings(
    viewer, rgb, before, after
):
    source = viewer.layers["photo"]
    trimap = viewer.add_labels(np.zeros(rgb.shape[:2], int))
    first = show(viewer, halves(source, count=before), like=source)
    first[0].opacity = 0.4
    first[0].name = "my hair"
    assert viewer.layers.selection.active is trimap
    source.data = rgb[::-1].copy()
    second = show(viewer, halves(source, count=after), like=source)
    same = min(before, after)
    assert second[:same] == first[:same]
    assert second[0].opacity == 0.4
    assert second[0].name == "my hair"
    assert len(results_for(viewer, source, "matte")) == after
    assert not any(layer in viewer.layers for layer in first[same:])
    np.testing.assert_allclose(second[0].data[..., :3], rgb[::-1], atol=1)
    assert viewer.layers[-1] is trimap
    assert viewer.layers.selection.active is trimap


@pytest.mark.parametrize("first", DTYPES)
@pytest.mark.parametrize("second", DTYPES)
def test_an_update_in_another_dtype_looks_the_same(viewer, rgb, first, second):
    source = viewer.layers["photo"]
    show(viewer, halves(source), like=source, dtype=first)
    shown = show(viewer, halves(source), like=source, dtype=second)
    np.testing.assert_allclose(summed(shown), rgb / 255, atol=2 / 255)
    top = {1: 255, 2: 65535, 4: 1}[np.dtype(second).itemsize]
    for layer in shown:
        assert list(layer.contrast_limits) == [0, top]


def test_layers_of_another_size_are_refused_and_nothing_is_added(viewer):
    source = viewer.layers["photo"]
    with pytest.raises(ValueError, match="10x10, 'photo' is 40x50"):
        show(viewer, halves(np.zeros((10, 10, 3))), like=source)
    assert list(viewer.layers) == [source]
    assert source.visible


# ---- what is hidden, and brought back  ----


def test_other_kinds_of_the_same_source_are_hidden_and_clear_restores(viewer):
    source = viewer.layers["photo"]
    mattes = show(viewer, halves(source, "matte"), like=source)
    palette = show(viewer, halves(source, "palette"), like=source)
    assert visible(viewer) == [layer.name for layer in palette]
    clear_results(viewer, palette)
    clear_results(viewer, mattes)
    assert list(viewer.layers) == [source]
    assert source.visible


@pytest.mark.parametrize("shown_before", [True, False])
def test_clearing_one_kind_leaves_the_other_in_its_place(viewer, shown_before):
    source = viewer.layers["photo"]
    source.visible = shown_before
    mattes = show(viewer, halves(source, "matte"), like=source)
    palette = show(viewer, halves(source, "palette"), like=source)
    clear_results(viewer, mattes)
    assert visible(viewer) == [layer.name for layer in palette]
    clear_results(viewer, palette)
    assert source.visible == shown_before
    mattes = show(viewer, halves(source, "matte"), like=source)
    palette = show(viewer, halves(source, "palette"), like=source)
    clear_results(viewer, palette)
    assert source.visible == shown_before


def test_an_image_that_came_below_later_is_hidden_by_the_next_result(viewer, rgb):
    source = viewer.layers["photo"]
    show(viewer, halves(source), like=source)
    below = Image(rgb, rgb=True, name="below")
    viewer.layers.insert(0, below)
    shown = show(viewer, halves(source), like=source)
    assert visible(viewer) == [layer.name for layer in shown]
    clear_results(viewer, shown)
    assert visible(viewer) == ["below", "photo"]


@pytest.mark.parametrize(
    ("shift", "blending", "hides"),
    [
        (0, "translucent", True),
        (30, "translucent", True),
        (500, "translucent", False),
        (0, "additive", False),
    ],
    ids=["below", "in part", "beside", "additive source"],
)
def test_images_that_would_shine_through_are_hidden(rgb, shift, blending, hides):
    viewer = ViewerModel()
    viewer.add_image(rgb, rgb=True, name="below", translate=(shift, 0))
    viewer.add_image(rgb, rgb=True, name="hidden before", visible=False)
    source = viewer.add_image(rgb, rgb=True, name="photo", blending=blending)
    viewer.add_image(rgb, rgb=True, name="above")
    for _ in range(2):
        shown = show(viewer, halves(source), like=source)
        assert ("below" not in visible(viewer)) == hides
        assert "above" in visible(viewer)
        assert len(record_of(shown[0]).hidden) == int(hides)
    clear_results(viewer, shown)
    assert visible(viewer) == ["below", "photo", "above"]


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(
    "look",
    [{}, {"opacity": 0.5}, {"blending": "minimum"}, {"translate": (9, 5)}],
    ids=str,
)
def test_hiding_what_lies_below_is_said(rgb, count, look):
    viewer = ViewerModel()
    for _ in range(count):
        viewer.add_image(rgb[::-1], rgb=True)
    holes = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    holes[5:20, 5:20, 3] = 0
    source = viewer.add_image(holes, name="photo", **look)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        halves(source).to_napari(viewer, like=source)
    words = [str(one.message) for one in said if one.category is UserWarning]
    text = "1 layer below was" if count == 1 else f"{count} layers below were"
    assert len(words) == (count > 0)
    for word in words:
        assert word.startswith(f"{text} hidden; ") and "through" in word
        assert "'photo'" in word


@pytest.mark.parametrize("every", [False, True], ids=["frame", "all frames"])
def test_showing_in_another_viewer_hides_nothing_in_the_sources_own(rgb, every):
    own, other = ViewerModel(), ViewerModel()
    own.add_image(rgb, rgb=True, name="below")
    source = own.add_image(np.stack([rgb, rgb[::-1]]), rgb=True, name="photo")
    make = nsl.palette_stack if every else nsl.palette_layers
    for count in (3, 4):
        shown = make(source, count).to_napari(other)
    assert visible(own) == ["below", "photo"]
    assert visible(other) == [layer.name for layer in shown]
    clear_results(other, shown)
    assert visible(own) == ["below", "photo"] and not len(other.layers)
    make(source, 3).to_napari(own)
    assert not source.visible


def inverted(layer):
    layer.data = 255 - layer.data


def painted(layer):
    layer.data[..., 3:9, 3:9, :] = 7


def cropped(layer):
    layer.data = layer.data[..., :30, :, :]


@pytest.mark.parametrize("change", [inverted, painted, cropped])
@pytest.mark.parametrize("how", ["picture", "plane", "all frames", "like"])
def test_a_result_of_what_the_layer_held_before_is_said(rgb, change, how):
    viewer = ViewerModel()
    data = rgb.copy() if how in ("picture", "like") else np.stack([rgb, rgb[::-1]])
    source = viewer.add_image(data, rgb=True, name="photo")
    make = nsl.palette_stack if how == "all frames" else nsl.palette_layers
    layers = make(source, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        layers.to_napari(viewer)
    like = source if how == "like" and change is not cropped else None
    change(source)
    with pytest.warns(UserWarning, match="'photo' was changed after .* held before"):
        layers.to_napari(viewer, like=like)


def test_results_of_an_image_below_are_hidden_too(rgb):
    viewer = ViewerModel()
    below = viewer.add_image(rgb, rgb=True, name="below")
    first = show(viewer, halves(below), like=below)
    photo = viewer.add_image(rgb[::-1], rgb=True, name="photo")
    second = show(viewer, halves(photo), like=photo)
    assert visible(viewer) == [layer.name for layer in second]
    clear_results(viewer, second)
    assert visible(viewer) == [*(layer.name for layer in first), "photo"]


# ---- planes  ----


@pytest.fixture
def stack(rng):
    """A viewer with a video of z-stacks, (2, 5, 24, 32), at t = 1, z = 3."""
    model = ViewerModel()
    data = rng.integers(0, 256, (2, 5, 24, 32), dtype=np.uint8)
    names = ("t", "z", "y", "x")
    model.add_image(data, name="stack", scale=(1, 2.5, 1, 1), axis_labels=names)
    model.dims.set_point((0, 1), (1, 7.5))
    return model


def shown_values(viewer, layer) -> np.ndarray:
    """Slice of a layer at the sliders' place, as napari draws it; empty out of sight."""
    viewer.layers.selection.active = layer
    return np.asarray(layer._slice.image.raw)


@pytest.mark.parametrize("kind", ["matte", "palette", "segments", "clicks"])
def test_a_result_of_a_plane_is_seen_there_alone(stack, kind):
    source = stack.layers["stack"]
    result = show(stack, halves(source, kind), like=picture_of(source))
    record = record_of(result[0])
    assert record.plane == (1, 3)
    assert record.words == "t = 1, z = 3"
    for layer in result:
        assert layer.data.shape == (1, 1, 24, 32, 4)
        assert layer.data_to_world((0, 0, 0, 0)) == (1, 7.5, 0, 0)
    assert not source.visible
    for place in ((0, 7.5), (1, 5.0), (1, 10.0), (0, 0)):
        stack.dims.set_point((0, 1), place)
        assert source.visible, place
        assert not any(shown_values(stack, layer).any() for layer in result), place
        stack.dims.set_point((0, 1), (1, 7.5))
        assert not source.visible, place
        assert all(shown_values(stack, layer).any() for layer in result), place


def test_a_source_that_the_user_shows_stays_and_views_are_kept(stack):
    source = stack.layers["stack"]
    show(stack, halves(source), like=picture_of(source))
    set_view(stack, source, "matte", "original")
    assert source.visible
    stack.dims.set_point(1, 0)
    assert source.visible
    stack.dims.set_point(1, 7.5)
    assert source.visible
    clear_results(stack, results_for(stack, source, "matte"))
    stack.dims.set_point(1, 0)
    assert source.visible
    stack.dims.set_point(1, 7.5)
    assert source.visible


def test_a_source_that_was_hidden_before_stays_hidden_elsewhere(stack):
    source = stack.layers["stack"]
    source.visible = False
    show(stack, halves(source), like=picture_of(source))
    stack.dims.set_point(1, 0)
    assert not source.visible


def test_a_later_result_is_that_of_its_own_plane(stack):
    source = stack.layers["stack"]
    show(stack, halves(source), like=picture_of(source))
    stack.dims.set_point((0, 1), (0, 2.5))
    second = show(stack, halves(source), like=picture_of(source))
    assert len(stack.layers) == 3
    assert not source.visible
    assert record_of(second[0]).plane == (0, 1)
    wanted = source.data[0, 1] / 255
    np.testing.assert_allclose(summed(second)[..., 0], wanted, atol=2 / 255)
    stack.dims.set_point((0, 1), (1, 7.5))
    assert source.visible


def test_channels_become_one_plane_that_is_seen_with_every_channel(rng):
    viewer = ViewerModel()
    data = rng.integers(0, 256, (3, 4, 24, 32), dtype=np.uint8)
    source = viewer.add_image(data, name="cells")
    viewer.dims.set_point((0, 1), (2, 3))
    picture = picture_of(source, channels=(1, 0, 3))
    assert picture.frame.step == (2,)
    shown = show(viewer, halves(picture), like=picture)
    for channel in range(4):
        viewer.dims.set_point((0, 1), (2, channel))
        assert all(shown_values(viewer, layer).any() for layer in shown), channel
        assert not source.visible
    viewer.dims.set_point((0, 1), (1, 0))
    assert source.visible


def test_coarser_levels_cover_the_picture(rng):
    full = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    viewer = ViewerModel()
    source = viewer.add_image(
        [full, full[::2, ::2], full[::4, ::4]], rgb=True, multiscale=True, scale=(3, 3)
    )
    for level in range(3):
        picture = picture_of(source, level=level)
        shown = show(viewer, halves(picture), like=picture)
        assert shown[0].data.shape[:2] == (64 >> level, 96 >> level)
        corner = shown[0].data_to_world(np.array(shown[0].data.shape[:2]) - 0.5)
        np.testing.assert_allclose(corner, (3 * 63.5, 3 * 95.5))


# ---- reading back, editing, looking  ----


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_reading_a_result_set_back(viewer, dtype, count):
    source = viewer.layers["photo"]
    layers = halves(source, count=count)
    shown = show(viewer, layers, like=source, dtype=dtype)
    back = layers_from_napari(reversed(shown))
    assert back.names == layers.names
    assert back.kind == "matte"
    tolerance = 1 / 255 if dtype == np.uint8 else 1e-4
    np.testing.assert_allclose(back.alphas, layers.alphas, atol=tolerance)
    np.testing.assert_allclose(back.image, layers.image, atol=2 * tolerance)
    for mode in ("normal", "additive"):
        set_stack_mode(viewer, shown, mode)
        again = layers_from_napari(shown)
        np.testing.assert_allclose(again.alphas, back.alphas, atol=1e-5)


def test_what_cannot_be_read_back_is_named(viewer, rgb):
    with pytest.raises(ValueError, match="No layers"):
        layers_from_napari([])
    with pytest.raises(TypeError, match="'photo'.*RGBA"):
        layers_from_napari([viewer.layers["photo"]])
    frames = np.zeros((2, 4, 5, 4), np.uint8)
    with pytest.raises(TypeError, match="one frame is needed"):
        layers_from_napari([Image(frames, rgb=True)])
    sizes = [Image(np.zeros((4, n, 4), np.uint8), rgb=True) for n in (5, 6)]
    with pytest.raises(ValueError, match="differ in size"):
        layers_from_napari(sizes)


@pytest.mark.parametrize("plane", [False, True])
def test_edited_layers_take_the_place_of_the_set(viewer, stack, plane):
    chosen = stack if plane else viewer
    source = chosen.layers[0]
    shown = show(chosen, halves(source, count=4), like=picture_of(source))
    before = record_of(shown[0])
    merged = layers_from_napari(shown).merge([[0, 2], [1, 3]])
    made = replace_set(chosen, shown, merged)
    assert results_for(chosen, source, "matte") == made == shown[:2]
    for index, layer in enumerate(made):
        record = record_of(layer)
        assert (record.run, record.index) == (before.run, index)
        assert record.plane == before.plane
        assert layer.data.shape == shown[0].data.shape
        np.testing.assert_array_equal(layer.data, _with_axes(merged, layer, index))
    assert [layer.name for layer in made] == [
        f"{source.name} · layer 1 + layer 3",
        f"{source.name} · layer 2 + layer 4",
    ]


def _with_axes(layers, layer, index):
    return layers.rgba(layer.data.dtype)[index].reshape(layer.data.shape)


@pytest.mark.parametrize("plane", [False, True])
def test_views_composite_the_object(viewer, stack, plane):
    chosen = stack if plane else viewer
    source = chosen.layers[0]
    picture = picture_of(source)
    layers = halves(source)
    show(chosen, layers, like=picture)
    alpha = layers.alphas[1][..., None]
    on_black = alpha * picture.data
    wanted = {
        "result": picture.data,
        "on black": on_black,
        "on white": on_black + 1 - alpha,
        "alpha": np.repeat(alpha, 3, 2),
    }
    for view in VIEWS:
        set_view(chosen, source, "matte", view)
        seen = [layer for layer in chosen.layers if layer.visible]
        if view == "original":
            assert seen == [source]
        elif view in wanted:
            np.testing.assert_allclose(summed(seen), wanted[view], atol=3 / 255)
    set_view(chosen, source, "matte", "result")
    assert len(chosen.layers) == 3
    checks = preview_rgba(np.zeros((40, 40)), "on checkerboard")
    assert np.ptp(checks[0, [0, 16], 0]) > 0


def test_previews_lie_over_the_plane_and_are_no_results(stack):
    source = stack.layers["stack"]
    shown = nsl.palette_layers(source, 3).to_napari(stack)
    for value in (0.25, 1.0):
        picture = np.full((24, 32, 3), value)
        preview = put_preview(stack, picture, shown[0])
        assert preview.data_to_world((0, 0, 0, 0)) == (1, 7.5, 0, 0)
        assert preview.data.max() == round(255 * value)
        assert not is_result(preview)
    stack.layers.remove(preview)
    assert checks_of(stack, shown).max_error < 0.02


def test_frames_without_their_leading_axes(stack):
    layer = Image(np.zeros((1, 1, 4, 5, 4), np.uint8), rgb=True)
    frame = stored_frame(layer).copy()
    assert frame.shape == (4, 5, 4)
    frame[:] = 7
    put_frame(layer, frame)
    assert layer.data.shape == (1, 1, 4, 5, 4)
    assert (layer.data == 7).all()
