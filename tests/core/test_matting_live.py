"""Live mattes: the same result as from scratch, after every stroke."""

import numpy as np
import pytest

from napari_softlayers._core.matting import solve_alphas
from napari_softlayers._core.matting.live import LiveMatte
from napari_softlayers._core.run import Cancelled, Run


@pytest.fixture
def strokes(astronaut):
    """Trimaps as they grow: a few strokes, one more, one erased, nearly all known."""
    first = np.zeros((128, 128), int)
    first[5:12, 5:120], first[60:66, 40:90] = 1, 2
    second = first.copy()
    second[100:120, 55:70] = 2
    third = second.copy()
    third[5:12, 60:90] = 0
    fourth = np.full((128, 128), 1)
    fourth[40:110, 30:100] = 0
    fourth[60:90, 45:80] = 2
    return first, second, third, fourth


def test_every_stroke_gives_the_matte_from_scratch(astronaut, strokes):
    live = LiveMatte(astronaut, solver_tolerance=1e-5)
    for trimap in strokes:
        preview = live.preview(trimap)
        final = live.solve(trimap)
        expected = solve_alphas(astronaut, trimap, solver_tolerance=1e-5)
        for alphas in (preview, final):
            assert alphas.shape == (2, 128, 128)
            np.testing.assert_allclose(alphas.sum(axis=0), 1, atol=1e-6)
            assert (alphas[0][trimap == 1] == 1).all()
            assert (alphas[1][trimap == 2] == 1).all()
        assert np.abs(final - expected).mean() < 2e-3
        assert np.abs(preview - expected).mean() < 0.06


def test_a_preview_starts_from_the_last_matte(astronaut, strokes):
    first, second, *_ = strokes
    live, fresh = LiveMatte(astronaut), LiveMatte(astronaut)
    live.solve(first)
    small = first.copy()
    small[62:70, 40:44] = 2
    exact = solve_alphas(astronaut, small)
    after = np.abs(live.preview(small) - exact).mean()
    cold = np.abs(fresh.preview(small) - exact).mean()
    assert after < cold / 2


def test_labels_may_come_and_go(astronaut, strokes):
    live = LiveMatte(astronaut)
    first = strokes[0]
    three = first.copy()
    three[100:110, 10:30] = 3
    assert live.preview(first).shape[0] == 2
    assert live.solve(three).shape[0] == 3
    again = live.solve(first)
    expected = solve_alphas(astronaut, first)
    assert np.abs(again - expected).mean() < 2e-3


def test_odd_input(astronaut, strokes):
    live = LiveMatte(astronaut)
    with pytest.raises(ValueError, match="only label 1"):
        live.preview(np.eye(128, dtype=int))
    with pytest.raises(ValueError, match="picture 128x128"):
        live.preview(strokes[0][:50])
    with pytest.warns(UserWarning, match="no unknown"):
        full = live.solve(np.where(strokes[0] == 2, 2, 1))
    assert set(np.unique(full)) == {0, 1}
    tiny = LiveMatte(astronaut[:1, :7])
    assert tiny.solve(np.array([[1, 0, 0, 0, 0, 0, 2]])).shape == (2, 1, 7)


def test_a_cancelled_stroke_spoils_nothing(astronaut, strokes):
    first, second, *_ = strokes
    live = LiveMatte(astronaut)
    live.solve(first)
    for allowed in (0, 1, 3, 6):
        asked = []

        def cancelled(asked=asked, allowed=allowed):
            asked.append(None)
            return len(asked) > allowed

        with pytest.raises(Cancelled):
            live.solve(second, Run(cancelled=cancelled))
    expected = solve_alphas(astronaut, second)
    assert np.abs(live.solve(second) - expected).mean() < 2e-3
