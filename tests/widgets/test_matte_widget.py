"""The dock "Matte from trimap" in a real viewer."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

import napari_softlayers as nsl
from napari_softlayers._bridge import (
    layers_from_napari,
    picture_of,
    record_of,
    result_sets,
    results_for,
)
from napari_softlayers._bridge.edits import replace_set
from napari_softlayers._bridge.results import stored_frame
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.matting import layer_names

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
    recipe = record_of(layer).recipe
    assert recipe.method == "closed_form"
    assert recipe.inputs["trimap"].name == "marks"
    assert recipe.inputs["image"].name == "photo"
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
    assert dock.tools.unknown_button.isChecked()
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

    monkeypatch.setattr("napari_softlayers._core.matting.live.LiveMatte", Live)
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
    dock.tools.band.setValue(3)
    dock.tools.trimap_from_selection()
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
        given = {"method": method} | options
        return SoftLayers(alphas, colors, ["a", "b"], "matte", given, extras)

    monkeypatch.setattr("napari_softlayers._core.matting.matte", matte)
    assert dock.method.forms["auto"].isHidden()
    dock.method.choose("auto")
    assert not dock.method.forms["auto"].isHidden()
    dock.method.forms["auto"].set("tolerance", 5)
    for _ in range(2):
        dock.primary()
        settle(dock)
    assert asked == {"method": "auto", "tolerance": 5}
    repaired = viewer.layers["photo · repaired trimap"]
    assert not repaired.data[:, :8].any()
    assert "of the trimap was changed" in dock.status.text()
    assert dock.trimap.layer is viewer.layers["marks"]
    assert "tolerance=5" in dock.code()
    dock.view.clear()
    dock.method.choose("closed_form")
    assert "tolerance" not in dock.code()
    dock.method.choose("auto")
    dock.trimap.layer = repaired  # not overwritten by what is made of it
    kept = repaired.data.copy()
    dock.primary()
    settle(dock)
    assert repaired in viewer.layers
    np.testing.assert_array_equal(repaired.data, kept)


def test_every_method_shows_its_own_options(dock):
    from napari_softlayers import METHODS
    from napari_softlayers._recipes import MATTES

    assert [dock.method.itemData(k) for k in range(dock.method.count())] == [*METHODS]
    shown = {}
    for name in METHODS:
        dock.method.choose(name)
        assert dock.method.options() == {}
        visible = [n for n, form in dock.method.forms.items() if not form.isHidden()]
        assert visible in ([name], [])
        shown[name] = [x for n in visible for x in dock.method.forms[n].controls]
        assert MATTES[name].__doc__ in dock.method.toolTip()
    assert shown["auto"] == ["solver", "tolerance"]
    assert shown["information_flow"] == ["transparent"]
    assert shown["closed_form"] == shown["knn"] == []
    dock.method.choose("information_flow")
    dock.method.forms["information_flow"].set("transparent", True)
    assert dock.method.options() == {"transparent": True}
    dock.method.choose("auto")
    assert dock.method.options() == {}
    dock.method.forms["auto"].set("solver", "information_flow")
    assert dock.method.options() == {"solver": "information_flow"}


# ---- code and reruns -----------------------------------------------------------------


def results(viewer):
    """Names and pixels of the results in a viewer."""
    return {
        layer.name: stored_frame(layer) for layer in viewer.layers if record_of(layer)
    }


def same_elsewhere(dock, viewer):
    """Run the dock's code in a fresh viewer; it must give what is seen, and `rerun`."""
    fresh = ViewerModel()
    for layer in viewer.layers:
        if record_of(layer) is None:
            fresh.add_layer(Layer.create(*layer.as_layer_data_tuple()))
    fresh.dims.set_point(range(viewer.dims.ndim), viewer.dims.point)
    exec(dock.code(), {"viewer": fresh})
    shown = results(viewer)
    assert list(results(fresh)) == list(shown)
    for name, pixels in results(fresh).items():
        np.testing.assert_array_equal(pixels, shown[name])
    first = next(layer for layer in viewer.layers if record_of(layer))
    for pixels, seen in zip(
        nsl.rerun(first).rgba(first.data.dtype), shown.values(), strict=True
    ):
        np.testing.assert_array_equal(pixels, seen)


@pytest.mark.parametrize("method", ["closed_form", "knn", "information_flow", "auto"])
def test_code_before_and_after_solving_gives_what_is_seen(dock, viewer, settle, method):
    dock.method.choose(method)
    if method == "auto":
        dock.method.forms["auto"].set("tolerance", 2)
    dock.table.item(1, 1).setText("ball")
    before = dock.code()
    dock.primary()
    settle(dock)
    assert dock.code() == before
    same_elsewhere(dock, viewer)
    dock.method.choose("closed_form")  # what is shown counts, not what is set
    assert dock.code() == before


def test_copy_as_code_puts_it_on_the_clipboard(dock, viewer):
    from qtpy.QtGui import QGuiApplication

    dock.code_button.click()
    text = QGuiApplication.clipboard().text()
    exec(text, {"viewer": viewer})
    assert "photo · foreground" in viewer.layers


EDITS = {
    "merge": lambda x: x.merge([[0, 2]]),
    "renamed": lambda x: x.renamed(["a", "b", "c"]),
    "reordered": lambda x: x.reordered([1, 2, 0]),
    "feather": lambda x: x.feather(1, 2.0),
    "duplicate": lambda x: x.duplicate(0),
    "adjust": lambda x: x.adjust(1, exposure=0.4),
}


@pytest.mark.parametrize("edit", EDITS)
def test_code_and_rerun_after_an_edit(dock, viewer, settle, edit):
    viewer.layers["marks"].data[:, 60:] = 3
    dock.primary()
    settle(dock)
    shown = results_for(viewer, viewer.layers["photo"], "matte")
    replace_set(viewer, shown, EDITS[edit](layers_from_napari(shown)))
    same_elsewhere(dock, viewer)


@pytest.mark.parametrize("frame", [0, 2])
@pytest.mark.parametrize("kind", ["frame", "channels", "channels of a frame"])
@pytest.mark.parametrize("look", [{}, {"contrast_limits": (20, 180), "gamma": 1.4}])
def test_code_and_rerun_of_frames_and_channels(viewer, disc, settle, frame, kind, look):
    planes = np.moveaxis(disc[0], -1, 0)
    planes = np.concatenate([planes, 255 - planes[:1]])
    video = np.stack([np.roll(planes, k, axis=-1) for k in range(3)])
    data = {"frame": video[:, 0], "channels": planes}.get(kind, video)
    photo = viewer.add_image(data, name="video", **look)
    viewer.add_labels(disc[1], name="marks")
    if data.ndim > 2 and kind != "channels":
        viewer.dims.set_point(0, frame)
    dock = open_dock(viewer)
    if kind != "frame":
        dock.channels.setText("3, 0, 1")
    dock.primary()
    settle(dock)
    text = dock.status.text()
    assert text.startswith("Done"), text
    assert ("computed on plane" in text) == (kind != "channels")
    if look:
        photo.contrast_limits, photo.gamma = (0, 255), 1.0
    if not look:
        viewer.dims.set_point(0, 1)
        same_elsewhere(dock, viewer)
    shown = results_for(viewer, photo, "matte")
    as_seen = nsl.rerun(shown[0]).rgba(np.uint8)
    for pixels, layer in zip(as_seen, shown, strict=True):
        np.testing.assert_array_equal(pixels, stored_frame(layer))


@pytest.mark.parametrize(("changed", "what"), [("photo", "image"), ("marks", "trimap")])
def test_what_was_changed_since_is_named(dock, viewer, settle, changed, what):
    dock.primary()
    settle(dock)
    layer = viewer.layers[changed]
    layer.data = layer.data[::-1].copy()
    with pytest.raises(ValueError, match=f"The {what} '{changed}' was changed"):
        nsl.rerun(viewer.layers["photo · foreground"])


# ---- which trimap is whose -----------------------------------------------------------


def test_a_trimap_follows_its_photo(viewer, disc):
    first = viewer.add_image(disc[0], rgb=True, name="A")
    second = viewer.add_image(disc[0][::-1], rgb=True, name="B")
    dock = open_dock(viewer)
    made = {}
    for photo in (first, second):
        dock.image.layer = photo
        assert dock.trimap.layer is None
        dock.tools.new_trimap()
        made[photo] = dock.trimap.layer
        made[photo].data[:9] = 1
    for photo in (first, second, first):
        dock.image.layer = photo
        assert dock.trimap.layer is made[photo]
        items = [dock.trimap.itemText(k) for k in range(dock.trimap.count())]
        assert items == [f"{photo.name} · trimap"]


def test_foreign_labels_are_chosen_where_they_lie_over_the_image(viewer, disc):
    places = {"here": (0, 0), "beside": (0, 500), "off": (500, 0)}
    photos = {
        name: viewer.add_image(disc[0], rgb=True, name=name, translate=place)
        for name, place in places.items()
    }
    for name in ("here", "beside"):
        viewer.add_labels(disc[1], name=f"on {name}", translate=places[name])
    viewer.add_labels(disc[1][:20, :20], name="small", translate=(10, 10))
    dock = open_dock(viewer)
    for name, wanted in (("here", "on here"), ("beside", "on beside")):
        dock.image.layer = photos[name]
        assert dock.trimap.layer.name == wanted
    dock.image.layer = photos["off"]
    assert dock.trimap.layer is None
    assert dock.trimap.count() == 3  # they can still be chosen by hand
    viewer.layers.remove("on here")
    dock.image.layer = photos["here"]
    assert dock.trimap.layer.name == "small"


def test_a_grey_image_is_no_trimap_of_itself(viewer, disc):
    viewer.add_image(disc[0][..., 0], name="grey")
    dock = open_dock(viewer)
    assert dock.trimap.layer is None
    viewer.add_image(disc[0][..., 1], name="other")
    assert dock.trimap.layer is None
    assert dock.trimap.count() == 1


@pytest.mark.parametrize("opened", [("portrait", "cat"), ("cat", "portrait")])
def test_samples_find_their_trimaps(viewer, opened):
    from napari_softlayers import _samples

    samples = {
        "portrait": _samples.portrait_with_trimap,
        "cat": _samples.fur_with_trimap,
    }
    for name in opened:
        for data, meta, kind in samples[name]():
            viewer.add_layer(Layer.create(data, meta, kind))
    dock = open_dock(viewer)
    for name in (*opened, *opened):
        dock.image.layer = viewer.layers[name]
        assert dock.trimap.layer.name == f"{name} · trimap"


@pytest.mark.parametrize("number", [3, 7, 40, 300])
def test_labels_keep_their_numbers_and_names(dock, viewer, settle, number):
    marks = viewer.layers["marks"]
    marks.data = np.where(marks.data == 2, number, marks.data.astype(np.int32))
    dock.refresh_state()
    dock._count_labels()
    usual = layer_names([1, number])
    assert [dock.table.item(k, 1).text() for k in range(2)] == usual
    dock.primary()
    settle(dock)
    assert list(results(viewer)) == [f"photo · {name}" for name in usual]
    assert str(number) in usual[1]
    dock.table.item(1, 1).setText("ball")
    dock.primary()
    settle(dock)
    assert list(results(viewer)) == [f"photo · {usual[0]}", "photo · ball"]
    same_elsewhere(dock, viewer)


def test_names_belong_to_a_trimap(dock, viewer, disc):
    dock.table.item(1, 1).setText("ball")
    other = viewer.add_labels(disc[1], name="other", scale=(0.5, 0.5))
    dock.trimap.layer = other
    assert dock.table.item(1, 1).text() == "foreground"
    dock.trimap.layer = viewer.layers["marks"]
    assert dock.table.item(1, 1).text() == "ball"


# ---- planes, and what is hidden ------------------------------------------------------


def test_status_names_the_plane_and_what_is_hidden(viewer, disc, settle):
    for name in ("one", "two"):
        viewer.add_image(disc[0][::-1], rgb=True, name=name)
    stack = np.stack([np.roll(disc[0], 3 * k, axis=1) for k in range(4)])
    viewer.add_image(
        stack, rgb=True, name="stack", axis_labels=("z", "y", "x"), scale=(2, 1, 1)
    )
    viewer.add_labels(disc[1], name="marks")
    viewer.dims.set_point(0, 6)
    dock = open_dock(viewer)
    dock.primary()
    settle(dock)
    text = dock.status.text()
    assert "computed on z = 3" in text
    assert "2 layers below were hidden" in text
    viewer.dims.set_point(0, 0)
    assert viewer.layers["stack"].visible
    viewer.dims.set_point(0, 6)
    assert not viewer.layers["stack"].visible
    dock.view.clear()
    assert all(viewer.layers[name].visible for name in ("one", "two", "stack"))


def test_rolled_axes_are_refused(viewer, disc, settle):
    viewer.add_image(np.stack([disc[0][..., 0]] * 4), name="stack")
    viewer.add_labels(disc[1], name="marks")
    dock = open_dock(viewer)
    viewer.dims.order = (1, 0, 2)
    assert "roll the axes back" in refused(dock, viewer, settle)
    dock.tools.trimap_from_selection()
    assert dock.status.property("level") == "error"


# ---- live: what is held belongs to a content -----------------------------------------


def crop(photo, disc):
    photo.data = photo.data[:, :50]


def invert(photo, disc):
    photo.data = 255 - photo.data


def stretch(photo, disc):
    photo.contrast_limits = (20, 150)


def bend(photo, disc):
    photo.gamma = 0.6


@pytest.mark.parametrize("change", [crop, invert, stretch, bend])
def test_live_mode_follows_a_changed_picture(dock, viewer, disc, settle, qtbot, change):
    photo, marks = viewer.layers["photo"], viewer.layers["marks"]
    dock.live.setChecked(True)
    settle(dock)
    change(photo, disc)
    marks.paint((24, 44), 2)
    qtbot.waitUntil(lambda: dock.jobs.busy)
    settle(dock)
    np.testing.assert_allclose(light(viewer), picture_of(photo).data, atol=3 / 255)


def test_live_mode_prepares_a_picture_once(dock, viewer, settle, qtbot, monkeypatch):
    from napari_softlayers._core.matting.live import LiveMatte

    made = []

    def counted(*given, **options):
        made.append(given)
        return LiveMatte(*given, **options)

    monkeypatch.setattr("napari_softlayers._core.matting.live.LiveMatte", counted)
    dock.live.setChecked(True)
    settle(dock)
    for column in (44, 46, 48):
        viewer.layers["marks"].paint((24, column), 2)
        qtbot.waitUntil(lambda: dock.jobs.busy)
        settle(dock)
    assert len(made) == 1
    viewer.layers["photo"].translate = (3, 3)
    viewer.layers["marks"].paint((40, 40), 1)
    qtbot.waitUntil(lambda: dock.jobs.busy)
    settle(dock)
    assert len(made) == 1
    assert record_of(viewer.layers["photo · foreground"]).recipe.live
    assert "nsl.matte(picture" in dock.code()


# ---- bad input, cancel, closing ------------------------------------------------------


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
    dock.tools.new_trimap()
    assert "Choose an image" in dock.status.text()
    dock.tools.trimap_from_selection()
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
    marks = viewer.layers["marks"]
    finer = np.repeat(np.repeat(marks.data, 3, axis=0), 3, axis=1)
    shift = np.full(2, (0.5 / 3 - 0.5) / 2)
    viewer.add_labels(finer, name="finer", scale=(0.5 / 3,) * 2, translate=shift)
    dock.primary()
    settle(dock)
    first = results(viewer)
    dock.trimap.layer = viewer.layers["finer"]
    dock.primary()
    settle(dock)
    assert record_of(viewer.layers["photo · foreground"]).recipe.inputs["trimap"].name
    for name, pixels in results(viewer).items():
        np.testing.assert_array_equal(pixels, first[name])


def test_a_trimap_that_covers_a_part_is_used_there_and_said(dock, viewer, settle):
    viewer.layers["marks"].translate = (2, 0)
    dock.primary()
    settle(dock)
    assert "'marks' covers 91.7% of 'photo'" in dock.status.text()
    assert dock.status.property("level") == "warning"


def test_a_trimap_elsewhere(dock, viewer, settle):
    viewer.layers["marks"].translate = (0, 1000)
    assert "'marks' does not lie over 'photo'" in refused(dock, viewer, settle)


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


@pytest.mark.parametrize("text", ["x", "0, y", "1.5"])
def test_code_of_channels_that_are_no_numbers_is_answered(viewer, text):
    photo = viewer.add_image(np.zeros((3, 20, 24), np.uint8), name="photo")
    viewer.add_labels(np.ones((20, 24), int), name="trimap")
    _, dock = viewer.window.add_plugin_dock_widget(
        "napari-softlayers", "Matte from trimap"
    )
    dock.image.layer = photo
    dock.channels.setText(text)
    dock.code_button.click()
    assert f"Channels are '{text}'" in dock.status.text()
    assert dock.status.property("level") == "error"
