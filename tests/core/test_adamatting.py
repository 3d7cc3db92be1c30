"""AdaMatting: the network, its loss and the method."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch

from napari_softlayers._core.matting import matte
from napari_softlayers._core.networks.adamatting import (
    PRESETS,
    AdaMattingConfig,
    Adapted,
    color_vote,
    new_adamatting,
)
from napari_softlayers._training.matting_tasks import mean_iou, multi_task_loss

SMALL = AdaMattingConfig(
    stem_channels=8,
    channels=(8, 8, 12, 12),
    blocks=(1, 1, 1, 1),
    decoder_channels=(12, 8, 8, 8, 4),
    global_kernel=3,
    propagation_channels=4,
)


@pytest.fixture
def scene(astronaut):
    """A picture and a trimap with a band."""
    trimap = np.zeros((128, 128), int)
    trimap[:, :20], trimap[50:110, 45:75] = 1, 2
    return astronaut, trimap


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("size", [(32, 32), (45, 70)])
def test_outputs_have_the_pictures_size(size, scale):
    config = dataclasses.replace(SMALL, propagation_scale=scale)
    network = new_adamatting(config).eval()
    with torch.inference_mode():
        found = network(torch.rand(2, 3, *size), torch.randint(0, 3, (2, *size)))
    assert found.logits.shape == (2, 3, *size)
    assert len(found.alphas) == 1 + config.recurrences
    for alpha in found.alphas:
        assert alpha.shape == (2, 1, *size)
        assert (alpha >= 0).all() and (alpha <= 1).all()


def test_propagation_starts_as_the_identity():
    network = new_adamatting(SMALL).eval()
    with torch.inference_mode():
        found = network(torch.rand(1, 3, 32, 32), torch.ones(1, 32, 32).long())
    for alpha in found.alphas[1:]:
        torch.testing.assert_close(
            alpha, found.alphas[0].clamp(1e-3, 1 - 1e-3), atol=1e-5, rtol=0
        )


def test_every_weight_gets_a_gradient():
    network = new_adamatting(SMALL)
    truth = torch.randint(0, 3, (2, 64, 64))
    found = network(torch.rand(2, 3, 64, 64), torch.randint(0, 3, (2, 64, 64)))
    losses = multi_task_loss(found, torch.rand(2, 64, 64), truth, network.log_sigma)
    losses["loss"].backward()
    missing = [n for n, p in network.named_parameters() if p.grad is None]
    assert not missing


def test_seed_gives_the_same_network():
    one, two = (new_adamatting(SMALL, 4).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_paper_preset_is_resnet50():
    network = new_adamatting(PRESETS["paper"])
    blocks = [len(stage) for stage in network.stages]
    assert blocks == [3, 4, 6, 3] and PRESETS["paper"].recurrences == 3
    encoder = sum(p.numel() for p in network.stages.parameters())
    assert 23.2e6 < encoder < 23.6e6  # ResNet-50 without stem and classifier: 23.45 M
    with pytest.raises(ValueError, match="five"):
        AdaMattingConfig(decoder_channels=(1, 2))


def test_loss_is_equation_3():
    logits = torch.tensor([[[[2.0, 0.0]], [[0.0, 3.0]], [[-1.0, 0.0]]]])
    alpha, truth = torch.tensor([[[0.0, 0.4]]]), torch.tensor([[[0, 1]]])
    adapted = Adapted(logits, [torch.tensor([[[[0.9, 0.5]]]])])
    sigma = torch.tensor([2.0, 3.0])
    losses = multi_task_loss(adapted, alpha, truth, sigma.log())
    classes = torch.nn.functional.cross_entropy(logits, truth)
    matte_loss = 0.1  # only the second pixel is unknown, in both trimaps
    expected = classes / (2 * 4) + matte_loss / 3 + np.log(2 * 2 * 3)
    assert float(losses["loss"]) == pytest.approx(float(expected), rel=1e-5)


def test_vote_tells_seen_colours_apart():
    picture = torch.zeros(1, 3, 2, 4)
    picture[..., 2:] = 1
    trimap = torch.tensor([[[0, 1, 2, 1], [0, 0, 2, 1]]])
    vote = color_vote(picture, trimap)[0, 0]
    assert (vote[:, :2] < -0.99).all() and (vote[:, 2:] > 0.99).all()
    assert (color_vote(picture, torch.ones_like(trimap)) == 0).all()


def test_mean_iou_counts_present_classes_only():
    truth = np.array([0, 0, 2, 2])
    assert mean_iou(truth, truth) == 1
    assert mean_iou(np.array([0, 2, 2, 2]), truth) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_method_returns_layers_and_adapted_trimap(scene):
    picture, trimap = scene
    layers = matte(picture, trimap, "adamatting")
    np.testing.assert_allclose(layers.alphas.sum(0), 1, atol=1e-5)
    adapted = layers.extras["trimap"]
    assert adapted.shape == trimap.shape and set(np.unique(adapted)) <= {0, 1, 2}
    assert (layers.alphas[1][adapted == 2] == 1).all()
    assert (layers.alphas[0][adapted == 1] == 1).all()


def test_method_with_three_labels_keeps_their_numbers(scene):
    picture, trimap = scene
    trimap = trimap.copy()
    trimap[100:, 100:] = 9
    layers = matte(picture, trimap, "adamatting")
    assert layers.alphas.shape[0] == 3
    np.testing.assert_allclose(layers.alphas.sum(0), 1, atol=1e-5)
    assert set(np.unique(layers.extras["trimap"])) <= {0, 1, 2, 9}


@pytest.mark.parametrize("method", ["adamatting", "auto"])
def test_no_label_at_all_warns_and_guesses(scene, method):
    picture, trimap = scene
    with pytest.warns(UserWarning, match="best guess"):
        layers = matte(picture, np.zeros_like(trimap), method)
    assert layers.alphas.shape == (2, 128, 128)
    np.testing.assert_allclose(layers.alphas.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("method", ["adamatting", "auto", "deep_propagation"])
def test_known_everywhere_comes_back_unchanged(scene, method):
    picture, trimap = scene
    full = np.where(trimap == 0, 1, trimap)
    with pytest.warns(UserWarning, match="no unknown"):
        layers = matte(picture, full, method)
    np.testing.assert_array_equal(layers.alphas[1], full == 2)


def test_same_call_same_result(scene):
    picture, trimap = scene
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, two = (matte(picture, trimap, "adamatting").alphas for _ in range(2))
    np.testing.assert_array_equal(one, two)
