"""Superpixels, affinities between them, and the Laplacian of the whole graph."""

from math import erf

import numpy as np
import pytest

from napari_softlayers._core.label_images import read_labels
from napari_softlayers._core.numerics.laplacian import (
    color_affinity,
    graph_laplacian,
    region_pixels,
    semantic_affinity,
)
from napari_softlayers._core.numerics.matting_laplacian import matting_laplacian
from napari_softlayers._core.numerics.superpixels import (
    Superpixels,
    block_means,
    numbered_regions,
    slic_superpixels,
)


@pytest.fixture
def quarters():
    """Four regions of 4x4 pixels each."""
    labels = np.kron([[0, 1], [2, 3]], np.ones((4, 4))).astype(np.int64)
    return Superpixels(labels)


def test_region_statistics(quarters):
    assert quarters.count == 4
    np.testing.assert_array_equal(quarters.sizes, [16] * 4)
    np.testing.assert_allclose(
        quarters.centroids, [[1.5, 1.5], [1.5, 5.5], [5.5, 1.5], [5.5, 5.5]]
    )
    values = quarters.labels[..., None] * np.array([1.0, 10.0])
    np.testing.assert_allclose(
        quarters.means(values), np.arange(4)[:, None] * [1.0, 10.0]
    )


def test_neighbours_include_diagonals(quarters):
    expected = {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}
    assert {tuple(pair) for pair in quarters.neighbours()} == expected
    row = Superpixels(np.array([[0, 0, 1, 1, 2, 2]]))
    assert {tuple(pair) for pair in row.neighbours()} == {(0, 1), (1, 2)}


def test_color_affinity_is_equation_4(quarters):
    colors = np.array([[0, 0, 0], [0.04, 0, 0], [0.06, 0, 0], [0.9, 0, 0]])
    picture = colors[quarters.labels].astype(np.float32)
    affinity = color_affinity(picture, quarters, radius=1.5).toarray()
    for s, t, distance in [(0, 1, 0.04), (0, 2, 0.06), (1, 2, 0.02)]:
        expected = (erf(50 * (0.05 - distance)) + 1) / 2
        assert affinity[s, t] == pytest.approx(expected, abs=1e-6)
    assert affinity[0, 3] == 0
    np.testing.assert_array_equal(affinity, affinity.T)
    np.testing.assert_array_equal(affinity.diagonal(), 0)


def test_color_affinity_ends_at_the_radius(quarters):
    picture = np.zeros((8, 8, 3), np.float32)
    near = color_affinity(picture, quarters, radius=0.6).toarray()
    assert near[0, 1] > 0.99  # half a picture away
    assert near[0, 3] == 0  # 0.71 away


def test_semantic_affinity_is_equation_5_with_negative_values(quarters):
    features = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.15, 0], [0, 0, 1]])
    values = features[quarters.labels].astype(np.float32)
    affinity = semantic_affinity(values, quarters).toarray()
    assert affinity[0, 1] == pytest.approx(erf(20 * 0.05), abs=1e-6)
    assert affinity[0, 2] == pytest.approx(0, abs=1e-6)
    assert affinity[0, 3] == pytest.approx(-1, abs=1e-6)


def test_laplacian_adds_edges_between_centroids(quarters, rng):
    picture = rng.random((8, 8, 3)).astype(np.float32)
    matting = matting_laplacian(picture)
    affinity = color_affinity(np.zeros_like(picture), quarters, radius=1.5)
    edges = affinity * 0.01
    pixels = region_pixels(quarters, (8, 8))
    np.testing.assert_array_equal(pixels, [[2, 2], [2, 6], [6, 2], [6, 6]])
    whole = graph_laplacian(matting, edges, pixels, (8, 8)).toarray()
    added = whole - matting.toarray()
    assert added[2 * 8 + 2, 6 * 8 + 6] == pytest.approx(-affinity[0, 3] * 0.01)
    np.testing.assert_allclose(whole.sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(whole, whole.T, atol=1e-12)


def test_normalised_laplacian_is_equation_3(quarters, rng):
    picture = rng.random((8, 8, 3)).astype(np.float32)
    matting = matting_laplacian(picture)
    edges = color_affinity(picture * 0, quarters, radius=1.5) * 0.01
    pixels = region_pixels(quarters, (8, 8))
    plain = graph_laplacian(matting, edges, pixels, (8, 8)).toarray()
    found = graph_laplacian(matting, edges, pixels, (8, 8), normalised=True).toarray()
    # The degree of a pixel is the number of matting windows over it, plus its edges.
    rows = np.convolve(np.ones(6), np.ones(3))
    degree = np.outer(rows, rows).ravel()
    at = pixels[:, 0] * 8 + pixels[:, 1]
    degree[at] += edges.sum(axis=1)
    scale = 3 / np.sqrt(degree)
    np.testing.assert_allclose(found, scale[:, None] * plain * scale, atol=1e-9)


def test_edges_outside_a_band_are_left_out(quarters, rng):
    picture = rng.random((5, 8, 3)).astype(np.float32)
    matting = matting_laplacian(picture)
    edges = color_affinity(np.zeros((8, 8, 3)), quarters, radius=1.5) * 0.01
    pixels = region_pixels(quarters, (8, 8))
    band = graph_laplacian(matting, edges, pixels, (5, 8)).toarray()
    added = band - matting.toarray()
    assert np.count_nonzero(np.triu(added, 1)) == 1  # only the two upper regions
    np.testing.assert_allclose(band.sum(axis=1), 0, atol=1e-9)


def test_slic_covers_the_picture(astronaut):
    regions = slic_superpixels(astronaut.astype(np.float32) / 255, 300)
    assert regions.labels.shape == (128, 128)
    assert 150 < regions.count < 600
    assert regions.sizes.min() > 0


def test_tiny_pictures_get_few_superpixels():
    assert slic_superpixels(np.zeros((3, 3, 3), np.float32)).count <= 2


def test_large_picture_is_divided_on_a_small_copy():
    picture = np.zeros((701, 900, 3), np.float32)
    picture[:, 450:] = 1
    regions = slic_superpixels(picture, 100)
    assert regions.labels.shape == (701, 900)
    left = set(np.unique(regions.labels[:, :440]))
    assert not left & set(np.unique(regions.labels[:, 460:]))


def test_user_labels_are_checked():
    labels = np.array([[5, 5], [9, 0]])
    np.testing.assert_array_equal(
        numbered_regions(read_labels(labels, (2, 2))).labels, [[1, 1], [2, 0]]
    )
    with pytest.raises(ValueError, match="same height and width"):
        read_labels(labels, (2, 3))
    with pytest.raises(ValueError, match="negative values, down to -9"):
        read_labels(-labels, (2, 2))
    with pytest.raises((TypeError, ValueError), match="whole|integers"):
        read_labels(labels * 0.5, (2, 2))


def test_block_means_of_odd_sizes(rng):
    values = rng.random((5, 7, 2)).astype(np.float32)
    means = block_means(values, 2)
    assert means.shape == (3, 4, 2)
    np.testing.assert_allclose(means[0, 0], values[:2, :2].mean(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(means[2, 3], values[4, 6], rtol=1e-6)
