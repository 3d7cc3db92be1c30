"""A result in the viewer can be made again, bit for bit."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

import napari_softlayers as nsl
from napari_softlayers._bridge import picture_of
from napari_softlayers._bridge.stored import stored_layers
from napari_softlayers._core.run import Run
from napari_softlayers._widgets.matte.jobs import LiveSolver, MatteRequest
from napari_softlayers._widgets.palette.model import PaletteModel


@pytest.fixture
def viewer(astronaut):
    viewer = ViewerModel()
    viewer.add_image(np.stack([astronaut[::-1], astronaut]), rgb=True, name="photo")
    trimap = np.zeros((128, 128), np.uint8)
    trimap[:20] = 1
    trimap[70:110, 40:90] = 2
    viewer.add_labels(trimap, name="trimap")
    codes = np.moveaxis(astronaut[..., [0, 1, 2, 0]] / 255, -1, 0)
    viewer.add_image(codes, name="codes")
    return viewer


CALLS = {
    "matte": lambda v: nsl.matte(v.layers["photo"], v.layers["trimap"], "knn"),
    "palette": lambda v: nsl.palette_layers(v.layers["photo"], 4, smoothing=0.5),
    "segments": lambda v: nsl.soft_segments(v.layers["photo"], 3, None, seed=2),
    "features": lambda v: nsl.soft_segments(
        v.layers["photo"], 3, v.layers["codes"], seed=2
    ),
    "nodes": lambda v: nsl.cut(
        nsl.soft_segments(v.layers["photo"], 3, None), nodes=[0, 1]
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_same_layers_again(viewer, name):
    first = CALLS[name](viewer)
    shown = first.to_napari(viewer)
    again = nsl.rerun(shown[-1], viewer)
    np.testing.assert_array_equal(again.alphas, first.alphas)
    np.testing.assert_array_equal(again.colors, first.colors)


def test_a_layer_of_features_has_its_axis_third_last(viewer):
    codes = viewer.layers["codes"]
    options = {"device": "cpu", "n_eigenvectors": 20, "n_clusters": 8}
    segmenter = nsl.Segmenter(viewer.layers["photo"], codes, **options)
    same = nsl.Segmenter(
        viewer.layers["photo"], np.moveaxis(codes.data, 0, -1), **options
    )
    clicks = [(60, 64), (10, 10)], [1, 0]
    np.testing.assert_array_equal(
        segmenter.click(*clicks).alphas, same.click(*clicks).alphas
    )


def split_in_viewer(viewer):
    """Palette layers split by segments as the palette dock does it, in another order."""
    photo = viewer.layers["photo"]
    shown = nsl.soft_segments(photo, 3, None, seed=2).to_napari(viewer)
    palette = nsl.palette_layers(photo, 3)
    model = PaletteModel(palette, picture_of(photo)).split_by(
        stored_layers(shown), Run()
    )
    order = list(range(len(model.layers)))[::-1]
    return shown, model.reordered(order).shown_layers()


def test_a_split_by_segments_as_the_viewer_stores_them(viewer):
    _, first = split_in_viewer(viewer)
    shown = first.to_napari(viewer, like=viewer.layers["photo"])
    again = nsl.rerun(shown[0], viewer)
    np.testing.assert_array_equal(again.alphas, first.alphas)
    np.testing.assert_array_equal(again.colors, first.colors)
    assert again.names == first.names


def test_a_split_by_changed_segments_says_so(viewer):
    photo = viewer.layers["photo"]
    shown = nsl.soft_segments(photo, 3, None, seed=2).to_napari(viewer)
    shown[0].data[:9, :9, 3], shown[1].data[:9, :9, 3] = 255, 0
    palette = nsl.palette_layers(photo, 3)
    layers = stored_layers(shown).intersect(palette)
    split = layers.to_napari(viewer, like=photo)
    with pytest.raises(ValueError, match="segments were changed in the viewer"):
        nsl.rerun(split[0], viewer)


def test_a_live_matte_says_why_it_cannot_be_made_again(viewer):
    photo, trimap = viewer.layers["photo"], viewer.layers["trimap"]
    request = MatteRequest(
        image=photo,
        step=(0,),
        channels=None,
        megapixels=1.0,
        device="cpu",
        trimap=trimap.data,
        trimap_name="trimap",
        method="closed_form",
        names=None,
    )
    layers, picture = LiveSolver().job(request)(Run(), lambda _: None)
    shown = layers.to_napari(viewer, like=picture)
    with pytest.raises(ValueError, match="came from the live mode"):
        nsl.rerun(shown[0], viewer)


def test_what_is_gone_is_named(viewer):
    shown = CALLS["matte"](viewer).to_napari(viewer)
    viewer.layers.remove("trimap")
    with pytest.raises(ValueError, match="trimap 'trimap' is not in the viewer"):
        nsl.rerun(shown[0], viewer)
    viewer.layers.remove("photo")
    with pytest.raises(ValueError, match="no longer in the viewer"):
        nsl.rerun(shown[0], viewer)
    with pytest.raises(ValueError, match="does not say how it was made"):
        nsl.rerun(Image(np.zeros((4, 4))), viewer)
