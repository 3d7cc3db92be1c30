"""Optimizer, learning rate, averaged weights, precision and memory of a training."""

from __future__ import annotations

import ctypes
import math
import sys
from typing import Any

import torch
from torch import Tensor, nn

from .task import Task, TrainConfig


def make_optimizer(task: Task, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer that the configuration names, over the task's groups."""
    groups, rate, decay = task.groups(), config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, rate, momentum=0.9, weight_decay=decay)
    return torch.optim.AdamW(groups, rate, weight_decay=decay)


def rate_at(fraction: float, config: TrainConfig) -> float:
    """Learning rate relative to its maximum at a fraction of the run."""
    if fraction < config.warmup:
        return max(fraction / config.warmup, 0.01)
    rest = min((fraction - config.warmup) / (1 - config.warmup), 1.0)
    if config.schedule == "poly":
        return float((1 - rest) ** 0.9)
    return 0.5 * (1 + math.cos(math.pi * rest))


def update_average(
    averaged: dict[str, Tensor], network: nn.Module, decay: float
) -> None:
    """Move averaged weights (and batch statistics) towards the network's."""
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                averaged[key].lerp_(value, 1 - decay)
            else:
                averaged[key].copy_(value)


def autocast(device: torch.device, precision: str) -> Any:
    """Mixed precision where asked for, or where the device has bfloat16."""
    use = precision == "bfloat16"
    if precision == "auto" and device.type == "cpu":
        use = torch.cpu._is_avx512_bf16_supported()
    elif precision == "auto" and device.type == "cuda":
        use = torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=use)


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees (Linux with glibc).

    Every step frees and asks for the same large tensors. By default glibc gives each
    back to the system, which fills it with zeros, page by page, when it is asked for
    again: that took half of the time of a step on the CPU.

    Returns
    -------
    bool
        Whether the system's allocator could be told so.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    one_arena, no_maps, no_trim = (-8, 1), (-4, 0), (-1, 2**31 - 1)
    return all(mallopt(*option) == 1 for option in (one_arena, no_maps, no_trim))
