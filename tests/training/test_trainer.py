"""The training loop, on a task of two numbers."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from napari_softlayers._training.schedule import rate_at  # noqa: E402
from napari_softlayers._training.trainer import Moment, Task, TrainConfig, Trainer  # noqa: E402


class Line(Task):
    """Learn y = 3 x - 1 through a network with batch statistics and dropout."""

    name = "line"

    def __init__(self, interrupt_at=None):
        torch.manual_seed(0)
        self.network = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 1),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.1),
            torch.nn.Conv2d(8, 1, 1),
        )
        self.interrupt_at = interrupt_at
        self.moments = []

    def batch(self, moment):
        self.moments.append(moment)
        return torch.from_numpy(moment.random.normal(size=(8, 1, 2, 2))).float()

    def losses(self, batch, moment):
        if moment.step == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        error = (self.network(batch) - (3 * batch - 1)).square().mean()
        return {"loss": error, "again": error}

    def evaluate(self, network):
        assert not network.training
        values = torch.linspace(-1, 1, 9).view(1, 1, 3, 3)
        return {"error": float((network(values) - 3 * values + 1).abs().mean())}


def config(**changes):
    values = {"steps": 40, "learning_rate": 0.05, "precision": "float32"}
    return TrainConfig(**{**values, **changes})


def run(folder, task=None, resume=False, **changes):
    trainer = Trainer(task or Line(), config(**changes), folder)
    return trainer, trainer.run(resume=resume, progress=False)


def same(one, two):
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.equal(value, two[key]), key


def test_it_learns(tmp_path):
    trainer, _ = run(tmp_path, steps=300)
    assert trainer.history[-1]["error"] < 0.4
    assert trainer.history[-1]["fraction"] == 1
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").open()]
    assert logged == trainer.history


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_stopped_and_resumed_is_the_same_as_never_stopped(tmp_path, optimizer):
    changes = {"optimizer": optimizer, "learning_rate": 0.01}
    _, whole = run(tmp_path / "whole", **changes)
    with pytest.raises(KeyboardInterrupt, match="holds the state"):
        run(tmp_path / "parts", Line(interrupt_at=17), **changes)
    task = Line()
    _, parts = run(tmp_path / "parts", task, resume=True, **changes)
    assert [moment.step for moment in task.moments] == list(range(18, 40))
    same(whole, parts)


def test_workers_prepare_the_same_batches(tmp_path):
    _, alone = run(tmp_path / "alone")
    _, helped = run(tmp_path / "helped", workers=3)
    same(alone, helped)


def test_seed_matters_and_global_randomness_does_not(tmp_path):
    _, one = run(tmp_path / "one")
    before = torch.get_rng_state()
    _, two = run(tmp_path / "two", task=Line())
    same(one, two)
    torch.set_rng_state(before)
    _, other = run(tmp_path / "other", seed=1)
    assert not torch.equal(one["0.weight"], other["0.weight"])


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    _, done = run(tmp_path)
    task = Line()
    _, again = run(tmp_path, task, resume=True)
    assert task.moments == []
    same(done, again)


def test_minutes_end_the_run(tmp_path):
    trainer, _ = run(tmp_path, steps=None, minutes=0.02)
    fractions = [moment.fraction for moment in trainer.task.moments]
    assert fractions == sorted(fractions)
    assert fractions[-1] < 1
    assert trainer.state.seconds == pytest.approx(1.2, abs=1)


def test_accumulated_steps_update_together(tmp_path):
    task = Line()
    trainer = Trainer(task, config(accumulate=4, warmup=0.0), tmp_path)
    before = {key: value.clone() for key, value in task.network.named_parameters()}
    for step in range(4):
        same(before, dict(task.network.named_parameters()))
        moment = Moment(step, 0.1, 0)
        trainer._step(moment, task.batch(moment))
    assert not torch.equal(before["0.weight"], task.network[0].weight)


def test_checkpoints_hold_no_pickle(tmp_path):
    from safetensors.torch import load_file

    run(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint.safetensors",
        "log.jsonl",
    }
    tensors = load_file(str(tmp_path / "checkpoint.safetensors"))
    assert any(key.startswith("optimizer.") for key in tensors)


def test_another_tasks_checkpoint_is_refused(tmp_path):
    run(tmp_path)
    task = Line()
    task.name = "circle"
    with pytest.raises(ValueError, match="task 'line', not 'circle'"):
        run(tmp_path, task, resume=True)


@pytest.mark.parametrize(
    "values",
    [
        {"steps": None},
        {"steps": 3, "minutes": 1.0},
        {"optimizer": "lion"},
        {"schedule": "flat"},
        {"precision": "int8"},
    ],
)
def test_bad_configuration(values):
    with pytest.raises(ValueError, match="must be one of|either steps or minutes"):
        config(**values)


@pytest.mark.parametrize("schedule", ["cosine", "poly"])
def test_learning_rate_rises_then_falls_to_zero(schedule):
    values = config(schedule=schedule, warmup=0.1)
    rates = np.array([rate_at(t, values) for t in np.linspace(0, 1, 101)])
    assert rates[:11].argmin() == 0
    assert rates.argmax() == 10
    assert (np.diff(rates[10:]) < 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_several_devices_need_lightning(tmp_path, monkeypatch):
    from napari_softlayers._training.multi import run_distributed

    monkeypatch.setitem(sys.modules, "lightning", None)
    trainer = Trainer(Line(), config(), tmp_path)
    with pytest.raises(RuntimeError, match=r"napari-softlayers\[train\]"):
        run_distributed(trainer, 2, 1)


def test_lightning_learns_the_same_task(tmp_path):
    pytest.importorskip("lightning")
    from napari_softlayers._training.multi import run_distributed

    trainer = Trainer(Line(), config(steps=300), tmp_path)
    averaged = run_distributed(trainer, 1, 1, accelerator="cpu")
    assert trainer.history[-1]["error"] < 0.4
    fresh = Trainer(Line(), config(steps=300), tmp_path)
    fresh.load()
    same(averaged, fresh.averaged)
    assert fresh.state.step == 300
    with pytest.raises(ValueError, match="--steps"):
        timed = Trainer(Line(), config(steps=None, minutes=1.0), tmp_path)
        run_distributed(timed, 1, 1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_kept():
    """In a process of its own: fewer pages are asked for from the system."""
    code = """if True:
        import resource, sys, torch
        from napari_softlayers._training.schedule import keep_freed_memory

        if "keep" in sys.argv and not keep_freed_memory():
            print(-1)
            sys.exit()
        torch.ones(20_000_000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            torch.ones(20_000_000)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    faults = []
    for argument in ("keep", "as usual"):
        call = [sys.executable, "-c", code, argument]
        faults.append(int(subprocess.run(call, capture_output=True, text=True).stdout))
    if faults[0] < 0:
        pytest.skip("the allocator is not glibc's")
    assert faults[0] < faults[1] / 2
