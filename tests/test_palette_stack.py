"""A colour stack in a viewer becomes lazy layers in its place."""

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

import napari_softlayers as nsl


def test_lazy_layers_lie_on_the_stack(astronaut):
    viewer = ViewerModel()
    video = da.from_array(np.stack([astronaut, astronaut]), chunks=(1, -1, -1, -1))
    source = viewer.add_image(video, rgb=True, name="video", scale=(2, 0.5, 0.5))
    stack = nsl.palette_stack(source, 4)
    shown = stack.to_napari(viewer)
    assert [layer.name for layer in shown] == [
        f"video · {name}" for name in stack.names
    ]
    assert not source.visible
    assert all(np.array_equal(layer.scale, source.scale) for layer in shown)
    total = sum(
        np.asarray(layer.data[1], float)[..., :3]
        * np.asarray(layer.data[1])[..., 3:]
        / 255
        for layer in shown
    )
    assert np.abs(total - astronaut).mean() < 1.5
    np.testing.assert_array_equal(shown[0].data[0], shown[0].data[1])


def test_a_single_picture_is_refused(astronaut):
    layer = ViewerModel().add_image(astronaut, rgb=True)
    with pytest.raises(TypeError, match="use palette_layers"):
        nsl.palette_stack(layer)
