"""Checking, making and widening trimaps."""

import numpy as np
import pytest

from napari_softlayers._core.matting import (
    read_trimap,
    trimap_from_mask,
    trimap_tolerance,
)
from napari_softlayers._core.matting.trimap import layer_labels

LABELS = np.array([[1, 1, 0, 2], [1, 0, 0, 2], [1, 1, 0, 2]])


@pytest.fixture
def disk():
    y, x = np.mgrid[:120, :140]
    return np.hypot(y - 60, x - 70) < 35


@pytest.mark.parametrize(
    "classic",
    [
        np.array([128, 0, 255], np.uint8)[LABELS],
        np.array([127, 0, 255], np.uint8)[LABELS],
        np.array([128, 0, 255], np.int64)[LABELS],
        np.array([0.5, 0, 1])[LABELS],
        np.array([0.5, 0, 1], np.float32)[LABELS],
        np.repeat(np.array([128, 0, 255], np.uint8)[LABELS][..., None], 3, axis=2),
    ],
)
def test_classic_trimaps_are_converted(classic):
    found = read_trimap(classic, (3, 4))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, LABELS)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint32, np.float64])
def test_labels_stay(dtype):
    np.testing.assert_array_equal(read_trimap(LABELS.astype(dtype)), LABELS)


def test_skipped_labels_are_numbered():
    labels, present = layer_labels(read_trimap(np.where(LABELS == 2, 7, LABELS)))
    assert present == [1, 7]
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (LABELS - 1, ValueError, "down to -1"),
        (LABELS + 0.25, ValueError, "0.25"),
        (np.where(LABELS == 2, np.nan, LABELS), ValueError, "NaN"),
        (np.where(LABELS == 2, np.inf, LABELS), ValueError, "infinite"),
        (LABELS == 1, TypeError, "bool"),
        (LABELS.astype(str), TypeError, "dtype"),
        (np.zeros(5), ValueError, r"\(5,\)"),
        (np.zeros((0, 4)), ValueError, r"\(0, 4\)"),
        (np.arange(36).reshape(3, 4, 3), ValueError, "red .background. and green"),
    ],
)
def test_what_is_no_trimap_is_refused(array, error, words):
    with pytest.raises(error, match=words):
        read_trimap(array)


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="3x4 pixels, the picture 4x3"):
        read_trimap(LABELS, (4, 3))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4), int), "no label at all"),
        (np.eye(4, dtype=int), "only label 1"),
        (np.arange(100).reshape(10, 10), "99 different labels"),
    ],
)
def test_two_labels_are_needed(array, words):
    with pytest.raises(ValueError, match=words):
        layer_labels(read_trimap(array, labels=True))


def test_band_of_a_mask(disk):
    trimap = trimap_from_mask(disk, 5)
    np.testing.assert_array_equal(np.unique(trimap), [0, 1, 2])
    assert (trimap[disk] != 1).all()
    assert (trimap[~disk] != 2).all()
    # The band is 5 pixels wide on either side.
    row = trimap[60]
    assert (row == 0).sum() == 20
    assert (trimap_from_mask(disk, 0) == disk + 1).all()


def test_the_picture_border_is_no_boundary(disk):
    trimap = trimap_from_mask(~disk, 6)
    assert (trimap[0] == 2).all()
    assert (trimap[:, -1] == 2).all()


def test_labels_become_layers(disk):
    labels = disk.astype(int)
    labels[:, 100:] = 4
    trimap = trimap_from_mask(labels, 3)
    np.testing.assert_array_equal(np.unique(trimap), [0, 1, 2, 3])
    assert (labels[trimap == 3] == 4).all()


def test_soft_alpha_stays_unknown():
    alpha = np.clip(np.linspace(-1, 2, 90), 0, 1) * np.ones((40, 1))
    trimap = trimap_from_mask(alpha)
    assert (trimap[(alpha > 0.05) & (alpha < 0.95)] == 0).all()
    assert (trimap[alpha == 0] != 2).all()
    assert {0, 1, 2} <= set(np.unique(trimap))


def test_adaptive_band_keeps_thin_parts(disk):
    thin = np.zeros((200, 300), bool)
    thin[80:120, 100:200] = True
    thin[98:104, 200:280] = True  # a stem of six pixels
    trimap = trimap_from_mask(thin)
    assert (trimap[98:104, 240] == 2).any()
    assert (trimap[78:122, 150] == 0).sum() >= 4


def test_adaptive_band_is_wider_in_texture(rng):
    mask = np.zeros((160, 160), bool)
    mask[:, 80:] = True
    picture = np.full((160, 160, 3), 0.4)
    picture[100:] = rng.random((60, 160, 3))
    trimap = trimap_from_mask(mask, picture=picture)
    widths = (trimap == 0).sum(axis=1)
    assert widths[140] > widths[20] > 0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.ones((5, 5), bool),), ValueError, "one value only"),
        ((np.eye(5), -1), ValueError, "band=-1"),
        ((np.eye(5) * np.nan,), ValueError, "NaN"),
        ((np.arange(900).reshape(30, 30),), ValueError, "900 different values"),
        ((np.zeros((3, 3, 3)),), ValueError, "shape"),
        ((np.full((3, 3), "a"),), TypeError, "dtype"),
    ],
)
def test_bad_masks(arguments, error, words):
    with pytest.raises(error, match=words):
        trimap_from_mask(*arguments)


def test_tolerance_widens_the_band(disk):
    trimap = trimap_from_mask(disk, 3)
    wider = trimap_tolerance(trimap, 4)
    assert (wider[trimap == 0] == 0).all()
    assert (wider[60] == 0).sum() == (trimap[60] == 0).sum() + 16
    np.testing.assert_array_equal(trimap_tolerance(trimap, 0), trimap)
    # A label never vanishes.
    assert set(np.unique(trimap_tolerance(trimap, 500))) == {0, 1, 2}
    with pytest.raises(ValueError, match="pixels=-2"):
        trimap_tolerance(trimap, -2)
