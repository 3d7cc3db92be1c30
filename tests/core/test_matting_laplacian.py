"""The matting Laplacian against the formula of the paper, window by window."""

import numpy as np
import pytest

from napari_softlayers._core.numerics.matting_laplacian import (
    NEIGHBOURS,
    laplacian_stencil,
    matting_laplacian,
)
from napari_softlayers._core.run import Cancelled, Run


def reference(picture, eps):
    """Eq. 12 of Levin 2008 with explicit inverses, dense."""
    height, width = picture.shape[:2]
    number = np.arange(height * width).reshape(height, width)
    laplacian = np.zeros((height * width, height * width))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            window = np.s_[y - 1 : y + 2, x - 1 : x + 2]
            centred = picture[window].reshape(9, 3).astype(float)
            centred = centred - centred.mean(axis=0)
            covariance = centred.T @ centred / 9 + eps / 9 * np.eye(3)
            affinity = (1 + centred @ np.linalg.solve(covariance, centred.T)) / 9
            where = number[window].ravel()
            laplacian[np.ix_(where, where)] += np.eye(9) - affinity
    return laplacian


@pytest.mark.parametrize("shape", [(3, 3), (4, 9), (12, 10), (31, 4)])
@pytest.mark.parametrize("eps", [1e-7, 1e-3])
def test_equals_the_published_construction(rng, shape, eps):
    picture = rng.random((*shape, 3)).astype(np.float32)
    expected = reference(picture, eps)
    found = matting_laplacian(picture, eps)
    assert found.has_sorted_indices
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (7, 2)])
def test_without_a_window_it_is_zero(shape):
    found = matting_laplacian(np.full((*shape, 3), 0.5))
    assert found.shape == (shape[0] * shape[1],) * 2
    assert abs(found).sum() == 0


def test_colours_and_constants_are_in_its_null_space():
    # Affine functions of a smooth colour ramp cost only the regularisation.
    y, x = np.mgrid[:12, :15] / 15
    picture = np.stack([x, y, x * y], axis=-1)
    laplacian = matting_laplacian(picture, 1e-12)
    candidates = np.concatenate([np.ones((180, 1)), picture.reshape(-1, 3)], axis=1)
    assert np.abs(laplacian @ candidates).max() < 1e-6
    noise = np.random.default_rng(1).random(180)
    assert noise @ laplacian @ noise > 1


def test_a_flat_picture_gives_plain_averages():
    found = matting_laplacian(np.full((5, 5, 3), 0.3)).toarray()
    centre = found[12].reshape(5, 5)
    assert centre[2, 2] == pytest.approx(9 * (1 - 1 / 9))
    assert centre[0, 0] == pytest.approx(-1 / 9)
    assert centre[2, 1] == pytest.approx(-6 / 9)


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-12), (np.float32, 5e-6)])
def test_rows_of_some_pixels_are_rows_of_the_whole(
    rng, monkeypatch, share, dtype, atol
):
    from napari_softlayers._core.numerics import matting_laplacian as module

    monkeypatch.setattr(module, "_PIXELS_PER_STRIP", 40)  # several strips
    picture = rng.random((30, 17, 3)).astype(np.float32)
    unknown = rng.random((30, 17)) < share
    whole = reference(picture, 1e-7)
    stencil = laplacian_stencil(picture, unknown, dtype=dtype)
    assert stencil.dtype == dtype
    for (y, x), values in zip(np.argwhere(unknown), stencil.T, strict=True):
        for (dy, dx), value in zip(NEIGHBOURS, values, strict=True):
            inside = 0 <= y + dy < 30 and 0 <= x + dx < 17
            there = (y + dy) * 17 + x + dx
            expected = whole[y * 17 + x, there] if inside else 0
            assert value == pytest.approx(expected, abs=atol)


@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-11), (np.float32, 2e-5)])
def test_rows_add_up_to_zero(astronaut, dtype, atol):
    picture = (astronaut / 255).astype(np.float32)
    stencil = laplacian_stencil(picture, np.ones((128, 128), bool), dtype=dtype)
    assert np.abs(stencil.sum(axis=0)).max() < atol


def test_can_be_cancelled(rng):
    with pytest.raises(Cancelled):
        matting_laplacian(rng.random((40, 40, 3)), run=Run(cancelled=lambda: True))
