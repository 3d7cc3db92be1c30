"""The guided filter against its definition."""

import numpy as np
import pytest

from napari_softlayers._core.numerics.guided_filter import guided_filter


def reference(guide, values, radius, eps):
    """Window by window, as the paper writes it."""
    guide = guide.reshape(*guide.shape[:2], -1).astype(float)
    values = values.reshape(*values.shape[:2], -1).astype(float)
    height, width = guide.shape[:2]
    slopes = np.zeros((height, width, guide.shape[2], values.shape[2]))
    rests = np.zeros((height, width, values.shape[2]))
    windows = {}
    for y in range(height):
        for x in range(width):
            rows = slice(max(0, y - radius), y + radius + 1)
            columns = slice(max(0, x - radius), x + radius + 1)
            windows[y, x] = rows, columns
            inside = guide[rows, columns].reshape(-1, guide.shape[2])
            given = values[rows, columns].reshape(-1, values.shape[2])
            centred = inside - inside.mean(0)
            covariance = centred.T @ centred / len(inside) + eps * np.eye(
                len(centred.T)
            )
            cross = centred.T @ (given - given.mean(0)) / len(inside)
            slopes[y, x] = np.linalg.solve(covariance, cross)
            rests[y, x] = given.mean(0) - inside.mean(0) @ slopes[y, x]
    result = np.empty_like(values)
    for (y, x), (rows, columns) in windows.items():
        slope = slopes[rows, columns].mean((0, 1))
        result[y, x] = guide[y, x] @ slope + rests[rows, columns].mean((0, 1))
    return result


@pytest.mark.parametrize("radius", [1, 2, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_equals_the_definition(rng, radius, channels):
    guide = rng.random((14, 11, channels), np.float32)
    values = rng.random((14, 11, 4), np.float32)
    found = guided_filter(guide, values, radius, 1e-3)
    np.testing.assert_allclose(found, reference(guide, values, radius, 1e-3), atol=2e-5)


def test_window_larger_than_the_picture(rng):
    guide, values = rng.random((6, 5, 3), np.float32), rng.random((6, 5), np.float32)
    found = guided_filter(guide, values, 20, 1e-2)
    expected = reference(guide, values, 20, 1e-2)[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_thin_pictures(rng, shape):
    guide = rng.random((*shape, 3), np.float32)
    found = guided_filter(guide, guide, 4, 1e-3)
    assert found.shape == guide.shape
    assert np.isfinite(found).all()


def test_linear_in_the_values(rng):
    guide = rng.random((20, 30, 3), np.float32)
    values = rng.random((20, 30, 6), np.float32)
    matrix = rng.standard_normal((6, 2)).astype(np.float32)
    after = guided_filter(guide, values, 4, 1e-3) @ matrix
    before = guided_filter(guide, values @ matrix, 4, 1e-3)
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_constant_guide_gives_means_of_means(rng):
    values = rng.random((12, 12), np.float32)
    guide = np.full((12, 12, 3), 0.3, np.float32)
    found = guided_filter(guide, values, 2, 1e-4)
    expected = reference(guide, values, 2, 1e-4)[..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_keeps_the_edges_of_the_guide_only(rng):
    step = np.zeros((40, 40), np.float32)
    step[:, 20:] = 1
    noisy = step + rng.normal(0, 0.2, step.shape).astype(np.float32)
    edged = guided_filter(step, noisy, 5, 1e-3)
    blurred = guided_filter(np.zeros_like(step), noisy, 5, 1e-3)
    assert np.abs(edged - step).max() < 0.15
    assert np.abs(blurred - step)[:, 18:22].max() > 0.3


@pytest.mark.parametrize(
    ("guide", "values", "radius", "eps", "message"),
    [
        ((8, 8, 2), (8, 8), 2, 1e-3, "guide must be"),
        ((8, 8), (8, 9), 2, 1e-3, "do not fit"),
        ((8, 8), (8, 8), 0, 1e-3, "radius"),
        ((8, 8), (8, 8), 2, 0.0, "eps"),
    ],
)
def test_bad_input(guide, values, radius, eps, message):
    with pytest.raises(ValueError, match=message):
        guided_filter(np.zeros(guide), np.zeros(values), radius, eps)
