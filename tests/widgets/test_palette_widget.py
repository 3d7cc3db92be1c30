"""The dock "Palette layers" in a real viewer."""

from __future__ import annotations

from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

import napari_softlayers as nsl
from napari_softlayers._bridge import show
from napari_softlayers._bridge.results import results_for
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._recipes.options import Palette

from .conftest import light

pytestmark = pytest.mark.gui

RED, BLUE, CREAM = (0.8, 0.15, 0.1), (0.1, 0.2, 0.6), (0.95, 0.9, 0.8)


@pytest.fixture
def poster():
    """A soft red disc and a blue floor on cream, uint8 ``(60, 80, 3)``."""
    rows, columns = np.indices((60, 80))
    floor = np.clip((rows - 40) / 4 + 0.5, 0, 1)[..., None]
    disc = np.clip((12 - np.hypot(rows - 20, columns - 40)) / 4 + 0.5, 0, 1)[..., None]
    picture = np.array(CREAM) * (1 - disc) + np.array(RED) * disc
    picture = picture * (1 - floor) + np.array(BLUE) * floor
    return np.rint(picture * 255).astype(np.uint8)


@pytest.fixture
def dock(viewer, poster):
    viewer.add_image(poster, rgb=True, name="poster", scale=(2, 2))
    return open_dock(viewer)


def open_dock(viewer):
    from napari_softlayers._widgets.palette.dock import PaletteWidget

    widget = PaletteWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Palette")
    widget.count.setValue(3)
    return widget


def extract(dock, settle):
    dock.primary_button.click()
    settle(dock)
    assert dock.model is not None, dock.status.text()
    return dock.model


def nearest(dock, color):
    gaps = np.linalg.norm(np.array(dock.model.palette) - color, axis=1)
    return int(gaps.argmin())


def click(viewer, position):
    """Press the mouse at a place of the world, for the callbacks added last."""
    viewer.mouse_drag_callbacks[-1](viewer, SimpleNamespace(position=position))


def test_extract_recolour_and_reset(dock, viewer, poster, settle):
    extract(dock, settle)
    np.testing.assert_allclose(light(viewer), poster / 255, atol=2 / 255)
    assert dock.panel.swatches.count() == 3
    names = {layer.name for layer in results_for(viewer, dock.image.layer, "palette")}
    assert all(name.startswith("poster · #") for name in names)

    red = nearest(dock, RED)
    shift = np.array((0.1, 0.6, 0.2)) - dock.model.palette[red]
    alpha = dock.model.layers.alphas[red][..., None]
    expected = np.clip(poster / 255 + alpha * shift, 0, 1)
    dock.panel.set_color(red, (0.1, 0.6, 0.2), final=False)
    dock.panel._preview()
    assert "poster · preview" in viewer.layers
    preview = viewer.layers["poster · preview"]
    np.testing.assert_allclose(preview.data / 255, expected, atol=1.5 / 255)
    assert [layer.name for layer in viewer.layers if layer.visible] == [preview.name]

    dock.panel.set_color(red, (0.1, 0.6, 0.2))
    assert "poster · preview" not in viewer.layers
    np.testing.assert_allclose(light(viewer), expected, atol=2.5 / 255)
    assert "poster · #1a9933" in viewer.layers
    again = nsl.rerun(viewer.layers["poster · #1a9933"], viewer)
    np.testing.assert_array_equal(
        again.rgba()[red], viewer.layers["poster · #1a9933"].data
    )
    assert ".recolor(" in dock.code()
    exec(dock.code(), {"viewer": viewer})
    np.testing.assert_allclose(light(viewer), expected, atol=2.5 / 255)

    assert dock.panel.reset_button.isEnabled()
    dock.panel.reset_button.click()
    np.testing.assert_allclose(light(viewer), poster / 255, atol=2 / 255)


def test_moving_the_palette_takes_the_picture_apart_anew(dock, viewer, poster, settle):
    extract(dock, settle)
    dock.panel.effect.setCurrentIndex(1)
    red = nearest(dock, RED)
    dock.panel.set_color(red, (0.7, 0.3, 0.3), final=False)
    settle(dock)
    dock.panel.set_color(red, (0.7, 0.3, 0.3))
    settle(dock)
    np.testing.assert_allclose(dock.model.palette[red], (0.7, 0.3, 0.3), atol=1e-6)
    np.testing.assert_allclose(light(viewer), poster / 255, atol=2 / 255)
    assert not dock.model.recolored


def test_pick_add_remove_lock_reorder(dock, viewer, poster, settle):
    dock.count.setValue(2)
    extract(dock, settle)
    dock.panel.add()
    click(viewer, (300.0, 300.0))
    assert "beside the picture" in dock.status.text()
    assert not dock.panel.eyedropper.waiting
    dock.panel.add()
    click(viewer, (2 * 20.0, 2 * 40.0))
    settle(dock)
    assert len(dock.model.colors) == 3
    added = nearest(dock, RED)
    np.testing.assert_allclose(
        dock.model.palette[added], poster[20, 40] / 255, atol=1e-6
    )

    dock.panel.swatches.setCurrentRow(added)
    dock.panel.toggle_lock()
    assert dock.panel.swatches.item(added).text() == "locked"
    dock.count.setValue(4)
    extract(dock, settle)
    again = nearest(dock, RED)
    np.testing.assert_allclose(
        dock.model.palette[again], poster[20, 40] / 255, atol=1e-6
    )
    assert dock.model.locked[again]

    before = [layer.name for layer in results_for(viewer, dock.image.layer, "palette")]
    dock.panel.reorder([1, 0, 2, 3])
    after = [layer.name for layer in results_for(viewer, dock.image.layer, "palette")]
    assert after == [before[1], before[0], *before[2:]]
    np.testing.assert_allclose(light(viewer), poster / 255, atol=2 / 255)

    dock.panel.swatches.setCurrentRow(3)
    dock.panel.remove()
    settle(dock)
    assert len(results_for(viewer, dock.image.layer, "palette")) == 3


def test_harmonies_and_palette_files(dock, viewer, settle, tmp_path):
    from napari_softlayers._core.harmonies import HARMONIES

    shown = [dock.panel.harmony.itemText(i) for i in range(dock.panel.harmony.count())]
    assert tuple(shown[1:]) == HARMONIES
    extract(dock, settle)
    before = light(viewer)
    dock.panel.harmonise(1 + HARMONIES.index("complementary"))
    assert np.abs(light(viewer) - before).max() > 0.2
    dock.panel.save(tmp_path / "mine.gpl")
    saved = list(dock.model.colors)
    dock.panel.reset()
    dock.panel.load(tmp_path / "mine.gpl")
    np.testing.assert_allclose(dock.model.colors, saved, atol=0.6 / 255)
    (tmp_path / "bad.gpl").write_text("nothing")
    dock.panel.load(tmp_path / "bad.gpl")
    assert dock.status.property("level") == "error"
    np.testing.assert_allclose(dock.model.colors, saved, atol=0.6 / 255)


def test_split_by_segments_recolours_one_object(dock, viewer, poster, settle):
    dock.split()
    assert "press Extract first" in dock.status.text()
    extract(dock, settle)
    dock.split()
    assert "no soft segments yet" in dock.status.text()
    left = np.zeros((60, 80), np.float32)
    left[:, :40] = 1
    colors = np.broadcast_to(poster / np.float32(255), (2, 60, 80, 3))
    segments = SoftLayers(
        np.stack([left, 1 - left]), colors, ["left", "right"], "segments"
    )
    show(viewer, segments, like=viewer.layers["poster"])
    dock.split()
    settle(dock)
    assert any(name.startswith("left · #") for name in dock.model.layers.names)
    np.testing.assert_allclose(light(viewer), poster / 255, atol=4 / 255)
    index = next(
        i
        for i, name in enumerate(dock.model.layers.names)
        if name.startswith("left") and i == nearest(dock, RED)
    )
    dock.panel.set_color(index, (0.1, 0.7, 0.1))
    change = np.abs(light(viewer) - poster / 255).max(axis=2)
    assert change[20, 36] > 0.3
    assert change[20, 44] < 0.03


def test_a_stack_is_decomposed_lazily_with_one_palette(viewer, poster, settle):
    frames = np.stack([poster, np.roll(poster, 5, axis=1)])
    film = da.from_array(frames, chunks=(1, 60, 80, 3))
    viewer.add_image(film, rgb=True, name="film")
    dock = open_dock(viewer)
    assert not dock.stack.isHidden()
    dock.stack.setChecked(True)
    assert "nsl.palette_stack(picture, 3)" in dock.code()
    dock.primary()
    settle(dock)
    made = [layer for layer in viewer.layers if layer.name.startswith("film · #")]
    assert len(made) == 3, dock.status.text()
    assert "3 layers of all 2 frames" in dock.status.text()
    assert made[0].data.shape == (2, 60, 80, 4)
    total = sum(
        np.asarray(layer.data[1])[..., 3:] / 255 * np.asarray(layer.data[1])[..., :3]
        for layer in made
    )
    np.testing.assert_allclose(total, frames[1], atol=3)
    fresh = ViewerModel()
    fresh.add_image(film, rgb=True, name="film")
    exec(dock.code(), {"viewer": fresh})
    for one, other in zip(made, fresh.layers[1:], strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    dock.split()
    assert "of one picture" in dock.status.text()
    dock.stack.setChecked(False)
    extract(dock, settle)
    shown = results_for(viewer, viewer.layers["film"], "palette")
    assert [layer.data.shape for layer in shown] == [(1, 60, 80, 4)] * 3
    assert "3 layers of plane 0." in dock.status.text()
    dock.stack.setChecked(True)
    dock.primary()
    settle(dock)
    assert len(results_for(viewer, viewer.layers["film"], "palette")) == 3
    assert len(viewer.layers) == 4


def test_choices_and_ranges_come_from_the_recipe(dock):
    assert list(dock.method.choices) == ["mixture", "network"]
    assert (dock.smoothing.min, dock.smoothing.max) == (0, 10)
    assert set(dock.options.values()) == {"selection", "seed"}
    recipe = dock.settings_recipe()
    assert recipe.options == Palette(palette=3).model_dump()
    dock.count.setValue(1)
    dock.method.value = "network"
    dock.smoothing.value = 2.5
    dock.options.set("seed", 7)
    changed = dock.settings_recipe().model_options().changed()
    assert changed == {
        "palette": "auto",
        "method": "network",
        "smoothing": 2.5,
        "seed": 7,
    }


# ---- the code and the record give what is seen -------------------------------------------


def kinds(poster):
    """Layers of several kinds that a palette is taken from, and the dock's channels."""
    holes = np.dstack([poster, np.full(poster.shape[:2], 255, np.uint8)])
    holes[:, :20] = (255, 0, 255, 0)
    holes[50:, :, 3] = 90
    planes = np.moveaxis(np.concatenate([poster[..., ::-1], poster], -1), -1, 0)
    frames = np.stack([poster[::-1], poster, poster[:, ::-1]])
    place = {"scale": (2, 3), "translate": (5, -7), "rotate": 20}
    return {
        "rgb": (poster, {"rgb": True, **place}, ""),
        "holes": (holes, {"rgb": True}, ""),
        "16 bit": (
            poster.astype(np.uint16) * 257,
            {"rgb": True, "contrast_limits": (9000, 50000), "gamma": 0.7},
            "",
        ),
        "float": (poster / 255, {"rgb": True}, ""),
        "float, holes": (holes / np.float32(255), {"rgb": True}, ""),
        "channels": (planes, {}, "3, 0"),
        "frame": (frames, {"rgb": True}, ""),
        "grey": (poster[..., 0], {"colormap": "viridis"}, ""),
    }


KINDS = list(kinds(np.zeros((60, 80, 3), np.uint8)))


def as_in(viewer, source, options):
    """A fresh viewer with a copy of a layer."""
    fresh = ViewerModel()
    fresh.add_image(source.data, name=source.name, **options)
    fresh.dims.current_step = viewer.dims.current_step
    return fresh


def check_code_and_rerun(dock, viewer, source, options):
    """Copied code in a fresh viewer and `rerun` give the layers on the screen."""
    shown = results_for(viewer, source, "palette")
    fresh = as_in(viewer, source, options)
    exec(dock.code(), {"viewer": fresh})
    made = results_for(fresh, fresh.layers[source.name], "palette")
    assert [layer.name for layer in made] == [layer.name for layer in shown]
    again = nsl.rerun(shown[-1], viewer)
    pixels = again.rgba(shown[0].data.dtype)
    for one, other, third in zip(shown, made, pixels, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        np.testing.assert_array_equal(one.data.reshape(third.shape), third)
        for key in ("scale", "translate", "rotate"):
            np.testing.assert_allclose(getattr(one, key), getattr(other, key))


@pytest.mark.parametrize("kind", KINDS)
def test_code_and_rerun_after_every_edit(viewer, poster, settle, kind):
    data, options, channels = kinds(poster)[kind]
    source = viewer.add_image(data, name="poster", **options)
    if kind == "frame":
        viewer.dims.set_current_step(0, 1)
    dock = open_dock(viewer)
    dock.channels.setText(channels)
    model = extract(dock, settle)
    if kind.endswith("holes"):
        gaps = np.abs(np.array(model.palette) - (1, 0, 1)).max(axis=1)
        assert gaps.min() > 0.2
    check_code_and_rerun(dock, viewer, source, options)
    dock.panel.set_color(0, (0.2, 0.9, 0.3))
    check_code_and_rerun(dock, viewer, source, options)
    dock.panel.reorder([2, 0, 1])
    check_code_and_rerun(dock, viewer, source, options)
    dock.panel.reorder([1, 0, 2])
    dock.panel.set_color(1, (0.5, 0.1, 0.9))
    check_code_and_rerun(dock, viewer, source, options)
    results_for(viewer, source, "palette")[1].name = "poster · mine"
    check_code_and_rerun(dock, viewer, source, options)
    source.contrast_limits = [value * 0.9 for value in source.contrast_limits]
    source.gamma = 1.2
    last = results_for(viewer, source, "palette")[0]
    np.testing.assert_array_equal(
        nsl.rerun(last, viewer).rgba(last.data.dtype)[0],
        last.data.reshape(last.data.shape[-3:]),
    )


@pytest.mark.parametrize("kind", ["rgb", "holes", "frame", "float, holes"])
def test_split_layers_remember_their_segments(viewer, poster, settle, kind):
    data, options, _ = kinds(poster)[kind]
    source = viewer.add_image(data, name="poster", **options)
    if kind == "frame":
        viewer.dims.set_current_step(0, 1)
    dock = open_dock(viewer)
    segments = nsl.soft_segments(source, 3, None, n_eigenvectors=20, n_clusters=8)
    segments.merge([[0, 1]]).renamed(["floor", "thing"]).to_napari(viewer)
    extract(dock, settle)
    dock.split()
    settle(dock)
    assert dock.model.is_split, dock.status.text()
    check_code_and_rerun(dock, viewer, source, options)
    dock.panel.set_color(0, (0.1, 0.7, 0.1))
    check_code_and_rerun(dock, viewer, source, options)
    dock.panel.reorder([1, 0, *range(2, len(dock.model.colors))])
    check_code_and_rerun(dock, viewer, source, options)


def test_segments_that_were_painted_give_layers_without_a_recipe(
    dock, viewer, poster, settle
):
    source = viewer.layers["poster"]
    segments = nsl.soft_segments(source, 2, None, n_eigenvectors=20, n_clusters=8)
    painted = segments.to_napari(viewer)
    extract(dock, settle)
    for layer, share in zip(painted, (0, 255), strict=True):
        data = layer.data.copy()
        data[:8, :8, 3] = share
        layer.data = data
    dock.split()
    settle(dock)
    assert dock.model.is_split
    with pytest.raises(ValueError, match="does not say how it was made"):
        nsl.rerun(results_for(viewer, source, "palette")[0], viewer)
    assert "nsl.palette_layers(picture, 3)" in dock.code()


def test_segments_of_another_plane_are_refused(viewer, poster, settle):
    source = viewer.add_image(np.stack([poster, poster[::-1]]), rgb=True, name="film")
    viewer.dims.set_current_step(0, 0)
    dock = open_dock(viewer)
    nsl.soft_segments(source, 2, None, n_eigenvectors=20, n_clusters=8).to_napari(
        viewer
    )
    viewer.dims.set_current_step(0, 1)
    extract(dock, settle)
    dock.split()
    assert "make both of the same plane" in dock.status.text()
    assert not dock.model.is_split


@pytest.mark.parametrize("edit", ["colour", "order", "harmony", "reset"])
def test_a_picture_that_was_changed_is_taken_anew(dock, viewer, poster, settle, edit):
    extract(dock, settle)
    dock.panel.set_color(0, (0.3, 0.3, 0.9))
    before = light(viewer)
    viewer.layers["poster"].data = 255 - poster
    change = {
        "colour": lambda: dock.panel.set_color(0, (1, 0, 0)),
        "order": lambda: dock.panel.reorder([1, 0, 2]),
        "harmony": lambda: dock.panel.harmonise(1),
        "reset": dock.panel.reset,
    }
    change[edit]()
    assert "press Extract again" in dock.status.text()
    assert dock.model is None
    np.testing.assert_array_equal(light(viewer), before)
    extract(dock, settle)
    np.testing.assert_allclose(light(viewer), 1 - poster / 255, atol=2 / 255)


def test_rerun_names_the_picture_that_was_changed(dock, viewer, poster, settle):
    extract(dock, settle)
    viewer.layers["poster"].data = 255 - poster
    with pytest.raises(ValueError, match="image 'poster' was changed"):
        nsl.rerun(results_for(viewer, viewer.layers["poster"], "palette")[0], viewer)


def test_bad_settings_and_closing(dock, viewer, settle, qtbot):
    extract(dock, settle)
    for row in range(3):
        dock.panel.swatches.setCurrentRow(row)
        dock.panel.toggle_lock()
    dock.primary()
    assert "3 colours are locked and 3 are asked for" in dock.status.text()
    callbacks = list(viewer.mouse_drag_callbacks)
    dock.panel.pick()
    assert len(viewer.mouse_drag_callbacks) == len(callbacks) + 1
    dock.panel.edit(0)
    viewer.window.remove_dock_widget(dock)
    assert viewer.mouse_drag_callbacks == callbacks
    assert not {"G", "H", "J", "K", "W"} & {str(key) for key in viewer.keymap}
    empty = open_dock(viewer)
    viewer.layers.clear()
    empty.primary()
    assert "no image" in empty.status.text()


@pytest.mark.parametrize("every", [False, True], ids=["frame", "all frames"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_layers_hidden_below_are_said(viewer, poster, settle, every, count):
    for _ in range(count):
        viewer.add_image(poster[::-1], rgb=True)
    viewer.add_image(np.stack([poster, poster[::-1]]), rgb=True, name="poster")
    dock = open_dock(viewer)
    dock.stack.setChecked(every)
    dock.primary()
    settle(dock)
    text, words = dock.status.text(), ["", "1 layer below was", "2 layers below were"]
    assert ("hidden" in text) == (count > 0) and words[count] in text
    assert ("through" in text) == (count > 0)
