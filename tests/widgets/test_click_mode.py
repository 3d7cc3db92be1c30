"""The click mode of the segments dock in a real viewer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.layers import Image

from napari_softlayers._bridge.results import results_for

from .again import assert_code_gives, assert_rerun_gives
from .conftest import light

pytestmark = pytest.mark.gui

HELPERS = {"photo · object", "photo · hover"}


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
    viewer.add_image(quarters, rgb=True, name="photo", translate=(3, 4), scale=(2, 2))
    return open_dock(viewer)


def open_dock(viewer):
    from napari_softlayers._widgets.segments.dock import SegmentsWidget

    widget = SegmentsWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segments")
    widget.features.setCurrentText("none (colours alone)")
    for name, value in {"n_eigenvectors": 20, "n_clusters": 8}.items():
        widget.options.set(name, value)
    return widget


@pytest.fixture
def clicking(dock, settle):
    """The dock with the click mode on."""
    dock.clicks.toggle.click()
    settle(dock)
    assert dock.clicks.mode.engine is not None, dock.status.text()
    return dock


@pytest.fixture
def answer(qtbot):
    """Wait until the clicks are answered, and the fine matte is there if wanted."""

    def wait(dock, fine=False):
        mode = dock.clicks.mode

        def done():
            idle = mode.jobs.quiet and not mode._settle.isActive()
            return idle and (not fine or (mode._fine and not mode._pause.isActive()))

        qtbot.waitUntil(done, timeout=30000)

    return wait


def press(viewer, row, column, modifiers=(), moved=0.0, button=1):
    """Press and release at a pixel of the photo, as the canvas tells it."""
    position = (3 + 2 * row, 4 + 2 * column)

    def event(kind, at):
        return SimpleNamespace(
            type=kind,
            pos=np.array([50.0 + at, 50.0]),
            position=position,
            button=button,
            modifiers=modifiers,
        )

    event_now = event("mouse_press", 0)
    running = []
    for callback in list(viewer.mouse_drag_callbacks):
        if "ClickCanvas" in getattr(callback, "__qualname__", ""):
            generator = callback(viewer, event_now)
            if next(generator, "ended") != "ended":
                running.append(generator)
    for generator in running:
        for kind, at in (("mouse_move", moved / 2), ("mouse_move", moved)):
            event_now.__dict__.update(event(kind, at).__dict__)
            if next(generator, "ended") == "ended":
                break
        else:
            event_now.__dict__.update(event("mouse_release", moved).__dict__)
            next(generator, None)


def listening(viewer):
    """Whether any callback of the click mode is left."""
    lists = (
        viewer.mouse_drag_callbacks,
        viewer.mouse_move_callbacks,
        viewer.mouse_wheel_callbacks,
    )
    names = [getattr(one, "__qualname__", "") for many in lists for one in many]
    return any("ClickCanvas" in name for name in names)


def prompts(viewer):
    layer = viewer.layers["photo · prompts"]
    return list(
        zip(
            np.rint(layer.data).astype(int).tolist(),
            [str(role) for role in layer.features["role"]],
            [int(number) for number in layer.features["object"]],
            strict=True,
        )
    )


def tinted(viewer):
    """Where the object's overlay is more than half on, at the photo's pixels."""
    layer = viewer.layers["photo · object"]
    alpha = layer.data[..., 3] / 255 / 0.6
    rows = np.arange(48) * alpha.shape[0] // 48
    columns = np.arange(60) * alpha.shape[1] // 60
    return alpha[np.ix_(rows, columns)] > 0.5


def quarter(row, column):
    mask = np.zeros((48, 60), bool)
    mask[24 * row : 24 * row + 24, 30 * column : 30 * column + 30] = True
    return mask


def agree(one, other):
    return (one & other).sum() / (one | other).sum()


def test_clicks_answer_refine_accept_and_go_on(
    clicking, viewer, quarters, answer, qtbot
):
    dock = clicking
    press(viewer, 6, 8)
    answer(dock)
    assert prompts(viewer) == [([6, 8], "add", 1)], dock.status.text()
    assert tinted(viewer)[6, 8]
    press(viewer, 40, 50, modifiers=("Control",))
    press(viewer, 10, 50, modifiers=("Control",))
    press(viewer, 40, 8, modifiers=("Control",))
    answer(dock, fine=True)
    assert [role for _, role, _ in prompts(viewer)] == ["add"] + ["remove"] * 3
    assert agree(tinted(viewer), quarter(0, 0)) > 0.9

    dock.clicks.accept_button.click()
    answer(dock)
    photo = viewer.layers["photo"]
    shown = results_for(viewer, photo, "clicks")
    assert [layer.name for layer in shown] == ["photo · rest", "photo · object 1"]
    assert agree(shown[1].data[..., 3] > 127, quarter(0, 0)) > 0.9

    press(viewer, 40, 50)
    answer(dock)
    assert prompts(viewer)[-1] == ([40, 50], "add", 2)
    dock.clicks.mode.accept()
    answer(dock)
    shown = results_for(viewer, photo, "clicks")
    assert [layer.name for layer in shown][1:] == [
        "photo · object 1",
        "photo · object 2",
    ]
    winner = np.argmax([layer.data[..., 3] for layer in shown], axis=0)
    assert winner[6, 8] == 1 and winner[40, 50] == 2
    press(viewer, 10, 12, modifiers=("Control",))
    assert prompts(viewer)[-1] == ([10, 12], "add", 1)
    answer(dock)
    dock.clicks.turn_off()
    total = sum(x.data[..., 3:] / 255 * (x.data[..., :3] / 255) for x in shown)
    np.testing.assert_allclose(total, quarters / 255, atol=4 / 255)
    assert not photo.visible
    np.testing.assert_allclose(light(viewer), quarters / 255, atol=4 / 255)

    dock.clicks.toggle.click()
    qtbot.waitUntil(lambda: dock.jobs.quiet, timeout=30000)
    dock.clicks.clear_button.click()
    answer(dock)
    assert photo.visible and not results_for(viewer, photo, "clicks")
    assert prompts(viewer) == []


def test_edits_of_points_and_undo(clicking, viewer, answer):
    dock, mode = clicking, clicking.clicks.mode
    press(viewer, 6, 8)
    press(viewer, 40, 50)
    answer(dock)
    assert tinted(viewer)[40, 50]
    layer = viewer.layers["photo · prompts"]
    layer.selected_data = {1}
    layer.remove_selected()
    answer(dock)
    assert len(mode.state.prompts.points) == 1
    mode.undo()
    answer(dock)
    assert prompts(viewer) == [([6, 8], "add", 1), ([40, 50], "add", 1)]
    features = layer.features.copy()
    features["role"] = ["add", "remove"]
    layer.features = features
    answer(dock)
    assert mode.state.prompts.labels.tolist() == [1, 0]
    assert not tinted(viewer)[40, 50]
    dock.clicks.undo_button.click()
    answer(dock)
    assert prompts(viewer) == [([6, 8], "add", 1), ([40, 50], "add", 1)]
    mode.undo()
    answer(dock)
    assert prompts(viewer) == [([6, 8], "add", 1)]
    mode.undo()
    answer(dock)
    assert prompts(viewer) == []
    assert not viewer.layers["photo · object"].visible
    mode.undo()
    assert "nothing to undo" in dock.status.text()


def test_the_first_click_grows_and_shrinks(clicking, viewer, answer):
    dock, mode = clicking, clicking.clicks.mode
    press(viewer, 6, 8)
    answer(dock)
    first, last = mode.level_range()
    assert first <= 0 <= last and first < last
    areas = []
    for level in range(first, last + 1):
        dock.clicks.size.setValue(level)
        answer(dock)
        assert tinted(viewer)[6, 8]
        areas.append(tinted(viewer).sum())
    assert areas == sorted(areas) and areas[0] < areas[-1]
    dock.clicks.shrink_button.click()
    answer(dock)
    assert tinted(viewer).sum() == areas[-2]
    mode.undo()
    answer(dock)
    assert tinted(viewer).sum() == areas[-1]


def test_drags_other_buttons_and_tools_are_no_clicks(clicking, viewer, answer):
    press(viewer, 6, 8, moved=20.0)
    press(viewer, 6, 8, button=2)
    viewer.layers.selection.active = viewer.layers["photo · prompts"]
    viewer.layers["photo · prompts"].mode = "add"
    press(viewer, 6, 8)
    assert prompts(viewer) == []
    viewer.layers["photo · prompts"].mode = "pan_zoom"
    press(viewer, 6, 8, moved=1.0)
    assert len(prompts(viewer)) == 1
    answer(clicking)


def test_bad_clicks_get_answers(clicking, viewer, answer):
    dock = clicking
    press(viewer, -5, 8)
    press(viewer, 60, 8)
    assert prompts(viewer) == [] and "outside" in dock.status.text()
    dock.clicks.mode.accept()
    assert "no object yet" in dock.status.text()
    press(viewer, 6, 8, modifiers=("Control",))
    answer(dock)
    assert "only removals" in dock.status.text()
    press(viewer, 6, 8)
    answer(dock)
    assert "the last one counts" in dock.status.text()
    assert tinted(viewer)[6, 8]
    layer = viewer.layers["photo · prompts"]
    layer.add([[500.0, 5.0]])
    answer(dock)
    assert "outside the picture" in dock.status.text()
    assert clicking.clicks.mode.state.prompts.outside == 1
    viewer.layers.remove(layer)
    answer(dock)
    assert not viewer.layers["photo · object"].visible
    press(viewer, 6, 8)
    answer(dock)
    assert len(prompts(viewer)) == 1


def test_without_a_picture_and_when_it_goes(viewer, quarters, settle, answer):
    dock = open_dock(viewer)
    dock.clicks.toggle.click()
    assert not dock.clicks.toggle.isChecked()
    viewer.add_image(quarters, rgb=True, name="photo", translate=(3, 4), scale=(2, 2))
    dock.clicks.toggle.click()
    dock.cancel()
    assert not dock.clicks.toggle.isChecked()
    settle(dock)
    dock.clicks.toggle.click()
    settle(dock)
    press(viewer, 6, 8)
    answer(dock)
    viewer.layers.remove("photo")
    assert not dock.clicks.toggle.isChecked()
    assert "was removed" in dock.status.text()
    assert not HELPERS & {layer.name for layer in viewer.layers}
    assert not listening(viewer)


def test_shift_and_the_wheel_grow_the_object(clicking, viewer, answer):
    def turn(delta, *modifiers):
        event = SimpleNamespace(delta=(0, delta), modifiers=modifiers)
        for callback in list(viewer.mouse_wheel_callbacks):
            if "ClickCanvas" in getattr(callback, "__qualname__", ""):
                callback(viewer, event)

    press(viewer, 6, 8)
    answer(clicking)
    turn(1)
    turn(1, "Control", "Shift")
    assert clicking.clicks.mode.state.levels == {}
    turn(-1, "Shift")
    turn(1, "Shift")
    turn(1, "Shift")
    answer(clicking)
    last = clicking.clicks.mode.level_range()[1]
    assert clicking.clicks.size.value() == min(1, last)


def test_hover_lightens_the_segment_below(clicking, viewer, qtbot):
    def hover(row, column):
        event = SimpleNamespace(position=(3 + 2 * row, 4 + 2 * column))
        for callback in viewer.mouse_move_callbacks:
            callback(viewer, event)
        qtbot.wait(80)

    hover(6, 8)
    layer = viewer.layers["photo · hover"]
    alpha = layer.data[..., 3] / layer.data[..., 3].max()
    assert alpha[alpha.shape[0] // 8, alpha.shape[1] // 8] > 0.9
    assert layer.visible
    hover(-20, 8)
    assert not layer.visible


def test_closed_and_reopened_leaves_no_callbacks(clicking, viewer, answer, settle):
    before = {"U", "N", "Shift+J", "Shift+K", "Shift+Q"}
    press(viewer, 6, 8)
    answer(clicking)
    assert before <= {str(key) for key in viewer.keymap}
    assert listening(viewer)
    viewer.window.remove_dock_widget(clicking)
    assert not listening(viewer)
    assert not (before | {"Q"}) & {str(key) for key in viewer.keymap}
    assert not HELPERS & {layer.name for layer in viewer.layers}
    assert len(prompts(viewer)) == 1

    again = open_dock(viewer)
    again.clicks.toggle.click()
    settle(again)
    answer(again)
    press(viewer, 40, 8, modifiers=("Control",))
    answer(again)
    assert [role for _, role, _ in prompts(viewer)] == ["add", "remove"]
    assert tinted(viewer)[6, 8] and not tinted(viewer)[40, 8]


def test_two_viewers_do_not_meet(
    clicking, viewer, quarters, make_napari_viewer, settle, answer
):
    other = make_napari_viewer()
    other.add_image(quarters, rgb=True, name="photo", translate=(3, 4), scale=(2, 2))
    second = open_dock(other)
    second.clicks.toggle.click()
    settle(second)
    press(other, 40, 50)
    answer(second)
    assert prompts(viewer) == [] and prompts(other) == [([40, 50], "add", 1)]
    second.clicks.toggle.click()
    assert not listening(other) and listening(viewer)


def test_the_object_becomes_a_trimap(clicking, viewer, answer):
    from napari_softlayers._widgets.matte.dock import MatteWidget

    press(viewer, 6, 8)
    press(viewer, 40, 50, modifiers=("Control",))
    clicking.clicks.matte_button.click()
    answer(clicking)
    found = [
        widget
        for widget in viewer.window.dock_widgets.values()
        if isinstance(widget, MatteWidget)
    ]
    assert len(found) == 1, clicking.status.text()
    trimap = found[0].trimap.layer
    assert found[0].image.layer is viewer.layers["photo"]
    assert trimap.data[6, 8] == 2 and trimap.data[40, 50] == 1
    assert (trimap.data == 0).any()
    assert not clicking.clicks.toggle.isChecked()


def accept(dock, answer):
    dock.clicks.accept_button.click()
    answer(dock)
    assert "is a layer now" in dock.status.text()


CLICKS = {
    "one": [(6, 8)],
    "with removals": [(6, 8), (40, 50, "remove"), (10, 50, "remove")],
    "between pixels": [(6.4, 8.3), (40.3, 50.4, "remove")],
    "two objects": [(6, 8), "accept", (40, 50)],
    "a gap in the numbers": [(6, 8), (40, 50, 3)],
    "grown": [(6, 8), "grow"],
    "grown and corrected": [(6, 8), "grow", (40, 8, "remove")],
}


@pytest.mark.parametrize("clicks", CLICKS)
def test_clicks_as_code_and_again_from_the_layers(clicking, viewer, answer, clicks):
    dock, mode = clicking, clicking.clicks.mode
    photo = viewer.layers["photo"]
    for click in CLICKS[clicks]:
        if click == "accept":
            accept(dock, answer)
        elif click == "grow":
            mode.grow(1)
            assert mode.state.grown != (0,)
        elif click[2:] and click[2] != "remove":
            viewer.layers["photo · prompts"].feature_defaults = {
                "role": "add",
                "object": click[2],
            }
            viewer.layers["photo · prompts"].add([click[:2]])
        else:
            press(viewer, *click[:2], modifiers=("Control",) * (len(click) > 2))
        answer(dock)
    before = dock.code()
    accept(dock, answer)
    assert dock.code() == before
    assert_code_gives(before, viewer, photo, "clicks")
    assert_rerun_gives(viewer, photo, "clicks")
    dock.clicks.turn_off()
    assert dock.code() == before
    viewer.layers["photo · object 1"].name = "photo · mine"
    assert_code_gives(dock.code(), viewer, photo, "clicks")
    assert_rerun_gives(viewer, photo, "clicks")


def test_code_is_of_what_is_on_the_screen(clicking, viewer, answer, settle):
    dock, photo = clicking, viewer.layers["photo"]
    assert "soft_segments" in dock.code()
    press(viewer, 6, 8)
    assert "Segmenter" in dock.code()
    answer(dock)
    dock.clicks.turn_off()
    assert "soft_segments" in dock.code()
    dock.clicks.toggle.click()
    settle(dock)
    answer(dock)
    accept(dock, answer)
    dock.clicks.turn_off()
    assert "Segmenter" in dock.code()
    dock.count.setValue(3)
    dock.primary()
    settle(dock)
    assert not any(x.visible for x in results_for(viewer, photo, "clicks"))
    assert_code_gives(dock.code(), viewer, photo, "segments")
    for layer in results_for(viewer, photo, "segments"):
        layer.visible = False
    viewer.layers["photo · object 1"].visible = True
    assert_code_gives(dock.code(), viewer, photo, "clicks")


def test_clicks_belong_to_their_plane(viewer, quarters, settle, answer):
    frames = np.stack([255 - quarters, quarters, quarters // 2])
    photo = viewer.add_image(
        frames, rgb=True, name="photo", translate=(7, 3, 4), scale=(3, 2, 2)
    )
    viewer.dims.set_current_step(0, 1)
    dock = open_dock(viewer)
    dock.clicks.toggle.click()
    settle(dock)
    mode = dock.clicks.mode

    def click(plane, row, column, remove=False):
        mode.click(photo.data_to_world((plane, row, column)), remove)
        answer(dock)

    click(1, 6, 8)
    click(1, 40, 50, remove=True)
    overlay = viewer.layers["photo · object"]
    assert overlay.ndim == 3 and viewer.layers["photo · prompts"].ndim == 2
    np.testing.assert_allclose(
        overlay.extent.world[:, 0], photo.data_to_world((1, 0, 0))[0]
    )
    viewer.dims.set_current_step(0, 2)
    click(2, 40, 8)
    assert "belong to plane 1" in dock.status.text()
    dock.clicks.matte_button.click()
    assert "belong to plane 1" in dock.status.text()
    assert len(prompts(viewer)) == 2
    accept(dock, answer)
    assert "on plane 1" in dock.status.text()
    assert photo.visible, "the source is seen on the other planes"
    viewer.dims.set_current_step(0, 1)
    assert not photo.visible
    shown = results_for(viewer, photo, "clicks")
    assert shown[0].data.shape == (1, 48, 60, 4)
    total = sum(x.data[0, ..., 3:] / 255 * (x.data[0, ..., :3] / 255) for x in shown)
    np.testing.assert_allclose(total, quarters / 255, atol=4 / 255)
    assert_code_gives(dock.code(), viewer, photo, "clicks")
    viewer.dims.set_current_step(0, 0)
    assert_rerun_gives(viewer, photo, "clicks")


@pytest.mark.parametrize(
    "turned", [{"rotate": 30}, {"shear": [0.3]}, {"scale": (-2, 2)}]
)
def test_clicks_meet_the_picture_in_the_world(viewer, quarters, settle, answer, turned):
    photo = viewer.add_image(quarters, rgb=True, name="photo", **turned)
    dock = open_dock(viewer)
    dock.clicks.toggle.click()
    settle(dock)
    dock.clicks.mode.click(photo.data_to_world((40, 8)))
    answer(dock)
    assert prompts(viewer) == [([40, 8], "add", 1)]
    at = viewer.layers["photo · prompts"].data_to_world((40, 8))
    np.testing.assert_allclose(at, photo.data_to_world((40, 8)), atol=1e-6)
    overlay = viewer.layers["photo · object"]
    row, column = np.rint(overlay.world_to_data(at)).astype(int)
    assert overlay.data[row, column, 3] > 100


@pytest.mark.parametrize("when", ["before a click", "before accepting"])
@pytest.mark.parametrize("how", ["other data", "in place", "another size"])
def test_another_picture_in_the_layer_ends_the_mode(
    clicking, viewer, quarters, answer, settle, when, how
):
    dock, photo = clicking, viewer.layers["photo"]
    press(viewer, 6, 8)
    answer(dock, fine=True)
    if how == "in place":
        photo.data[:] = photo.data[::-1].copy()
    else:
        photo.data = (
            quarters[::-1].copy() if how == "other data" else quarters[:30, :30]
        )
    if when == "before a click":
        press(viewer, 10, 10)
    else:
        dock.clicks.accept_button.click()
    answer(dock)
    assert "'photo' was changed" in dock.status.text()
    assert dock.clicks.mode.engine is None and not dock.clicks.toggle.isChecked()
    assert not results_for(viewer, photo, "clicks") and photo.visible
    assert not HELPERS & {layer.name for layer in viewer.layers}
    dock.clicks.toggle.click()
    settle(dock)
    answer(dock)
    accept(dock, answer)
    assert_code_gives(dock.code(), viewer, photo, "clicks")


def test_a_changed_picture_is_named_by_rerun(clicking, viewer, answer):
    import napari_softlayers as nsl

    press(viewer, 6, 8)
    answer(clicking)
    accept(clicking, answer)
    viewer.layers["photo"].data[0, 0] ^= 1
    with pytest.raises(ValueError, match="image 'photo' was changed"):
        nsl.rerun(viewer.layers["photo · object 1"], viewer)


@pytest.mark.parametrize("on", [True, False])
def test_the_view_bars_clear_removes_the_objects_as_well(clicking, viewer, answer, on):
    photo = viewer.layers["photo"]
    press(viewer, 6, 8)
    answer(clicking)
    clicking.clicks.accept_button.click()
    answer(clicking)
    assert results_for(viewer, photo, "clicks") and not photo.visible
    if not on:
        clicking.clicks.turn_off()
    clicking.view.clear_button.click()
    answer(clicking)
    assert not results_for(viewer, photo, "clicks") and photo.visible
    assert not on or prompts(viewer) == []


def test_the_original_and_back_after_clicks_and_after_segments(
    clicking, viewer, quarters, answer, settle
):
    dock, photo = clicking, viewer.layers["photo"]
    press(viewer, 6, 8)
    answer(dock)
    accept(dock, answer)
    dock.clicks.turn_off()

    def there_and_back(kind):
        dock.view.toggle_original()
        seen = [x.name for x in viewer.layers if x.visible and hasattr(x, "rgb")]
        assert seen == ["photo"]
        dock.view.toggle_original()
        assert not photo.visible
        assert all(layer.visible for layer in results_for(viewer, photo, kind))
        np.testing.assert_allclose(light(viewer), quarters / 255, atol=4 / 255)

    there_and_back("clicks")
    dock.primary()
    settle(dock)
    there_and_back("segments")


def test_a_smaller_level_of_a_pyramid(viewer, quarters, settle, answer, monkeypatch):
    from napari_softlayers._widgets.parts import picture_dock

    monkeypatch.setattr(
        picture_dock, "preference", lambda _, name: 5e-4 if "mega" in name else "auto"
    )
    photo = viewer.add_image(
        [quarters, quarters[::2, ::2].copy()], rgb=True, name="photo", translate=(5, 7)
    )
    dock = open_dock(viewer)
    dock.clicks.toggle.click()
    settle(dock)
    dock.clicks.mode.click((5 + 40, 7 + 50))
    answer(dock)
    assert prompts(viewer) == [([20, 25], "add", 1)]
    dot = viewer.layers["photo · prompts"]
    np.testing.assert_allclose(dot.data_to_world(dot.data[0]), (45, 57), atol=1)
    accept(dock, answer)
    shown = results_for(viewer, photo, "clicks")
    assert shown[1].data.shape == (24, 30, 4) and shown[1].data[20, 25, 3] > 200
    np.testing.assert_allclose(shown[1].extent.world, photo.extent.world, atol=0.5)
    assert "level=1" in dock.code()
    assert_code_gives(dock.code(), viewer, photo, "clicks")
    assert_rerun_gives(viewer, photo, "clicks")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_layers_hidden_below_are_said(clicking, viewer, quarters, answer, count):
    for _ in range(count):
        viewer.layers.insert(0, Image(quarters[::-1], rgb=True))
    press(viewer, 6, 8)
    answer(clicking, fine=True)
    accept(clicking, answer)
    text = clicking.status.text()
    words = ["is a layer now", "1 layer below was", "2 layers below were"]
    assert ("hidden" in text) == (count > 0) and words[count] in text
    assert ("through" in text) == (count > 0)
