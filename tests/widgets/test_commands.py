"""Menu commands, on a viewer model without a window."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_softlayers as nsl
from napari_softlayers._bridge import picture_of, show, trimap_of
from napari_softlayers._bridge.edits import set_stack_mode
from napari_softlayers._bridge.results import results_for
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._widgets import commands
from napari_softlayers._widgets.matte.trimap_layers import (
    image_for,
    new_trimap,
    trimap_from_layer,
)


@pytest.fixture
def told(monkeypatch):
    """What a command says to the user."""
    messages: list[str] = []
    monkeypatch.setattr(
        commands, "_tell", lambda text, error=False: messages.append(text)
    )
    return messages


@pytest.fixture
def viewer(disc):
    model = ViewerModel()
    model.add_image(disc[0], rgb=True, name="photo", scale=(3, 3), units=("um", "um"))
    return model


@pytest.fixture
def result(viewer, disc):
    """Three layers of the photo: left, middle, right."""
    alphas = np.zeros((3, 48, 64), np.float32)
    for index, columns in enumerate((slice(0, 20), slice(20, 40), slice(40, 64))):
        alphas[index, :, columns] = 1
    colors = np.broadcast_to(disc[0] / np.float32(255), (3, 48, 64, 3))
    layers = SoftLayers(alphas, colors, ["left", "middle", "right"], "segments")
    return show(viewer, layers, like=viewer.layers["photo"])


def test_new_trimap_has_the_images_place(viewer, told):
    commands.new_trimap(viewer)
    trimap = viewer.layers["photo · trimap"]
    assert trimap.data.shape == (48, 64)
    assert not trimap.data.any()
    np.testing.assert_array_equal(trimap.scale, (3, 3))
    assert trimap.units == viewer.layers["photo"].units
    viewer.layers.clear()
    commands.new_trimap(viewer)
    assert "no image" in told[-1]


def test_an_unused_trimap_is_taken_again(viewer, told):
    commands.new_trimap(viewer)
    first = viewer.layers["photo · trimap"]
    first.visible = False
    commands.new_trimap(viewer)
    assert len(viewer.layers) == 2
    assert first.visible
    assert viewer.layers.selection.active is first
    first.data[3, 3] = 1
    commands.new_trimap(viewer)
    assert len(viewer.layers) == 3
    viewer.layers["photo"].scale = (2, 2)  # the empty one lies elsewhere now
    commands.new_trimap(viewer)
    np.testing.assert_array_equal(viewer.layers[-1].scale, (2, 2))


@pytest.mark.parametrize("band", [None, 0, 2, 5])
def test_trimap_from_labels_keeps_a_band_unknown(viewer, disc, band):
    mask = viewer.add_labels((disc[1] == 2).astype(int), scale=(3, 3))
    made = trimap_from_layer(viewer, mask, band=band)
    assert set(np.unique(made.data)) == ({0, 1, 2} if band != 0 else {1, 2})
    assert (made.data[24, 32], made.data[0, 0]) == (2, 1)


@pytest.mark.parametrize("scale", [(3, 3), (1.5, 1.5), (6, 6)])
@pytest.mark.parametrize("kind", ["labels", "grey", "rgba", "shapes"])
def test_trimap_from_a_selection_of_other_pixels_lies_where_it_did(viewer, kind, scale):
    size = (round(72 / scale[0]), round(96 / scale[0]))  # half of the photo
    place = {"scale": scale, "translate": (30, 60)}
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 255
    if kind == "labels":
        layer = viewer.add_labels(mask // 255, **place)
    elif kind == "grey":
        layer = viewer.add_image(mask, **place)
    elif kind == "rgba":
        layer = viewer.add_image(np.dstack([mask] * 4), rgb=True, **place)
    else:
        corners = np.array([(48, 84), (48, 132), (84, 132), (84, 84)])
        layer = viewer.add_shapes([corners], shape_type="polygon")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the rest is not covered
        made = trimap_from_layer(viewer, layer, viewer.layers["photo"], band=1)
    assert made.data.shape == (48, 64)
    inside = made.data == 2
    rows, columns = np.nonzero(inside)
    assert abs(rows.mean() - 21.5) < 1.2
    assert abs(columns.mean() - 35.5) < 1.2
    assert 0.5 < inside.sum() / (12 * 16) < 1.1
    assert (made.data[:10] == 1).all()


@pytest.mark.parametrize("values", [(0, 128, 255), (0, 127, 255), (0, 0.5, 1)])
@pytest.mark.parametrize("labels", [False, True])
def test_a_grey_trimap_is_taken_as_it_is(viewer, disc, values, labels):
    grey = np.choose(disc[1], [values[1], values[0], values[2]])
    if labels:
        layer = viewer.add_labels(np.uint8(grey * (255 / values[2])), scale=(3, 3))
    else:
        grey = grey.astype(np.float32 if values[2] == 1 else np.uint8)
        layer = viewer.add_image(grey, scale=(3, 3))
    made = trimap_from_layer(viewer, layer, viewer.layers["photo"])
    np.testing.assert_array_equal(made.data, disc[1])


def test_trimap_without_an_image_or_of_nothing(viewer, disc, told):
    lonely = viewer.add_labels(np.ones((5, 5), int), name="lonely", translate=(999, 0))
    viewer.layers.selection.active = lonely
    commands.trimap_from_active(viewer)
    assert "'lonely' does not lie over 'photo'" in told[-1]
    viewer.add_image(disc[0], rgb=True, name="other")
    viewer.layers.selection.active = lonely
    commands.trimap_from_active(viewer)
    assert "'lonely' lies over no image" in told[-1]
    viewer.add_shapes(name="outline")
    commands.trimap_from_active(viewer)
    assert "'outline' lies over no image" in told[-1]
    viewer.layers.selection.active = None
    commands.trimap_from_active(viewer)
    assert "No layer is selected" in told[-1]


def test_the_image_of_a_layer_is_the_one_that_it_lies_over(disc):
    viewer = ViewerModel()
    photos = [
        viewer.add_image(disc[0], rgb=True, name=name, translate=(0, 100 * k))
        for k, name in enumerate("abc")
    ]
    for k, photo in enumerate(photos):
        marks = viewer.add_labels(disc[1], translate=(0, 100 * k))
        assert image_for(viewer, marks) is photo
        small = viewer.add_labels(disc[1][:9, :9], translate=(20, 100 * k + 20))
        assert image_for(viewer, small) is photo
        trimap = new_trimap(viewer, photo)
        trimap.translate = (0, 200)
        assert image_for(viewer, trimap) is photo
    wide = viewer.add_image(np.zeros((48, 300)), name="wide")
    assert image_for(viewer, viewer.add_labels(disc[1])) is photos[0]
    assert image_for(viewer, viewer.add_labels(np.ones((48, 300), int))) is wide


def test_trimap_of_a_plane_lies_on_it(disc):
    viewer = ViewerModel()
    stack = viewer.add_image(np.stack([disc[0]] * 4), rgb=True, scale=(2, 1, 1))
    masks = np.stack([np.roll(disc[1] == 2, 5 * k, axis=1) for k in range(4)])
    mask = viewer.add_labels(masks.astype(int), scale=(2, 1, 1))
    viewer.dims.set_point(0, 4)
    made = trimap_from_layer(viewer, mask, stack, band=2)
    assert made.data.shape == (1, 48, 64)
    assert made.data_to_world((0, 0, 0)) == (4, 0, 0)
    columns = np.nonzero(made.data[0] == 2)[1]
    assert abs(columns.mean() - 42) < 1
    found = trimap_of(made, picture_of(stack)).values
    np.testing.assert_array_equal(found, made.data[0])
    viewer.dims.set_point(0, 2)
    with pytest.raises(ValueError, match="does not lie over"):
        trimap_of(made, picture_of(stack))


# ---- results ---------------------------------------------------------------------------


@pytest.fixture
def plane(disc):
    """Layers of one plane of a stack."""
    viewer = ViewerModel()
    stack = viewer.add_image(np.stack([disc[0]] * 4), rgb=True, name="photo")
    viewer.dims.set_point(0, 2)
    return viewer, nsl.palette_layers(stack, 3).to_napari(viewer)


def test_commands_on_a_plane_stay_there(plane, disc, told):
    viewer, result = plane
    viewer.layers.selection.active = result[1]
    commands.alpha_to_image(viewer)
    viewer.layers.selection.active = result[1]
    commands.alpha_to_labels(viewer)
    commands.recompose_visible(viewer)
    made = [viewer.layers[f"photo · {x}"] for x in ("labels", "recomposed")]
    made.append(viewer.layers[f"{result[1].name} · alpha"])
    for layer in made:
        assert layer.data.shape[:3] == (1, 48, 64)
        assert layer.data_to_world((0, 0, 0)) == (2, 0, 0)
    np.testing.assert_allclose(made[1].data[0].astype(int), disc[0], atol=2)
    names = [layer.name for layer in result]
    viewer.layers.selection = set(result[:2])
    commands.merge_selected(viewer)
    merged = results_for(viewer, viewer.layers["photo"], "palette")
    assert len(merged) == 2
    assert merged[0].data_to_world((0, 0, 0)) == (2, 0, 0)
    assert merged[1].name == names[2]
    assert not told


def test_what_spans_a_whole_stack_is_refused_with_words(disc, told):
    viewer = ViewerModel()
    stack = viewer.add_image(np.stack([disc[0]] * 3), rgb=True, name="photo")
    layers = nsl.palette_stack(stack, 3).to_napari(viewer)
    viewer.layers.selection = set(layers)
    viewer.layers.selection.active = layers[0]
    commands.alpha_to_image(viewer)
    assert viewer.layers[-1].data.shape == (3, 48, 64)
    before = list(viewer.layers)
    for command in (
        commands.alpha_to_labels,
        commands.recompose_visible,
        commands.merge_selected,
    ):
        viewer.layers.selection = set(layers)
        told.clear()
        command(viewer)
        assert "one frame" in told[-1]
    assert list(viewer.layers) == before


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("mode", ["additive", "normal"])
def test_recomposing_gives_the_picture_in_any_dtype(viewer, disc, dtype, mode, told):
    photo = viewer.layers["photo"]
    result = nsl.palette_layers(photo, 4).to_napari(viewer, dtype=dtype)
    set_stack_mode(viewer, result, mode)
    commands.recompose_visible(viewer)
    data = viewer.layers["photo · recomposed"].data
    assert data.dtype == dtype
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    np.testing.assert_allclose(data / top, disc[0] / 255, atol=2 / 255)


def test_only_layers_of_one_image_are_added_up(viewer, disc, told):
    other = viewer.add_image(255 - disc[0], rgb=True, name="other", translate=(999, 0))
    nsl.palette_layers(viewer.layers["photo"], 3).to_napari(viewer)
    second = nsl.palette_layers(other, 3).to_napari(viewer)
    viewer.layers.selection.clear()
    commands.recompose_visible(viewer)
    found = viewer.layers["photo · recomposed"].data
    np.testing.assert_allclose(found.astype(int), disc[0], atol=2)
    viewer.layers.selection.active = second[0]
    commands.recompose_visible(viewer)
    found = viewer.layers["other · recomposed"].data
    np.testing.assert_allclose(found.astype(int), 255 - disc[0].astype(int), atol=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_merging_is_an_edit_that_is_made_again(viewer, dtype, told):
    layers = nsl.palette_layers(viewer.layers["photo"], 4)
    result = layers.to_napari(viewer, dtype=dtype)
    viewer.layers.selection = {result[1], result[3]}
    commands.merge_selected(viewer)
    merged = results_for(viewer, viewer.layers["photo"], "palette")
    assert len(merged) == 3
    again = nsl.rerun(merged[0])
    for layer, pixels in zip(merged, again.rgba(dtype), strict=True):
        np.testing.assert_array_equal(layer.data, pixels)


def test_transparent_pixels_belong_to_no_label(disc, told):
    viewer = ViewerModel()
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :9] = 0
    photo = viewer.add_image(np.dstack([disc[0], alpha]), rgb=True, name="photo")
    result = nsl.palette_layers(photo, 3).to_napari(viewer)
    viewer.layers.selection.active = result[0]
    commands.alpha_to_labels(viewer)
    labels = viewer.layers["photo · labels"].data
    assert not labels[:, :9].any()
    assert labels[:, 9:].all()


def test_alpha_to_image_and_labels(viewer, result, told):
    viewer.layers.selection.active = result[1]
    commands.alpha_to_image(viewer)
    alpha = viewer.layers["photo · middle · alpha"]
    np.testing.assert_array_equal(alpha.data, result[1].data[..., 3])
    np.testing.assert_array_equal(alpha.scale, (3, 3))
    viewer.layers.selection.active = result[2]
    commands.alpha_to_labels(viewer)
    labels = viewer.layers["photo · labels"].data
    assert [int(labels[0, column]) for column in (0, 30, 60)] == [1, 2, 3]
    viewer.layers.selection.active = viewer.layers["photo"]
    commands.alpha_to_image(viewer)
    commands.alpha_to_labels(viewer)
    assert "RGBA layer first" in told[-2]
    assert "layer of a result first" in told[-1]


def test_recompose_adds_up_what_is_visible(viewer, result, disc, told):
    result[2].visible = False
    result[1].opacity = 0.5
    commands.recompose_visible(viewer)
    sum_ = viewer.layers["photo · recomposed"].data
    np.testing.assert_array_equal(sum_[:, :20], disc[0][:, :20])
    np.testing.assert_allclose(sum_[:, 20:40], disc[0][:, 20:40] / 2, atol=1)
    assert not sum_[:, 40:].any()
    for layer in result:
        layer.visible = False
    commands.recompose_visible(viewer)
    assert "nothing to add up" in told[-1]


def test_merge_joins_the_selected_layers(viewer, result, disc, told):
    viewer.layers.selection = {result[0], result[2]}
    commands.merge_selected(viewer)
    merged = results_for(viewer, viewer.layers["photo"], "segments")
    assert [layer.name for layer in merged] == [
        "photo · left + right",
        "photo · middle",
    ]
    assert (merged[0].data[:, 45:, 3] == 255).all()
    viewer.layers.selection = {merged[0]}
    commands.merge_selected(viewer)
    assert "two or more" in told[-1]
