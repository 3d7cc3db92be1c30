"""DeepMattePropNet: the propagation, its gradient, the network and the method."""

import numpy as np
import pytest
import torch

from napari_softlayers._core.networks.deep_propagation import (
    PRESETS,
    DeepPropagationConfig,
    new_deep_propagation,
)
from napari_softlayers._core.networks.propagation import PropagationSystem, propagate

SHAPE = (5, 6)
SMALL = DeepPropagationConfig(
    stages=((4, 4), (6, 6)), low_level=(4, 4, 4), semantic=4, known=0.8
)


@pytest.fixture
def grid(rng):
    height, width = SHAPE
    across = rng.uniform(0.1, 2, (height, width - 1))
    down = rng.uniform(0.1, 2, (height - 1, width))
    known = np.zeros(SHAPE, bool)
    known[0], known[-1, :3] = True, True
    given = np.zeros(SHAPE)
    given[0] = 1
    return across, down, known, given


def dense(across, down, known, c=0.8):
    """``D - W + C`` straight from the definition."""
    height, width = SHAPE
    number = np.arange(height * width).reshape(SHAPE)
    w = np.zeros((height * width,) * 2)
    for one, two, values in (
        (number[:, :-1], number[:, 1:], across),
        (number[:-1], number[1:], down),
    ):
        w[one.ravel(), two.ravel()] = values.ravel()
    w += w.T
    return np.diag(w.sum(1)) - w + c * np.diag(known.ravel().astype(float))


def test_propagation_solves_equation_3(grid):
    across, down, known, given = grid
    expected = np.linalg.solve(
        dense(across, down, known), 0.8 * (known * given).ravel()
    ).reshape(SHAPE)
    found = PropagationSystem(across, down, known).propagate(given[None])[0]
    np.testing.assert_allclose(found, expected, atol=1e-10)
    assert found.min() >= 0 and found.max() <= 1


def test_layers_that_add_up_still_do(grid):
    across, down, known, given = grid
    layers = np.stack([given, known - given])
    found = PropagationSystem(across, down, known).propagate(layers)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-9)


def test_gradient_matches_finite_differences(grid):
    across, down, known, given = (torch.from_numpy(np.asarray(g)) for g in grid)
    across.requires_grad_()
    down.requires_grad_()
    target = torch.linspace(0, 1, 30, dtype=torch.float64).reshape(SHAPE)

    def loss(a, d):
        return (propagate(a, d, known, given) - target).square().sum()

    loss(across, down).backward()
    step = 1e-5
    for tensor in (across, down):
        for index in np.ndindex(*tensor.shape):
            with torch.no_grad():
                values = []
                for sign in (1, -1):
                    tensor[index] += sign * step
                    values.append(float(loss(across, down)))
                    tensor[index] -= sign * step
            expected = (values[0] - values[1]) / (2 * step)
            assert tensor.grad[index] == pytest.approx(expected, rel=1e-3, abs=1e-8)


def test_gradient_is_equation_4_summed_over_the_entries(grid):
    across, down, known, given = grid
    a = torch.from_numpy(across).requires_grad_()
    matte = propagate(
        a, torch.from_numpy(down), torch.from_numpy(known), torch.from_numpy(given)
    )
    weights = torch.from_numpy(np.random.default_rng(1).random(SHAPE))
    (matte * weights).sum().backward()
    inverse = np.linalg.inv(dense(across, down, known))
    right = 0.8 * (known * given).ravel()

    def equation_4(i, j):  # d alpha / d W_ij with D held fixed
        single = np.zeros_like(inverse)
        single[i, j] = 1
        return inverse @ single @ inverse @ right

    i, j = 7, 8  # pixels (1, 1) and (1, 2)
    total = equation_4(i, j) + equation_4(j, i) - equation_4(i, i) - equation_4(j, j)
    expected = weights.numpy().ravel() @ total
    assert float(a.grad[1, 1]) == pytest.approx(expected, rel=1e-8)


def test_iterations_agree_with_the_factorisation(rng, monkeypatch):
    from napari_softlayers._core.networks import propagation

    across, down = rng.uniform(0.01, 3, (40, 39)), rng.uniform(0.01, 3, (39, 40))
    known = rng.random((40, 40)) < 0.1
    given = rng.random((1, 40, 40))
    direct = PropagationSystem(across, down, known).propagate(given)
    monkeypatch.setattr(propagation, "_DIRECT", 10)
    system = PropagationSystem(across, down, known, tolerance=1e-6)
    np.testing.assert_allclose(system.propagate(given), direct, atol=1e-4)


def test_nothing_known_is_an_error():
    with pytest.raises(ValueError, match="no known pixel"):
        PropagationSystem(np.ones((2, 1)), np.ones((1, 2)), np.zeros((2, 2), bool))


@pytest.mark.parametrize("size", [(16, 16), (17, 23)])
def test_affinities_are_positive_and_of_the_pictures_size(size):
    network = new_deep_propagation(SMALL).eval()
    with torch.inference_mode():
        found = network(torch.rand(2, 3, *size), torch.randint(0, 3, (2, *size)))
    assert found.across.shape == (2, size[0], size[1] - 1)
    assert found.down.shape == (2, size[0] - 1, size[1])
    assert (found.across > 0).all() and (found.down > 0).all()


def test_loss_reaches_every_weight():
    network = new_deep_propagation(SMALL)
    picture, trimap = torch.rand(1, 3, 16, 16), torch.ones(1, 16, 16, dtype=torch.long)
    trimap[:, :3], trimap[:, -3:] = 0, 2
    found = network(picture, trimap)
    matte = propagate(found.across[0], found.down[0], trimap[0] != 1, trimap[0] / 2)
    matte.square().sum().backward()
    missing = [n for n, p in network.named_parameters() if p.grad is None]
    assert not missing
    assert sum(float(p.grad.abs().sum()) for p in network.parameters()) > 0


def test_paper_preset_is_vgg16():
    config = PRESETS["paper"]
    assert sum(len(stage) for stage in config.stages) == 13
    assert [stage[-1] for stage in config.stages] == [64, 128, 256, 512, 512]
    assert len(config.low_level) == 3 and config.known == 0.8
    with pytest.raises(ValueError, match="convolution"):
        DeepPropagationConfig(stages=())


def test_method_keeps_known_pixels_and_adds_up(astronaut):
    from napari_softlayers._core.matting import matte

    trimap = np.zeros((128, 128), int)
    trimap[:, :30], trimap[:, 98:], trimap[100:, 50:70] = 1, 2, 5
    layers = matte(astronaut, trimap, "deep_propagation")
    np.testing.assert_allclose(layers.alphas.sum(0), 1, atol=1e-5)
    for number, label in enumerate((1, 2, 5)):
        assert (layers.alphas[number][trimap == label] == 1).all()


def test_pictures_too_large_for_the_network_are_shrunk(astronaut, monkeypatch):
    from napari_softlayers._core.matting import solve_alphas
    from napari_softlayers._core.matting.methods import network_input

    monkeypatch.setattr(network_input, "MOST_PIXELS", 5000)
    trimap = np.zeros((127, 125), int)
    trimap[:, :30], trimap[:, 98:] = 1, 2
    alphas = solve_alphas(astronaut[:127, :125], trimap, "deep_propagation")
    assert alphas.shape == (2, 127, 125) and np.isfinite(alphas).all()
