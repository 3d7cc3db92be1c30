"""DeepMattePropNet: learned affinities, and the matte that they propagate [1]_.

A SegNet and three plain convolutions give every pixel features; a linear layer and an
exponential turn those of two neighbouring pixels into their affinity; the matte is what
the known pixels spread along the affinities. The linear system of that last step is
solved at full resolution (see `propagation`), in training as well, where the paper had
to shrink it.

References
----------
.. [1] Y. Wang, Y. Niu, P. Duan, J. Lin, Y. Zheng, "Deep Propagation Based Image
   Matting", IJCAI 2018. doi:10.24963/ijcai.2018/139
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, max_unpool2d, pad

from .blocks import new_network


@dataclass(frozen=True)
class DeepPropagationConfig:
    """Sizes of the network.

    ``stages``: channels of the encoder's 3x3 convolutions; max-pooling by 2 after each
    stage. The decoder mirrors them. ``low_level``: channels of the three convolutions
    of the low-level branch. ``semantic``: features that the semantic branch returns.
    ``differences``: also show the linear layer how much the two pixels' features
    differ. ``directions``: own weights for pairs side by side and pairs one above the
    other. ``limit``: logarithms of affinities stay within this range around zero,
    smoothly. ``known``: weight c of the known pixels in the propagation.
    """

    stages: tuple[tuple[int, ...], ...] = (
        (16, 16),
        (24, 24),
        (40, 40),
        (64, 64),
        (64, 64),
    )
    low_level: tuple[int, ...] = (16, 16, 16)
    semantic: int = 16
    differences: bool = True
    directions: bool = True
    limit: float = 8.0
    known: float = 0.8

    def __post_init__(self) -> None:
        """Lists (from JSON) become tuples."""
        object.__setattr__(self, "stages", tuple(tuple(s) for s in self.stages))
        object.__setattr__(self, "low_level", tuple(self.low_level))
        if not self.stages or not all(self.stages) or not self.low_level:
            raise ValueError(f"every stage needs a convolution; got {self}")


PRESETS: dict[str, DeepPropagationConfig] = {
    # VGG-16's thirteen convolutions; one linear layer on the two pixels' features. The
    # paper does not print how many features each branch returns.
    "paper": DeepPropagationConfig(
        stages=(
            (64, 64),
            (128, 128),
            (256, 256, 256),
            (512, 512, 512),
            (512, 512, 512),
        ),
        low_level=(64, 64, 64),
        semantic=64,
        differences=False,
        directions=False,
    ),
    "compact": DeepPropagationConfig(),
}


@dataclass(frozen=True)
class Affinities:
    """Affinities of four-connected pixels, for a batch of N pictures.

    ``across`` ``(N, H, W - 1)``: of pixels (y, x) and (y, x + 1). ``down``
    ``(N, H - 1, W)``: of pixels (y, x) and (y + 1, x).
    """

    across: Tensor
    down: Tensor


class DeepPropagation(nn.Module):
    """Picture and trimap to affinities."""

    def __init__(self, config: DeepPropagationConfig) -> None:
        super().__init__()
        c = self.config = config
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        before = 4
        for stage in c.stages:
            self.encoder.append(_convolutions(before, stage))
            before = stage[-1]
        for index in reversed(range(len(c.stages))):
            after = c.stages[index - 1][-1] if index else c.semantic
            mirrored = (*c.stages[index][:0:-1], after)
            self.decoder.append(_convolutions(before, mirrored))
            before = after
        self.low_level = _convolutions(4, c.low_level, norm=False)
        features = c.semantic + c.low_level[-1]
        inputs = features * (3 if c.differences else 2)
        self.affinity = nn.ModuleList(
            nn.Linear(inputs, 1) for _ in range(2 if c.directions else 1)
        )

    def forward(self, picture: Tensor, trimap: Tensor) -> Affinities:
        """Affinities of neighbouring pixels.

        ``picture`` ``(N, 3, H, W)`` float, sRGB in [0, 1]. ``trimap`` ``(N, H, W)``
        long, 0 background, 1 unknown, 2 foreground. Returns Affinities: positive.
        """
        hint = trimap[:, None].to(picture.dtype) / 2
        given = torch.cat([picture, hint], 1) - 0.5
        features = torch.cat([self._semantic(given), self.low_level(given)], 1)
        first, last = self.affinity[0], self.affinity[-1]
        return Affinities(
            self._pairs(features[..., :-1], features[..., 1:], first),
            self._pairs(features[..., :-1, :], features[..., 1:, :], last),
        )

    def _semantic(self, values: Tensor) -> Tensor:
        """SegNet: pooling keeps the places of the largest values for unpooling."""
        height, width = values.shape[-2:]
        step = 2 ** len(self.config.stages)
        values = pad(values, (0, -width % step, 0, -height % step), mode="replicate")
        places = []
        for stage in self.encoder:
            values, where = max_pool2d(stage(values), 2, return_indices=True)
            places.append(where)
        for stage in self.decoder:
            values = stage(max_unpool2d(values, places.pop(), [2, 2]))
        return values[..., :height, :width]

    def _pairs(self, one: Tensor, other: Tensor, layer: nn.Module) -> Tensor:
        parts = [one, other]
        if self.config.differences:
            parts.append((one - other).abs())
        logits = layer(torch.cat(parts, 1).movedim(1, -1))[..., 0].float()
        limit = self.config.limit
        return torch.exp(limit * torch.tanh(logits / limit))


def _convolutions(
    before: int, channels: tuple[int, ...], norm: bool = True
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for after in channels:
        layers.append(nn.Conv2d(before, after, 3, 1, 1, bias=not norm))
        if norm:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU(inplace=True))
        before = after
    return nn.Sequential(*layers)


def new_deep_propagation(
    config: DeepPropagationConfig, seed: int = 0
) -> DeepPropagation:
    """An untrained network; see `new_network`."""
    return new_network(DeepPropagation, config, seed, mode="fan_in")
