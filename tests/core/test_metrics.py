"""The four errors of alphamatting.com."""

import numpy as np
import pytest
from matte_metrics import (
    connectivity_error,
    gradient_error,
    matte_errors,
    mse,
    sad,
)
from scipy import ndimage


@pytest.fixture
def truth():
    y, x = np.mgrid[:60, :60]
    return np.clip((30 - np.hypot(y - 30, x - 30)) / 10, 0, 1)


def test_a_perfect_matte_has_no_error(truth):
    assert set(matte_errors(truth, truth).values()) == {0}


def test_sad_and_mse_by_hand(truth):
    unknown = (truth > 0) & (truth < 1)
    shifted = truth + 0.1 * unknown
    assert sad(shifted, truth, unknown) == pytest.approx(1e-4 * unknown.sum())
    assert mse(shifted, truth, unknown) == pytest.approx(0.01)
    assert sad(shifted, truth) == pytest.approx(sad(shifted, truth, unknown))
    assert mse(truth, 1 - truth, np.zeros_like(unknown)) == 0


def test_gradient_of_a_step_by_hand():
    # With kernels of unit norm, a step of height one has the gradient
    # g(0) * sum(g) / (|g| |g'|) beside it.
    step = np.zeros((40, 40))
    step[:, 20:] = 1
    only = np.zeros_like(step, bool)
    only[20, 20] = True
    x = np.arange(-4, 5)
    g = np.exp(-(x**2) / (2 * 1.4**2)) / (1.4 * np.sqrt(2 * np.pi))
    dg = -x * g / 1.4**2
    norm = np.linalg.norm(np.outer(g, dg))
    expected = (g.sum() * dg[x < 0].sum() / norm) ** 2
    # The kernel reaches 20 - 4 .. 20 + 4; ones from column 20 on.
    found = gradient_error(step, np.zeros_like(step), only) * 1000
    assert found == pytest.approx((g.sum() * dg[x > 0].sum() / norm) ** 2, rel=1e-6)
    assert found == pytest.approx(expected, rel=1e-6)


def test_gradient_error_ignores_constants(truth):
    assert gradient_error(truth * 0.5 + 0.2, truth * 0.5) == pytest.approx(0, abs=1e-20)


def test_connectivity_punishes_islands(truth):
    island = truth.copy()
    island[2:5, 2:5] = 0.8
    attached = truth.copy()
    ring = (truth == 0) & ndimage.binary_dilation(truth > 0)
    attached[ring] = 0.1
    assert connectivity_error(island, truth) == pytest.approx(9 * 0.8 / 1000)
    # Faint errors beside the object are below the tolerance of 0.15.
    assert connectivity_error(attached, truth) == 0
    assert connectivity_error(island, truth, truth > 0) == 0


def test_shapes_must_agree(truth):
    with pytest.raises(ValueError, match="same"):
        sad(truth[:5], truth)
    with pytest.raises(ValueError, match="same"):
        mse(truth, truth, np.ones((2, 2), bool))
