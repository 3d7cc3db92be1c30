"""Any picture array becomes float32 RGB in [0, 1] with its coverage, or an error."""

import warnings

import dask.array as da
import numpy as np
import pytest
import torch

from napari_softlayers._core.picture import as_image, read_picture, to_dtype

GREY = np.arange(20).reshape(4, 5) / 19
"""From black to white."""


@pytest.mark.parametrize(
    ("dtype", "top"),
    [
        (np.uint8, 255),
        (np.uint16, 65535),
        (np.int8, 127),
        (np.int16, 32767),
        (bool, 1),
        (np.float32, 1.0),
        (np.float64, 1.0),
        (np.float16, 1.0),
    ],
)
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
def test_dtypes_and_layouts(dtype, top, shape):
    image = np.zeros(shape, dtype)
    if shape[-1] == 4:
        image[..., 3] = top
    image[0, 0] = top
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rgb, alpha = read_picture(image)
    assert rgb.shape == (4, 5, 3)
    assert rgb.dtype == np.float32
    np.testing.assert_array_equal(rgb[0, 0], 1)
    assert rgb.sum() == 3
    assert alpha is None


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint32, np.uint16, np.uint64])
@pytest.mark.parametrize(
    ("top", "white"),
    [(200, 255), (255, 255), (256, 1023), (1000, 1023), (4095, 4095), (9000, 16383)],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_wide_integers_are_scaled_by_the_bits_that_hold_them(
    dtype, top, white, channels
):
    image = np.rint(np.dstack([GREY] * 3) * top).astype(dtype)
    if channels == 4:
        image = np.dstack([image, np.full((4, 5), white, dtype)])
    with pytest.warns(UserWarning, match=f"{white} was taken as white") as said:
        rgb, alpha = read_picture(image)
    assert len(said) == 1
    np.testing.assert_allclose(rgb, image[..., :3] / white, atol=1e-6)
    assert alpha is None


@pytest.mark.parametrize("top", [40000, 65535])
def test_sixteen_bits_are_said_where_the_dtype_has_more(top):
    image = np.rint(GREY * top).astype(np.int64)
    with pytest.warns(UserWarning, match="65535 was taken as white"):
        np.testing.assert_allclose(as_image(image)[..., 0], image / 65535, atol=1e-6)


@pytest.mark.parametrize(
    ("top", "white"), [(16.0, 255), (180.5, 255), (255.0, 255), (3000.0, 4095)]
)
def test_floats_beyond_one_are_scaled_likewise(top, white):
    with pytest.warns(UserWarning, match=f"{white} was taken as white"):
        rgb = as_image(GREY * top)
    np.testing.assert_allclose(rgb[..., 0], GREY * top / white, atol=1e-6)


@pytest.mark.parametrize("opaque", [1.0, 255.0])
@pytest.mark.parametrize("top", [1.0, 90.0, 255.0])
def test_float_colours_and_alpha_may_have_scales_of_their_own(top, opaque):
    alpha = np.where(GREY > 0.5, opaque, opaque / 4)
    image = np.dstack([GREY * top] * 3 + [alpha])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rgb, seen = read_picture(image)
    expected = GREY if top == 1 else GREY * top / 255
    np.testing.assert_allclose(rgb[..., 0], expected, atol=1e-6)
    np.testing.assert_allclose(seen, alpha / opaque, atol=1e-6)


def test_dark_colours_below_a_16_bit_alpha_stay_dark():
    image = np.dstack([np.full((4, 5, 3), 180), np.full((4, 5), 65535)])
    with pytest.warns(UserWarning, match="65535 was taken as white of both"):
        rgb = as_image(image.astype(np.uint16))
    np.testing.assert_allclose(rgb, 180 / 65535, atol=1e-7)


HIDDEN = [(255, 0, 255), (0, 0, 0), (255, 255, 255), (1, 2, 3)]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int64])
def test_hidden_colours_are_those_of_the_nearest_visible_pixels(hidden, dtype):
    image = np.zeros((6, 8, 4))
    image[:, :3] = (*hidden, 0)
    image[:, 3:5] = (200, 40, 20, 255)
    image[:, 5:] = (20, 60, 220, 102)
    scale = {"f": 1 / 255, "u": 1, "i": 1}[np.dtype(dtype).kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rgb, alpha = read_picture((image * scale).astype(dtype))
    np.testing.assert_allclose(rgb[:, :5] * 255, [[(200, 40, 20)] * 5] * 6, atol=1e-3)
    np.testing.assert_allclose(rgb[:, 5:] * 255, [[(20, 60, 220)] * 3] * 6, atol=1e-3)
    np.testing.assert_allclose(
        alpha[0] * 255, [0] * 3 + [255] * 2 + [102] * 3, atol=1e-3
    )


def test_hidden_values_do_not_say_what_white_is():
    image = np.full((4, 5, 4), 200, np.int64)
    image[..., 3] = 255
    image[0] = (60000, 60000, 60000, 0)
    with pytest.warns(UserWarning, match="255 was taken as white"):
        rgb, alpha = read_picture(image)
    np.testing.assert_allclose(rgb, 200 / 255, atol=1e-6)
    assert alpha[0].max() == 0


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 5, 4)),
        np.zeros((4, 5, 4), np.uint8),
        np.ma.masked_all((4, 5, 3)),
        np.where(np.arange(3) == 1, np.nan, np.zeros((4, 5, 3))),
    ],
    ids=["float", "uint8", "masked", "nan"],
)
def test_a_picture_of_nothing_is_refused(image):
    with pytest.raises(ValueError, match="is transparent"):
        read_picture(image, nan="fill")


BROKEN = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize("layout", ["grey", "rgb", "rgba", "channels"])
def test_broken_values_are_refused_or_become_transparent(value, layout):
    channels = (4, 0) if layout == "channels" else None
    count = {"grey": 1, "rgb": 3, "rgba": 4, "channels": 6}[layout]
    image = np.full((20, 24, count), 0.5)
    if layout == "rgba":
        image[..., 3] = 1
    image[:3, :, 0] = value
    with pytest.raises(ValueError, match=r"NaN or infinite values in 72 .*'fill'"):
        read_picture(image, channels)
    rgb, alpha = read_picture(image, channels, nan="fill")
    assert (alpha[:3] == 0).all()
    assert (alpha[3:] == 1).all()
    np.testing.assert_array_equal(rgb[..., 0], 0.5)


@pytest.mark.parametrize("value", BROKEN)
def test_broken_values_that_are_not_seen_do_not_matter(value):
    image = np.full((20, 24, 4), 0.5)
    image[:3] = (value, value, value, 0)
    rgb, alpha = read_picture(image)
    np.testing.assert_array_equal(rgb, 0.5)
    np.testing.assert_array_equal(alpha[2:5, 0], [0, 0.5, 0.5])
    assert read_picture(image, (3, 3, 3))[1] is None
    masked = np.ma.masked_invalid(image[..., :3])
    assert (read_picture(masked)[1][:3] == 0).all()


def test_other_rules_for_nan_are_refused():
    with pytest.raises(ValueError, match="nan='zero'"):
        read_picture(GREY, nan="zero")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, bool])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_masked_pixels_are_transparent(dtype, count):
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    shape = (4, 5, count) if count else (4, 5)
    image = np.ma.masked_array(np.full(shape, top, dtype), np.zeros(shape, bool))
    assert read_picture(image)[1] is None
    image.data[0, 0] = 0
    image[0, 0] = np.ma.masked
    rgb, alpha = read_picture(image)
    np.testing.assert_array_equal(rgb, 1)
    assert alpha[0, 0] == 0
    assert alpha.sum() == 19


def test_a_mask_of_another_channel_does_not_matter():
    image = np.ma.masked_array(np.full((20, 24, 6), 0.5), False)
    image[:3, :, 5] = np.ma.masked
    assert read_picture(image, (0, 1, 2))[1] is None
    assert (read_picture(image, (5,))[1][:3] == 0).all()


@pytest.mark.parametrize(
    "make",
    [
        torch.from_numpy,
        lambda a: torch.from_numpy(a).requires_grad_(),
        lambda a: da.from_array(a, chunks=(2, 2, 3)),
        np.asfortranarray,
        lambda a: a[::-1, ::-1][::-1, ::-1],
        lambda a: a.astype(">f8"),
        lambda a: a.tolist(),
        lambda a: tuple(tuple(map(tuple, row)) for row in a.tolist()),
        np.ma.masked_array,
    ],
    ids=[
        "tensor",
        "grad",
        "dask",
        "fortran",
        "view",
        "endian",
        "lists",
        "tuples",
        "masked",
    ],
)
def test_containers(make, rng):
    image = rng.random((6, 7, 3)).astype(np.float32)
    rgb, alpha = read_picture(make(image))
    np.testing.assert_array_equal(rgb, image)
    assert alpha is None


@pytest.mark.parametrize("top", [9, 200, 255, 1023])
def test_nested_lists_of_integers(top):
    given = np.rint(GREY * top).astype(int)
    with pytest.warns(UserWarning, match="taken as white"):
        rgb = as_image(given.tolist())
    np.testing.assert_allclose(rgb[..., 0], given / (1023 if top > 255 else 255))


def test_channels_are_chosen(rng):
    image = rng.random((20, 24, 6)).astype(np.float32)
    np.testing.assert_array_equal(as_image(image, (5, 0, 2)), image[..., [5, 0, 2]])
    np.testing.assert_array_equal(as_image(image, (3,))[..., 1], image[..., 3])
    np.testing.assert_array_equal(as_image(image, (-1,))[..., 1], image[..., 5])
    assert (as_image(image, (1, 2))[..., 2] == 0).all()


@pytest.mark.parametrize("planes", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("size", [(30, 40), (9, 8), (200, 17)])
def test_planes_first_are_named(planes, size):
    image = np.zeros((planes, *size))
    with pytest.raises(ValueError, match=r"np\.moveaxis\(image, 0, -1\)"):
        read_picture(image)
    with pytest.raises(ValueError, match=r"np\.moveaxis\(image, 0, -1\)"):
        read_picture(image, (0,))


@pytest.mark.parametrize("shape", [(3, 9, 3), (1, 9, 4), (4, 4, 1), (2, 2, 3), (3, 40)])
def test_small_pictures_are_no_planes(shape):
    image = np.ones(shape)
    assert as_image(image).shape == (*shape[:2], 3)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.full((4, 4), 7.0), ValueError, r"\[0, 1\]"),
        (np.full((4, 4), 1.01), ValueError, r"\[0, 1\]"),
        (np.full((4, 4), -0.1), ValueError, "values from 0"),
        (np.full((4, 4), -5, np.int16), ValueError, "values from 0"),
        (np.full((4, 4, 4), (9, 9, 9, -1), np.int64), ValueError, "values from 0"),
        (np.full((4, 4), 65536), ValueError, "above 65535"),
        (np.full((4, 4), 2**32 - 1, np.uint32), ValueError, "above 65535"),
        (np.full((4, 4), 1e9), ValueError, "above 65535"),
        (np.zeros((4, 4, 5)), ValueError, "5 channels"),
        (np.zeros((40, 40, 2)), ValueError, "2 channels"),
        (np.zeros(4), ValueError, "shape"),
        (np.zeros((0, 4)), ValueError, "nothing in it"),
        (np.zeros((2, 4, 4, 3)), ValueError, "one frame"),
        (np.zeros((4, 4), complex), TypeError, "complex"),
        (np.array([["a"]]), TypeError, "dtype"),
        ([[1, 2], [3]], TypeError, "no array"),
        ("photo.jpg", TypeError, "dtype"),
        (None, TypeError, "dtype"),
        (torch.zeros(4, 4, dtype=torch.complex64), TypeError, "complex"),
    ],
)
def test_bad_pictures_are_named(image, error, message):
    with pytest.raises(error, match=message):
        as_image(image)


@pytest.mark.parametrize(
    ("channels", "error", "message"),
    [
        ((9,), ValueError, "from 0 to 4"),
        ((0, -6), ValueError, "from 0 to 4"),
        ((0, 1, 2, 3), ValueError, "4 channels"),
        ((), ValueError, "0 channels"),
        ((0.5,), TypeError, "whole numbers"),
        (("red",), TypeError, "whole numbers"),
        (3, TypeError, "whole numbers"),
        ((True,), TypeError, "whole numbers"),
    ],
)
def test_bad_channels_are_named(channels, error, message):
    for values in (np.zeros((40, 40, 5)), np.full((40, 40, 5), np.nan)):
        with pytest.raises(error, match=message):
            read_picture(values, channels, nan="fill")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_way_back_is_lossless(dtype):
    top = np.iinfo(dtype).max
    image = np.arange(top + 1, dtype=dtype)[:, None]
    np.testing.assert_array_equal(to_dtype(as_image(image)[..., 0], dtype), image)


def test_way_back_refuses_other_dtypes():
    with pytest.raises(ValueError, match="int32"):
        to_dtype(np.zeros(3), np.int32)
