"""Exact sums against an independent solver, cancelling, determinism."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from napari_softlayers._core.layers.colors import (
    _by_breakpoints,
    estimate_colors,
    project_exact,
)
from napari_softlayers._core.run import Cancelled, Run


def random_problem(rng, layers, pixels):
    alphas = rng.dirichlet(np.full(layers, 0.5), pixels).T.astype(np.float32)
    colors = rng.choice([0, 0.02, 0.5, 0.98, 1], (layers, 3, 1, pixels))
    image = rng.choice([0, 0.01, 0.5, 1], (3, 1, pixels))
    return tuple(
        torch.from_numpy(np.asarray(x, np.float32))
        for x in (image, alphas[:, None], colors)
    )


@pytest.mark.parametrize("layers", [2, 3, 7, 12])
def test_sum_is_exact_even_where_the_box_binds(layers, rng):
    image, alphas, colors = random_problem(rng, layers, 4000)
    exact = project_exact(image, alphas, colors)
    total = (alphas[:, None] * exact).sum(0)
    assert (total - image).abs().max() < 1e-5
    assert exact.min() >= 0
    assert exact.max() <= 1


def test_projection_is_the_nearest_one(rng):
    image, alphas, colors = random_problem(rng, 3, 25)
    exact = project_exact(image, alphas, colors).numpy()
    for p in range(25):
        weight = np.maximum(alphas[:, 0, p].double().numpy(), 1e-9)
        start, goal = colors[:, 0, 0, p].numpy(), float(image[0, 0, p])
        best = minimize(
            lambda u, w=weight, c=start: float((w * (u - c) ** 2).sum()),
            np.full(3, goal),
            bounds=[(0, 1)] * 3,
            constraints={
                "type": "eq",
                "fun": lambda u, w=weight, g=goal: (w * u).sum() - g,
            },
        )
        ours = (weight * (exact[:, 0, 0, p] - start) ** 2).sum()
        assert ours <= best.fun + 1e-5


def test_newton_agrees_with_the_breakpoint_search(rng):
    image, alphas, colors = random_problem(rng, 6, 500)
    ours = project_exact(image, alphas, colors)[:, 0, 0]
    sorted_ = _by_breakpoints(image[0, 0], alphas[:, 0], colors[:, 0, 0])
    weighted = alphas[:, 0] * (ours - sorted_)
    assert weighted.abs().max() < 1e-5


def test_layers_without_alpha_keep_their_colour():
    image = torch.full((3, 2, 2), 0.9)
    alphas = torch.zeros(2, 2, 2)
    alphas[0] = 1
    palette = torch.tensor([0.1, 0.4])[:, None, None, None].expand(2, 3, 1, 1)
    exact = project_exact(image, alphas, palette)
    assert torch.allclose(exact[1], torch.tensor(0.4))
    assert torch.allclose(exact[0], torch.tensor(0.9))


def test_colour_estimate_is_deterministic_and_can_be_cancelled(astronaut):
    image = astronaut.astype(np.float32) / 255
    ramp = np.linspace(0, 1, 128, dtype=np.float32)[None].repeat(128, 0)
    alphas = np.stack([ramp, 1 - ramp])
    first = estimate_colors(image, alphas)
    np.testing.assert_array_equal(first, estimate_colors(image, alphas))
    with pytest.raises(Cancelled):
        estimate_colors(image, alphas, run=Run(cancelled=lambda: True))
