"""The pair of networks of "Fast Soft Color Segmentation" (Akimoto et al., CVPR 2020).

Two U-Nets: the alpha predictor and the residue predictor. In the published form
(``slots = K``) both see all K palette colours at once, so that K and the order of the
colours are fixed. In the form that is trained here (``slots = 0``) the same U-Net looks at
one colour at a time, and half of its feature maps are means over all colours: any number
of colours works with one set of weights, and their order cannot matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ..arrays import FloatArray
from ..numerics.mixture import Mixture
from ..run import SILENT, Run
from .weights import load_network

STRIDE = 8  # the U-Net halves its picture three times
MARGIN = 32  # an alpha depends on less than this many pixels to each side
TILE_VALUES = 800_000  # pixels x colours in one tile
FLOOR = 0.01  # so that the network can raise alphas that the mixture has at 0


@dataclass(frozen=True)
class PaletteConfig:
    """Sizes of the pair.

    ``slots``: number of colours of the published form; 0 is the order-invariant form.
    ``width``: feature maps n of the order-invariant U-Net, which has 2 n, 4 n and 8 n
    further down. The published form has as many as its input has channels. ``guided``:
    the alpha predictor also sees the closed-form mixture's alphas, and changes them
    (order-invariant form only). ``residues``: there is a residue predictor.
    """

    slots: int = 0
    width: int = 8
    guided: bool = True
    residues: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that no network has."""
        if self.slots < 0 or self.slots == 1 or self.width < 2:
            raise ValueError(f"{self} describes no palette network")


class UNet(nn.Module):
    """The paper's U-Net: five convolutions, three transposed ones, skip connections.

    All kernels are 3 x 3; batch normalisation follows the ReLU.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()

        def down(before: int, after: int) -> nn.Module:
            return nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)

        def up(before: int, after: int) -> nn.Module:
            return nn.ConvTranspose2d(
                before, after, 3, stride=2, padding=1, output_padding=1, bias=False
            )

        n = width
        self.conv1, self.bn1 = down(inputs, 2 * n), nn.BatchNorm2d(2 * n)
        self.conv2, self.bn2 = down(2 * n, 4 * n), nn.BatchNorm2d(4 * n)
        self.conv3, self.bn3 = down(4 * n, 8 * n), nn.BatchNorm2d(8 * n)
        self.deconv1, self.bnde1 = up(8 * n, 4 * n), nn.BatchNorm2d(4 * n)
        self.deconv2, self.bnde2 = up(8 * n, 2 * n), nn.BatchNorm2d(2 * n)
        self.deconv3, self.bnde3 = up(4 * n, 2 * n), nn.BatchNorm2d(2 * n)
        self.conv4 = nn.Conv2d(2 * n + 3, n, 3, padding=1)
        self.bn4 = nn.BatchNorm2d(n)
        self.conv5 = nn.Conv2d(n, outputs, 3, padding=1)

    def forward(self, values: Tensor, picture: Tensor, colors: int = 1) -> Tensor:
        """Outputs ``(B, outputs, H, W)`` for inputs ``(B, inputs, H, W)``.

        H and W are multiples of 8. ``picture`` ``(B, 3, H, W)``. ``colors``: the batch
        holds this many colours of each picture, one after the other; their means are
        shared.
        """
        h1 = _share(self.bn1(self.conv1(values).relu()), colors)
        h2 = _share(self.bn2(self.conv2(h1).relu()), colors)
        h3 = _share(self.bn3(self.conv3(h2).relu()), colors)
        up = torch.cat([self.bnde1(self.deconv1(h3).relu()), h2], 1)
        up = torch.cat([self.bnde2(self.deconv2(up).relu()), h1], 1)
        up = torch.cat([self.bnde3(self.deconv3(up).relu()), picture], 1)
        found: Tensor = self.conv5(self.bn4(self.conv4(up).relu()))
        return found


def _share(features: Tensor, colors: int) -> Tensor:
    """Replace the second half of the feature maps by their means over the colours."""
    if colors == 1:
        return features
    own, common = features.unflatten(0, (-1, colors)).chunk(2, dim=2)
    common = common.mean(1, keepdim=True).expand_as(common)
    return torch.cat([own, common], dim=2).flatten(0, 1)


class PaletteNetwork(nn.Module):
    """Alpha predictor and, where it was trained, residue predictor."""

    def __init__(self, config: PaletteConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PaletteConfig()
        self.residue: UNet | None = None
        if config.slots:
            inputs = 3 + 3 * config.slots
            self.alpha = UNet(inputs, inputs, config.slots)
            if config.residues:
                inputs = 3 + 4 * config.slots
                self.residue = UNet(inputs, inputs, 3 * config.slots)
            return
        self.alpha = UNet(6 + config.guided, config.width, 1)
        if config.guided:  # an untrained network changes nothing
            nn.init.zeros_(self.alpha.conv5.weight)
            nn.init.zeros_(self.alpha.conv5.bias)  # type: ignore[arg-type]
        if config.residues:
            self.residue = UNet(7, config.width, 3)

    def forward(
        self, picture: Tensor, palette: Tensor, mixture: Tensor | None = None
    ) -> Tensor:
        """Predict alphas (Eq. 5).

        ``picture`` ``(B, 3, H, W)``: H and W are multiples of 8. ``palette``
        ``(B, K, 3)``. ``mixture`` ``(B, K, H, W)``: alphas of the closed-form mixture,
        for a guided network. Returns ``(B, K, H, W)``: non-negative, summing to 1.
        """
        batch, _, height, width = picture.shape
        count = palette.shape[1]
        swatches = palette[..., None, None].expand(-1, -1, -1, height, width)
        logits: Tensor
        if self.config.slots:
            values = torch.cat([picture, swatches.flatten(1, 2)], 1)
            logits = self.alpha(values, picture)
        else:
            parts = [_repeat(picture, count), swatches.flatten(0, 1)]
            if mixture is not None:
                parts.append(mixture.flatten(0, 1)[:, None])
            logits = self.alpha(torch.cat(parts, 1), parts[0], count)
            logits = logits.reshape(batch, count, height, width)
            if mixture is not None:
                return ((mixture + FLOOR).log() + logits.float()).softmax(1)
        alphas = logits.float().sigmoid()
        return alphas / (alphas.sum(1, keepdim=True) + 1e-8)

    def layer_colors(self, picture: Tensor, palette: Tensor, alphas: Tensor) -> Tensor:
        """Predict layer colours: palette plus zero-centred residues, in [0, 1].

        ``picture`` ``(B, 3, H, W)``. ``palette`` ``(B, K, 3)``. ``alphas``
        ``(B, K, H, W)``: after their processing. Returns ``(B, K, 3, H, W)``.
        """
        if self.residue is None:
            raise ValueError("These weights hold no residue predictor.")
        count = palette.shape[1]
        swatches = palette[..., None, None].expand(-1, -1, -1, *picture.shape[2:])
        layers = torch.cat([swatches, alphas[:, :, None]], 2)
        if self.config.slots:
            values = torch.cat([picture, layers.flatten(1, 2)], 1)
            residues = self.residue(values, picture)
        else:
            many = _repeat(picture, count)
            values = torch.cat([many, layers.flatten(0, 1)], 1)
            residues = self.residue(values, many, count)
        residues = residues.float().tanh().reshape(swatches.shape)
        centred: Tensor = residues - residues.mean((3, 4), keepdim=True)
        return (swatches + centred).clamp(0, 1)


def _repeat(picture: Tensor, count: int) -> Tensor:
    """Picture ``(B, 3, H, W)`` once a colour: ``(B K, 3, H, W)``."""
    return picture[:, None].expand(-1, count, -1, -1, -1).flatten(0, 1)


def network_alphas(
    picture: Tensor,
    palette: FloatArray,
    weights: str | Path | None = None,
    run: Run = SILENT,
    tile: int | None = None,
) -> Tensor:
    """Alphas of a whole picture, tile by tile.

    Tiles overlap by more than the network sees, so they leave no seams: the result is that
    of the whole picture at once. Half precision on CUDA.

    ``picture`` ``(3, H, W)``. ``palette`` ``(K, 3)``. ``weights``: see `find_weights`;
    the shipped ones by default. ``tile``: side of the tiles in pixels. Returns
    ``(K, H, W)``. Raises ValueError when the weights are for fewer colours.
    """
    device = picture.device
    network: Any = load_network(weights or "palette", device, "palette")
    colors, merged = _fill_slots(palette, network.config.slots)
    swatches = torch.from_numpy(colors).to(device)
    mixture = None
    if network.config.guided and not network.config.slots:
        mixture = Mixture(colors, device).alphas(picture, run.part(0, 0.2))
    height, width = picture.shape[1:]
    side = tile or int((TILE_VALUES / len(colors)) ** 0.5)
    side = max(side // STRIDE * STRIDE, STRIDE)
    alphas = picture.new_empty(len(palette), height, width)
    places = [(y, x) for y in range(0, height, side) for x in range(0, width, side)]
    for number, (y, x) in enumerate(places):
        run.part(0.2, 1).step(number / len(places), "Predicting alphas")
        near, inner = _tile(picture, y, x, side)
        guide = None if mixture is None else _tile(mixture, y, x, side)[0]
        found = _predict(network, near, swatches, guide)[(slice(None), *inner)]
        merge = torch.zeros(len(palette), *found.shape[1:], device=device)
        merge.index_add_(0, torch.tensor(merged, device=device), found)
        alphas[:, y : y + side, x : x + side] = merge
    return alphas


def _predict(
    network: PaletteNetwork, picture: Tensor, palette: Tensor, mixture: Tensor | None
) -> Tensor:
    """Alphas ``(K, h, w)`` of one tile of any size."""
    height, width = picture.shape[1:]
    edge = (0, -width % STRIDE, 0, -height % STRIDE)
    near = pad(picture[None], edge, mode="replicate")
    guide = None if mixture is None else pad(mixture[None], edge, mode="replicate")
    half = picture.device.type == "cuda"
    layout = torch.channels_last
    with (
        torch.inference_mode(),
        torch.autocast(picture.device.type, torch.float16, enabled=half),
    ):
        alphas: Tensor = network(
            near.contiguous(memory_format=layout), palette[None], guide
        )
    return alphas[0, :, :height, :width].clone()


def _tile(
    values: Tensor, y: int, x: int, side: int
) -> tuple[Tensor, tuple[slice, slice]]:
    """A tile with its margin, and where the tile lies in it."""
    height, width = values.shape[1:]
    top, left = max(y - MARGIN, 0), max(x - MARGIN, 0)
    bottom, right = min(y + side + MARGIN, height), min(x + side + MARGIN, width)
    rows = slice(y - top, min(y + side, height) - top)
    columns = slice(x - left, min(x + side, width) - left)
    return values[:, top:bottom, left:right], (rows, columns)


def _fill_slots(palette: FloatArray, slots: int) -> tuple[FloatArray, list[int]]:
    """Repeat colours until all slots are full; where each slot's alpha belongs.

    With fewer colours than slots, layers of equal colours are merged (Fig. 11).
    """
    count = len(palette)
    if not slots:
        return palette, list(range(count))
    if count > slots:
        raise ValueError(
            f"These weights are for {slots} colours; the palette has {count}. Use fewer "
            "colours or other weights."
        )
    places = [n % count for n in range(slots)]
    return palette[places], places
