"""Menu commands, on a viewer model without a window."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_softlayers._bridge import show
from napari_softlayers._bridge.results import results_for
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._widgets import commands


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


@pytest.mark.parametrize("band", [None, 2])
def test_trimap_from_labels_keeps_a_band_unknown(viewer, disc, band):
    mask = viewer.add_labels((disc[1] == 2).astype(int), scale=(3, 3))
    made = commands.trimap_from_layer(viewer, mask, band=band)
    assert set(np.unique(made.data)) == {0, 1, 2}
    assert (made.data[24, 32], made.data[0, 0]) == (2, 1)


def test_classic_trimap_is_taken_as_it_is(viewer, disc):
    classic = np.choose(disc[1], [128, 0, 255]).astype(np.uint8)
    layer = viewer.add_image(classic, name="classic")
    made = commands.trimap_from_layer(viewer, layer, viewer.layers["photo"])
    np.testing.assert_array_equal(made.data, disc[1])


def test_trimap_without_an_image_or_of_nothing(viewer, told):
    lonely = viewer.add_labels(np.ones((5, 5), int), name="lonely")
    viewer.layers.selection.active = lonely
    commands.trimap_from_active(viewer)
    assert "No image has the size of 'lonely'" in told[-1]
    viewer.layers.selection.active = None
    commands.trimap_from_active(viewer)
    assert "No layer is selected" in told[-1]


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
