"""The dock "Layers & export"."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_softlayers as nsl
from napari_softlayers import SoftLayers, open_layers
from napari_softlayers._bridge import record_of, result_sets, show
from napari_softlayers._bridge.edits import adjustment_of, set_stack_mode
from napari_softlayers._bridge.results import stored_frame
from napari_softlayers._core.layers.edit import Adjustment
from napari_softlayers._widgets.export.dock import ExportWidget
from napari_softlayers._widgets.export.formats import target_path

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
    dock.preview.choice.setCurrentText("off")
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


# ---- edits that are remembered -----------------------------------------------------------


KINDS = ["rgb", "holes", "16 bit", "float", "float, holes", "frame"]


def source_of_kind(kind, picture):
    """An image of a kind, as data and options of `add_image`."""
    holes = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    holes[:, :9] = (255, 0, 255, 0)
    holes[40:, :, 3] = 120
    return {
        "rgb": (picture, {"scale": (2, 2), "rotate": 10}),
        "holes": (holes, {}),
        "16 bit": (picture.astype(np.uint16) * 257, {"contrast_limits": (900, 60000)}),
        "float": (picture / np.float32(255), {"gamma": 1.5}),
        "float, holes": (holes / np.float32(255), {}),
        "frame": (np.stack([picture, picture[::-1]]), {}),
    }[kind]


@pytest.fixture(params=KINDS)
def computed(viewer, picture, request):
    """A dock over palette layers that were computed, and how to open the image again."""
    data, options = source_of_kind(request.param, picture)
    source = viewer.add_image(data, rgb=True, name="photo", **options)
    if request.param == "frame":
        viewer.dims.set_current_step(0, 1)
    nsl.palette_layers(source, 4, smoothing=0.5).to_napari(viewer)
    made = ExportWidget(viewer)
    viewer.window.add_dock_widget(made, name="Layers & export")

    def again():
        fresh = ViewerModel()
        fresh.add_image(data, rgb=True, name="photo", **options)
        fresh.dims.current_step = viewer.dims.current_step
        return fresh

    return made, again


def check_code_and_rerun(dock, again, tmp_path, monkeypatch):
    """Code in a fresh viewer and `rerun` give the layers that the dock shows."""
    shown, dtype = dock.result.layers, dock.result.layers[0].data.dtype
    monkeypatch.chdir(tmp_path)
    fresh, code = again(), dock.code()
    assert "nsl.palette_layers(picture, " in code
    exec(code, {"viewer": fresh})
    pixels = nsl.rerun(shown[0]).rgba(dtype)
    assert len(pixels) == len(shown) == len(fresh.layers) - 1
    for layer, other, third in zip(shown, fresh.layers[1:], pixels, strict=True):
        assert layer.name == other.name
        np.testing.assert_array_equal(layer.data, other.data)
        np.testing.assert_array_equal(layer.data.reshape(third.shape), third)
        top = 1 if dtype.kind == "f" else np.iinfo(dtype).max
        assert tuple(layer.contrast_limits) == (0, top)
        assert layer.data.ndim == dock.viewer.layers["photo"].data.ndim
        assert layer.blending == "additive"


def test_edits_are_made_again_to_the_bit(computed, settle, tmp_path, monkeypatch):
    dock, again = computed

    def check():
        settle(dock)
        check_code_and_rerun(dock, again, tmp_path, monkeypatch)

    check()
    select(dock, 1)
    dock.adjust.sliders["hue"].setValue(60)
    settle(dock)
    dock.adjust.sliders["blur"].setValue(2)
    check()
    dock.duplicate()
    settle(dock)
    assert "adjusted colours" in dock.status.text()
    check()
    select(dock, 0)
    dock.radius.setValue(3)
    dock.feather()
    check()
    dock.table.item(0, 1).setText("mine")
    assert dock.result.layers[0].name == "photo · mine"
    check()
    select(dock, 2, 4)
    dock.merge()
    check()
    select(dock, 3)
    dock.adjust.sliders["exposure"].setValue(0.5)
    settle(dock)
    dock.adjust.bake_button.click()
    check()
    source = dock.viewer.layers["photo"]
    source.contrast_limits = [value * 0.8 for value in source.contrast_limits]
    shown = dock.result.layers[0]
    np.testing.assert_array_equal(
        nsl.rerun(shown).rgba(shown.data.dtype)[0],
        shown.data.reshape(shown.data.shape[-3:]),
    )
    source.data = source.data[..., ::-1, :].copy()
    with pytest.raises(ValueError, match="image 'photo' was changed"):
        nsl.rerun(shown)


@pytest.mark.parametrize("edit", ["merge", "duplicate", "feather", "adjust"])
def test_edits_of_a_normal_stack_are_made_again(viewer, picture, settle, edit):
    source = viewer.add_image(source_of_kind("holes", picture)[0], rgb=True, name="p")
    nsl.palette_layers(source, 3).to_napari(viewer)
    dock = ExportWidget(viewer)
    viewer.window.add_dock_widget(dock)
    set_stack_mode(viewer, dock.result.layers, "normal")
    dock.result.refresh()
    if edit == "adjust":
        select(dock, 1)
        dock.adjust.sliders["blur"].setValue(3)
    else:
        select(dock, *([0, 2] if edit == "merge" else [1]))
        getattr(dock, edit)()
    settle(dock)
    layers = dock.result.layers
    assert {layer.blending for layer in layers} == {"translucent_no_depth"}
    pixels = nsl.rerun(layers[0], viewer).rgba(np.uint8)
    set_stack_mode(viewer, layers, "additive")
    for layer, frame in zip(layers, pixels, strict=True):
        np.testing.assert_array_equal(layer.data, frame)


def test_painted_layers_are_taken_from_the_viewer(computed, tmp_path, monkeypatch):
    dock, _ = computed
    layer = dock.result.layers[1]
    data = layer.data.copy()
    data[..., :5, :5, :3] = 0
    layer.data = data
    code = dock.code()
    assert "nsl.layers_from_napari" in code
    assert "palette_layers" not in code
    monkeypatch.chdir(tmp_path)
    exec(code, {"viewer": dock.viewer})
    assert (tmp_path / "layers.ora").exists()
    select(dock, 0)


def test_code_after_the_image_has_gone_takes_the_layers(dock, viewer):
    del viewer.layers["photo"]
    assert "nsl.layers_from_napari" in dock.code()


def test_the_file_of_the_code_is_that_of_the_button(
    computed, settle, tmp_path, monkeypatch
):
    dock, again = computed
    dock.format.setCurrentText("One picture, cut out (.png)")
    dock.only.setChecked(True)
    select(dock, 1, 3)
    monkeypatch.chdir(tmp_path)
    exec(dock.code(), {"viewer": again()})
    dock.export(str(tmp_path / "b.png"))
    settle(dock)
    from PIL import Image

    with Image.open("layers.png") as one, Image.open("b.png") as other:
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        alphas = [stored_frame(dock.result.layers[i])[..., 3] for i in (1, 3)]
        if alphas[0].dtype == np.uint8:
            assert (np.asarray(one)[..., 3] == sum(alphas)).all()


@pytest.mark.parametrize("ending", ["jpg", "JPEG", "png", "psd", "webp", "xcf"])
def test_another_ending_is_replaced_and_the_name_is_said(
    dock, settle, tmp_path, ending
):
    dock.export(str(tmp_path / f"holiday.{ending}"))
    settle(dock)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.ora"]
    assert "holiday.ora" in dock.status.text()


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.psd"])
def test_no_file_is_replaced_that_was_not_named(dock, settle, tmp_path, name):
    (tmp_path / "a.ora").write_bytes(b"precious")
    dock.export(str(tmp_path / name))
    settle(dock)
    assert "'a.ora' is there already" in dock.status.text()
    assert (tmp_path / "a.ora").read_bytes() == b"precious"
    dock.export(str(tmp_path / "a.ora"))
    settle(dock)
    assert (tmp_path / "a.ora").read_bytes() != b"precious"


@pytest.mark.parametrize(
    ("typed", "kind", "written"),
    [
        ("a.b", "Photoshop, transparency (.psd)", "a.b.psd"),
        ("a.2024", "Layered TIFF (.tif)", "a.2024.tif"),
        ("a.tiff", "Layered TIFF (.tif)", "a.tiff"),
        ("a.TIF", "Layered TIFF (.tif)", "a.TIF"),
        ("a.jpg", "Folder of PNGs", "a"),
        ("a.b", "Folder of PNGs", "a.b"),
        (".ora", "OpenRaster: Krita, MyPaint (.ora)", ".ora.ora"),
    ],
)
def test_names_of_files(typed, kind, written):
    assert target_path(f"folder/{typed}", kind).name == written


def test_checks_say_when_colours_were_changed(viewer, picture, qtbot):
    source = viewer.add_image(picture, rgb=True, name="photo")
    layers = nsl.palette_layers(source, 3)
    dock = ExportWidget(viewer)
    viewer.window.add_dock_widget(dock)
    for edited, changed in (
        (layers, False),
        (layers.recolor([(1, 0, 0), (0, 1, 0), (0, 0, 1)]), True),
        (layers.feather(0, 2).merge([[0, 1]]), False),
        (layers.adjust(0, exposure=1), True),
    ):
        edited.to_napari(viewer)
        dock.result.refresh()
        dock.result.show_checks()
        qtbot.waitUntil(
            lambda wanted=changed: (
                ("colours were changed" in dock.result.checks.text()) == wanted
                and dock.result.checks.text() != ""
            ),
            timeout=5000,
        )


def test_another_dtype_gives_its_own_contrast_limits(viewer, picture, settle):
    source = viewer.add_image(picture, rgb=True, name="photo")
    for dtype, top in ((np.uint8, 255), (np.float32, 1), (np.uint16, 65535)):
        nsl.palette_layers(source, 3).to_napari(viewer, dtype=dtype)
        dock = ExportWidget(viewer)
        viewer.window.add_dock_widget(dock)
        select(dock, 2)
        dock.duplicate()
        settle(dock)
        assert len(dock.result.layers) == 4
        for layer in dock.result.layers:
            assert layer.data.dtype == dtype
            assert tuple(layer.contrast_limits) == (0, top)
        viewer.window.remove_dock_widget(dock)


def test_a_stack_is_shown_and_says_what_it_needs(viewer, picture, settle):
    film = viewer.add_image(np.stack([picture] * 3), rgb=True, name="film")
    nsl.palette_stack(film, 3).to_napari(viewer)
    dock = ExportWidget(viewer)
    viewer.window.add_dock_widget(dock)
    assert dock.result.combo.currentText() == "film · palette (3)"
    shares = [float(dock.table.item(i, 2).text()[:-1]) for i in range(3)]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    select(dock, 1)
    dock.feather()
    settle(dock)
    assert "one frame" in dock.status.text()


@pytest.mark.parametrize("kind", ["rgb", "frame"])
def test_cleaning_keeps_the_place(viewer, picture, settle, kind):
    alpha = np.linspace(0, 255, picture.shape[1]).astype(np.uint8)
    rgba = np.dstack([picture, np.broadcast_to(alpha, picture.shape[:2])])
    data = rgba if kind == "rgb" else rgba[None]
    layer = viewer.add_image(
        data, rgb=True, name="cut", translate=(3,) * (data.ndim - 1)
    )
    dock = ExportWidget(viewer)
    viewer.window.add_dock_widget(dock)
    viewer.layers.selection.active = layer
    dock.clean()
    settle(dock)
    made = viewer.layers["cut · clean"]
    assert made.data.shape == data.shape
    np.testing.assert_array_equal(made.translate, layer.translate)
