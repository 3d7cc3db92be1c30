"""The dock "Soft segments" in a real viewer."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import napari_softlayers as nsl
from napari_softlayers._bridge import record_of
from napari_softlayers._bridge.results import results_for

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
    assert "nsl.cut(layers, nodes=" in dock.code()
    expected = [layer.data.copy() for layer in results_for(viewer, photo, "segments")]
    exec(dock.code(), {"viewer": viewer})
    again = results_for(viewer, photo, "segments")
    np.testing.assert_array_equal([layer.data for layer in again], expected)


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
    from napari_softlayers._widgets.segments import SegmentsWidget

    dock = SegmentsWidget(viewer)
    from napari_softlayers._core.segments import soft_segments

    parameters = inspect.signature(soft_segments).parameters
    options = dock.options.values()
    assert "quality" in options and "n_segments" not in options
    for name, value in options.items():
        assert parameters[name].default == value, name
