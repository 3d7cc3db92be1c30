"""``napari-softlayers train adamatting``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .cli import schedule, train

#: The paper: Adam at 1e-4 with the "poly" policy, 120 epochs of 43 100 composites in
#: batches of 16, crops of 320.
PAPER_SCHEDULE: dict[str, Any] = {
    "steps": 323_000,
    "schedule": "poly",
    "learning_rate": 1e-4,
    "weight_decay": 1e-4,
}
COMPACT_SCHEDULE: dict[str, Any] = {
    "minutes": 90.0,
    "learning_rate": 3e-3,
    "weight_decay": 0.01,
    "average": 0.99,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments beside the common ones."""
    add_data_arguments(parser)
    parser.add_argument(
        "--mistakes", type=float, default=0.65, help="share of trimaps with mistakes"
    )


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Where composites come from, for both matting networks."""
    add = parser.add_argument
    add(
        "--foregrounds",
        type=Path,
        help="folder of RGBA cut-outs, or of fg and alpha as Adobe Composition-1k has "
        "them; without it all mattes are procedural",
    )
    add("--backgrounds", type=Path, required=True, help="folder of photographs")
    add("--procedural", type=float, default=0.7, help="share of procedural mattes")
    add("--batch", type=int, help="composites a step, instead of the preset's")
    add("--crop", type=int, help="side of the crops, instead of the preset's")


def data_options(options: argparse.Namespace, batch: int, crop: int) -> dict[str, Any]:
    """What the data arguments mean for a task."""
    batch, crop = options.batch or batch, options.crop or crop
    if batch < 1 or crop < 32:
        raise ValueError(
            f"--batch {batch} --crop {crop}: at least 1 composite of 32 pixels is needed"
        )
    if not 0 <= options.procedural <= 1:
        raise ValueError(f"--procedural {options.procedural} must lie in [0, 1]")
    return {
        "foregrounds": options.foregrounds,
        "backgrounds": options.backgrounds,
        "procedural": options.procedural,
        "batch_size": batch,
        "crop": crop,
        "size": 2 * crop,
        "seed": options.seed,
    }


def run(options: argparse.Namespace) -> None:
    """Train AdaMatting."""
    from napari_softlayers._core.networks.adamatting import PRESETS

    from .matting_tasks import AdaMattingTask

    paper = options.preset == "paper"
    data = data_options(options, *((16, 320) if paper else (4, 160)))
    task = AdaMattingTask(PRESETS[options.preset], mistakes=options.mistakes, **data)
    config = schedule(options, **(PAPER_SCHEDULE if paper else COMPACT_SCHEDULE))
    about = {"data": describe_data(data), "mistakes": options.mistakes}
    train(task, options, config, "adamatting", about)


def describe_data(data: dict[str, Any]) -> dict[str, Any]:
    """The data options as JSON can hold them; folders by their names alone."""
    return {k: v.name if isinstance(v, Path) else v for k, v in data.items()}
