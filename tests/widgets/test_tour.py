"""The whole tour in a viewer that is on screen: from a sample to a file and back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_softlayers._bridge.results import results_for

pytestmark = pytest.mark.gui

PLUGIN = "napari-softlayers"
CROP = (slice(0, 320, 2), slice(80, 400, 2))
"""Head and shoulders of the sample, 160x160."""
SCALE = 2
"""Pixels of a screenshot along one of the picture."""
SAME = 1.5 / 255


@pytest.fixture
def tour(make_napari_viewer, qtbot, tmp_path):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 700)
    return Tour(viewer, qtbot, tmp_path)


class Tour:
    """A user with the mouse in one hand and a camera in the other."""

    def __init__(self, viewer, qtbot, folder):
        self.viewer, self.qtbot, self.folder = viewer, qtbot, folder

    def open(self, name):
        window = self.viewer.window
        holder, dock = window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
        holder.raise_()
        self.qtbot.waitUntil(dock.isVisible, timeout=10000)
        return dock

    def wait(self, *jobs):
        for one in jobs:
            self.qtbot.waitUntil(lambda one=one: one.quiet, timeout=60000)

    def shot(self, name):
        """What the canvas shows of the picture, saved, as floats."""
        path = self.folder / f"{name}.png"
        taken = self.viewer.export_figure(str(path), scale_factor=SCALE, flash=False)
        return taken[..., :3] / 255

    def picture(self, name):
        """The same without the clicks on it."""
        shown = [x for x in self.viewer.layers if not hasattr(x, "rgb") and x.visible]
        for layer in shown:
            layer.visible = False
        taken = self.shot(name)
        for layer in shown:
            layer.visible = True
        return taken

    def click(self, mode, row, column, remove=False):
        mode.click(mode.image.data_to_world((row, column)), remove)
        self.wait(mode.jobs)

    def accept(self, mode):
        mode.accept()
        self.qtbot.waitUntil(lambda: mode.state.current > 1, timeout=60000)


def close(one, other):
    return float(np.abs(one - other).mean())


def test_from_a_sample_to_a_file_and_back(tour):
    viewer = tour.viewer
    viewer.open_sample(PLUGIN, "portrait_trimap")
    photo = viewer.layers["portrait"]
    viewer.layers.remove("portrait · trimap")
    photo.data = np.ascontiguousarray(photo.data[CROP])
    original = tour.picture("1 photograph")
    assert original.std() > 0.1

    segments = tour.open("Soft segments")
    segments.count.setValue(4)
    segments.primary_button.click()
    tour.wait(segments.jobs)
    assert len(results_for(viewer, photo, "segments")) == 4, segments.status.text()
    assert close(tour.picture("2 segments"), original) < SAME
    assert not photo.visible

    segments.clicks.toggle.click()
    tour.wait(segments.jobs)
    mode = segments.clicks.mode
    tour.click(mode, 48, 75)
    tour.click(mode, 140, 75)
    tour.click(mode, 20, 150, remove=True)
    assert close(tour.shot("3 clicks"), original) > SAME
    tour.accept(mode)
    assert close(tour.picture("4 accepted"), original) < SAME
    person = results_for(viewer, photo, "clicks")[1]
    assert person.data[48, 75, 3] > 200 > 50 > person.data[20, 150, 3]

    segments.clicks.matte_button.click()
    tour.qtbot.waitUntil(lambda: "trimap" in viewer.layers[-1].name, timeout=60000)
    assert not segments.clicks.toggle.isChecked()
    matte = tour.open("Matte from trimap")
    matte.primary_button.click()
    tour.wait(matte.jobs)
    layers = results_for(viewer, photo, "matte")
    assert len(layers) == 2, matte.status.text()
    assert close(tour.picture("5 matte"), original) < SAME
    agree = np.abs(layers[1].data[..., 3] / 255.0 - person.data[..., 3] / 255.0)
    assert agree.mean() < 0.1

    palette = tour.open("Palette layers")
    palette.count.setValue(4)
    palette.primary_button.click()
    tour.wait(palette.jobs)
    assert palette.model is not None, palette.status.text()
    assert close(tour.picture("6 palette"), original) < SAME
    palette.panel.set_color(1, (0.1, 0.5, 0.9), final=True)
    tour.wait(palette.jobs)
    recoloured = tour.picture("7 recoloured")
    assert close(recoloured, original) > SAME

    export = tour.open("Layers & export")
    shown = results_for(viewer, photo, "palette")
    choice = export.result.combo
    for index in range(choice.count()):
        choice.setCurrentIndex(index)
        if export.result.layers == shown:
            break
    assert export.result.layers == shown
    export.export(str(tour.folder / "portrait"))
    tour.wait(export.jobs)
    path = tour.folder / "portrait.ora"
    assert path.is_file(), export.status.text()

    viewer.layers.clear()
    reopened = viewer.open(path, plugin=PLUGIN)
    names = [f"portrait · {layer.name}" for layer in reopened]
    assert names == [layer.name for layer in shown]
    assert close(tour.picture("8 reopened"), recoloured) < SAME
    assert len(list(tour.folder.glob("*.png"))) == 8
