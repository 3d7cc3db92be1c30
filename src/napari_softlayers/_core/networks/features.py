"""The semantic feature network (supplement, section 1, Fig. 1).

A residual network gives features at several depths. Each depth, and the picture itself,
is compressed by a 3x3 convolution with ReLU, brought to one resolution, concatenated,
and mixed by two 1x1 convolutions into one feature vector per pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate


@dataclass(frozen=True)
class FeatureConfig:
    """Sizes of the feature network.

    Parameters
    ----------
    stem_channels, stem_kernel : int
        First convolution, stride 2.
    stem_pool : bool
        Max-pool by 2 after the stem.
    channels : tuple of int
        Output channels of the four residual stages.
    blocks, strides, dilations : tuple of int
        Of each stage.
    bottleneck : bool
        Bottleneck blocks (1x1, 3x3, 1x1) instead of two 3x3 convolutions.
    tap_channels : tuple of int
        Channels to which the picture and the four stages are compressed.
    global_channels : int
        Channels of one more tap, the mean of the last stage over the picture (0: none).
    output_stride : int
        Resolution at which the taps meet; 1 is the picture's own, as in the paper.
    hidden, dims : int
        Channels of the two 1x1 convolutions.
    dropout : float
        Before each of them, in training.
    """

    stem_channels: int = 32
    stem_kernel: int = 3
    stem_pool: bool = False
    channels: tuple[int, ...] = (32, 64, 128, 256)
    blocks: tuple[int, ...] = (1, 2, 2, 2)
    strides: tuple[int, ...] = (2, 2, 2, 2)
    dilations: tuple[int, ...] = (1, 1, 1, 1)
    bottleneck: bool = False
    tap_channels: tuple[int, ...] = (16, 32, 48, 64, 96)
    global_channels: int = 64
    output_stride: int = 4
    hidden: int = 128
    dims: int = 64
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Lists (from JSON) become tuples; the sizes must fit together."""
        for name in ("channels", "blocks", "strides", "dilations", "tap_channels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        stages = len(self.channels)
        same = len(self.blocks) == len(self.strides) == len(self.dilations) == stages
        if not same or len(self.tap_channels) != stages + 1:
            raise ValueError(
                "channels, blocks, strides and dilations need one entry a stage and "
                f"tap_channels one more; got {self}"
            )


PRESETS: dict[str, FeatureConfig] = {
    # DeepLab-ResNet-101 with atrous stages, stride 8. The paper's fifth tap is called
    # pool1 with 256 channels; that many channels, at that stride, leave the first
    # residual stage, which is where we tap.
    "paper": FeatureConfig(
        stem_channels=64,
        stem_kernel=7,
        stem_pool=True,
        channels=(256, 512, 1024, 2048),
        blocks=(3, 4, 23, 3),
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        bottleneck=True,
        tap_channels=(4, 124, 128, 256, 512),
        global_channels=0,
        output_stride=1,
        hidden=512,
        dims=128,
        dropout=0.5,
    ),
    "compact": FeatureConfig(),
}

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class FeatureNetwork(nn.Module):
    """Picture to one feature vector per pixel.

    Parameters
    ----------
    config : FeatureConfig

    Notes
    -----
    The first 1x1 convolution acts on every tap before the taps are brought to one
    resolution. Bilinear interpolation and 1x1 convolution commute, so this is the
    paper's concatenation at a fraction of its memory.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: FeatureConfig) -> None:
        super().__init__()
        self.config = config
        c = config
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), False)
        self.stem = _conv(3, c.stem_channels, c.stem_kernel, stride=2)
        self.pool = nn.MaxPool2d(3, 2, 1) if c.stem_pool else nn.Identity()
        self.stages = nn.ModuleList()
        before = c.stem_channels
        for after, count, stride, dilation in zip(
            c.channels, c.blocks, c.strides, c.dilations, strict=True
        ):
            stage = nn.Sequential()
            for index in range(count):
                step = stride if index == 0 else 1
                stage.append(_Residual(before, after, step, dilation, c.bottleneck))
                before = after
            self.stages.append(stage)
        sources = (3, *c.channels)
        self.taps = nn.ModuleList(
            _conv(source, size, 3)
            for source, size in zip(sources, c.tap_channels, strict=True)
        )
        self.mixers = nn.ModuleList(
            nn.Conv2d(size, c.hidden, 1, bias=index == 0)
            for index, size in enumerate(c.tap_channels)
        )
        if c.global_channels:
            self.scene = nn.Conv2d(before, c.global_channels, 1)
            self.scene_mixer = nn.Conv2d(c.global_channels, c.hidden, 1, bias=False)
        self.dropout = nn.Dropout2d(c.dropout)
        self.head = nn.Conv2d(c.hidden, c.dims, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Features of a batch of pictures.

        Parameters
        ----------
        picture : (N, 3, H, W) float, sRGB in [0, 1]

        Returns
        -------
        (N, dims, ceil(H / output_stride), ceil(W / output_stride)) float
        """
        stride = self.config.output_stride
        height, width = picture.shape[-2:]
        size = (-(-height // stride), -(-width // stride))
        values = (picture - self.mean) / self.std
        small = values
        if stride > 1:
            small = interpolate(values, size, mode="area")
        mixed = self._mix(0, small, size)
        values = self.pool(self.stem(values))
        for index, stage in enumerate(self.stages):
            values = stage(values)
            mixed = mixed + self._mix(index + 1, values, size)
        if self.config.global_channels:
            scene = torch.relu(self.scene(adaptive_avg_pool2d(values, 1)))
            mixed = mixed + self.scene_mixer(self.dropout(scene))
        features: Tensor = self.head(self.dropout(torch.relu(mixed)))
        return features

    def _mix(self, index: int, values: Tensor, size: Sequence[int]) -> Tensor:
        values = self.mixers[index](self.dropout(self.taps[index](values)))
        if values.shape[-2:] == torch.Size(size):
            return values
        return interpolate(values, tuple(size), mode="bilinear", align_corners=False)


class _Residual(nn.Module):
    """A basic or bottleneck residual block."""

    def __init__(
        self, before: int, after: int, stride: int, dilation: int, bottleneck: bool
    ) -> None:
        super().__init__()
        if bottleneck:
            inner = after // 4
            self.path = nn.Sequential(
                _conv(before, inner, 1, stride),
                _conv(inner, inner, 3, dilation=dilation),
                _conv(inner, after, 1, relu=False),
            )
        else:
            self.path = nn.Sequential(
                _conv(before, after, 3, stride, dilation),
                _conv(after, after, 3, dilation=dilation, relu=False),
            )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = _conv(before, after, 1, stride, relu=False)

    def forward(self, values: Tensor) -> Tensor:
        return torch.relu(self.path(values) + self.shortcut(values))


def _conv(
    before: int,
    after: int,
    kernel: int,
    stride: int = 1,
    dilation: int = 1,
    relu: bool = True,
) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(before, after, kernel, stride, padding, dilation, bias=False),
        nn.BatchNorm2d(after),
    ]
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def new_feature_network(config: FeatureConfig, seed: int = 0) -> FeatureNetwork:
    """A network with random weights (He initialisation), the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FeatureNetwork(config)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, _Residual):
                last = module.path[-1]
                if isinstance(last, nn.Sequential):
                    norm = last[1]
                    if isinstance(norm, nn.BatchNorm2d):
                        nn.init.zeros_(norm.weight)  # blocks start as identity
    return network


def describe_picture(
    network: nn.Module,
    picture: Tensor,
    sizes: Sequence[int] = (160, 256, 512),
    flip: bool = True,
    check: Callable[[], None] | None = None,
) -> Tensor:
    """Features of one picture, averaged over sizes and the mirrored picture.

    Parameters
    ----------
    network : FeatureNetwork
        In evaluation mode.
    picture : (3, H, W) float in [0, 1], or uint8
    sizes : sequence of int
        Long sides at which the network sees the picture.
    flip : bool
    check : callable, optional
        Called before every pass; may raise to cancel.

    Returns
    -------
    (dims, h, w) float
        Of the largest size; every pass has vectors of length 1 before averaging.
    """
    values = picture.float() / 255 if picture.dtype == torch.uint8 else picture
    height, width = values.shape[-2:]
    total: Tensor | None = None
    for size in sorted(sizes, reverse=True):
        scale = size / max(height, width)
        shape = tuple(max(16, round(side * scale)) for side in (height, width))
        small = interpolate(
            values[None], shape, mode="bilinear", align_corners=False, antialias=True
        )
        small = small.contiguous(memory_format=torch.channels_last)
        passes = [small, small.flip(-1)] if flip else [small]
        for index, view in enumerate(passes):
            if check is not None:
                check()
            found = nn.functional.normalize(network(view).float(), dim=1)
            found = found.flip(-1) if index else found
            if total is None:
                total = found
            elif found.shape == total.shape:
                total = total + found
            else:
                total = total + interpolate(
                    found, total.shape[-2:], mode="bilinear", align_corners=False
                )
    if total is None:
        raise ValueError("sizes is empty; give at least one long side")
    count = len(sizes) * (2 if flip else 1)
    return total[0] / count
