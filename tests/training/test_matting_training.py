"""The matting trainings: batches, held-out figures, losses and the commands."""

import argparse

import numpy as np
import pytest
import torch
from PIL import Image

from napari_softlayers._core.networks.adamatting import AdaMattingConfig
from napari_softlayers._core.networks.deep_propagation import DeepPropagationConfig
from napari_softlayers._core.networks.weights import load_network
from napari_softlayers._training.cli import add_train_commands
from napari_softlayers._training.matting_tasks import (
    AdaMattingTask,
    DeepPropagationTask,
    matte_loss,
)
from napari_softlayers._training.task import Moment

TINY = {"batch_size": 2, "crop": 32, "size": 48, "held_out": 3}
ADA = AdaMattingConfig(
    stem_channels=4,
    channels=(4, 4, 4, 4),
    blocks=(1, 1, 1, 1),
    decoder_channels=(4, 4, 4, 4, 4),
    propagation_channels=4,
)
DEEP = DeepPropagationConfig(stages=((4,), (4,)), low_level=(4, 4, 4), semantic=4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory, astronaut):
    """A folder of photographs and one of RGBA cut-outs."""
    root = tmp_path_factory.mktemp("matting")
    for part in ("photos", "cutouts"):
        (root / part).mkdir()
    for n in range(3):
        photo = np.roll(astronaut, 23 * n, axis=1)
        Image.fromarray(photo).save(root / "photos" / f"{n}.png")
        y, x = np.mgrid[:128, :128]
        alpha = np.clip(128 + 20 * (40 + 5 * n - np.hypot(y - 64, x - 64)), 0, 255)
        rgba = np.dstack([photo, alpha.astype(np.uint8)])
        Image.fromarray(rgba).save(root / "cutouts" / f"{n}.png")
    return root


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_train_commands(parser.add_subparsers(required=True))
    options = parser.parse_args(["train", *map(str, arguments)])
    options.run(options)


@pytest.mark.parametrize(
    ("kind", "config"), [(AdaMattingTask, ADA), (DeepPropagationTask, DEEP)]
)
def test_batches_depend_on_the_moment_alone(folders, kind, config):
    one, two = (
        kind(config, folders / "cutouts", folders / "photos", **TINY) for _ in range(2)
    )
    one.batch(Moment(0, 0.0, 0))  # must not matter
    first, again = (task.batch(Moment(5, 0.1, 0)) for task in (one, two))
    for key in first:
        torch.testing.assert_close(first[key], again[key])
    assert first["image"].shape == (2, 3, 32, 32)
    assert first["truth"].dtype == torch.int64


@pytest.mark.parametrize(
    ("kind", "config"), [(AdaMattingTask, ADA), (DeepPropagationTask, DEEP)]
)
def test_a_few_steps_lower_the_loss(folders, kind, config):
    task = kind(config, None, folders / "photos", **TINY)
    batch = task.batch(Moment(0, 0.0, 0))
    optimizer = torch.optim.Adam(task.network.parameters(), 0.02)
    losses = []
    for step in range(12):
        loss = task.losses(batch, Moment(step, 0.0, 0))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    task.network.eval()
    with torch.inference_mode():
        figures = task.evaluate(task.network)
    assert all(np.isfinite(value) for value in figures.values())


def test_sigmas_do_not_decay(folders):
    task = AdaMattingTask(ADA, None, folders / "photos", **TINY)
    rest, sigma = task.groups()
    assert sigma["params"][0] is task.network.log_sigma
    assert sigma["weight_decay"] == 0
    every = {id(p) for p in task.network.parameters()}
    assert {id(p) for g in (rest, sigma) for p in g["params"]} == every


def test_matte_loss_is_equation_5():
    batch = {
        "trimap": torch.tensor([[[0, 1]]]),
        "alpha": torch.tensor([[[0.0, 0.5]]]),
        "foreground": torch.ones(1, 3, 1, 2),
        "background": torch.zeros(1, 3, 1, 2),
    }
    losses = matte_loss(torch.tensor([[[1.0, 0.7]]]), batch)
    assert float(losses["alpha"]) == pytest.approx(0.2, abs=1e-5)
    assert float(losses["composition"]) == pytest.approx(0.2 * 3**0.5, abs=1e-5)
    mean = (losses["alpha"] + losses["composition"]) / 2
    assert float(losses["loss"]) == pytest.approx(float(mean))


@pytest.mark.parametrize("name", ["adamatting", "deep_propagation"])
def test_command_trains_resumes_and_writes_weights(folders, tmp_path, name):
    shared = (
        *(name, "--backgrounds", folders / "photos"),
        *("--foregrounds", folders / "cutouts", "--out", tmp_path),
        *("--batch", 2, "--crop", 32, "--device", "cpu"),
    )
    command(*shared, "--steps", 1)
    command(*shared, "--steps", 2, "--resume")
    (path,) = tmp_path.glob("*-compact.safetensors")
    network = load_network(path, kind=name)
    assert not network.training


def test_command_refuses_nonsense(folders, tmp_path):
    common = ("adamatting", "--backgrounds", folders / "photos", "--out", tmp_path)
    with pytest.raises(ValueError, match="--crop 8"):
        command(*common, "--crop", 8, "--steps", 1)
    with pytest.raises(ValueError, match="--procedural"):
        command(*common, "--procedural", 2, "--steps", 1)
