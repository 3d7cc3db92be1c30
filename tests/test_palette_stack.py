"""A colour stack in a viewer becomes lazy layers in its place."""

import warnings

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

import napari_softlayers as nsl
from napari_softlayers._bridge import record_of, result_sets
from napari_softlayers._recipes.code import code_of


@pytest.fixture
def film(astronaut):
    """Three frames, uint8 ``(3, 64, 80, 3)``."""
    wide = np.concatenate([astronaut, astronaut[:, ::-1]], axis=1)
    return np.stack([wide[20:84, 16 * t : 16 * t + 80] for t in range(3)])


def seen(layers, frame):
    """What additive layers show of one frame, ``alpha * picture`` in [0, 1]."""
    total = 0.0
    for layer in layers:
        data = np.asarray(layer.data[frame])
        unit = data / (np.iinfo(data.dtype).max if data.dtype.kind == "u" else 1)
        total = total + unit[..., 3:] * unit[..., :3]
    return total


def test_lazy_layers_lie_on_the_stack(film):
    viewer = ViewerModel()
    video = da.from_array(film, chunks=(1, -1, -1, -1))
    source = viewer.add_image(video, rgb=True, name="video", scale=(2, 0.5, 0.5))
    viewer.add_image(film[0], rgb=True, name="above")
    stack = nsl.palette_stack(source, 4)
    shown = stack.to_napari(viewer)
    assert [layer.name for layer in viewer.layers] == [
        "video",
        *(f"video · {name}" for name in stack.names),
        "above",
    ]
    assert not source.visible
    assert all(np.array_equal(layer.scale, source.scale) for layer in shown)
    assert np.abs(seen(shown, 1) * 255 - film[1]).mean() < 1.5
    records = [record_of(layer) for layer in shown]
    assert {record.kind for record in records} == {"palette"}
    assert [record.index for record in records] == [0, 1, 2, 3]
    assert sum(record.coverage for record in records) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("make", "dtype", "options"),
    [
        (lambda f: f, np.uint8, {}),
        (lambda f: f.astype(np.uint16) * 257, np.uint16, {}),
        (lambda f: f.astype(np.uint16) * 16, np.uint16, {}),
        (lambda f: f / 255, np.float32, {}),
        (lambda f: f.astype(np.float32), np.float32, {"contrast_limits": (0, 255)}),
        (lambda f: f, np.uint8, {"contrast_limits": (40, 190)}),
        (lambda f: f, np.uint8, {"gamma": 0.6}),
    ],
)
def test_every_frame_is_what_the_screen_shows(film, make, dtype, options):
    viewer = ViewerModel()
    source = viewer.add_image(make(film), rgb=True, name="film", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = nsl.palette_stack(source, 4).to_napari(viewer)
        single = nsl.palette_layers(source, 4, step=(2,)).image
    assert shown[0].data.dtype == dtype
    assert tuple(shown[0].contrast_limits) == (
        (0, 1) if dtype == np.float32 else (0, np.iinfo(dtype).max)
    )
    np.testing.assert_allclose(seen(shown, 2), single, atol=2.5 / 255)


@pytest.mark.parametrize("top", [200, 1000, 4000, 16000])
def test_white_is_the_same_in_all_frames_and_said(film, top):
    frames = np.rint(film / 255.0 * top * np.array([0.2, 1, 0.5]).reshape(3, 1, 1, 1))
    with pytest.warns(UserWarning, match="was taken as white") as said:
        stack = nsl.palette_stack(frames.astype(np.uint16), 3)
    assert len(said) == 1
    white = min(s for s in (255, 1023, 4095, 16383) if s >= frames.max())
    for t in range(3):
        np.testing.assert_allclose(
            stack.frame(t).image, frames[t].astype(int) / white, atol=1e-4
        )


def test_a_frame_that_is_brighter_than_white_is_named(film):
    frames = np.repeat(film[:1], 40, axis=0).astype(np.uint16)
    frames[7] *= 100
    with pytest.warns(UserWarning, match="255 was taken as white"):
        stack = nsl.palette_stack(frames, 3)
    with pytest.raises(ValueError, match=r"Frame 7: .* values in \[0, 255\]"):
        stack.frame(7)


@pytest.mark.parametrize("hidden", [(255, 0, 255), (0, 255, 0), (0, 0, 0), (9, 200, 9)])
@pytest.mark.parametrize("in_viewer", [False, True])
def test_hidden_colours_of_frames_take_no_part(film, hidden, in_viewer):
    frames = np.concatenate([film, np.full((*film.shape[:3], 1), 255, np.uint8)], -1)
    frames[:, :, :30] = (*hidden, 0)
    frames[:, 20:40, 40:, 3] = 128
    opaque = frames.copy()
    opaque[:, :, :30, :3] = film[:, :, 30:31]
    source = Image(frames, rgb=True) if in_viewer else frames
    stack = nsl.palette_stack(source, 4)
    nearby = nsl.palette_stack(frames[:, :, 30:, :3], 4)
    np.testing.assert_allclose(
        np.sort(stack.palette, axis=0), np.sort(nearby.palette, axis=0), atol=0.15
    )
    layers = stack.frame(1)
    np.testing.assert_allclose(layers.alphas.sum(0), frames[1, ..., 3] / 255, atol=1e-6)
    assert layers.recomposition_error < 1e-5


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_frames_with_broken_values(film, value):
    frames = film / 255.0
    frames[0, :5, :5] = value
    with pytest.raises(ValueError, match="Frame 0: .*nan='fill'"):
        nsl.palette_stack(frames, 3)
    stack = nsl.palette_stack(frames, 3, nan="fill")
    assert (stack.frame(0).alphas[:, :5, :5] == 0).all()
    assert stack.frame(1).alpha is None


def test_all_frames_and_one_frame_take_each_others_place(film):
    viewer = ViewerModel()
    source = viewer.add_image(film, rgb=True, name="film")
    for count in (3, 5, 2):
        nsl.palette_stack(source, count).to_napari(viewer)
        ((key, layers),) = result_sets(viewer).items()
        assert key[1] == "palette"
        assert [np.shape(x.data)[0] for x in layers] == [3] * count
        nsl.palette_layers(source, count + 1).to_napari(viewer)
        ((key, layers),) = result_sets(viewer).items()
        assert [np.shape(x.data)[0] for x in layers] == [1] * (count + 1)
        assert not source.visible
    assert len(viewer.layers) == 4


def test_other_results_of_the_stack_are_hidden(film):
    viewer = ViewerModel()
    source = viewer.add_image(film, rgb=True, name="film")
    trimap = np.zeros(film.shape[1:3], np.uint8)
    trimap[:10], trimap[40:60, 30:50] = 1, 2
    mattes = nsl.matte(source, trimap).to_napari(viewer)
    nsl.palette_stack(source, 3).to_napari(viewer)
    assert not any(layer.visible for layer in mattes)


@pytest.mark.parametrize(
    ("options", "look"),
    [
        ({}, {}),
        ({"palette": "auto", "seed": 3}, {}),
        ({"palette": 4, "smoothing": 0.0, "selection": "hull"}, {"gamma": 0.7}),
        ({"palette": [(1, 0, 0), (0, 0.2, 0.9)]}, {"contrast_limits": (30, 200)}),
        ({"palette": 4, "locked": [(1, 0, 0)]}, {}),
    ],
)
def test_code_and_rerun_give_the_same_frames(film, options, look):
    viewer = ViewerModel()
    source = viewer.add_image(film, rgb=True, name="film", **look)
    shown = nsl.palette_stack(source, **options).to_napari(viewer)
    code = code_of(record_of(shown[0]).recipe)
    assert "nsl.palette_stack(picture, " in code
    fresh = ViewerModel()
    fresh.add_image(film, rgb=True, name="film", **look)
    exec(code, {"viewer": fresh})
    source.contrast_limits = (0, 90)
    again = nsl.rerun(shown[1], viewer)
    for t in range(3):
        for one, other, third in zip(
            shown, fresh.layers[1:], again.rgba(np.uint8), strict=True
        ):
            np.testing.assert_array_equal(one.data[t], other.data[t])
            np.testing.assert_array_equal(one.data[t], third[t])


def test_rerun_says_what_changed(film):
    viewer = ViewerModel()
    source = viewer.add_image(film.copy(), rgb=True, name="film")
    shown = nsl.palette_stack(source, 3).to_napari(viewer)
    source.data[2, 5, 5] += 1
    with pytest.raises(ValueError, match="'film' was changed"):
        nsl.rerun(shown[0], viewer)
    viewer.layers.remove(source)
    with pytest.raises(ValueError, match="'film' is no longer in the viewer"):
        nsl.rerun(shown[0], viewer)


def test_a_stack_with_the_users_own_function_has_no_recipe(film):
    viewer = ViewerModel()
    source = viewer.add_image(film, rgb=True, name="film")
    stack = nsl.palette_stack(source, 3, processing=lambda alphas: alphas**2)
    shown = stack.to_napari(viewer)
    with pytest.raises(ValueError, match="does not say how it was made"):
        nsl.rerun(shown[0], viewer)


@pytest.mark.parametrize("shape", [(64, 64, 3), (2, 3, 64, 64, 3), (3, 64, 64)])
def test_what_is_no_stack_of_colours_is_refused(shape):
    layer = ViewerModel().add_image(np.zeros(shape, np.uint8), rgb=shape[-1] == 3)
    with pytest.raises(TypeError, match="use palette_layers"):
        nsl.palette_stack(layer)


@pytest.mark.parametrize("kind", ["array", "layer"])
def test_a_frame_in_which_nothing_is_seen(film, kind):
    opaque = np.full((*film.shape[:3], 1), 255, np.uint8)
    rgba = np.concatenate([film, opaque], axis=-1)
    rgba[1] = 0
    source = rgba if kind == "array" else Image(rgba, rgb=True, gamma=1.5)
    stack = nsl.palette_stack(source, 3)
    assert stack.frame(1).alphas.max() == 0
    assert stack.frame(2).alpha is None
    rgba[:] = 0
    with pytest.raises(ValueError, match="Every pixel of the stack is transparent"):
        nsl.palette_stack(source, 3)
