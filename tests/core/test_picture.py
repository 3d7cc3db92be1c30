"""Any picture array becomes float32 RGB in [0, 1]."""

import numpy as np
import pytest

from napari_softlayers._core.picture import as_image, to_dtype


@pytest.mark.parametrize(
    ("dtype", "top"),
    [
        (np.uint8, 255),
        (np.uint16, 65535),
        (np.uint32, 2**32 - 1),
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
    image[0, 0] = top
    result = as_image(image)
    assert result.shape == (4, 5, 3)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result[0, 0], 1)
    assert result.sum() == 3


def test_layout_in_memory_does_not_matter(rng):
    image = rng.random((6, 7, 3))
    expected = image.astype(np.float32)
    for view in (np.asfortranarray(image), image[::-1][::-1], image.astype(">f8")):
        np.testing.assert_array_equal(as_image(view), expected)


def test_channels_are_chosen(rng):
    image = rng.random((4, 5, 6)).astype(np.float32)
    np.testing.assert_array_equal(as_image(image, (5, 0, 2)), image[..., [5, 0, 2]])
    np.testing.assert_array_equal(as_image(image, (3,))[..., 1], image[..., 3])
    assert (as_image(image, (1, 2))[..., 2] == 0).all()


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.full((4, 4), np.nan), ValueError, "NaN or infinite"),
        (np.full((4, 4), np.inf), ValueError, "NaN or infinite"),
        (np.full((4, 4), 7.0), ValueError, r"\[0, 1\]"),
        (np.full((4, 4), -5, np.int16), ValueError, "values from 0"),
        (np.zeros((4, 4, 5)), ValueError, "5 channels"),
        (np.zeros(4), ValueError, "shape"),
        (np.zeros((0, 4)), ValueError, "shape"),
        (np.zeros((2, 4, 4, 3)), ValueError, "one frame"),
        (np.zeros((4, 4), complex), TypeError, "complex"),
        (np.array([["a"]]), TypeError, "dtype"),
    ],
)
def test_bad_pictures_are_named(image, error, message):
    with pytest.raises(error, match=message):
        as_image(image)


def test_bad_channels_are_named():
    with pytest.raises(ValueError, match="from 0 to 4"):
        as_image(np.zeros((4, 4, 5)), (9,))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_way_back_is_lossless(dtype):
    top = np.iinfo(dtype).max
    image = np.arange(top + 1, dtype=dtype)[:, None]
    np.testing.assert_array_equal(to_dtype(as_image(image)[..., 0], dtype), image)


def test_way_back_refuses_other_dtypes():
    with pytest.raises(ValueError, match="int32"):
        to_dtype(np.zeros(3), np.int32)
