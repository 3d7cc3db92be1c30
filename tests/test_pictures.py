"""The reader of pictures: every kind of layer, its look, its transparency."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Points

import napari_softlayers as nsl
from napari_softlayers._bridge import features_of, mask_of, picture_of
from napari_softlayers._bridge.pictures import picture_again

LIMITS = {
    np.uint8: [(0, 255), (50, 150), (10, 255), (0, 100)],
    np.uint16: [(0, 65535), (0, 4080), (1000, 30000), (60000, 65535)],
    np.float32: [(0, 1), (0.2, 0.7), (-1, 2), (-300, 2250)],
    np.int16: [(0, 32767), (-500, 1500), (-32768, 32767), (100, 200)],
}
DTYPES = list(LIMITS)


@pytest.fixture
def rgb(rng):
    return rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)


def values_of(rng, dtype, limits, shape=(30, 40)) -> np.ndarray:
    """Values around contrast limits: some below, some above."""
    low, high = limits
    wide = rng.uniform(low - (high - low) / 3, high + (high - low) / 3, shape)
    if dtype == np.float32:
        return wide.astype(dtype)
    info = np.iinfo(dtype)
    return np.clip(np.rint(wide), info.min, info.max).astype(dtype)


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda a: a, np.uint8),
        (lambda a: a.astype(np.uint16) * 257, np.uint16),
        (lambda a: a.astype(np.float64) / 255, np.float32),
        (lambda a: (a / 255).astype(np.float16), np.float32),
        (lambda a: da.from_array(a, chunks=(16, 16, 3)), np.uint8),
        (lambda a: np.dstack([a, np.full(a.shape[:2], 128, np.uint8)]), np.uint8),
    ],
    ids=["uint8", "uint16", "float", "half", "dask", "rgba"],
)
def test_rgb_of_any_type(rgb, make, dtype):
    picture = picture_of(Image(make(rgb), rgb=True, name="photo"))
    np.testing.assert_allclose(picture.data, rgb / 255, atol=5e-4)
    assert picture.dtype == dtype
    assert picture.name == "photo"
    assert picture.input.name == "photo"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", range(4))
def test_grey_is_seen_between_its_contrast_limits(rng, dtype, number):
    low, high = limits = LIMITS[dtype][number]
    values = values_of(rng, dtype, limits)
    picture = picture_of(Image(values, contrast_limits=limits))
    wanted = np.clip((values.astype(float) - low) / (high - low), 0, 1)
    for channel in range(3):
        np.testing.assert_allclose(picture.data[..., channel], wanted, atol=1e-5)


@pytest.mark.parametrize("low", [-3.5, 0.0, 0.25, 1e4])
@pytest.mark.parametrize("width", [0.5, 1.0, 20.0, 3e5])
def test_floats_without_limits_are_seen_as_napari_stretches_them(rng, low, width):
    values = (low + width * rng.random((30, 40))).astype(np.float32)
    layer = Image(values)
    low, high = layer.contrast_limits
    data = picture_of(layer).data[..., 0]
    np.testing.assert_allclose(data, (values - low) / (high - low), atol=1e-3)


@pytest.mark.parametrize("gamma", [0.4, 0.8, 1.0, 2.2])
@pytest.mark.parametrize("colormap", ["gray", "green", "viridis", "gray_r"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_gamma_and_colormap_are_in_the_picture(rng, gamma, colormap, dtype):
    limits = LIMITS[dtype][1]
    values = values_of(rng, dtype, limits)
    layer = Image(values, contrast_limits=limits, gamma=gamma, colormap=colormap)
    unit = np.clip((values.astype(float) - limits[0]) / (limits[1] - limits[0]), 0, 1)
    wanted = layer.colormap.map(unit.ravel() ** gamma)[:, :3].reshape(30, 40, 3)
    np.testing.assert_allclose(picture_of(layer).data, wanted, atol=2e-3)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 1.7, 3.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_colours_have_limits_and_gamma_too(rng, gamma, dtype):
    low, high = LIMITS[dtype][1]
    values = values_of(rng, dtype, (low, high), (30, 40, 3))
    layer = Image(values, rgb=True, contrast_limits=(low, high), gamma=gamma)
    unit = np.clip((values.astype(float) - low) / (high - low), 0, 1)
    np.testing.assert_allclose(picture_of(layer).data, unit**gamma, atol=1e-4)


def test_a_picture_is_read_again_as_it_was_taken(rng):
    values = values_of(rng, np.uint16, (1000, 30000))
    settings = {"contrast_limits": (1000, 30000), "gamma": 0.7, "colormap": "magma"}
    layer = Image(values, **settings)
    first = picture_of(layer)
    layer.contrast_limits, layer.gamma, layer.colormap = (0, 9000), 2.0, "gray"
    np.testing.assert_array_equal(picture_again(layer, first.frame).data, first.data)
    other = picture_of(layer)
    assert np.abs(other.data - first.data).max() > 0.1
    assert other.input.digest == first.input.digest
    assert other.frame != first.frame


def test_the_digest_tells_content_alone(rgb):
    digests = {
        name: picture_of(layer).input.digest
        for name, layer in {
            "one": Image(rgb, rgb=True),
            "moved": Image(rgb, rgb=True, translate=(3, 3), name="other"),
            "painted": Image(np.where(rgb == rgb[0, 0, 0], 0, rgb), rgb=True),
            "cropped": Image(rgb[1:], rgb=True),
            "wider": Image(rgb.astype(np.uint16), rgb=True),
        }.items()
    }
    assert digests["one"] == digests["moved"]
    assert len(set(digests.values())) == 4


@pytest.mark.parametrize("channels", [(0, 1, 2), (4, 0, 2), (3, 1), (2,), (-1, 0, 1)])
def test_channels_of_a_multichannel_layer(rng, channels):
    data = rng.integers(0, 256, (5, 20, 30), dtype=np.uint8)
    wanted = np.moveaxis(data[list(channels)], 0, -1) / 255
    if len(channels) == 1:
        wanted = np.repeat(wanted, 3, axis=-1)
    if len(channels) == 2:
        wanted = np.dstack([wanted, np.zeros((20, 30))])
    picture = picture_of(Image(data), channels=channels)
    np.testing.assert_allclose(picture.data, wanted, atol=1e-6)
    video = Image(np.stack([data[:, ::-1], data]))
    picture = picture_of(video, channels=channels, step=(1,))
    np.testing.assert_allclose(picture.data, wanted, atol=1e-6)
    with pytest.raises(ValueError, match="no channel axis"):
        picture_of(Image(data[0]), channels=channels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_hidden_colours_take_no_part_and_alphas_sum_to_the_pictures(rng, dtype, share):
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    values = (rng.random((24, 32, 4)) * top).astype(dtype)
    values[:, :12] = np.array([top, 0, top, share * top]).astype(dtype)
    layer = Image(values, rgb=True, contrast_limits=(0, top))
    picture = picture_of(layer)
    np.testing.assert_allclose(picture.alpha, values[..., 3] / top, atol=1e-4)
    magenta = (picture.data[:, :12] == (1, 0, 1)).all(axis=-1)
    assert magenta.all() == (share > 0)
    layers = nsl.palette_layers(layer, 3)
    np.testing.assert_allclose(layers.alphas.sum(axis=0), picture.alpha, atol=1e-5)
    light = picture.alpha[..., None] * picture.data
    np.testing.assert_allclose(layers.composite(), light, atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_broken_values_are_refused_or_transparent(rgb, bad):
    values = rgb / np.float32(255)
    values[3, 4] = bad
    layer = Image(values, rgb=True, name="photo", contrast_limits=(0, 1))
    with pytest.raises(ValueError, match="'photo'.*NaN"):
        picture_of(layer)
    picture = picture_of(layer, nan="fill")
    assert picture.alpha[3, 4] == 0
    assert picture.alpha.sum() == 40 * 50 - 1


def test_not_an_image():
    with pytest.raises(TypeError, match="Image layer is needed"):
        picture_of(Points(np.zeros((1, 2)), name="dots"))
    with pytest.raises(ValueError, match="Index the array instead"):
        picture_of(np.zeros((4, 4)), step=(0,))


# ---- what is seen stays as it was  ----

LOOKS = {
    "plain": {},
    "limits": {"contrast_limits": (40, 180)},
    "gamma": {"gamma": 0.5},
    "opacity": {"opacity": 0.4},
    "colormap": {"colormap": "viridis"},
    "all": {"contrast_limits": (20, 200), "gamma": 1.6, "opacity": 0.7},
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("dtype", [None, np.uint8, np.uint16, np.float32])
def test_the_layers_add_up_to_what_was_seen(rgb, look, dtype):
    grey = LOOKS[look].get("colormap") is not None
    viewer = ViewerModel()
    values = rgb[..., 0] if grey else rgb
    source = viewer.add_image(values, rgb=not grey, **LOOKS[look])
    seen = source.opacity * picture_of(source).data
    shown = nsl.palette_layers(source, 3).to_napari(viewer, dtype=dtype)
    total = 0.0
    for layer in shown:
        top = 1 if layer.data.dtype.kind == "f" else np.iinfo(layer.data.dtype).max
        assert list(layer.contrast_limits) == [0, top]
        assert layer.gamma == 1
        rgba = layer.data / top
        total = total + layer.opacity * rgba[..., 3:] * rgba[..., :3]
    np.testing.assert_allclose(total, seen, atol=2 / 255)


# ---- masks and features  ----


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.6, 1.0])
def test_alpha_and_grey_images_are_masks(rgb, dtype, alpha):
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    grid = picture_of(Image(rgb, rgb=True)).grid
    rgba = np.dstack([rgb / 255, np.full(rgb.shape[:2], alpha)]) * top
    layer = Image(rgba.astype(dtype), rgb=True)
    np.testing.assert_allclose(mask_of(layer, grid), alpha, atol=1 / 255)
    grey = Image(rgba[..., 3].astype(dtype), contrast_limits=(0, top))
    np.testing.assert_allclose(mask_of(grey, grid), alpha, atol=1 / 255)
    with pytest.raises(ValueError, match="'plain' is an RGB image without alpha"):
        mask_of(Image(rgb, rgb=True, name="plain"), grid)


def test_features_of_layers_have_their_axis_last(rng):
    picture = picture_of(rng.random((8, 9, 3)))
    values = rng.random((5, 8, 9))
    rgb = rng.random((8, 9, 3))
    for layer, wanted in (
        (Image(values), values.transpose(1, 2, 0)),
        (Image(rgb, rgb=True), rgb),
        (Image(rgb[..., 0]), rgb[..., 0]),
    ):
        found = features_of(layer, picture)
        np.testing.assert_array_equal(found.values, wanted)
        assert found.input.name == layer.name
    assert features_of(values, picture).values is values
    for name in ("bundled", None):
        assert features_of(name, picture).values == name
        assert features_of(name, picture).input.value == name
    with pytest.raises(TypeError, match="features come from an Image layer"):
        features_of(Points(np.zeros((1, 2)), name="dots"), picture)
