"""The dock "Palette layers" in a real viewer."""

from __future__ import annotations

from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest

import napari_softlayers as nsl
from napari_softlayers._bridge import show
from napari_softlayers._bridge.results import results_for
from napari_softlayers._core.layers.soft_layers import SoftLayers

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
    viewer.add_image(
        da.from_array(frames, chunks=(1, 60, 80, 3)), rgb=True, name="film"
    )
    dock = open_dock(viewer)
    assert not dock.stack.isHidden()
    dock.stack.setChecked(True)
    dock.primary()
    settle(dock)
    made = [layer for layer in viewer.layers if layer.name.startswith("film · #")]
    assert len(made) == 3, dock.status.text()
    assert made[0].data.shape == (2, 60, 80, 4)
    total = sum(
        np.asarray(layer.data[1])[..., 3:] / 255 * np.asarray(layer.data[1])[..., :3]
        for layer in made
    )
    np.testing.assert_allclose(total, frames[1], atol=3)


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
