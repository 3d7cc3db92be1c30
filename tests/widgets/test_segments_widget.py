"""The dock "Soft segments" in a real viewer."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import napari_softlayers as nsl
from napari_softlayers._bridge import record_of
from napari_softlayers._bridge.results import results_for

from .again import assert_code_gives, assert_rerun_gives
from .conftest import light

pytestmark = pytest.mark.gui


@pytest.fixture
def quarters():
    """Four noisy coloured quarters, uint8 ``(48, 60, 3)``."""
    rng = np.random.default_rng(0)
    colors = np.array([[200, 40, 30], [30, 180, 60], [40, 60, 200], [220, 200, 60]])
    rows, columns = np.indices((48, 60))
    picture = colors[2 * (rows // 24) + columns // 30] + rng.normal(0, 4, (48, 60, 1))
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture
def dock(viewer, quarters):
    viewer.add_image(quarters, rgb=True, name="photo", translate=(3, 4))
    return open_dock(viewer)


def open_dock(viewer):
    from napari_softlayers._widgets.segments.dock import SegmentsWidget

    widget = SegmentsWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segments")
    widget.features.setCurrentText("none (colours alone)")
    for name, value in {"n_eigenvectors": 20, "n_clusters": 8}.items():
        widget.options.set(name, value)
    return widget


def select(dock, rows):
    from qtpy.QtCore import QItemSelectionModel

    flag = QItemSelectionModel.SelectionFlag
    dock.panel.table.clearSelection()
    for index in rows:
        dock.panel.table.selectionModel().select(
            dock.panel.table.model().index(index, 0), flag.Select | flag.Rows
        )


def test_compute_level_split_merge_rename(dock, viewer, quarters, settle):
    dock.count.setValue(3)
    dock.primary_button.click()
    settle(dock)
    photo = viewer.layers["photo"]
    assert dock.status.text().startswith("3 layers."), dock.status.text()
    np.testing.assert_allclose(light(viewer), quarters / 255, atol=3 / 255)
    shown = results_for(viewer, photo, "segments")
    assert [layer.name for layer in shown] == [
        f"photo · segment {i}" for i in (1, 2, 3)
    ]
    assert record_of(shown[0]).recipe.options["n_segments"] == 3
    np.testing.assert_array_equal(shown[0].translate, photo.translate)
    assert dock.panel.table.rowCount() == 3

    dock.panel.level.setValue(4)
    dock.panel._recut()
    settle(dock)
    shown = results_for(viewer, photo, "segments")
    assert len(shown) == 4
    winner = np.argmax([layer.data[..., 3] for layer in shown], axis=0)
    corners = {int(winner[r, c]) for r in (6, 40) for c in (8, 50)}
    assert len(corners) == 4

    dock.panel.table.item(1, 1).setText("sky")
    assert shown[1].name == "photo · sky"
    select(dock, [2, 3])
    assert dock.panel.merge_button.isEnabled()
    dock.panel.merge()
    settle(dock)
    assert len(results_for(viewer, photo, "segments")) == 3
    assert viewer.layers["photo · sky"] in results_for(viewer, photo, "segments")
    np.testing.assert_allclose(light(viewer), quarters / 255, atol=3 / 255)

    same = nsl.rerun(merged := results_for(viewer, photo, "segments")[0], viewer)
    np.testing.assert_array_equal(same.rgba()[0], merged.data)
    assert len(same) == 3

    select(dock, [2])
    dock.panel.split()
    settle(dock)
    assert len(results_for(viewer, photo, "segments")) == 4, dock.status.text()
    assert "photo · sky" in viewer.layers
    assert_code_gives(dock.code(), viewer, photo, "segments")
    assert_rerun_gives(viewer, photo, "segments")


def names(viewer):
    return [
        layer.name for layer in results_for(viewer, viewer.layers["photo"], "segments")
    ]


def compute(dock, settle, count):
    dock.count.setValue(count)
    dock.primary()
    settle(dock)


def level(dock, settle, count):
    dock.panel.level.setValue(count)
    dock.panel._recut()
    settle(dock)


def merge(dock, settle, *rows):
    select(dock, rows)
    dock.panel.merge()
    settle(dock)


def split(dock, settle, row=None):
    """Take a layer apart, by default the largest one that has parts."""
    rows = range(len(dock.model.groups))
    select(dock, [next(filter(dock.model.can_split, rows)) if row is None else row])
    assert dock.panel.split_button.isEnabled()
    dock.panel.split()
    settle(dock)


def rename(dock, row, name):
    dock.panel.table.item(row, 1).setText(name)


EDITS = {
    "level": lambda dock, settle: level(dock, settle, 5),
    "split": lambda dock, settle: split(dock, settle),
    "merge": lambda dock, settle: merge(dock, settle, 0, 2),
    "merge twice": lambda dock, settle: (
        merge(dock, settle, 1, 3),
        merge(dock, settle, 0, 1),
    ),
    "split after merge": lambda dock, settle: (
        level(dock, settle, 3),
        merge(dock, settle, 1, 2),
        split(dock, settle),
        split(dock, settle),
    ),
    "merge after split": lambda dock, settle: (
        level(dock, settle, 3),
        split(dock, settle),
        merge(dock, settle, 0, 3),
    ),
    "rename": lambda dock, settle: rename(dock, 2, "sea"),
    "rename and merge": lambda dock, settle: (
        rename(dock, 3, "sky"),
        merge(dock, settle, 0, 1),
        rename(dock, 0, "land"),
    ),
    "rename in the layer list": lambda dock, settle: setattr(
        dock.viewer.layers["photo · segment 2"], "name", "photo · mine"
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_are_code_and_can_be_made_again(dock, viewer, quarters, settle, edit):
    compute(dock, settle, 4)
    before = dock.code()
    EDITS[edit](dock, settle)
    assert dock.status.property("level") == "info", dock.status.text()
    assert dock.code() != before
    np.testing.assert_allclose(light(viewer), quarters / 255, atol=3 / 255)
    photo = viewer.layers["photo"]
    assert_code_gives(dock.code(), viewer, photo, "segments")
    assert_rerun_gives(viewer, photo, "segments")


def test_the_recipe_stays_short_however_much_is_edited(dock, viewer, settle):
    compute(dock, settle, 4)
    for _ in range(3):
        merge(dock, settle, 0, 1)
        rename(dock, 0, "land")
        split(dock, settle, names(viewer).index("photo · land"))
    level(dock, settle, 3)
    for _ in range(2):
        split(dock, settle)
        rename(dock, 1, "sky")
    merge(dock, settle, 0, 2)
    edits = record_of(viewer.layers["photo · sky"]).recipe.edits
    assert [edit.name for edit in edits] == ["cut", "merge", "renamed"]
    level(dock, settle, 2)
    first = results_for(viewer, viewer.layers["photo"], "segments")[0]
    assert [edit.name for edit in record_of(first).recipe.edits] == ["cut"]


def test_names_stay_with_their_part_of_the_picture(dock, viewer, settle):
    compute(dock, settle, 4)
    rename(dock, 1, "sky")
    sky = viewer.layers["photo · sky"].data[..., 3].astype(int)
    merge(dock, settle, 0, 2)
    assert names(viewer).count("photo · sky") == 1
    assert np.abs(viewer.layers["photo · sky"].data[..., 3] - sky).max() <= 1
    rename(dock, names(viewer).index("photo · segment 1"), "both")
    split(dock, settle, names(viewer).index("photo · both"))
    assert "photo · both" not in names(viewer)
    assert np.abs(viewer.layers["photo · sky"].data[..., 3] - sky).max() <= 1
    level(dock, settle, 2)
    assert "photo · sky" not in names(viewer)
    level(dock, settle, 4)
    assert np.abs(viewer.layers["photo · sky"].data[..., 3] - sky).max() <= 1


def test_edits_of_other_docks_are_not_lost_without_a_word(dock, viewer, settle):
    from napari_softlayers._bridge import layers_from_napari
    from napari_softlayers._bridge.edits import replace_set

    compute(dock, settle, 4)
    shown = results_for(viewer, viewer.layers["photo"], "segments")
    replace_set(viewer, shown, layers_from_napari(shown).feather(1, 2.0))
    assert_rerun_gives(viewer, viewer.layers["photo"], "segments")
    level(dock, settle, 3)
    assert "elsewhere were left behind" in dock.status.text()
    assert dock.status.property("level") == "warning"
    level(dock, settle, 4)
    assert dock.status.text() == "4 layers."


def test_code_shows_the_layers_in_the_dtype_of_the_preferences(
    dock, viewer, settle, monkeypatch
):
    from napari_softlayers._widgets.parts import picture_dock

    monkeypatch.setattr(picture_dock, "result_dtype", lambda: "float32")
    compute(dock, settle, 3)
    photo = viewer.layers["photo"]
    assert results_for(viewer, photo, "segments")[0].data.dtype == np.float32
    assert_code_gives(dock.code(), viewer, photo, "segments")
    assert_rerun_gives(viewer, photo, "segments")


def test_groups_of_k_means_merge_and_come_apart(dock, viewer, quarters, settle):
    dock.options.set("grouping", "kmeans")
    compute(dock, settle, 4)
    expected = [
        layer.data.copy()
        for layer in results_for(viewer, viewer.layers["photo"], "segments")
    ]
    assert len(expected) == 4 and not dock.panel.level.isEnabled()
    select(dock, [0])
    assert not dock.panel.split_button.isEnabled()
    merge(dock, settle, 1, 2)
    photo = viewer.layers["photo"]
    assert len(names(viewer)) == 3, dock.status.text()
    assert_code_gives(dock.code(), viewer, photo, "segments")
    assert_rerun_gives(viewer, photo, "segments")
    split(dock, settle, 1)
    again = [layer.data for layer in results_for(viewer, photo, "segments")]
    np.testing.assert_array_equal(again, expected)


def grey_with_limits(viewer, quarters):
    layer = viewer.add_image(quarters.mean(-1), name="photo", colormap="viridis")
    layer.contrast_limits, layer.gamma = (60, 180), 0.7


def camera(viewer, quarters):
    twelve = quarters.astype(np.uint16) * 16
    viewer.add_image(twelve, rgb=True, name="photo", contrast_limits=(100, 3500))


def stack(viewer, quarters):
    frames = np.stack([quarters // 2, quarters, quarters[::-1]])
    viewer.add_image(frames, rgb=True, name="photo", scale=(5, 2, 2), rotate=20)
    viewer.dims.set_current_step(0, 1)


def channels(viewer, quarters):
    data = np.stack([np.moveaxis(quarters, -1, 0), np.moveaxis(quarters[::-1], -1, 0)])
    viewer.add_image(data, name="photo", contrast_limits=(0, 255))
    viewer.dims.set_current_step(0, 1)
    return "2, 0, 1"


def clear(viewer, quarters):
    alpha = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (48, 1))
    viewer.add_image(np.dstack([quarters, alpha]), rgb=True, name="photo")


@pytest.mark.parametrize("source", [grey_with_limits, camera, stack, channels, clear])
def test_any_picture_is_made_again(viewer, quarters, settle, source):
    chosen = source(viewer, quarters)
    dock = open_dock(viewer)
    dock.channels.setText(chosen or "")
    compute(dock, settle, 4)
    assert dock.status.property("level") != "error", dock.status.text()
    merge(dock, settle, 0, 1)
    rename(dock, 2, "sky")
    photo = viewer.layers["photo"]
    shown = results_for(viewer, photo, "segments")
    assert len(shown) == 3 and all(layer.ndim == photo.ndim for layer in shown)
    assert_code_gives(dock.code(), viewer, photo, "segments")
    if photo.ndim > 2:
        viewer.dims.set_current_step(0, 0)
        assert photo.visible
        merge(dock, settle, 0, 1)
        assert photo.visible and "plane 1" in dock.status.text()
    photo.contrast_limits = photo.contrast_limits[0] + 1, photo.contrast_limits[1]
    photo.gamma = 1.3
    assert_rerun_gives(viewer, photo, "segments")


def test_another_picture_in_the_layer_is_noticed(dock, viewer, quarters, settle):
    compute(dock, settle, 4)
    photo = viewer.layers["photo"]
    expected = [layer.data.copy() for layer in results_for(viewer, photo, "segments")]

    def refused(change):
        change()
        settle(dock)
        assert "'photo' was changed" in dock.status.text()
        assert dock.status.property("level") == "error"
        now = [layer.data for layer in results_for(viewer, photo, "segments")]
        np.testing.assert_array_equal(now, expected)

    photo.data[:9] = 0
    refused(lambda: level(dock, settle, 3))
    with pytest.raises(ValueError, match="image 'photo' was changed"):
        nsl.rerun(results_for(viewer, photo, "segments")[0], viewer)
    photo.data = quarters[:, :40].copy()
    refused(lambda: merge(dock, settle, 0, 1))
    refused(lambda: split(dock, settle, 0))
    compute(dock, settle, 3)
    assert len(names(viewer)) == 3
    assert results_for(viewer, photo, "segments")[0].data.shape == (48, 40, 4)
    assert_rerun_gives(viewer, photo, "segments")


def test_changed_features_and_superpixels_are_named(dock, viewer, quarters, settle):
    rows, columns = np.indices((48, 60))
    regions = viewer.add_labels(1 + (rows // 8) * 10 + columns // 6, name="mine")
    codes = viewer.add_image(quarters[..., ::-1].copy(), rgb=True, name="codes")
    photo = dock.image.layer = viewer.layers["photo"]
    regions.translate = codes.translate = photo.translate
    dock.features.setCurrentText("image layer")
    dock.feature_layer.layer = codes
    dock.superpixels.layer = regions
    compute(dock, settle, 3)
    assert_code_gives(dock.code(), viewer, photo, "segments")
    assert_rerun_gives(viewer, photo, "segments")
    first = results_for(viewer, photo, "segments")[0]
    codes.data[:20] = 0
    with pytest.raises(ValueError, match="features 'codes' was changed"):
        nsl.rerun(first, viewer)
    codes.data = quarters[..., ::-1].copy()
    regions.data = regions.data[::-1].copy()
    with pytest.raises(ValueError, match="superpixels 'mine' was changed"):
        nsl.rerun(first, viewer)
    viewer.layers.remove(regions)
    with pytest.raises(ValueError, match="superpixels 'mine' is no longer"):
        nsl.rerun(first, viewer)


def test_code_of_the_settings_before_anything_is_computed(dock, viewer, settle):
    dock.count.setValue(3)
    dock.options.set("seed", 7)
    code = dock.code()
    compute(dock, settle, 3)
    photo = viewer.layers["photo"]
    assert_code_gives(code, viewer, photo, "segments")
    dock.features.setCurrentText("hub model")
    dock.view.clear()
    assert dock.code() == ""


def test_by_products_lie_on_the_picture(dock, viewer, settle):
    dock.panel.inspect()
    assert not dock.panel.show_button.isEnabled()
    dock.primary()
    settle(dock)
    for what in ("segment map", "superpixels", "eigenvector"):
        dock.panel.what.setCurrentText(what)
        dock.panel.inspect()
        layer = viewer.layers[-1]
        title = "eigenvector 1" if what == "eigenvector" else what
        assert layer.name == f"photo · {title}", dock.status.text()
        low, high = layer.extent.world
        np.testing.assert_allclose(low, viewer.layers["photo"].extent.world[0], atol=1)
        np.testing.assert_allclose(high, viewer.layers["photo"].extent.world[1], atol=1)
        assert layer is not dock.image.layer
    dock.panel.what.setCurrentText("features")
    dock.panel.inspect()
    assert "no features" in dock.status.text()


def test_features_and_superpixels_from_layers(dock, viewer, quarters, settle):
    rows, columns = np.indices((48, 60))
    regions = viewer.add_labels(1 + (rows // 8) * 10 + columns // 6, name="mine")
    codes = viewer.add_image(quarters[..., ::-1], rgb=True, name="codes")
    dock.image.layer = viewer.layers["photo"]
    dock.features.setCurrentText("image layer")
    dock.feature_layer.layer = codes
    dock.superpixels.layer = regions
    dock.primary()
    settle(dock)
    record = record_of(results_for(viewer, viewer.layers["photo"], "segments")[0])
    inputs = record.recipe.inputs
    assert inputs["features"].name == "codes", dock.status.text()
    assert inputs["superpixels"].name == "mine"


def test_bad_settings_are_answered_in_words(dock, viewer, settle):
    dock.features.setCurrentText("hub model")
    dock.primary()
    assert "Name a Hugging Face model" in dock.status.text()
    wrong = viewer.add_image(np.zeros((9, 9, 3), np.uint8), rgb=True, name="small")
    dock.image.layer = viewer.layers["photo"]
    dock.features.setCurrentText("image layer")
    dock.feature_layer.layer = wrong
    dock.primary()
    settle(dock)
    assert dock.status.property("level") == "error"
    assert [layer.name for layer in viewer.layers] == ["photo", "small"]


def test_cancel_and_close_leave_nothing(dock, viewer, settle, qtbot):
    dock.primary()
    dock.cancel()
    assert not dock.jobs.busy
    settle(dock)
    assert [layer.name for layer in viewer.layers] == ["photo"]
    dock.primary()
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: dock.jobs.quiet, timeout=30000)
    assert [layer.name for layer in viewer.layers] == ["photo"]
    assert not {"G", "J", "K"} & {str(key) for key in viewer.keymap}


def test_the_drawer_shows_the_functions_own_defaults(viewer):
    from napari_softlayers._widgets.segments.dock import SegmentsWidget

    dock = SegmentsWidget(viewer)
    from napari_softlayers._core.segments import soft_segments
    from napari_softlayers._core.segments.state import SegmentOptions

    parameters = dict(inspect.signature(soft_segments).parameters)
    parameters |= inspect.signature(SegmentOptions).parameters
    options = dock.options.values()
    assert "quality" in options and "n_segments" not in options
    for name, value in options.items():
        assert parameters[name].default == value, name


@pytest.mark.parametrize("count", [0, 1, 2])
def test_layers_hidden_below_are_said(viewer, quarters, settle, count):
    for _ in range(count):
        viewer.add_image(quarters[::-1], rgb=True)
    viewer.add_image(quarters, rgb=True, name="photo", opacity=0.5)
    dock = open_dock(viewer)
    dock.count.setValue(3)
    dock.primary()
    settle(dock)
    text, words = dock.status.text(), ["", "1 layer below was", "2 layers below were"]
    assert ("hidden" in text) == (count > 0) and words[count] in text
    assert ("through" in text) == (count > 0)
