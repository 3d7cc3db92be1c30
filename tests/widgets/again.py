"""Making results again: by the copied code in a new viewer, and by `rerun`."""

from __future__ import annotations

import copy

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

import napari_softlayers as nsl
from napari_softlayers._bridge import is_own
from napari_softlayers._bridge.results import results_for


def fresh_viewer(viewer) -> ViewerModel:
    """A new viewer that holds copies of the layers that are no results or helpers."""
    made = ViewerModel()
    for layer in viewer.layers:
        if not is_own(layer):
            data, settings, kind = layer.as_layer_data_tuple()
            settings = copy.deepcopy(settings) | {"visible": True}
            made.add_layer(Layer.create(copy.deepcopy(data), settings, kind))
    return made


def pixels(layers) -> list[np.ndarray]:
    return [np.array(layer.data) for layer in layers]


def assert_code_gives(code, viewer, image, kind):
    """Run code in a new viewer; what it shows is the same to the last bit."""
    shown = results_for(viewer, image, kind)
    other = fresh_viewer(viewer)
    exec(code, {"viewer": other})
    made = results_for(other, other.layers[image.name], kind)
    assert [layer.name for layer in made] == [layer.name for layer in shown], code
    np.testing.assert_array_equal(pixels(made), pixels(shown), err_msg=code)
    for one, two in zip(made, shown, strict=True):
        np.testing.assert_array_equal(one.extent.world, two.extent.world)


def assert_rerun_gives(viewer, image, kind):
    shown = results_for(viewer, image, kind)
    layers = nsl.rerun(shown[0], viewer)
    expected = np.stack(pixels(shown))
    np.testing.assert_array_equal(
        layers.rgba(expected.dtype), expected.reshape(-1, *expected.shape[-3:])
    )
