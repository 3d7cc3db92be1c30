"""The palette training: its pictures, its losses, the command."""

import argparse

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari_softlayers._core.networks.palette import PaletteConfig  # noqa: E402
from napari_softlayers._core.networks.weights import load_network  # noqa: E402
from napari_softlayers._training.cli import add_train_commands  # noqa: E402
from napari_softlayers._training.palette_task import (  # noqa: E402
    PaletteTask,
    PaletteTraining,
    load_pictures,
    total_variation,
    training_palette,
)
from napari_softlayers._training.task import Moment  # noqa: E402

SHORT = PaletteTraining(batch=2, crop=32, most=4)


@pytest.fixture(scope="module")
def pictures(astronaut):
    return [np.ascontiguousarray(np.roll(astronaut, 11 * n, axis=1)) for n in range(4)]


@pytest.fixture
def folder(pictures, tmp_path):
    from PIL import Image

    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    return tmp_path


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_train_commands(parser.add_subparsers(required=True))
    options = parser.parse_args(["train", "palette", *map(str, arguments)])
    options.run(options)


def test_batches_depend_on_the_moment_alone(pictures):
    task = PaletteTask(PaletteConfig(), SHORT, pictures)
    first, again = (task.batch(Moment(3, 0.1, 0)) for _ in range(2))
    torch.testing.assert_close(first.pictures, again.pictures)
    torch.testing.assert_close(first.palettes, again.palettes)
    counts = {task.batch(Moment(s, 0, 0)).palettes.shape[1] for s in range(12)}
    assert counts == {2, 3, 4}
    torch.testing.assert_close(first.mixtures.sum(1), torch.ones(2, 32, 32))


def test_losses_are_those_of_the_paper(pictures):
    """Equations 6 to 9, written out."""
    config = PaletteConfig(width=4, guided=False, residues=True)
    training = PaletteTraining(batch=2, crop=32, sparsity=0, variation=0)
    task = PaletteTask(config, training, pictures)
    batch = task.batch(Moment(0, 0, 0))
    task.network.eval()
    with torch.inference_mode():
        found = task.losses(batch, Moment(0, 0, 0))
        alphas = task.network(batch.pictures, batch.palettes)
        colors = task.network.layer_colors(batch.pictures, batch.palettes, alphas)
    a, u = alphas.numpy().astype(float), colors.numpy().astype(float)
    p, c = batch.palettes.numpy().astype(float), batch.pictures.numpy().astype(float)
    rebuilt = np.einsum("bkhw,bkchw->bchw", a, u)
    flat = np.einsum("bkhw,bkc->bchw", a, p)
    gaps = np.linalg.norm(u - p[..., None, None], axis=2)
    expected = (
        np.abs(rebuilt - c).sum(1).mean()
        + 1.0 * np.abs(flat - c).sum(1).mean()
        + 0.5 * (a * gaps).sum(1).mean()
    )
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-3)


def test_total_variation_of_a_step():
    alphas = torch.zeros(1, 2, 4, 5)
    alphas[:, 0, :, :2] = 1
    alphas[:, 1, :, 2:] = 1
    assert float(total_variation(alphas)) == pytest.approx(2 / 4)


def test_training_lowers_the_loss(pictures):
    task = PaletteTask(PaletteConfig(width=4, guided=False), SHORT, pictures)
    optimizer = torch.optim.AdamW(task.network.parameters(), 3e-3)
    batch = task.batch(Moment(0, 0, 0))
    task.network.train()
    seen = []
    for _ in range(30):
        loss = task.losses(batch, Moment(0, 0, 0))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(float(loss.detach()))
    assert seen[-1] < 0.8 * seen[0]


def test_palettes_have_as_many_colours_as_asked_for():
    sample = np.full((50, 3), 0.3)
    palette = training_palette(sample, 5, np.random.default_rng(0))
    assert palette.shape == (5, 3)
    gaps = np.abs(palette[:, None] - palette[None]).max(axis=2)
    assert gaps[~np.eye(5, dtype=bool)].min() > 1e-3


@pytest.mark.parametrize("extra", [[], ["--slots", 3]])
def test_the_command_writes_weights_that_load(folder, extra):
    out = folder / "out"
    command(
        *("--data", folder, "--out", out, "--steps", 2, "--batch", 2, "--crop", 32),
        *extra,
    )
    network = load_network(out / "palette-compact.safetensors", kind="palette")
    assert network.config.slots == (3 if extra else 0)


def test_bad_arguments(folder, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ValueError, match="no pictures"):
        load_pictures(empty)
    with pytest.raises(ValueError, match="multiple of 8"):
        command("--data", folder, "--out", empty, "--steps", 1, "--crop", 33)
    with pytest.raises(ValueError, match="at least 2"):
        PaletteTask(PaletteConfig(), SHORT, [np.zeros((8, 8, 3), np.uint8)])
