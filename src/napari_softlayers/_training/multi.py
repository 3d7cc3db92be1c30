"""Training on several GPUs and machines, by PyTorch Lightning (extra ``train``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from .schedule import autocast, rate_at, update_average
from .task import Moment
from .trainer import Trainer


def run_distributed(
    trainer: Trainer,
    devices: int,
    nodes: int,
    resume: bool = False,
    accelerator: str = "auto",
) -> dict[str, Tensor] | None:
    """Train a task on several devices.

    Every device draws its own batches; gradients are averaged, so a step sees
    ``devices * nodes`` batches. The length must be given in steps.

    Parameters
    ----------
    trainer : Trainer
        Set up, not run. Its folder gets the same checkpoint as a run on one device.
    devices, nodes : int
        Devices a machine, and machines.
    resume : bool
        Go on from the checkpoint in the trainer's folder.
    accelerator : str
        Lightning's name of the kind of device.

    Returns
    -------
    dict or None
        The averaged weights; None in all processes but the first.

    Raises
    ------
    RuntimeError
        If Lightning is not installed.
    ValueError
        If the schedule is in minutes.
    """
    try:
        import lightning
    except ImportError as error:
        raise RuntimeError(
            "training on several devices needs PyTorch Lightning: "
            "pip install 'napari-softlayers[train]'"
        ) from error
    config = trainer.config
    if config.steps is None:
        raise ValueError("training on several devices needs --steps, not --minutes")
    if resume and trainer.checkpoint.exists():
        trainer.load()
    trainer.folder.mkdir(parents=True, exist_ok=True)
    runner = lightning.Trainer(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp_find_unused_parameters_true" if devices * nodes > 1 else "auto",
        max_steps=(config.steps - trainer.state.step) // config.accumulate,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.clip,
        logger=False,
        enable_checkpointing=False,
        default_root_dir=trainer.folder,
    )
    runner.fit(_module(lightning, trainer), _loader(trainer))
    if not runner.is_global_zero:
        return None
    trainer.finish({})
    return trainer.averaged


class _Batches(IterableDataset[tuple[Moment, Any]]):
    """The task's batches from where the run is; each process draws its own."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def __iter__(self) -> Iterator[tuple[Moment, Any]]:
        config, task = self.trainer.config, self.trainer.task
        rank = 0
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank = torch.distributed.get_rank()
        total = config.steps or 0
        for step in range(self.trainer.state.step, total):
            moment = Moment(step, step / total, config.seed + 7919 * rank)
            yield moment, task.batch(moment)


def _loader(trainer: Trainer) -> Any:
    return DataLoader(_Batches(trainer), batch_size=None)


def _module(lightning: Any, trainer: Trainer) -> Any:
    """The task as Lightning sees it."""

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = trainer.task.network

        def training_step(self, batch: Any, index: int) -> Tensor:
            moment, data = batch
            trainer.state.step = moment.step + 1
            rate = rate_at(moment.fraction, trainer.config)
            for group in trainer.optimizer.param_groups:
                group["lr"] = trainer.config.learning_rate * rate * group["scale"]
            with autocast(self.device, trainer.config.precision):
                return trainer.task.losses(data, moment)["loss"]

        def on_train_batch_end(self, *_: Any) -> None:
            step = trainer.state.step
            if step % trainer.config.accumulate == 0:
                for key, value in trainer.averaged.items():
                    trainer.averaged[key] = value.to(self.device)
                decay = min(trainer.config.average, step / (step + 9))
                update_average(trainer.averaged, self.network, decay)

        def transfer_batch_to_device(self, batch: Any, *_: Any) -> Any:
            return batch  # the task's losses move what they need

        def configure_optimizers(self) -> Any:
            return trainer.optimizer

    return Module()
