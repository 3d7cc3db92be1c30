"""Stages of residual blocks: ResNet's bottlenecks and MobileNet's inverted blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .blocks import convolution


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
