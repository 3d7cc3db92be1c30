"""Building blocks that the networks share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


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


class Residual(nn.Module):
    """A basic or bottleneck residual block."""

    def __init__(self, before: int, after: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        if bottleneck:
            inner = after // 4
            self.path = nn.Sequential(
                convolution(before, inner, 1),
                convolution(inner, inner, 3, stride),
                convolution(inner, after, 1, relu=False),
            )
        else:
            self.path = nn.Sequential(
                convolution(before, after, 3, stride),
                convolution(after, after, relu=False),
            )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = convolution(before, after, 1, stride, relu=False)

    def start_as_identity(self) -> None:
        """Begin with the shortcut alone: the last scale is zero."""
        last = self.path[-1]
        if isinstance(last, nn.Sequential):
            nn.init.zeros_(last[1].weight)  # type: ignore[arg-type]

    def forward(self, values: Tensor) -> Tensor:
        return torch.relu(self.path(values) + self.shortcut(values))


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

    Parameters
    ----------
    channels, blocks : int
        Of its output; how many residual blocks make it.
    stride, dilation, kernel : int
        The first block's stride; dilation and size of all inner kernels.
    expansion : int
        0: bottleneck blocks (1x1, 3x3, 1x1, a quarter of the channels inside). More:
        inverted blocks (1x1, depthwise, 1x1 without ReLU; so many times the incoming
        channels inside), as in MobileNetV2 and EfficientNet.
    tap : int
        Channels to which its output is compressed (0: it is not tapped).
    """

    channels: int
    blocks: int
    stride: int = 1
    dilation: int = 1
    kernel: int = 3
    expansion: int = 0
    tap: int = 0


class StageBlock(nn.Module):
    """A bottleneck or an inverted residual block."""

    def __init__(self, before: int, stage: Stage, stride: int) -> None:
        super().__init__()
        after, kernel, dilation = stage.channels, stage.kernel, stage.dilation
        self.inverted = stage.expansion > 0
        same = stride == 1 and before == after
        self.shortcut: nn.Module | None = nn.Identity() if same else None
        if self.inverted:
            inner = before * stage.expansion
            layers = [
                convolution(inner, inner, kernel, stride, dilation, inner, mobile=True),
                convolution(inner, after, 1, relu=False, mobile=True),
            ]
            if inner != before:
                layers.insert(0, convolution(before, inner, 1, mobile=True))
        else:
            inner = after // 4
            layers = [
                convolution(before, inner, 1, stride),
                convolution(inner, inner, kernel, dilation=dilation),
                convolution(inner, after, 1, relu=False),
            ]
            if not same:
                self.shortcut = convolution(before, after, 1, stride, relu=False)
        self.path = nn.Sequential(*layers)

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.path(values)
        if self.shortcut is not None:
            found = found + self.shortcut(values)
        return found if self.inverted else torch.relu(found)
