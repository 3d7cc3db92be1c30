"""AdaMatting: adapt the trimap, estimate the matte [1]_.

One encoder, two decoders. The trimap decoder sees deep and middle features and decides
what is background, mixed or foreground; the alpha decoder sees middle and shallow
features and estimates the opacity. Both go into a propagation unit, two residual blocks
and a convolutional LSTM, which refines the matte three times.

References
----------
.. [1] S. Cai, X. Zhang, H. Fan et al., "Disentangled Image Matting", ICCV 2019.
   arXiv:1909.04686
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    adaptive_avg_pool2d,
    one_hot,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
)

from .blocks import GlobalConvolution, SubPixel, convolution, new_network, residual

#: Channels of the network's input: red, green, blue, and one for each class of trimap.
INPUTS = 6


@dataclass(frozen=True)
class AdaMattingConfig:
    """Sizes of the network.

    ``stem_channels``, ``stem_kernel``: first convolution, stride 2; its output is the
    shallow skip. ``stem_pool``: max-pool by 2 after the stem; otherwise the first stage
    has stride 2. ``channels``, ``blocks``: of the four residual stages, at strides 4,
    8, 16 and 32. Stride 8 is the middle skip, stride 16 the deep one. ``bottleneck``:
    bottleneck blocks (ResNet-50) instead of two 3x3 convolutions.
    ``decoder_channels``: of the decoders at strides 16, 8, 4, 2 and 1.
    ``global_kernel``: side of the global convolutions on the skips (odd). ``scene``:
    add what the mean of the deepest features says about the whole picture. ``vote``:
    one more input: how much more often each colour was labelled foreground than
    background in the given trimap. ``propagation_channels``: of the residual blocks and
    the LSTM. ``propagation_scale``: the propagation unit works on squares of so many
    pixels, put into channels. ``recurrences``: passes of the propagation unit.
    """

    stem_channels: int = 24
    stem_kernel: int = 3
    stem_pool: bool = False
    channels: tuple[int, ...] = (40, 64, 96, 128)
    blocks: tuple[int, ...] = (1, 2, 2, 2)
    bottleneck: bool = False
    decoder_channels: tuple[int, ...] = (96, 64, 40, 24, 12)
    global_kernel: int = 7
    scene: bool = True
    vote: bool = True
    propagation_channels: int = 16
    propagation_scale: int = 2
    recurrences: int = 3

    def __post_init__(self) -> None:
        """Lists (from JSON) become tuples; the sizes must fit together."""
        for name in ("channels", "blocks", "decoder_channels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        sizes = (self.channels, self.blocks, self.decoder_channels)
        if [len(size) for size in sizes] != [4, 4, 5]:
            raise ValueError(
                "channels and blocks need four entries and decoder_channels five; "
                f"got {self}"
            )


PRESETS: dict[str, AdaMattingConfig] = {
    # ResNet-50, the trimap next to the picture, propagation at full resolution. The
    # paper does not print the widths of the decoders and of the propagation unit.
    "paper": AdaMattingConfig(
        stem_channels=64,
        stem_kernel=7,
        stem_pool=True,
        channels=(256, 512, 1024, 2048),
        blocks=(3, 4, 6, 3),
        bottleneck=True,
        decoder_channels=(512, 256, 128, 64, 32),
        global_kernel=7,
        scene=False,
        vote=False,
        propagation_channels=32,
        propagation_scale=1,
    ),
    "compact": AdaMattingConfig(),
}


@dataclass(frozen=True)
class Adapted:
    """What the network returns, for a batch of N pictures.

    ``logits`` ``(N, 3, H, W)``: of background, unknown and foreground: the adapted
    trimap. ``alphas`` list of ``(N, 1, H, W)``: the alpha decoder's matte and then that
    of every recurrence, in [0, 1].
    """

    logits: Tensor
    alphas: list[Tensor]


class AdaMatting(nn.Module):
    """Picture and trimap to adapted trimap and matte.

    ``log_sigma`` Parameter ``(2,)``: logarithms of the weights sigma of the two losses
    (Eq. 3), learned along with everything else, 4 at the start.
    """

    def __init__(self, config: AdaMattingConfig) -> None:
        super().__init__()
        c = self.config = config
        self.log_sigma = nn.Parameter(torch.full((2,), math.log(4.0)))
        self.stem = convolution(
            INPUTS + c.vote, c.stem_channels, c.stem_kernel, stride=2
        )
        self.pool = nn.MaxPool2d(3, 2, 1) if c.stem_pool else nn.Identity()
        self.stages = nn.ModuleList()
        before = c.stem_channels
        for index, (after, count) in enumerate(zip(c.channels, c.blocks, strict=True)):
            stage = nn.Sequential()
            for block in range(count):
                first = block == 0 and not (index == 0 and c.stem_pool)
                stage.append(residual(before, after, 1 + first, c.bottleneck))
                before = after
            self.stages.append(stage)
        if c.scene:
            self.scene_mixer = nn.Conv2d(before, before, 1)
        deep, middle, shallow = c.channels[2], c.channels[1], c.stem_channels
        self.trimap_decoder = _Decoder(before, {16: deep, 8: middle}, 3, c)
        self.alpha_decoder = _Decoder(before, {8: middle, 2: shallow}, 1, c)
        self.propagation = _Propagation(c)

    def forward(self, picture: Tensor, trimap: Tensor) -> Adapted:
        """Adapt and estimate.

        ``picture`` ``(N, 3, H, W)`` float, sRGB in [0, 1]. ``trimap`` ``(N, H, W)``
        long, 0 background, 1 unknown, 2 foreground.
        """
        height, width = picture.shape[-2:]
        missing = (-height % 32, -width % 32)
        if any(missing):
            span = (0, missing[1], 0, missing[0])
            picture = pad(picture, span, mode="replicate")
            trimap = pad(trimap[:, None].float(), span, mode="replicate")[:, 0].long()
        # channels of the trimap: background, unknown, foreground
        labels = one_hot(trimap, 3).movedim(-1, 1).to(picture.dtype)
        given = [picture - 0.5, labels]
        if self.config.vote:
            given.append(color_vote(picture, trimap))
        shallow = self.stem(torch.cat(given, 1))
        values = self.pool(shallow)
        skips = []
        for stage in self.stages:
            values = stage(values)
            skips.append(values)
        if self.config.scene:
            values = values + self.scene_mixer(adaptive_avg_pool2d(values, 1))
        logits = self.trimap_decoder(values, {16: skips[2], 8: skips[1]})
        first = torch.sigmoid(
            self.alpha_decoder(values, {8: skips[1], 2: shallow}).float()
        )
        adapted = torch.softmax(logits.float(), 1)
        alphas = [first, *self.propagation(picture, adapted, first)]
        alphas = [alpha[..., :height, :width] for alpha in alphas]
        return Adapted(logits[..., :height, :width].float(), alphas)


class _Decoder(nn.Module):
    """From stride 32 to 1 by sub-pixel convolutions, with global ones on the skips.

    ``skips``: channels of the features that are added, by their stride.
    """

    def __init__(
        self, before: int, skips: dict[int, int], outputs: int, config: AdaMattingConfig
    ) -> None:
        super().__init__()
        self.ups, self.mixers = nn.ModuleList(), nn.ModuleList()
        self.skips = nn.ModuleDict()
        for index, after in enumerate(config.decoder_channels):
            last = index == len(config.decoder_channels) - 1
            self.ups.append(SubPixel(before, after))
            self.mixers.append(convolution(after, after) if not last else nn.Identity())
            stride = 16 >> index
            if stride in skips:
                self.skips[str(stride)] = GlobalConvolution(
                    skips[stride], after, config.global_kernel
                )
            before = after
        self.head = nn.Conv2d(before, outputs, 3, 1, 1)

    def forward(self, values: Tensor, skips: dict[int, Tensor]) -> Tensor:
        stride = 32
        for up, mixer in zip(self.ups, self.mixers, strict=True):
            stride //= 2
            values = up(values)
            if stride in skips:
                values = values + self.skips[str(stride)](skips[stride])
            values = mixer(values)
        logits: Tensor = self.head(values)
        return logits


class _Propagation(nn.Module):
    """Refines a matte: two residual blocks and a convolutional LSTM cell."""

    def __init__(self, config: AdaMattingConfig) -> None:
        super().__init__()
        self.scale, self.recurrences = config.propagation_scale, config.recurrences
        squared, hidden = self.scale**2, config.propagation_channels
        self.channels = hidden
        self.enter = convolution(7 * squared, hidden)
        self.blocks = nn.Sequential(
            residual(hidden, hidden, 1, False), residual(hidden, hidden, 1, False)
        )
        self.gates = nn.Conv2d(2 * hidden, 4 * hidden, 3, 1, 1)
        self.leave = nn.Conv2d(hidden, squared, 3, 1, 1)

    def forward(self, picture: Tensor, adapted: Tensor, alpha: Tensor) -> list[Tensor]:
        logits = torch.logit(alpha, 1e-3)
        fixed = pixel_unshuffle(torch.cat([picture - 0.5, adapted], 1), self.scale)
        size = (fixed.shape[0], self.channels, *fixed.shape[2:])
        hidden = fixed.new_zeros(size)
        cell = hidden
        refined = []
        for _ in range(self.recurrences):
            now = pixel_unshuffle(torch.sigmoid(logits), self.scale)
            features = self.blocks(self.enter(torch.cat([fixed, now], 1)))
            gates = self.gates(torch.cat([features, hidden], 1))
            into, forget, out, new = gates.chunk(4, 1)
            cell = torch.sigmoid(forget + 1) * cell + torch.sigmoid(into) * new.tanh()
            hidden = torch.sigmoid(out) * torch.tanh(cell)
            change = pixel_shuffle(self.leave(hidden), self.scale)
            logits = logits + change.float()
            refined.append(torch.sigmoid(logits))
        return refined


def color_vote(picture: Tensor, trimap: Tensor, bins: int = 16) -> Tensor:
    """How a trimap labels each colour: from -1 (background) to 1 (foreground).

    ``picture`` ``(N, 3, H, W)`` float in [0, 1]. ``trimap`` ``(N, H, W)`` long.
    ``bins``: of each colour channel. Returns ``(N, 1, H, W)`` float:
    ``(f - b) / (f + b)`` with the shares f and b of the foreground's and the
    background's pixels that fall in the colour's bin; 0 for colours not seen.
    """
    count, _, height, width = picture.shape
    levels = (picture.clamp(0, 1) * (bins - 1e-3)).long()
    index = (levels[:, 0] * bins + levels[:, 1]) * bins + levels[:, 2]
    index = index.view(count, -1)
    flat = trimap.reshape(count, -1)
    shares = []
    for label in (0, 2):
        member = (flat == label).to(picture.dtype)
        bag = picture.new_zeros(count, bins**3).scatter_add_(1, index, member)
        shares.append(bag / member.sum(1, keepdim=True).clamp(min=1))
    back, front = shares
    vote = (front - back) / (front + back + 1e-4)
    return vote.gather(1, index).view(count, 1, height, width)


def new_adamatting(config: AdaMattingConfig, seed: int = 0) -> AdaMatting:
    """An untrained network, whose propagation changes nothing; see `new_network`."""
    network = new_network(AdaMatting, config, seed)
    nn.init.zeros_(network.propagation.leave.weight)
    return network
