"""Layers <-> arrays: every kind of image, place in space, results in a viewer model."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points, Shapes
from napari_softlayers._bridge.views import preview_rgba, set_view

import napari_softlayers as nsl
from napari_softlayers._bridge import (
    clear_results,
    features_of,
    is_result,
    labels_of,
    layers_from_napari,
    mask_of,
    picture_of,
    place_in_space,
    record_of,
    result_sets,
    show,
    source_of,
    step_of,
)
from napari_softlayers._core.layers.soft_layers import SoftLayers


@pytest.fixture
def rgb(rng):
    return rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)


def halves(picture: np.ndarray, kind: str = "matte", count: int = 2) -> SoftLayers:
    """Layers with soft random alphas whose colours are the picture's own."""
    alphas = np.random.default_rng(1).random((count, *picture.shape[:2]), np.float32)
    alphas /= alphas.sum(axis=0)
    colors = np.broadcast_to(picture, (count, *picture.shape)).copy()
    names = ["background", "foreground"] if count == 2 else []
    return SoftLayers(alphas, colors, names, kind, {"method": "test"})


def summed(layers: list[Image]) -> np.ndarray:
    """Light of additive layers, as the canvas adds it."""
    total = 0.0
    for layer in layers:
        top = 1.0 if layer.data.dtype.kind == "f" else np.iinfo(layer.data.dtype).max
        rgba = layer.data / top
        total = total + layer.opacity * rgba[..., 3:] * rgba[..., :3]
    return total


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda a: a, np.uint8),
        (lambda a: a.astype(np.uint16) * 257, np.uint16),
        (lambda a: a.astype(np.float64) / 255, np.float32),
        (lambda a: da.from_array(a, chunks=(16, 16, 3)), np.uint8),
        (lambda a: np.dstack([a, np.full(a.shape[:2], 128, np.uint8)]), np.uint8),
    ],
    ids=["uint8", "uint16", "float", "dask", "rgba"],
)
def test_rgb_of_any_type(rgb, make, dtype):
    picture = picture_of(Image(make(rgb), rgb=True, name="photo"))
    np.testing.assert_allclose(picture.data, rgb / 255, atol=1e-6)
    assert picture.dtype == dtype
    assert picture.name == "photo"


def test_grey_becomes_three_equal_channels(rgb):
    picture = picture_of(Image(rgb[..., 0]))
    np.testing.assert_allclose(picture.data[..., 1], rgb[..., 0] / 255, atol=1e-6)


def test_floats_beyond_one_are_scaled_by_contrast_limits(rgb):
    values = rgb[..., 0] * 10.0 - 300
    picture = picture_of(Image(values, contrast_limits=(-300, 2250)))
    np.testing.assert_allclose(picture.data[..., 0], rgb[..., 0] / 255, atol=1e-6)
    assert picture.parameters["limits"] == (-300, 2250)


def test_twelve_bit_camera_uses_its_contrast_limits(rgb):
    values = rgb[..., 0].astype(np.uint16) * 16
    picture = picture_of(Image(values, contrast_limits=(0, 4080)))
    np.testing.assert_allclose(picture.data[..., 0], rgb[..., 0] / 255, atol=1e-6)
    assert picture.dtype == np.uint16


def test_channels_of_a_multichannel_layer(rng):
    channels = rng.integers(0, 256, (5, 20, 30), dtype=np.uint8)
    picture = picture_of(Image(channels), channels=(4, 0, 2))
    np.testing.assert_allclose(
        picture.data, np.moveaxis(channels[[4, 0, 2]], 0, -1) / 255, atol=1e-6
    )


def test_frame_of_a_stack_follows_the_viewer(rng):
    stack = rng.integers(0, 256, (6, 20, 30, 3), dtype=np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image(stack, rgb=True, scale=(2.5, 0.5, 0.5))
    viewer.dims.set_current_step(0, 4)
    step = step_of(viewer, layer)
    assert step == (4,)
    picture = picture_of(layer, step=step)
    np.testing.assert_allclose(picture.data, stack[4] / 255, atol=1e-6)
    with pytest.raises(ValueError, match="one index inside"):
        picture_of(layer, step=(6,))


def test_multiscale_takes_the_level_for_the_working_size(rng):
    full = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    pyramid = [full, full[::2, ::2], full[::4, ::4]]
    layer = Image(pyramid, rgb=True, multiscale=True, scale=(3, 3), translate=(10, 20))
    assert picture_of(layer).data.shape == (64, 96, 3)
    picture = picture_of(layer, megapixels=0.0015)
    assert picture.data.shape == (32, 48, 3)
    small = Image(picture.data, rgb=True, **picture.spatial)
    # The corner of the first pixel and that of the last one lie where they lay.
    for corner_small, corner_full in (
        ((-0.5, -0.5),) * 2,
        ((31.5, 47.5), (63.5, 95.5)),
    ):
        np.testing.assert_allclose(
            small.data_to_world(corner_small),
            np.add((10, 20), 3 * np.array(corner_full)),
        )


def test_place_in_space_keeps_rotation_shear_affine_and_units(rgb):
    stack = np.stack([rgb, rgb])
    affine = np.eye(4)
    affine[1:3, 3] = 7, -4
    affine[1, 2] = 0.25
    source = Image(
        stack,
        rgb=True,
        scale=(2, 0.5, 0.7),
        translate=(1, 30, 40),
        rotate=(30, 0, 0),
        shear=(0, 0, 0.3),
        affine=affine,
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
    )
    flat = Image(rgb, rgb=True, **place_in_space(source))
    for point in ((0, 0), (12.5, 31), (39, 49)):
        np.testing.assert_allclose(
            flat.data_to_world(point), source.data_to_world((0, *point))[1:]
        )
    assert [str(unit) for unit in flat.units] == ["micrometer", "micrometer"]
    assert flat.axis_labels == ("y", "x")


def test_not_an_image():
    with pytest.raises(TypeError, match="Image layer is needed"):
        picture_of(Points(np.zeros((1, 2)), name="dots"))
    bad = np.full((8, 8, 3), np.nan, np.float32)
    with pytest.raises(ValueError, match="'photo'.*NaN"):
        picture_of(Image(bad, rgb=True, name="photo", contrast_limits=(0, 1)))


def test_labels_serve_every_frame_and_coarser_levels():
    labels = np.zeros((20, 30), np.uint8)
    labels[:10] = 1
    labels[10:] = 2
    assert labels_of(Labels(labels)).shape == (20, 30)
    coarse = labels_of(Labels(labels), shape=(10, 15))
    np.testing.assert_array_equal(coarse, labels[::2, ::2])
    stack = np.stack([labels, labels[::-1]])
    np.testing.assert_array_equal(labels_of(Labels(stack), step=(1,)), labels[::-1])


def test_trimaps_keep_what_their_layer_is(rgb):
    rows, columns = np.indices(rgb.shape[:2])
    trimap = np.where(columns < 15, 1, np.where(columns > 30, 2, 0))
    expected = nsl.matte(rgb, trimap)
    colors = np.array([[128, 128, 128], [255, 0, 0], [0, 255, 0]], np.uint8)[trimap]
    greys = np.array([90, 0, 250], np.uint8)[trimap]
    for other, word in (
        (colors, "red background"),
        (Image(colors, rgb=True), "red background"),
        (greys, "grey picture"),
        (Image(greys), "grey picture"),
        (Image(trimap.astype(np.uint8)), "label image"),
    ):
        with pytest.warns(UserWarning, match=word):
            layers = nsl.matte(rgb, other)
        assert layers.names == ["background", "foreground"]
        np.testing.assert_array_equal(layers.alphas, expected.alphas)
    layers = nsl.matte(rgb, Labels(np.array([0, 90, 250])[trimap]))
    assert layers.names == ["label 90", "label 250"]
    np.testing.assert_array_equal(layers.alphas, expected.alphas)


def test_shapes_become_labels_in_the_images_pixels(rgb):
    image = Image(rgb, rgb=True, scale=(2, 2), translate=(100, 0))
    square = np.array([[10, 10], [10, 20], [20, 20], [20, 10]]) * 2.0 + (100, 0)
    mask = mask_of(Shapes([square], shape_type="polygon"), image)
    assert mask.shape == (40, 50)
    assert mask[15, 15] == 1
    assert mask[5, 5] == 0
    assert 90 <= (mask > 0).sum() <= 125
    with pytest.raises(ValueError, match="no shapes"):
        mask_of(Shapes(name="outline"), image)


def test_alpha_and_grey_images_are_masks(rgb):
    image = Image(rgb, rgb=True)
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 51, np.uint8)])
    np.testing.assert_allclose(mask_of(Image(rgba, rgb=True), image), 0.2, atol=1e-6)
    with pytest.raises(ValueError, match="without alpha"):
        mask_of(Image(rgb, rgb=True, name="plain"), image)


# ---- results --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_shown_layers_add_up_to_the_picture(rgb, dtype):
    viewer = ViewerModel()
    source = viewer.add_image(rgb, rgb=True, name="photo", scale=(0.3, 0.3))
    picture = picture_of(source)
    shown = show(viewer, halves(picture.data, count=3), like=source, dtype=dtype)
    tolerance = 2 / 255 if dtype == np.uint8 else 1e-4
    np.testing.assert_allclose(summed(shown), rgb / 255, atol=tolerance)
    for layer in shown:
        assert layer.data.dtype == dtype
        assert layer.blending == "additive"
        assert layer.rgb
        assert layer.contrast_limits == [0, {1: 255, 2: 65535, 4: 1}[dtype().itemsize]]
        np.testing.assert_array_equal(layer.scale, source.scale)
    assert not source.visible


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_layers_of_a_stretched_picture_are_stretched_alike(rgb, dtype):
    viewer = ViewerModel()
    top = 65535 if dtype == np.uint16 else 1
    data = (rgb / 255 * 0.5 * top + 0.1 * top).astype(dtype)
    source = viewer.add_image(data, rgb=True, contrast_limits=(0.1 * top, 0.6 * top))
    picture = picture_of(source)
    assert "limits" not in picture.parameters
    shown = show(viewer, halves(picture.data), like=picture)
    low, high = 0.1 * top, 0.6 * top
    seen = sum(
        layer.data[..., 3:] / top * (layer.data[..., :3] - layer.contrast_limits[0])
        for layer in shown
    ) / (shown[0].contrast_limits[1] - shown[0].contrast_limits[0])
    np.testing.assert_allclose(seen, (data - low) / (high - low), atol=1e-3)


def test_a_result_set_knows_its_source_and_parameters(rgb):
    viewer = ViewerModel()
    source = viewer.add_image(rgb, rgb=True, name="photo")
    bottom, top = show(viewer, halves(rgb / np.float32(255)), like=source)
    assert [bottom.name, top.name] == ["photo · background", "photo · foreground"]
    record = record_of(top)
    assert record["kind"] == "matte"
    assert record["index"] == 1
    assert record["params"]["method"] == "test"
    assert record["run"] == record_of(bottom)["run"]
    assert 0 < record["coverage"] < 1
    source.name = "renamed"
    assert source_of(viewer, top) is source
    assert is_result(top)
    assert not is_result(source)
    assert list(result_sets(viewer).values()) == [[bottom, top]]


def test_second_result_updates_in_place_and_keeps_the_users_settings(rgb):
    viewer = ViewerModel()
    source = viewer.add_image(rgb, rgb=True, name="photo")
    trimap = viewer.add_labels(np.zeros(rgb.shape[:2], int))
    unit = rgb / np.float32(255)
    first = show(viewer, halves(unit, count=3), like=source)
    first[1].opacity = 0.4
    first[1].name = "my hair"
    first[2].visible = False
    assert viewer.layers.selection.active is trimap
    second = show(viewer, halves(unit[::-1], count=2), like=source)
    assert second == first[:2]
    assert second[1].opacity == 0.4
    assert second[1].name == "my hair"
    assert first[2] not in viewer.layers
    np.testing.assert_allclose(second[0].data[..., :3], rgb[::-1], atol=1)
    assert [layer.name for layer in viewer.layers][-1] == trimap.name


def test_other_kinds_of_the_same_source_are_hidden_and_clear_restores(rgb):
    viewer = ViewerModel()
    source = viewer.add_image(rgb, rgb=True)
    unit = rgb / np.float32(255)
    mattes = show(viewer, halves(unit, "matte"), like=source)
    palette = show(viewer, halves(unit, "palette"), like=source)
    assert not any(layer.visible for layer in mattes)
    assert all(layer.visible for layer in palette)
    clear_results(viewer, palette)
    clear_results(viewer, mattes)
    assert list(viewer.layers) == [source]
    assert source.visible


def test_layers_of_another_size_are_refused_and_nothing_is_added(rgb):
    viewer = ViewerModel()
    source = viewer.add_image(rgb, rgb=True, name="photo")
    with pytest.raises(ValueError, match="10x10, 'photo' is 40x50"):
        show(viewer, halves(np.zeros((10, 10, 3), np.float32)), like=source)
    assert list(viewer.layers) == [source]
    assert source.visible


def test_reading_a_result_set_back(rgb):
    viewer = ViewerModel()
    source = viewer.add_image(rgb, rgb=True, name="photo")
    layers = halves(rgb / np.float32(255), count=3)
    shown = show(viewer, layers, like=source, dtype=np.uint16)
    back = layers_from_napari(reversed(shown))
    assert back.names == layers.names
    assert back.kind == "matte"
    np.testing.assert_allclose(back.alphas, layers.alphas, atol=1e-4)
    np.testing.assert_allclose(back.image, layers.image, atol=1e-4)
    with pytest.raises(ValueError, match="No layers"):
        layers_from_napari([])
    with pytest.raises(TypeError, match="RGBA"):
        layers_from_napari([source])


def test_views_composite_the_object(rgb):
    viewer = ViewerModel()
    source = viewer.add_image(rgb, rgb=True, name="photo")
    layers = halves(rgb / np.float32(255))
    bottom, top = show(viewer, layers, like=source)
    set_view(viewer, source, "matte", "on white")
    visible = [layer for layer in viewer.layers if layer.visible]
    alpha = layers.alphas[1][..., None]
    expected = alpha * rgb / 255 + (1 - alpha)
    np.testing.assert_allclose(summed(visible), expected, atol=3 / 255)
    set_view(viewer, source, "matte", "alpha")
    visible = [layer for layer in viewer.layers if layer.visible]
    np.testing.assert_allclose(summed(visible), np.repeat(alpha, 3, 2), atol=3 / 255)
    set_view(viewer, source, "matte", "original")
    assert [layer for layer in viewer.layers if layer.visible] == [source]
    set_view(viewer, source, "matte", "result")
    assert list(viewer.layers) == [source, bottom, top]
    assert (
        np.ptp(preview_rgba(np.zeros((40, 40)), "on checkerboard")[0, [0, 16], 0]) > 0
    )


def test_features_of_layers_have_their_axis_last(rng):
    values = rng.random((5, 8, 9))
    np.testing.assert_array_equal(features_of(Image(values)), values.transpose(1, 2, 0))
    rgb = rng.random((8, 9, 3))
    np.testing.assert_array_equal(features_of(Image(rgb, rgb=True)), rgb)
    np.testing.assert_array_equal(features_of(Image(rgb[..., 0])), rgb[..., 0])
    assert features_of(values) is values
    assert features_of("bundled") == "bundled"
    assert features_of(None) is None
