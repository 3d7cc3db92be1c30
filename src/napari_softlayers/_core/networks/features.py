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

from .blocks import Stage, convolution, new_network, stage_block


@dataclass(frozen=True)
class FeatureConfig:
    """Sizes of the feature network.

    ``stages``: the base network after the stem. ``stem_channels``, ``stem_kernel``:
    first convolution, stride 2. ``stem_pool``: max-pool by 2 after the stem.
    ``picture_tap``: channels to which the picture itself is compressed.
    ``global_channels``: channels of one more tap, the mean of the last stage over the
    picture (0: none). ``output_stride``: resolution at which the taps meet; 1 is the
    picture's own, as in the paper. ``hidden``, ``dims``: channels of the two 1x1
    convolutions. ``classes``: groups of class scores among the ``dims`` outputs:
    features are then the square roots of each group's softmax; empty: features as they
    come. ``axes``: so many numbers about the hidden layer, and as many about the last
    stage, follow the ``dims`` outputs when the network is used; see :class:`Axes`.
    ``dropout``: before each of the 1x1 convolutions, in training.
    """

    stages: tuple[Stage, ...]
    stem_channels: int = 32
    stem_kernel: int = 3
    stem_pool: bool = False
    picture_tap: int = 16
    global_channels: int = 96
    output_stride: int = 4
    hidden: int = 160
    dims: int = 64
    classes: tuple[int, ...] = ()
    axes: int = 0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Lists and mappings (from JSON) become tuples and stages; sizes must fit."""
        stages = tuple(s if isinstance(s, Stage) else Stage(**s) for s in self.stages)
        object.__setattr__(self, "stages", stages)
        object.__setattr__(self, "classes", tuple(self.classes))
        if not stages:
            raise ValueError("stages is empty; give at least one Stage")
        if self.classes and sum(self.classes) != self.dims:
            raise ValueError(
                f"groups of {self.classes} class scores need dims="
                f"{sum(self.classes)}, not {self.dims}"
            )


PRESETS: dict[str, FeatureConfig] = {
    # DeepLab-ResNet-101 with atrous stages, stride 8. The paper's fifth tap is called
    # pool1 with 256 channels; that many channels, at that stride, leave the first
    # residual stage, which is where we tap.
    "paper": FeatureConfig(
        stages=(
            Stage(256, 3, tap=124),
            Stage(512, 4, stride=2, tap=128),
            Stage(1024, 23, dilation=2, tap=256),
            Stage(2048, 3, dilation=4, tap=512),
        ),
        stem_channels=64,
        stem_kernel=7,
        stem_pool=True,
        picture_tap=4,
        global_channels=0,
        output_stride=1,
        hidden=512,
        dims=128,
        dropout=0.5,
    ),
    # EfficientNet-Lite2 up to the last stage (Tan and Le 2019).
    "compact": FeatureConfig(
        stages=(
            Stage(16, 1, expansion=1, tap=24),
            Stage(24, 3, stride=2, expansion=6, tap=32),
            Stage(48, 3, stride=2, kernel=5, expansion=6, tap=48),
            Stage(88, 4, stride=2, expansion=6),
            Stage(120, 4, kernel=5, expansion=6, tap=64),
            Stage(208, 5, stride=2, kernel=5, expansion=6),
            Stage(352, 1, expansion=6, tap=64),
        ),
        axes=32,
    ),
}

# Means and deviations of ImageNet: the three channels, and rounded to one number.
_RESNET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_MOBILE = ((127 / 255,) * 3, (128 / 255,) * 3)


class Axes(nn.Module):
    """A layer's vectors in a few numbers, for features that scores alone do not tell.

    Of something that the teachers have no class for, scores are a blend of guesses; the
    layers before them still tell it from what is beside it. Their vectors, scaled to
    length 1, are projected on the principal axes that they have in photographs: angles
    between them stay, nearly.

    They are all zero at first; see `fit_axes` of the training.
    """

    vectors: Tensor

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(count, channels))

    def forward(self, values: Tensor) -> Tensor:
        """``(N, channels, h, w)`` to ``(N, count, h, w)``."""
        values = values.float()
        lengths = torch.linalg.vector_norm(values, dim=1, keepdim=True).clamp_min(1e-12)
        kernels = self.vectors[..., None, None]
        found: Tensor = nn.functional.conv2d(values, kernels) / lengths
        return found


class FeatureNetwork(nn.Module):
    """Picture to one feature vector per pixel.

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
        mobile = c.stages[0].expansion > 0
        mean, std = _MOBILE if mobile else _RESNET
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), False)
        self.stem = convolution(3, c.stem_channels, c.stem_kernel, 2, mobile=mobile)
        self.pool = nn.MaxPool2d(3, 2, 1) if c.stem_pool else nn.Identity()
        self.stages = nn.ModuleList()
        before = c.stem_channels
        for sizes in c.stages:
            stage = nn.Sequential()
            for index in range(sizes.blocks):
                step = sizes.stride if index == 0 else 1
                stage.append(stage_block(before, sizes, step))
                before = sizes.channels
            self.stages.append(stage)
        tapped = [(3, c.picture_tap)]
        tapped += [(stage.channels, stage.tap) for stage in c.stages if stage.tap]
        self.taps = nn.ModuleList(
            convolution(source, size, 3) for source, size in tapped
        )
        self.mixers = nn.ModuleList(
            nn.Conv2d(size, c.hidden, 1, bias=index == 0)
            for index, (_, size) in enumerate(tapped)
        )
        if c.global_channels:
            self.scene = nn.Conv2d(before, c.global_channels, 1)
            self.scene_mixer = nn.Conv2d(c.global_channels, c.hidden, 1, bias=False)
        self.dropout = nn.Dropout2d(c.dropout)
        self.head = nn.Conv2d(c.hidden, c.dims, 1)
        if c.axes:
            self.hidden_axes = Axes(c.hidden, c.axes)
            self.stage_axes = Axes(before, c.axes)

    def forward(self, picture: Tensor) -> Tensor:
        """Features of a batch of pictures.

        ``picture`` ``(N, 3, H, W)`` float, sRGB in [0, 1]. Returns (N, D, ceil(H /
        output_stride), ceil(W / output_stride)) float: ``D`` is ``dims`` in training,
        else ``dims + 2 * axes``.
        """
        stride = self.config.output_stride
        height, width = picture.shape[-2:]
        size = (-(-height // stride), -(-width // stride))
        values = (picture - self.mean) / self.std
        mixed = self._mix(0, _reduce(values, size), size)
        values = self.pool(self.stem(values))
        tap = 0
        for stage, sizes in zip(self.stages, self.config.stages, strict=True):
            values = stage(values)
            if sizes.tap:
                tap += 1
                mixed = mixed + self._mix(tap, values, size)
        if self.config.global_channels:
            scene = torch.relu(self.scene(adaptive_avg_pool2d(values, 1)))
            mixed = mixed + self.scene_mixer(self.dropout(scene))
        hidden = torch.relu(mixed)
        features: Tensor = self.head(self.dropout(hidden))
        parts = [features]
        if self.config.classes:
            groups = features.float().split(self.config.classes, 1)
            parts = [torch.exp(torch.log_softmax(g, 1) / 2) for g in groups]
        if self.config.axes and not self.training:
            parts.append(self.hidden_axes(hidden).contiguous())
            parts.append(_resized(self.stage_axes(values).contiguous(), size))
        return torch.cat(parts, 1) if len(parts) > 1 else features

    def _mix(self, index: int, values: Tensor, size: tuple[int, int]) -> Tensor:
        values = _reduce(self.dropout(self.taps[index](values)), size)
        return _resized(self.mixers[index](values), size)


def _resized(values: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Bilinear interpolation to a height and a width."""
    if values.shape[-2:] == size:
        return values
    return interpolate(values, size, mode="bilinear", align_corners=False)


def _reduce(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Means over areas where there are more pixels than wanted."""
    if values.shape[-1] <= size[1] and values.shape[-2] <= size[0]:
        return values
    return interpolate(values, size, mode="area")


def new_feature_network(config: FeatureConfig, seed: int = 0) -> FeatureNetwork:
    """An untrained network; see `new_network`."""
    return new_network(FeatureNetwork, config, seed)


def describe_picture(
    network: nn.Module,
    picture: Tensor,
    sizes: Sequence[int] = (384, 640),
    flip: bool = True,
    check: Callable[[], None] | None = None,
) -> Tensor:
    """Features of one picture, averaged over sizes and the mirrored picture.

    ``network``: in evaluation mode. ``picture`` ``(3, H, W)`` in [0, 1], or uint8.
    ``sizes``: long sides at which the network sees the picture. ``check``: called before
    every pass; may raise to cancel. Returns ``(dims, h, w)``: of the largest size; every
    pass has vectors of length 1 before averaging.
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
            else:
                total += _resized(found, total.shape[-2:])
    if total is None:
        raise ValueError("sizes is empty; give at least one long side")
    count = len(sizes) * (2 if flip else 1)
    return total[0].div_(count)
