"""What the feature training learns from: labelled pictures, crops, colour changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from .panoptic import PanopticSet


@dataclass
class LabelledPicture:
    """A photograph ``(3, H, W)`` uint8 and its segment ids ``(H, W)``, 0 for none."""

    picture: Tensor
    ids: Tensor
    name: str = ""


def random_box(
    aspect: float, random: np.random.Generator, least: float = 0.3
) -> tuple[float, float, float, float]:
    """Top, left, height, width (fractions) of a crop that will become a square."""
    area = random.uniform(least, 1)
    shape = np.exp(random.uniform(-0.25, 0.25))
    width = min(1.0, float(np.sqrt(area * shape / aspect)))
    height = min(1.0, float(np.sqrt(area * aspect / shape)))
    top, left = random.uniform(0, 1 - height), random.uniform(0, 1 - width)
    return float(top), float(left), height, width


def crop_labelled(
    item: LabelledPicture, side: int, random: np.random.Generator, stride: int
) -> tuple[Tensor, Tensor]:
    """A random square crop ``(3, side, side)`` and its ids at the output's stride."""
    rows, columns = item.ids.shape
    top, left, height, width = random_box(columns / rows, random)
    y = slice(round(top * rows), max(round((top + height) * rows), 1))
    x = slice(round(left * columns), max(round((left + width) * columns), 1))
    crop = resize(item.picture[:, y, x], (side, side))
    grid = int(np.ceil(side / stride))
    ids = interpolate(item.ids[None, None, y, x].double(), (grid, grid), mode="nearest")
    labels = ids[0, 0].long()
    if random.random() < 0.5:
        return crop.flip(-1), labels.flip(-1)
    return crop, labels


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a ``(3, H, W)`` uint8 picture without aliasing."""
    resized = interpolate(picture[None], size, mode="bilinear", antialias=True)
    return resized[0]


def jitter_colours(pictures: Tensor, random: np.random.Generator) -> Tensor:
    """Change brightness, contrast, saturation and white balance of a batch, in [0, 1]."""
    count = len(pictures)

    def draw(spread: float, channels: int = 1) -> Tensor:
        values = random.uniform(-spread, spread, (count, channels, 1, 1))
        return torch.from_numpy(values).float()

    grey = pictures.mean(1, keepdim=True)
    saturation = 1 + draw(0.4)
    saturation[torch.from_numpy(random.random(count) < 0.08)] = 0
    pictures = grey + (pictures - grey) * saturation
    middle = pictures.mean((1, 2, 3), keepdim=True)
    pictures = middle + (pictures - middle) * (1 + draw(0.3))
    pictures = pictures * (1 + draw(0.25)) * (1 + draw(0.08, 3))
    return pictures.clamp_(0, 1)


def pick(values: Tensor, at: npt.NDArray[np.intp], shape: Sequence[int]) -> Tensor:
    """Bilinear samples ``(N, D)`` of a map ``(D, h, w)`` at pixels of an image."""
    rows, columns = shape[0], shape[1]
    place = (torch.from_numpy(at[:, ::-1].copy()).float() + 0.5) * 2
    place = place / torch.tensor([columns, rows]) - 1
    sampled = grid_sample(
        values[None], place[None, None], padding_mode="border", align_corners=False
    )
    return sampled[0, :, 0].T


def paste_crops(
    crops: Tensor,
    targets: Tensor,
    spots: Tensor,
    share: float,
    random: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Paste a rectangle of another crop into some crops (CutMix, Yun et al. 2019).

    With few photographs a network learns what is beside what in them; here it has to
    judge the same things in surroundings that it has not seen.

    Parameters
    ----------
    crops : (N, 3, S, S) uint8
    targets : (N, D, P) float
        What is to be learned at P spots of every crop.
    spots : (P, 2) float
        Rows and columns of the spots, as fractions of the side.
    share : float
        So many of the crops get a rectangle, of .15 to .6 of their area.

    Returns
    -------
    crops, targets : Tensor
        New ones.
    """
    side = crops.shape[-1]
    mixed, wanted = crops.clone(), targets.clone()
    for index in np.nonzero(random.random(len(crops)) < share)[0]:
        other = int(random.integers(len(crops)))
        area, shape = random.uniform(0.15, 0.6), np.exp(random.uniform(-0.5, 0.5))
        height, width = min(1, np.sqrt(area * shape)), min(1, np.sqrt(area / shape))
        top, left = random.uniform(0, 1 - height), random.uniform(0, 1 - width)
        rows = slice(round(top * side), round((top + height) * side))
        columns = slice(round(left * side), round((left + width) * side))
        mixed[index, :, rows, columns] = crops[other, :, rows, columns]
        y, x = spots[:, 0] * side, spots[:, 1] * side
        inside = (y >= rows.start) & (y < rows.stop)
        inside &= (x >= columns.start) & (x < columns.stop)
        wanted[index, :, inside] = targets[other, :, inside]
    return mixed, wanted


def load_labelled(
    data: str | Path, split: str, long_side: int = 384
) -> list[LabelledPicture]:
    """Read the pictures of a panoptic set, reduced to ``long_side``."""
    items = []
    for entry in PanopticSet(data, split):
        picture, ids = entry.read()
        colours = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        labels = torch.from_numpy(ids)
        scale = long_side / max(ids.shape)
        if scale < 1:
            size = tuple(max(1, round(side * scale)) for side in ids.shape)
            colours = resize(colours, (size[0], size[1]))
            exact = interpolate(labels[None, None].double(), size, mode="nearest-exact")
            labels = exact[0, 0].to(torch.int32)
        items.append(LabelledPicture(colours, labels, entry.picture.name))
    return items
