"""``napari-softlayers train <network>``: what all trainings share on the command line.

A training registers itself in :data:`TRAININGS`. Its module has ``add_arguments(parser)``
and ``run(options)`` and is imported when it is asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer import Task, TrainConfig

#: Name of a training -> module beside this one, and what it trains.
TRAININGS: dict[str, tuple[str, str]] = {
    "features": ("train_features", "the semantic feature network"),
    "palette": ("train_palette", "the palette layers' alpha network"),
    "adamatting": ("train_adamatting", "AdaMatting, for sloppy trimaps"),
    "deep_propagation": ("train_deep_propagation", "DeepMattePropNet"),
}


def add_train_commands(subparsers: Any) -> None:
    """Add ``train`` and one command below it for every training.

    Parameters
    ----------
    subparsers : argparse subparsers
        Of the program's parser. ``options.run(options)`` starts the chosen training.
    """
    parser = subparsers.add_parser("train", help="train one of the networks")
    names = parser.add_subparsers(
        required=True, metavar="network", parser_class=_LazyParser
    )
    for name, (module, about) in TRAININGS.items():
        names.add_parser(
            name, help=about, description=f"Train {about}."
        ).module = module


class _LazyParser(argparse.ArgumentParser):
    """Gets its arguments from a module that is imported when it is used."""

    module: str | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.module is not None:
            contents = import_module(f".{self.module}", __package__)
            self.module = None
            add_common_arguments(self)
            contents.add_arguments(self)
            self.set_defaults(run=contents.run)
        return super().parse_known_args(args, namespace)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that every training has."""
    add = parser.add_argument
    add(
        "--out", type=Path, required=True, help="folder for checkpoint, log and weights"
    )
    add("--preset", choices=("compact", "paper"), default="compact", help="sizes")
    add("--minutes", type=float, help="length of the schedule in minutes")
    add("--steps", type=int, help="length of the schedule in steps")
    add("--start", type=Path, help="weights to start from instead of random ones")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    add("--devices", type=int, default=1, help="of a machine (more: needs lightning)")
    add("--nodes", type=int, default=1, help="machines (needs lightning)")
    add("--threads", type=int, help="CPU threads of the network")
    add("--workers", type=int, default=0, help="threads that prepare batches ahead")
    add("--evaluate-every", type=float, default=5.0, help="minutes between figures")
    add("--learning-rate", type=float, help="instead of the preset's")
    add("--seed", type=int, default=0)


def schedule(options: argparse.Namespace, **preset: Any) -> TrainConfig:
    """The training configuration that the arguments and a preset's values mean.

    A preset may name a length (``minutes`` or ``steps``) for when the user gives none.
    """
    from .trainer import TrainConfig

    if options.minutes is not None and options.steps is not None:
        raise ValueError("--minutes and --steps exclude each other; give one")
    values = dict(preset)
    if options.minutes is not None or options.steps is not None:
        values |= {"minutes": options.minutes, "steps": options.steps}
    if options.learning_rate is not None:
        values["learning_rate"] = options.learning_rate
    return TrainConfig(
        **values,
        evaluate_every=options.evaluate_every,
        workers=options.workers,
        seed=options.seed,
    )


def train(
    task: Task,
    options: argparse.Namespace,
    config: TrainConfig,
    kind: str,
    about: dict[str, Any],
) -> Path:
    """Run a training and write the weights.

    Parameters
    ----------
    task : Task
    options : argparse.Namespace
        With the common arguments.
    config : TrainConfig
    kind : str
        See :data:`napari_softlayers._core.networks.weights.NETWORKS`.
    about : dict
        Kept in the weights file, with the log of the run.

    Returns
    -------
    Path
        ``<out>/<kind>-<preset>.safetensors``.
    """
    import torch

    from napari_softlayers._core.devices import choose_device
    from napari_softlayers._core.networks.weights import put_weights, save_network

    from .schedule import keep_freed_memory
    from .trainer import Trainer

    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()
    device = choose_device(options.device)
    if options.start is not None:
        put_weights(task.network, options.start, kind)
    trainer = Trainer(task, config, options.out, device)
    path: Path = options.out / f"{kind}-{options.preset}.safetensors"
    if options.devices > 1 or options.nodes > 1:
        from .multi import run_distributed

        kind_of_device = {"cuda": "gpu"}.get(device.type, device.type)
        averaged = run_distributed(
            trainer, options.devices, options.nodes, options.resume, kind_of_device
        )
        if averaged is None:
            return path
    else:
        averaged = trainer.run(options.resume)
    task.network.load_state_dict(averaged)
    task.network.eval()
    task.finish()
    save_network(path, kind, task.network, about={**about, "log": trainer.history})
    print(f"wrote {path}")
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """``python -m napari_softlayers._training.cli train ...``."""
    parser = argparse.ArgumentParser(prog="napari-softlayers")
    add_train_commands(parser.add_subparsers(required=True))
    options = parser.parse_args(arguments)
    options.run(options)


if __name__ == "__main__":
    main()
