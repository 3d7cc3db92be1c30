"""The dock "Matte from trimap" in a real viewer."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from napari_softlayers._bridge import record_of, result_sets
from napari_softlayers._core.layers.soft_layers import SoftLayers

from .conftest import light

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(viewer, disc):
    """The dock, opened as napari does it, with a picture and its trimap."""
    picture, trimap = disc
    viewer.add_image(picture, rgb=True, name="photo", scale=(0.5, 0.5))
    viewer.add_labels(trimap, name="marks", scale=(0.5, 0.5))
    return open_dock(viewer)


def open_dock(viewer):
    from napari_softlayers._widgets.matte.dock import MatteWidget

    widget = MatteWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Matte")
    return widget


@pytest.fixture
def slow(monkeypatch):
    """Replaces the solver by one that runs until it is cancelled."""
    state = {"running": threading.Event(), "stopped": threading.Event()}

    def matte(image, trimap, method, *, device, run, labels):
        state["running"].set()
        try:
            for step in range(2000):
                run.step(step / 2000, "pretending")
                time.sleep(0.01)
        finally:
            state["stopped"].set()
        raise AssertionError("nobody cancelled")

    monkeypatch.setattr("napari_softlayers._core.matting.matte", matte)
    return state


def test_solve_gives_layers_that_look_like_the_picture(dock, viewer, disc, settle):
    dock.primary_button.click()
    settle(dock)
    assert dock.status.text().startswith("Done"), dock.status.text()
    photo = viewer.layers["photo"]
    assert not photo.visible
    np.testing.assert_allclose(light(viewer), disc[0] / 255, atol=2 / 255)
    layer = viewer.layers["photo · foreground"]
    np.testing.assert_array_equal(layer.scale, photo.scale)
    assert record_of(layer)["params"]["method"] == "closed_form"
    assert record_of(layer)["params"]["trimap"] == "marks"
    alpha = layer.data[..., 3]
    assert (alpha[24, 32], alpha[0, 0]) == (255, 0)
    assert 0.2 < np.mean((alpha > 20) & (alpha < 235)) / np.mean(disc[1] == 0) < 0.9

    layer.opacity = 0.5
    dock.primary_button.click()
    settle(dock)
    assert viewer.layers["photo · foreground"] is layer
    assert layer.opacity == 0.5
    assert len(viewer.layers) == 4

    dock.view.clear_button.click()
    assert [one.name for one in viewer.layers] == ["photo", "marks"]
    assert photo.visible


def test_new_trimap_can_be_painted_and_keys_work(viewer, disc):
    image = viewer.add_image(disc[0], rgb=True, name="photo", translate=(5, 5))
    dock = open_dock(viewer)
    assert not dock.primary_button.isEnabled()
    assert "no trimap" in dock.status.text()
    press(viewer, "N")
    trimap = viewer.layers["photo · trimap"]
    assert dock.trimap.layer is trimap
    assert dock.primary_button.isEnabled()
    assert viewer.layers.selection.active is trimap
    np.testing.assert_array_equal(trimap.translate, image.translate)
    np.testing.assert_allclose(trimap.get_color(1)[:3], (0.9, 0.2, 0.18), atol=0.01)
    np.testing.assert_allclose(trimap.get_color(2)[:3], (0.18, 0.75, 0.3), atol=0.01)
    assert trimap.mode == "paint"
    assert trimap.selected_label == 2
    press(viewer, "U")
    assert trimap.selected_label == 0
    assert dock.unknown_button.isChecked()
    press(viewer, "U")
    assert trimap.selected_label == 2
    press(viewer, "N")
    assert trimap.selected_label == 3


def press(viewer, key):
    for bound, action in viewer.keymap.items():
        if str(bound) == key:
            action(viewer)
            return
    raise AssertionError(f"{key} is not bound")


def test_table_names_the_layers(dock, viewer, settle):
    assert dock.table.rowCount() == 2
    dock.table.item(1, 1).setText("ball")
    dock.primary()
    settle(dock)
    assert "photo · ball" in viewer.layers


@pytest.mark.parametrize("numbers", [(0, 90, 250), (0, 1, 255)])
@pytest.mark.parametrize("live", [False, True])
def test_labels_of_any_numbers_name_the_layers(dock, viewer, settle, numbers, live):
    viewer.layers["marks"].data = np.array(numbers)[viewer.layers["marks"].data]
    if live:
        dock.live.setChecked(True)
    else:
        dock.primary()
    settle(dock)
    for number in numbers[1:]:
        assert f"photo · label {number}" in viewer.layers, dock.status.text()


def test_a_selection_is_told_the_way(dock, viewer, settle):
    viewer.layers["marks"].data = (viewer.layers["marks"].data == 2).astype(int)
    dock.primary()
    settle(dock)
    assert "Trimap from selection" in dock.status.text()


def test_live_previews_then_solves_and_the_latest_stroke_wins(
    dock, viewer, qtbot, settle, monkeypatch
):
    seen = []

    class Live:
        def __init__(self, image, run=None):
            pass

        def preview(self, trimap, run=None, *, labels):
            seen.append(("preview", int((trimap == 2).sum())))
            return self._alphas(trimap)

        def solve(self, trimap, run=None, *, labels):
            seen.append(("solve", int((trimap == 2).sum())))
            run.check()
            return self._alphas(trimap)

        def _alphas(self, trimap):
            return np.stack([trimap != 2, trimap == 2]).astype(np.float32)

    monkeypatch.setattr(
        "napari_softlayers._core.matting.LiveMatte", Live, raising=False
    )
    trimap = viewer.layers["marks"]
    dock.live.setChecked(True)
    settle(dock)
    assert [kind for kind, _ in seen] == ["preview", "solve"]
    trimap.paint((24, 50), 2)
    qtbot.waitUntil(lambda: len(seen) >= 4)
    settle(dock)
    painted = int((trimap.data == 2).sum())
    assert seen[-1] == ("solve", painted)
    alpha = viewer.layers["photo · foreground"].data[..., 3]
    assert (alpha == 255).sum() == painted
    trimap.undo()
    qtbot.waitUntil(lambda: len(seen) >= 6)
    settle(dock)
    assert seen[-1][1] < painted
    before = len(seen)
    trimap.refresh()
    qtbot.wait(250)
    assert len(seen) == before


def test_live_matte_is_that_of_solve(dock, viewer, disc, settle):
    dock.live.setChecked(True)
    settle(dock)
    live = viewer.layers["photo · foreground"].data.copy()
    np.testing.assert_allclose(light(viewer), disc[0] / 255, atol=2 / 255)
    dock.primary()
    settle(dock)
    solved = viewer.layers["photo · foreground"].data
    difference = np.abs(live[..., 3].astype(int) - solved[..., 3])
    assert difference.max() <= 4, dock.status.text()


@pytest.mark.parametrize("kind", ["labels", "shapes", "alpha"])
def test_trimap_from_selection(dock, viewer, disc, kind):
    mask = disc[1] == 2
    if kind == "labels":
        layer = viewer.add_labels(mask.astype(int), scale=(0.5, 0.5))
    elif kind == "shapes":
        corners = np.array([[14, 22], [14, 42], [34, 42], [34, 22]]) * 0.5
        layer = viewer.add_shapes([corners], shape_type="polygon")
    else:
        rgba = np.dstack([disc[0], np.where(mask, 255, 0).astype(np.uint8)])
        layer = viewer.add_image(rgba, rgb=True, scale=(0.5, 0.5))
    viewer.layers.selection.active = layer
    dock.image.layer = viewer.layers["photo"]
    dock.band.setValue(3)
    dock.trimap_from_selection()
    made = dock.trimap.layer
    assert made.name == "photo · trimap", dock.status.text()
    assert made.data.shape == disc[1].shape
    assert (made.data[24, 32], made.data[1, 1]) == (2, 1)
    assert (made.data == 0).any()


def test_a_forgiving_method_shows_the_trimap_that_it_repaired(
    dock, viewer, settle, monkeypatch
):
    asked = {}

    def matte(image, trimap, method, *, device, run, labels, **options):
        asked.update(options, method=method)
        repaired = np.where(np.indices(trimap.shape)[1] < 8, 0, trimap)
        alphas = np.stack([trimap != 2, trimap == 2]).astype(np.float32)
        colors = np.broadcast_to(image, (2, *image.shape))
        extras = {"trimap": repaired}
        return SoftLayers(alphas, colors, ["a", "b"], "matte", {}, extras)

    monkeypatch.setattr("napari_softlayers._core.matting.matte", matte)
    assert dock.method.tolerance.isHidden()
    dock.method.choose("auto")
    assert not dock.method.tolerance.isHidden()
    dock.method.tolerance.setValue(5)
    for _ in range(2):
        dock.primary()
        settle(dock)
    assert asked == {"method": "auto", "tolerance": 5}
    repaired = viewer.layers["photo · repaired trimap"]
    assert not repaired.data[:, :8].any()
    assert "of the trimap was changed" in dock.status.text()
    assert dock.trimap.layer is viewer.layers["marks"]
    dock.trimap.layer = repaired
    dock.method.choose("closed_form")
    assert "tolerance" not in dock.code()


def test_copy_as_code_runs_in_the_console(dock, viewer):
    from qtpy.QtGui import QGuiApplication

    dock.code_button.click()
    text = QGuiApplication.clipboard().text()
    exec(text, {"viewer": viewer})
    assert "photo · foreground" in viewer.layers


# ---- bad input, cancel, closing --------------------------------------------------------


def names(viewer):
    return [layer.name for layer in viewer.layers]


def refused(dock, viewer, settle):
    """Press Solve; the viewer must stay as it was. Gives the message."""
    before = names(viewer)
    visible = [layer.visible for layer in viewer.layers]
    dock.primary()
    settle(dock)
    assert names(viewer) == before
    assert [layer.visible for layer in viewer.layers] == visible
    assert dock.status.property("level") == "error"
    return dock.status.text()


def test_no_layers_at_all(viewer, settle):
    dock = open_dock(viewer)
    assert not dock.primary_button.isEnabled()
    assert "no image" in refused(dock, viewer, settle)
    dock.new_trimap()
    assert "Choose an image" in dock.status.text()
    dock.trimap_from_selection()
    assert "Select a" in dock.status.text()
    dock.copy_code()
    assert "nothing to copy" in dock.status.text()


def test_one_label(dock, viewer, settle):
    viewer.layers["marks"].data = np.full((48, 64), 2, np.uint8)
    assert "only label 2" in refused(dock, viewer, settle)


def test_no_unknown_pixels_gives_the_labels_and_says_so(dock, viewer, settle):
    viewer.layers["marks"].data = np.where(np.indices((48, 64))[0] < 20, 1, 2)
    dock.primary()
    settle(dock)
    assert "no unknown pixels" in dock.status.text()
    assert dock.status.property("level") == "warning"
    assert set(np.unique(viewer.layers["photo · foreground"].data[..., 3])) == {0, 255}


def test_sizes_differ(dock, viewer, settle):
    wrong = viewer.add_labels(np.ones((10, 12), int), name="small")
    dock.trimap.layer = wrong
    message = refused(dock, viewer, settle)
    assert "'photo' is 48x64 but trimap 'small' is 10x12" in message


def test_nan(dock, viewer, settle, disc):
    bad = disc[0] / 255.0
    bad[3, 3] = np.nan
    dock.image.layer = viewer.add_image(
        bad, rgb=True, name="broken", contrast_limits=(0, 1)
    )
    message = refused(dock, viewer, settle)
    assert "'broken'" in message
    assert "NaN" in message


def test_cuda_asked_for_but_absent(dock, viewer, settle, monkeypatch):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    settings = {"device": "cuda", "working_megapixels": 1.0}
    monkeypatch.setattr(
        "napari_softlayers._widgets.parts.picture_dock.preference",
        lambda _, name: settings[name],
    )
    assert "no CUDA device" in refused(dock, viewer, settle)


def test_cancel_frees_the_dock_at_once_and_stops_the_thread(
    dock, viewer, qtbot, settle, slow
):
    dock.primary()
    qtbot.waitUntil(slow["running"].is_set)
    assert dock.cancel_button.isEnabled()
    qtbot.waitUntil(lambda: dock.bar.value() > 0)
    dock.cancel_button.click()
    assert not dock.jobs.busy
    assert "Cancelled" in dock.status.text()
    qtbot.waitUntil(slow["stopped"].is_set, timeout=200)
    settle(dock)
    assert names(viewer) == ["photo", "marks"]
    assert viewer.layers["photo"].visible


def test_source_deleted_while_solving(dock, viewer, qtbot, settle, slow):
    dock.primary()
    qtbot.waitUntil(slow["running"].is_set)
    viewer.layers.remove("photo")
    assert not dock.jobs.busy
    assert "'photo' was removed" in dock.status.text()
    settle(dock)
    assert names(viewer) == ["marks"]


def test_dock_closed_while_solving_and_opened_again(dock, viewer, qtbot, slow):
    dock.primary()
    qtbot.waitUntil(slow["running"].is_set)
    keys = {str(key) for key in viewer.keymap}
    assert {"G", "H", "N", "U", "W", "Q"} <= keys
    listeners = len(viewer.layers.events.inserted.callbacks)
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(slow["stopped"].is_set, timeout=1000)
    assert not {"G", "H", "N", "U", "W", "Q"} & {str(key) for key in viewer.keymap}
    assert len(viewer.layers.events.inserted.callbacks) < listeners
    viewer.layers["marks"].paint((1, 1), 2)
    viewer.layers.pop(0)
    again = open_dock(viewer)
    assert {"G", "H"} <= {str(key) for key in viewer.keymap}
    assert again.trimap.layer is viewer.layers["marks"]
    assert names(viewer) == ["marks"]


def test_viewer_closed_while_solving(dock, viewer, qtbot, slow):
    dock.primary()
    qtbot.waitUntil(slow["running"].is_set)
    viewer.close()
    qtbot.waitUntil(slow["stopped"].is_set, timeout=3000)


def test_two_docks_hand_the_keys_back(dock, viewer):
    second = open_dock(viewer)
    viewer.window.remove_dock_widget(second)
    count = viewer.layers["marks"].selected_label
    press(viewer, "N")
    assert viewer.layers["marks"].selected_label != count
    viewer.window.remove_dock_widget(dock)
    assert "N" not in {str(key) for key in viewer.keymap}


def test_two_viewers_do_not_disturb_each_other(
    make_napari_viewer, disc, dock, viewer, settle
):
    other = make_napari_viewer()
    other.add_image(disc[0], rgb=True, name="second")
    other.add_labels(disc[1], name="strokes")
    second = open_dock(other)
    assert second.image.layer.name == "second"
    assert dock.image.layer.name == "photo"
    dock.primary()
    second.primary()
    settle(dock)
    settle(second)
    assert "second · foreground" in other.layers
    assert "photo · foreground" in viewer.layers
    other.window.remove_dock_widget(second)
    press(viewer, "N")
    assert "N" not in {str(key) for key in other.keymap}


def test_the_plugins_own_entry_opens_the_dock(viewer):
    _, widget = viewer.window.add_plugin_dock_widget(
        "napari-softlayers", "Matte from trimap"
    )
    assert type(widget).__name__ == "MatteWidget"
    assert widget.viewer is not None
    assert not result_sets(viewer)


def test_works_through_naparis_proxy(make_napari_viewer_proxy, disc, settle):
    viewer = make_napari_viewer_proxy()
    viewer.add_image(disc[0], rgb=True, name="photo")
    viewer.add_labels(disc[1], name="marks")
    dock = open_dock(viewer)
    dock.primary()
    settle(dock)
    assert "photo · foreground" in viewer.layers, dock.status.text()
    dock.view.combo.setCurrentText("on white")
    assert "photo · preview" in viewer.layers
    viewer.window.remove_dock_widget(dock)
    assert "G" not in {str(key) for key in viewer.keymap}
