"""``napari-softlayers train deep_propagation``."""

from __future__ import annotations

import argparse
from typing import Any

from .cli import schedule, train
from .train_adamatting import add_data_arguments, data_options, describe_data

#: The paper: SGD with momentum .9 at a fixed rate of .1, about 20 epochs of 150 000
#: composites. Its batch size is not printed; 16 is taken, and the rate falls to zero.
PAPER_SCHEDULE: dict[str, Any] = {
    "steps": 187_000,
    "optimizer": "sgd",
    "schedule": "poly",
    "learning_rate": 0.1,
    "weight_decay": 5e-4,
}
COMPACT_SCHEDULE: dict[str, Any] = {
    "minutes": 30.0,
    "learning_rate": 3e-3,
    "weight_decay": 0.01,
    "average": 0.99,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments beside the common ones."""
    add_data_arguments(parser)


def run(options: argparse.Namespace) -> None:
    """Train DeepMattePropNet."""
    from napari_softlayers._core.networks.deep_propagation import PRESETS

    from .matting_tasks import DeepPropagationTask

    paper = options.preset == "paper"
    data = data_options(options, *((16, 320) if paper else (4, 128)))
    task = DeepPropagationTask(PRESETS[options.preset], **data)
    config = schedule(options, **(PAPER_SCHEDULE if paper else COMPACT_SCHEDULE))
    train(task, options, config, "deep_propagation", {"data": describe_data(data)})
