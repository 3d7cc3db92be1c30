"""The guided filter against its definition."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari_softlayers._core import threads  # noqa: E402
from napari_softlayers._core.numerics.guided_filter import GuidedFilter  # noqa: E402


def planes(array):
    """A tensor (C, H, W) of an array (H, W) or (H, W, C)."""
    channels = np.atleast_3d(array).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(channels))


def guided_filter(guide, values, radius, eps, **options):
    follow = GuidedFilter(planes(guide), radius, eps, **options)
    return follow(planes(values)).permute(1, 2, 0).numpy()


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
    expected = reference(guide, values, 20, 1e-2)
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
    expected = reference(guide, values, 2, 1e-4)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_keeps_the_edges_of_the_guide_only(rng):
    step = np.zeros((40, 40), np.float32)
    step[:, 20:] = 1
    noisy = step + rng.normal(0, 0.2, step.shape).astype(np.float32)
    edged = guided_filter(step, noisy, 5, 1e-3)[..., 0]
    blurred = guided_filter(np.zeros_like(step), noisy, 5, 1e-3)[..., 0]
    assert np.abs(edged - step).max() < 0.15
    assert np.abs(blurred - step)[:, 18:22].max() > 0.3


@pytest.mark.parametrize("radius", [1, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_outermost_pixels_repeat_beyond_the_border(rng, radius, channels):
    guide = rng.random((12, 15, channels))
    values = rng.random((12, 15, 2))
    found = guided_filter(guide, values, radius, 1e-3, repeat=True)
    around = ((2 * radius, 2 * radius), (2 * radius, 2 * radius), (0, 0))
    # Averaged are repeated fits, not fits of repeated pixels: the same where only the
    # first windows reach beyond the border.
    inside = np.s_[radius : 12 - radius, radius : 15 - radius]
    large = [np.pad(array, around, "edge") for array in (guide, values)]
    expected = reference(*large, radius, 1e-3)[2 * radius :, 2 * radius :][:12, :15]
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-9)
    constant = guided_filter(guide, np.full((12, 15), 0.3), radius, 1e-3, repeat=True)
    np.testing.assert_allclose(constant, 0.3, atol=1e-9)


@pytest.mark.parametrize("shape", [(16, 20), (15, 19), (1, 3)])
def test_half_size_fits_follow_the_guide_itself(rng, shape):
    """What is affine in the guide stays, wherever the fits were made."""
    guide = rng.random((*shape, 3))
    values = guide @ [[0.5], [-0.2], [0.3]] + 0.1
    found = guided_filter(guide, values, 1, 1e-9, step=2, repeat=True)
    np.testing.assert_allclose(found, values, atol=1e-5)


@pytest.mark.parametrize("step", [2, 3, 4])
def test_fits_of_a_small_guide_draw_a_large_picture(rng, step):
    picture = rng.random((10 * step, 8 * step, 3))
    guide = picture.reshape(10, step, 8, step, 3).mean((1, 3))
    weights = rng.standard_normal((3, 2))
    follow = GuidedFilter(planes(guide), 1, 1e-9, repeat=True)
    large = follow.enlarged(planes(guide @ weights), planes(picture), step)
    inside = np.s_[2 * step : -2 * step, 2 * step : -2 * step]  # nine colours a window
    found = large.permute(1, 2, 0).numpy()[inside]
    np.testing.assert_allclose(found, (picture @ weights)[inside], atol=1e-4)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("radius", [1, 5])
@pytest.mark.parametrize("repeat", [False, True])
def test_bands_change_nothing(rng, monkeypatch, step, radius, repeat):
    guide, values = rng.random((37, 30, 3)), rng.random((37, 30, 2))
    options = {"step": step, "repeat": repeat}
    whole = guided_filter(guide, values, radius, 1e-3, **options)
    monkeypatch.setattr(threads, "BAND", 1200)
    banded = guided_filter(guide, values, radius, 1e-3, **options)
    np.testing.assert_allclose(banded, whole, atol=1e-12)


@pytest.mark.parametrize(
    ("guide", "radius", "eps", "step", "message"),
    [
        ((2, 8, 8), 2, 1e-3, 1, "guide must be"),
        ((8, 8), 2, 1e-3, 1, "guide must be"),
        ((3, 8, 8), 0, 1e-3, 1, "radius"),
        ((3, 8, 8), 2, 0.0, 1, "eps"),
        ((3, 8, 8), 2, 1e-3, 3, "step"),
    ],
)
def test_bad_input(guide, radius, eps, step, message):
    with pytest.raises(ValueError, match=message):
        GuidedFilter(torch.zeros(guide), radius, eps, step=step)


@pytest.mark.gpu
@pytest.mark.parametrize("options", [{}, {"step": 2, "repeat": True}])
def test_the_same_on_a_gpu(rng, options):
    guide, values = planes(rng.random((37, 30, 3))), planes(rng.random((37, 30, 2)))
    here = GuidedFilter(guide, 3, 1e-3, **options)(values)
    there = GuidedFilter(guide.cuda(), 3, 1e-3, **options)(values.cuda())
    torch.testing.assert_close(there.cpu(), here)
