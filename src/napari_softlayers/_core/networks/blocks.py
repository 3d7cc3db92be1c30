"""Building blocks that the networks share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

Config = TypeVar("Config")
Network = TypeVar("Network", bound=nn.Module)


class SubPixel(nn.Sequential):
    """Twice the resolution: 1x1 convolution to four times the channels, unfolded."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, 4 * after, 1, bias=False),
            nn.PixelShuffle(2),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )


class GlobalConvolution(nn.Module):
    """A k x k convolution as the sum of k x 1 then 1 x k and 1 x k then k x 1."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        tall, wide = (kernel, 1), (1, kernel)
        inner = min(before, after)
        self.paths = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, inner, one, padding="same", bias=False),
                nn.Conv2d(inner, after, two, padding="same", bias=False),
            )
            for one, two in ((tall, wide), (wide, tall))
        )
        self.norm = nn.BatchNorm2d(after)

    def forward(self, values: Tensor) -> Tensor:
        total: Tensor = self.norm(self.paths[0](values) + self.paths[1](values))
        return total


class Block(nn.Module):
    """A path beside a shortcut, if there is one; then a ReLU, unless it is inverted."""

    def __init__(
        self, path: list[nn.Module], shortcut: nn.Module | None, inverted: bool = False
    ) -> None:
        super().__init__()
        self.path, self.shortcut = nn.Sequential(*path), shortcut
        self.inverted = inverted

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.path(values)
        if self.shortcut is not None:
            found = found + self.shortcut(values)
        return found if self.inverted else torch.relu(found)


def residual(before: int, after: int, stride: int, bottleneck: bool) -> Block:
    """A basic or bottleneck residual block."""
    inner = after // 4
    path: list[nn.Module]
    if bottleneck:
        path = [
            convolution(before, inner, 1),
            convolution(inner, inner, 3, stride),
            convolution(inner, after, 1, relu=False),
        ]
    else:
        path = [
            convolution(before, after, 3, stride),
            convolution(after, after, relu=False),
        ]
    if stride == 1 and before == after:
        return Block(path, nn.Identity())
    return Block(path, convolution(before, after, 1, stride, relu=False))


class Depthwise(nn.Conv2d):
    """In float32 even where the rest is not: its bfloat16 gradients are slow on CPUs."""

    def forward(self, values: Tensor) -> Tensor:
        if values.device.type != "cpu":
            return super().forward(values)
        with torch.autocast("cpu", enabled=False):
            return super().forward(values.float()).to(values.dtype)


def convolution(
    before: int,
    after: int,
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    relu: bool = True,
    mobile: bool = False,
) -> nn.Sequential:
    """Convolution, batch normalisation and, if wanted, ReLU.

    ``mobile``: normalisation and ReLU as in EfficientNet-Lite.
    """
    padding = dilation * (kernel // 2)
    kind = nn.Conv2d if groups == 1 else Depthwise
    layers: list[nn.Module] = [
        kind(before, after, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(after, eps=1e-3 if mobile else 1e-5),
    ]
    if relu:
        layers.append((nn.ReLU6 if mobile else nn.ReLU)(inplace=True))
    return nn.Sequential(*layers)


@dataclass(frozen=True)
class Stage:
    """Sizes of one stage of the base network.

    ``channels``, ``blocks``: of its output; how many residual blocks make it.
    ``stride``: of the first block. ``dilation``, ``kernel``: of all inner kernels.
    ``expansion``: 0 for bottleneck blocks (1x1, 3x3, 1x1, a quarter of the channels
    inside); more for inverted blocks (1x1, depthwise, 1x1 without ReLU; so many times
    the incoming channels inside), as in MobileNetV2 and EfficientNet. ``tap``: channels
    to which its output is compressed (0: it is not tapped).
    """

    channels: int
    blocks: int
    stride: int = 1
    dilation: int = 1
    kernel: int = 3
    expansion: int = 0
    tap: int = 0


def stage_block(before: int, stage: Stage, stride: int) -> Block:
    """A bottleneck or an inverted residual block."""
    after, kernel, dilation = stage.channels, stage.kernel, stage.dilation
    same = nn.Identity() if stride == 1 and before == after else None
    inner = before * stage.expansion
    if inner:
        path: list[nn.Module] = [
            convolution(inner, inner, kernel, stride, dilation, inner, mobile=True),
            convolution(inner, after, 1, relu=False, mobile=True),
        ]
        if inner != before:
            path.insert(0, convolution(before, inner, 1, mobile=True))
        return Block(path, same, inverted=True)
    inner = after // 4
    path = [
        convolution(before, inner, 1, stride),
        convolution(inner, inner, kernel, dilation=dilation),
        convolution(inner, after, 1, relu=False),
    ]
    return Block(path, same or convolution(before, after, 1, stride, relu=False))


def new_network(
    make: Callable[[Config], Network],
    config: Config,
    seed: int,
    mode: Literal["fan_in", "fan_out"] = "fan_out",
) -> Network:
    """A network with random weights, the same for the same seed.

    He initialisation, biases of zero; residual blocks begin with their shortcut alone,
    linear layers near zero.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make(config)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode=mode)
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.zeros_(module.bias)
            if isinstance(module, Block) and module.shortcut is not None:
                last: Any = module.path[-1]
                nn.init.zeros_(last[1].weight)
    return network
