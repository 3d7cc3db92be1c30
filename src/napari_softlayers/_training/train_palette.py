"""``napari-softlayers train palette``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .cli import schedule, train

#: The paper: Adam with beta_1 = 0, beta_2 = 0.99 over ten epochs of 36 500 pictures; its
#: code uses a rate of 1e-3 where the text says 0.2.
PAPER_SCHEDULE: dict[str, Any] = {
    "steps": 11_400,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
}
COMPACT_SCHEDULE: dict[str, Any] = {
    "minutes": 30.0,
    "learning_rate": 2e-3,
    "weight_decay": 1e-4,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments beside the common ones."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of photographs")
    add("--batch", type=int, help="pictures a step, instead of the preset's")
    add("--crop", type=int, help="side of the crops, a multiple of 8")
    add("--slots", type=int, default=0, help="the published form, for K colours only")
    add("--variation", type=float, help="weight of the alphas' total variation")
    add("--sparsity", type=float, help="weight of the sparsity term (Eq. 10)")


def run(options: argparse.Namespace) -> None:
    """Read the photographs, then train."""
    from dataclasses import asdict, replace

    from napari_softlayers._core.networks.palette import PaletteConfig

    from .palette_task import (
        CONFIGS,
        PAPER_TRAINING,
        PaletteTask,
        PaletteTraining,
        load_pictures,
    )

    paper = options.preset == "paper"
    training = PAPER_TRAINING if paper else PaletteTraining()
    named = ("batch", "crop", "variation", "sparsity")
    given = {key: getattr(options, key) for key in named}
    training = replace(training, **{k: v for k, v in given.items() if v is not None})
    if training.crop % 8 or training.crop <= 0 or training.batch <= 0:
        raise ValueError(
            f"--crop {training.crop} --batch {training.batch}: the crop must be a "
            "positive multiple of 8, the batch at least 1"
        )
    config = CONFIGS[options.preset]
    if options.slots:
        config = PaletteConfig(slots=options.slots, guided=False, residues=True)
    pictures = load_pictures(options.data)
    task = PaletteTask(config, training, pictures, options.seed)
    values = PAPER_SCHEDULE if paper else COMPACT_SCHEDULE
    about = {"pictures": len(pictures), "training": asdict(training)}
    train(task, options, schedule(options, **values), "palette", about)
