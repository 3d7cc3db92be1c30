"""The dock "Layers & export"."""

from __future__ import annotations

import numpy as np
import pytest

from napari_softlayers import SoftLayers, open_layers
from napari_softlayers._bridge import record_of, result_sets, show
from napari_softlayers._bridge.edits import adjustment_of, set_stack_mode
from napari_softlayers._core.layers.edit import Adjustment
from napari_softlayers._widgets.export.dock import ExportWidget

from .conftest import light

pytestmark = pytest.mark.gui


@pytest.fixture
def picture(disc):
    return disc[0]


@pytest.fixture
def dock(viewer, picture):
    """A dock over a picture that was cut into three layers."""
    source = viewer.add_image(picture, rgb=True, name="photo")
    x = np.broadcast_to(np.linspace(0, 1, picture.shape[1]), picture.shape[:2])
    alphas = np.stack([np.clip(1 - 2 * x, 0, 1), 1 - np.abs(2 * x - 1), x * 0])
    alphas[2] = 1 - alphas.sum(axis=0)
    layers = SoftLayers.from_alphas(
        picture, alphas, names=["left", "middle", "right"], kind="segments"
    )
    show(viewer, layers, like=source)
    made = ExportWidget(viewer)
    viewer.window.add_dock_widget(made, name="Layers & export")
    return made


def select(dock, *rows):
    dock.result.select(list(rows))


def error_of(viewer, picture):
    return np.abs(light(viewer) - picture / 255)


def test_opens_without_any_layer(viewer):
    dock = ExportWidget(viewer)
    viewer.window.add_dock_widget(dock)
    assert "no result yet" in dock.status.text()
    assert not dock.primary_button.isEnabled()
    dock.merge()
    dock.feather()
    dock.clean()
    dock.primary()
    dock.preview.choice.setCurrentText("on white")
    assert len(viewer.layers) == 0
    assert dock.code() == ""


def test_shows_the_set_and_its_checks(dock, viewer, qtbot):
    assert dock.result.combo.currentText() == "photo · segments (3)"
    names = [dock.table.item(line, 1).text() for line in range(3)]
    assert names == ["left", "middle", "right"]
    qtbot.waitUntil(lambda: "error 0." in dock.result.checks.text(), timeout=5000)
    assert "alphas sum to 1.000 … 1.000" in dock.result.checks.text()
    broken = viewer.layers[2].data.copy()
    broken[..., 3] //= 2
    viewer.layers[2].data = broken
    qtbot.waitUntil(lambda: "sum to 0.5" in dock.result.checks.text(), timeout=5000)


def test_merge_duplicate_and_feather_keep_the_picture(dock, viewer, picture, settle):
    select(dock, 1)
    dock.duplicate()
    settle(dock)
    assert len(dock.result.layers) == 4
    assert error_of(viewer, picture).max() < 3 / 255
    select(dock, 1)
    dock.radius.setValue(4)
    dock.feather()
    settle(dock)
    assert dock.status.text() == "Feathered."
    assert error_of(viewer, picture).mean() < 1.5 / 255
    select(dock, 0, 1, 2)
    dock.merge()
    settle(dock)
    assert [layer.name for layer in dock.result.layers] == [
        "photo · left + middle + middle copy",
        "photo · right",
    ]
    assert error_of(viewer, picture).mean() < 1.5 / 255
    assert len(result_sets(viewer)) == 1


def test_renaming_and_what_cannot_be_done(dock, viewer):
    select(dock, 1)
    dock.merge()
    assert "two or more" in dock.status.text()
    select(dock)
    dock.feather()
    assert "Select one layer" in dock.status.text()
    viewer.layers.selection.active = viewer.layers["photo"]
    dock.clean()
    assert "RGBA layer" in dock.status.text()

    dock.table.item(1, 1).setText("centre")
    assert viewer.layers[2].name == "photo · centre"
    viewer.layers[2].name = "photo · other"
    assert dock.table.item(1, 1).text() == "other"


def test_switching_the_stack_and_back_is_exact(dock, viewer, picture):
    before = [layer.data.copy() for layer in dock.result.layers]
    viewer.layers.move(3, 1)
    dock.mode.setCurrentIndex(1)
    dock.mode.activated.emit(1)
    layers = dock.result.layers
    assert all(layer.blending == "translucent_no_depth" for layer in layers)
    assert (layers[0].data[..., 3] == 255).all()
    assert [viewer.layers.index(layer) for layer in layers] == [1, 2, 3]
    shown = np.zeros(picture.shape)
    for layer in layers:
        alpha = layer.data[..., 3:] / 255
        shown = shown * (1 - alpha) + alpha * layer.data[..., :3]
    assert np.abs(shown - picture).mean() < 1.5
    dock.mode.setCurrentIndex(0)
    dock.mode.activated.emit(0)
    for layer, data in zip(layers, before, strict=True):
        assert np.array_equal(layer.data, data)
        assert layer.blending == "additive"


def test_float_layers_switch_too(picture):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    layers = SoftLayers.from_alphas(
        picture, np.stack([np.full(picture.shape[:2], v) for v in (0.3, 0.5, 0.2)])
    )
    shown = show(viewer, layers, dtype=np.float32)
    set_stack_mode(viewer, shown, "normal")
    assert np.allclose(shown[1].data[..., 3], 0.5 / 0.8)
    set_stack_mode(viewer, shown, "additive")
    assert np.allclose(shown[1].data[..., 3], 0.5, atol=1e-6)
    with pytest.raises(ValueError, match="mode='over'"):
        set_stack_mode(viewer, shown, "over")


def test_adjustments_stay_editable_until_baked(dock, viewer, settle):
    select(dock, 2)
    layer = dock.result.layers[2]
    before = layer.data.copy()
    dock.adjust.sliders["exposure"].setValue(1)
    settle(dock)
    assert layer.data[..., :3].mean() > before[..., :3].mean()
    assert np.array_equal(layer.data[..., 3], before[..., 3])
    dock.adjust.sliders["saturation"].setValue(-1)
    settle(dock)
    assert np.ptp(layer.data[..., :3].astype(int), axis=-1).max() <= 1
    assert adjustment_of(layer) == Adjustment(exposure=1, saturation=-1)
    select(dock, 0)
    assert dock.adjust.value().is_neutral
    select(dock, 2)
    assert dock.adjust.value() == Adjustment(exposure=1, saturation=-1)
    dock.adjust.reset_button.click()
    settle(dock)
    assert np.array_equal(layer.data, before)
    dock.adjust.sliders["hue"].setValue(90)
    settle(dock)
    turned = layer.data.copy()
    dock.adjust.bake_button.click()
    settle(dock)
    assert dock.adjust.value().is_neutral
    dock.adjust.reset()
    settle(dock)
    assert np.array_equal(layer.data, turned)


def test_adjustments_outlive_the_dock(dock, viewer, settle):
    select(dock, 1)
    before = dock.result.layers[1].data.copy()
    dock.adjust.sliders["exposure"].setValue(-2)
    settle(dock)
    viewer.window.remove_dock_widget(dock)
    again = ExportWidget(viewer)
    viewer.window.add_dock_widget(again)
    select(again, 1)
    assert again.adjust.value().exposure == -2
    again.adjust.reset()
    settle(again)
    assert np.array_equal(again.result.layers[1].data, before)


def test_previews(dock, viewer, picture):
    count = len(viewer.layers)
    select(dock, 1)
    dock.preview.choice.setCurrentText("on white")
    assert len(viewer.layers) == count + 1
    preview = viewer.layers[-1]
    alpha = dock.result.layers[1].data[..., 3] / 255
    assert np.abs(preview.data[alpha == 0].astype(int) - 255).max(initial=0) <= 1
    select(dock, 0, 1, 2)
    assert np.abs(preview.data.astype(int) - picture).mean() < 1.5
    background = viewer.add_image(
        np.full((30, 99, 3), 77, np.uint8), rgb=True, name="wall"
    )
    dock.preview.picture.layer = background
    select(dock, 0)
    dock.preview.choice.setCurrentText("on a picture")
    assert (viewer.layers["preview"].data[:, -3:] == 77).all()
    for choice in ("on black", "on checkerboard", "on a colour"):
        dock.preview.choice.setCurrentText(choice)
    assert len(result_sets(viewer)) == 1
    dock.preview.turn_off()
    assert "preview" not in viewer.layers
    dock.preview.next_choice()
    viewer.window.remove_dock_widget(dock)
    assert "preview" not in viewer.layers


def test_exports(dock, picture, settle, tmp_path):
    for line in range(dock.format.count()):
        dock.format.setCurrentIndex(line)
        folder = tmp_path / str(line)
        folder.mkdir()
        dock.export(str(folder / "result"))
        settle(dock)
        assert "Saved to" in dock.status.text(), dock.status.text()
        (path,) = folder.iterdir()
        check_export(path, picture)


def check_export(path, picture):
    if path.suffix == ".png":
        from PIL import Image

        assert (
            np.abs(np.asarray(Image.open(path))[..., :3] - 0.0 - picture).mean() < 1.5
        )
        return
    back = open_layers(path)
    assert back.names == ["left", "middle", "right"]
    assert back.kind == "segments"
    assert np.abs(back.composite() - picture / 255).mean() < 1.5 / 255


def test_exporting_a_cut_out(dock, settle, tmp_path):
    dock.format.setCurrentText("One picture, cut out (.png)")
    dock.only.setChecked(True)
    select(dock)
    dock.export(str(tmp_path / "a.png"))
    assert "Select the layers" in dock.status.text()
    select(dock, 1)
    dock.export(str(tmp_path / "a.png"))
    settle(dock)
    from PIL import Image

    pixels = np.asarray(Image.open(tmp_path / "a.png"))
    assert np.array_equal(pixels, dock.result.layers[1].data)
    assert ".subset([1])" in dock.code()


def test_a_folder_that_cannot_be_written_to(dock, settle, tmp_path):
    dock.export(str(tmp_path / "nowhere" / "a.ora"))
    settle(dock)
    assert "make the folder first" in dock.status.text()
    assert dock.status.property("level") == "error"


def test_the_code_does_what_the_button_does(
    dock, viewer, tmp_path, monkeypatch, settle
):
    monkeypatch.chdir(tmp_path)
    exec(dock.code(), {"viewer": viewer})
    dock.export(str(tmp_path / "b.ora"))
    settle(dock)
    assert (tmp_path / "layers.ora").read_bytes() == (tmp_path / "b.ora").read_bytes()


def test_clean_colours_of_any_rgba_layer(dock, viewer, disc, settle):
    rows, columns = np.indices(disc[0].shape[:2])
    alpha = np.clip((16 - np.hypot(rows - 24, columns - 32)) / 6 + 0.5, 0, 1)
    rgba = np.dstack([disc[0], np.rint(alpha * 255).astype(np.uint8)])
    layer = viewer.add_image(rgba, rgb=True, name="cut", scale=(2, 2))
    viewer.layers.selection.active = layer
    dock.clean()
    settle(dock)
    made = viewer.layers["cut · clean"]
    assert not layer.visible
    assert np.array_equal(made.scale, layer.scale)
    edge = (alpha > 0.2) & (alpha < 0.9)
    orange = np.array([230, 140, 40])
    before = np.abs(rgba[edge][:, :3] - orange).mean()
    assert np.abs(made.data[edge][:, :3] - orange).mean() < 0.2 * before


def test_opened_files_are_result_sets(dock, viewer, settle, tmp_path):
    dock.export(str(tmp_path / "a.ora"))
    settle(dock)
    viewer.layers.clear()
    viewer.open(tmp_path / "a.ora", plugin="napari-softlayers")
    assert dock.result.combo.currentText() == "file · segments (3)"
    select(dock, 0, 1)
    dock.merge()
    settle(dock)
    assert [layer.name for layer in viewer.layers] == ["left + middle", "right"]
    assert all(record_of(layer).kind == "segments" for layer in viewer.layers)


def test_closing_and_opening_again_leaves_nothing_behind(dock, viewer):
    layer = dock.result.layers[0]
    viewer.window.remove_dock_widget(dock)
    assert dock.result.layers == []
    viewer.layers.remove(layer)
    again = ExportWidget(viewer)
    viewer.window.add_dock_widget(again)
    assert len(again.result.layers) == 2
