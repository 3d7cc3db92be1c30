"""A plain training loop for every network of this project.

A :class:`.task.Task` knows a network, its batches and its losses; the loop knows the
schedule, the averaged weights, checkpoints and the progress bar. The schedule runs over
a number of steps or over minutes. Checkpoints are one safetensors file, so a run that
was stopped goes on where it was: with a step schedule, to exactly the same weights.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .schedule import autocast, make_optimizer, rate_at, update_average
from .task import Moment, Task, TrainConfig

__all__ = ["Moment", "Task", "TrainConfig", "Trainer"]


@dataclass
class _State:
    """What a checkpoint holds beside the tensors."""

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class _Means:
    """Means of losses since the last note."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, values: dict[str, float]) -> None:
        for key, value in values.items():
            total, count = self._sums.get(key, (0.0, 0))
            self._sums[key] = (total + value, count + 1)

    @property
    def means(self) -> dict[str, float]:
        return {key: total / count for key, (total, count) in self._sums.items()}


class _StopRequest:
    """Remembers interrupts instead of raising them (in the main thread)."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Trainer:
    """Train a task and keep checkpoints.

    Parameters
    ----------
    task : Task
    config : TrainConfig
    folder : path-like
        Holds ``checkpoint.safetensors`` and ``log.jsonl``.
    device : torch.device or str
    """

    def __init__(
        self,
        task: Task,
        config: TrainConfig,
        folder: str | Path,
        device: torch.device | str = "cpu",
    ) -> None:
        self.task, self.config = task, config
        self.folder = Path(folder)
        self.device = torch.device(device)
        task.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(task, config)
        self.state = _State()
        self.averaged = {k: v.clone() for k, v in task.network.state_dict().items()}

    @property
    def history(self) -> list[dict[str, float]]:
        """Losses and held-out figures so far, one entry an evaluation."""
        return self.state.history

    def run(self, resume: bool = False, progress: bool = True) -> dict[str, Tensor]:
        """Train to the end of the schedule.

        An interrupt (Ctrl-C) or a termination signal ends the run after the current
        step, with a checkpoint.

        Parameters
        ----------
        resume : bool
            Go on from the checkpoint in the folder, if there is one.
        progress : bool
            Show a progress bar.

        Returns
        -------
        dict
            The averaged weights.

        Raises
        ------
        KeyboardInterrupt
            If the run was stopped by a signal.
        """
        from tqdm import tqdm

        self.folder.mkdir(parents=True, exist_ok=True)
        if resume and self.checkpoint.exists():
            self.load()
        bar = tqdm(total=1000, disable=not progress, desc=self.task.name, mininterval=5)
        bar.bar_format = "{desc} {percentage:5.1f}%|{bar}| {elapsed} {postfix}"
        saved = evaluated = began = time.monotonic()
        before = self.state.seconds
        losses = _Means()
        with bar, _StopRequest() as stopped:
            for moment, batch in self._batches(
                lambda: before + time.monotonic() - began
            ):
                losses.add(self._step(moment, batch))
                self.state.step = moment.step + 1
                now = time.monotonic()
                self.state.seconds = before + now - began
                bar.n = round(1000 * moment.fraction)
                bar.set_postfix_str(
                    f"step {self.state.step}, loss {losses.means['loss']:.4f}"
                )
                if self.state.step % self.config.accumulate:
                    continue
                if stopped.asked:
                    self.save()
                    raise KeyboardInterrupt(f"{self.checkpoint} holds the state")
                if now - evaluated > 60 * self.config.evaluate_every:
                    self._note(moment.fraction, losses.means)
                    losses, evaluated = _Means(), time.monotonic()
                if now - saved > 60 * self.config.checkpoint_every:
                    self.save()
                    saved = time.monotonic()
        self.finish(losses.means)
        return self.averaged

    def finish(self, losses: dict[str, float]) -> None:
        """Note the last figures and write the last checkpoint."""
        self._note(1.0, losses)
        self.save()

    @property
    def checkpoint(self) -> Path:
        """The checkpoint file."""
        return self.folder / "checkpoint.safetensors"

    def save(self) -> None:
        """Write the checkpoint (atomically)."""
        from safetensors.torch import save_file

        tensors = {f"network.{k}": v for k, v in self.task.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.averaged.items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            for key, value in values.items():
                if value is not None:
                    tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value)
        about = {"state": asdict(self.state), "config": asdict(self.config)}
        metadata = {"task": self.task.name, "about": json.dumps(about)}
        temporary = self.checkpoint.with_suffix(".part")
        contiguous = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        save_file(contiguous, str(temporary), metadata)
        temporary.replace(self.checkpoint)

    def load(self) -> None:
        """Read the checkpoint."""
        from safetensors import safe_open
        from safetensors.torch import load_file

        with safe_open(str(self.checkpoint), "pt") as opened:
            metadata = opened.metadata()
        if metadata.get("task") != self.task.name:
            raise ValueError(
                f"{self.checkpoint} is a checkpoint of task "
                f"{metadata.get('task')!r}, not {self.task.name!r}; use another --out"
            )
        about = json.loads(metadata["about"])
        tensors = load_file(str(self.checkpoint), str(self.device))
        self.task.network.load_state_dict(_below("network.", tensors))
        self.averaged = _below("average.", tensors)
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in _below("optimizer.", tensors).items():
            index, name = key.split(".", 1)
            states.setdefault(int(index), {})[name] = value
        blank = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**blank, "state": states})
        self.state = _State(**about["state"])

    def _batches(self, clock: Any) -> Iterator[tuple[Moment, Any]]:
        """Moments and their batches, prepared ahead by worker threads if asked."""
        ahead = self.config.workers
        pool = ThreadPoolExecutor(max(1, ahead))
        queue: list[tuple[Moment, Future[Any]]] = []
        step = self.state.step
        try:
            while True:
                while len(queue) < max(1, ahead):
                    moment = Moment(step, self._fraction(step, clock), self.config.seed)
                    step += 1
                    if moment.fraction >= 1:
                        break
                    queue.append((moment, pool.submit(self.task.batch, moment)))
                if not queue:
                    return
                first, future = queue.pop(0)
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _fraction(self, step: int, clock: Any) -> float:
        if self.config.steps is not None:
            return step / self.config.steps
        return float(clock()) / (60 * (self.config.minutes or 1.0))

    def _step(self, moment: Moment, batch: Any) -> dict[str, float]:
        config, network = self.config, self.task.network
        network.train()
        rate = config.learning_rate * rate_at(moment.fraction, config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(moment.seed * 1_000_003 + moment.step)
            with autocast(self.device, config.precision):
                losses = self.task.losses(batch, moment)
            (losses["loss"] / config.accumulate).backward()
        if (moment.step + 1) % config.accumulate == 0:
            nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            decay = min(config.average, (moment.step + 1) / (moment.step + 10))
            update_average(self.averaged, network, decay)
        return {key: float(value.detach()) for key, value in losses.items()}

    def _note(self, fraction: float, losses: dict[str, float]) -> None:
        network = self.task.network
        current = {k: v.clone() for k, v in network.state_dict().items()}
        network.load_state_dict(self.averaged)
        network.eval()
        with torch.inference_mode():
            figures = self.task.evaluate(network)
        network.load_state_dict(current)
        entry = {
            "step": float(self.state.step),
            "minutes": round(self.state.seconds / 60, 2),
            "fraction": round(fraction, 4),
            **{key: round(value, 5) for key, value in {**losses, **figures}.items()},
        }
        self.state.history.append(entry)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
