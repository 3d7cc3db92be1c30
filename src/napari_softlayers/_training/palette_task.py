"""Training the palette networks: pictures with palettes, and the paper's losses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_softlayers._core.networks.palette import PaletteConfig, PaletteNetwork
from napari_softlayers._core.numerics.mixture import Mixture
from napari_softlayers._core.palette.selection import (
    MOST,
    cluster_colors,
    merge_duplicates,
)

from .pictures import find_pictures
from .task import Moment, Task

SAMPLE = 1500  # pixels that a palette is clustered from
HELD_OUT = 12


@dataclass(frozen=True)
class PaletteTraining:
    """Batches and loss weights.

    Parameters
    ----------
    batch, crop : int
        Pictures a batch and side of the crops (a multiple of 8).
    regularization, distance : float
        Weights of Eq. 7 and Eq. 8 beside Eq. 6: lambda_a and lambda_d.
    sparsity : float
        Weight of Eq. 10 (the paper: none).
    variation : float
        Weight of the alphas' total variation (the paper: none).
    fewest, most : int
        Number of colours.
    """

    batch: int = 4
    crop: int = 96
    regularization: float = 1.0
    distance: float = 0.5
    sparsity: float = 0.005
    variation: float = 0.05
    fewest: int = 2
    most: int = MOST


PAPER_TRAINING = PaletteTraining(batch=32, crop=256, sparsity=0.0, variation=0.0)
CONFIGS = {
    "compact": PaletteConfig(),
    "paper": PaletteConfig(width=24, guided=False, residues=True),
}


@dataclass
class PaletteBatch:
    """Pictures ``(B, 3, h, w)``, palettes ``(B, K, 3)``, mixtures ``(B, K, h, w)``."""

    pictures: Tensor
    palettes: Tensor
    mixtures: Tensor | None


class PaletteTask(Task):
    """Self-supervised: nothing but photographs is needed.

    Parameters
    ----------
    config : PaletteConfig
    training : PaletteTraining
    pictures : sequence of ndarray, uint8 ``(H, W, 3)``
        The last twelve are held out for the figures.
    seed : int
        Of the first weights.
    """

    name = "palette"

    def __init__(
        self,
        config: PaletteConfig,
        training: PaletteTraining,
        pictures: list[NDArray[np.uint8]],
        seed: int = 0,
    ) -> None:
        if len(pictures) < 2:
            raise ValueError(f"{len(pictures)} pictures came; at least 2 are needed.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = PaletteNetwork(config)
        self.training = training
        held = min(HELD_OUT, max(1, len(pictures) // 10))
        self.pictures, self.held_out = pictures[:-held], pictures[-held:]

    def batch(self, moment: Moment) -> PaletteBatch:
        """Crops of one size with palettes of one number of colours."""
        rng = moment.random
        count = int(rng.integers(self.training.fewest, self.training.most + 1))
        if self.network_config.slots:
            count = self.network_config.slots
        chosen = rng.integers(len(self.pictures), size=self.training.batch)
        samples = [self._example(self.pictures[i], count, rng) for i in chosen]
        return self._collate(samples)

    @property
    def network_config(self) -> PaletteConfig:
        """Sizes of the network that is trained."""
        config = self.network.config
        if not isinstance(config, PaletteConfig):
            raise TypeError(f"{config} is no PaletteConfig.")
        return config

    def _example(
        self, picture: NDArray[np.uint8], count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A crop ``(3, h, w)`` and a palette of its whole picture, in any order."""
        side = self.training.crop
        pixels = picture.reshape(-1, 3)
        sample = pixels[rng.integers(len(pixels), size=SAMPLE)] / 255
        palette = training_palette(sample, count, rng)
        crop = _crop(picture, side, rng)
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if rng.random() < 0.5:
            crop = crop.transpose(1, 0, 2)
        return _planes(crop), palette

    def _collate(
        self, samples: list[tuple[NDArray[np.float32], NDArray[np.float32]]]
    ) -> PaletteBatch:
        pictures = torch.from_numpy(np.stack([planes for planes, _ in samples]))
        palettes = torch.from_numpy(np.stack([palette for _, palette in samples]))
        mixtures = None
        if self.network_config.guided and not self.network_config.slots:
            found = [Mixture(p).alphas(torch.from_numpy(c)) for c, p in samples]
            mixtures = torch.stack(found)
        return PaletteBatch(pictures, palettes, mixtures)

    def losses(self, batch: PaletteBatch, moment: Moment) -> dict[str, Tensor]:
        """Eq. 9: ``L_r + lambda_a L_a + lambda_d L_d``, and two more where asked."""
        device = next(self.network.parameters()).device
        pictures, palettes = batch.pictures.to(device), batch.palettes.to(device)
        mixtures = None if batch.mixtures is None else batch.mixtures.to(device)
        alphas = self.network(pictures, palettes, mixtures)
        flat = torch.einsum("bkhw,bkc->bchw", alphas, palettes)
        swatches = palettes[..., None, None]
        if self.network_config.residues:
            colors = self.network.layer_colors(pictures, palettes, alphas)  # type: ignore[operator]
        else:  # the exact residue, but for the box (Eq. 3)
            colors = (swatches + (pictures - flat)[:, None]).clamp(0, 1)
        rebuilt = (alphas[:, :, None] * colors).sum(1)
        gaps = ((colors - swatches).square().sum(2) + 1e-6).sqrt()
        training = self.training
        found = {
            "reconstruction": (rebuilt - pictures).abs().sum(1).mean(),
            "regularization": (flat - pictures).abs().sum(1).mean(),
            "distance": (alphas * gaps).sum(1).mean(),
            "sparsity": sparsity_map(alphas, 1).mean(),
            "variation": total_variation(alphas),
        }
        found["loss"] = (
            found["reconstruction"]
            + training.regularization * found["regularization"]
            + training.distance * found["distance"]
            + training.sparsity * found["sparsity"]
            + training.variation * found["variation"]
        )
        return found

    def evaluate(self, network: torch.nn.Module) -> dict[str, float]:
        """Figures without residues on held-out pictures, seven colours."""
        device = next(network.parameters()).device
        errors, sparse, varying = [], [], []
        for number, picture in enumerate(self.held_out):
            rng = np.random.default_rng(number)
            sample = picture.reshape(-1, 3) / 255
            sample = sample[rng.integers(len(sample), size=SAMPLE)]
            count = self.network_config.slots or 7
            palette = training_palette(sample, count, rng, exact=True)
            batch = self._collate([(_planes(_crop(picture, 192, rng)), palette)])
            guide = None if batch.mixtures is None else batch.mixtures.to(device)
            x, p = batch.pictures.to(device), batch.palettes.to(device)
            alphas = network(x, p, guide)
            flat = torch.einsum("bkhw,bkc->bchw", alphas, p)
            errors.append(-10 * float((flat - x).square().mean().log10()))
            sparse.append(float(sparsity_map(alphas, 1).mean()))
            varying.append(float(total_variation(alphas)))
        return {
            "held_out_psnr": float(np.mean(errors)),
            "held_out_sparsity": float(np.mean(sparse)),
            "held_out_variation": float(np.mean(varying)),
        }


def sparsity_map(alphas: Tensor, axis: int = 0) -> Tensor:
    """Eq. 10 at each pixel, ``sum a / sum a^2 - 1``: 0 where one layer has it all."""
    squares = alphas.square().sum(axis)
    return alphas.sum(axis) / squares.clamp(min=1e-12) - 1


def total_variation(alphas: Tensor) -> Tensor:
    """Mean over pixels of ``sum_k |d a_k / dx| + |d a_k / dy|``, ``(B, K, H, W)``."""
    across = alphas.diff(dim=3).abs().sum(1).mean()
    return across + alphas.diff(dim=2).abs().sum(1).mean()


def training_palette(
    sample: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
    exact: bool = False,
) -> NDArray[np.float32]:
    """Cluster centres of a sample, some moved as a user would, in random order.

    Always ``count`` distinct colours; random ones fill up where a picture has too few.
    """
    colors = cluster_colors(sample, count, seed=int(rng.integers(1 << 31)))
    if not exact and rng.random() < 0.5:
        moved = rng.random(len(colors)) < 0.4
        colors = colors + moved[:, None] * rng.normal(0, 0.08, colors.shape)
    colors = merge_duplicates(np.clip(colors, 0, 1))[0]
    while len(colors) < count:
        colors = merge_duplicates(np.concatenate([colors, rng.random((1, 3))]))[0]
    return colors[rng.permutation(count)].astype(np.float32)


def load_pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """All pictures below a folder as uint8 ``(H, W, 3)``, in order of their names."""
    from PIL import Image

    pictures = []
    for path in find_pictures(folder):
        with Image.open(path) as opened:
            pictures.append(np.asarray(opened.convert("RGB")))
    return pictures


def _crop(
    picture: NDArray[np.uint8], side: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A random square; small pictures are repeated at their edges."""
    height, width = picture.shape[:2]
    if height < side or width < side:
        edges = ((0, max(side - height, 0)), (0, max(side - width, 0)), (0, 0))
        picture = np.pad(
            picture, edges, mode="reflect" if min(height, width) > 1 else "edge"
        )
        height, width = picture.shape[:2]
    top = int(rng.integers(height - side + 1))
    left = int(rng.integers(width - side + 1))
    return picture[top : top + side, left : left + side]


def _planes(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Picture ``(H, W, 3)`` -> ``(3, H, W)`` in [0, 1]."""
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32)
    return planes / np.float32(255)
