"""What a training is made of: its configuration, its moments, its task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn


@dataclass(frozen=True)
class TrainConfig:
    """How long and how to train.

    Parameters
    ----------
    steps, minutes : int, float, optional
        Length of the schedule; exactly one of them.
    optimizer : {"adamw", "sgd"}
        SGD has momentum .9.
    schedule : {"cosine", "poly"}
        Learning rate over the run; "poly" is ``(1 - t) ** 0.9``.
    learning_rate, weight_decay, warmup, clip : float
        ``warmup`` is the fraction of the run over which the rate rises; gradients
        longer than ``clip`` are scaled down.
    average : float
        Decay of the averaged weights, which are evaluated and kept.
    accumulate : int
        Backward passes before one update.
    precision : {"auto", "float32", "bfloat16"}
        "auto" takes bfloat16 where the device has it.
    evaluate_every, checkpoint_every : float
        Minutes between held-out figures and between checkpoints.
    workers : int
        Threads that prepare batches ahead (0: none).
    """

    steps: int | None = None
    minutes: float | None = None
    optimizer: str = "adamw"
    schedule: str = "cosine"
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    warmup: float = 0.02
    clip: float = 5.0
    average: float = 0.999
    accumulate: int = 1
    precision: str = "auto"
    evaluate_every: float = 5.0
    checkpoint_every: float = 2.0
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Exactly one length, known names."""
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either steps or minutes")
        known = {
            "optimizer": ("adamw", "sgd"),
            "schedule": ("cosine", "poly"),
            "precision": ("auto", "float32", "bfloat16"),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                got = getattr(self, name)
                raise ValueError(f"{name} must be one of {values}, not {got!r}")


@dataclass(frozen=True)
class Moment:
    """Where in the run a step is, and the only randomness it may use.

    ``fraction`` is 0 at the start and 1 at the end of the schedule.
    """

    step: int
    fraction: float
    seed: int

    @property
    def random(self) -> np.random.Generator:
        """A fresh generator, the same for the same seed and step."""
        return np.random.default_rng([self.seed, self.step])


class Task:
    """What is trained: a network, its batches, its losses, its held-out figures.

    Subclasses set ``name`` and ``network`` and write :meth:`batch`, :meth:`losses` and,
    if there is held-out data, :meth:`evaluate`; if something of the network is not
    trained but found afterwards, :meth:`finish`.
    """

    name: str = "network"
    network: nn.Module

    def batch(self, moment: Moment) -> Any:
        """Data of one step, on the CPU; may only use ``moment`` for randomness."""
        raise TypeError(f"{type(self).__name__} has no batch()")

    def losses(self, batch: Any, moment: Moment) -> dict[str, Tensor]:
        """Losses of a batch; the one named ``"loss"`` is minimised."""
        raise TypeError(f"{type(self).__name__} has no losses()")

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Held-out figures of ``network`` (the averaged weights)."""
        return {}

    def finish(self) -> None:
        """Complete the trained network before it is written; nothing by default."""

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups; ``"scale"`` multiplies the learning rate of a group."""
        return [{"params": list(self.network.parameters()), "scale": 1.0}]
