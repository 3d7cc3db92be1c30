"""Training of the semantic features: distillation, then the paper's metric loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from napari_softlayers._core.networks.features import (
    FeatureConfig,
    describe_picture,
    new_feature_network,
)

from .feature_axes import FIT_PICTURES, fit_axes
from .feature_data import (
    LabelledPicture,
    crop_labelled,
    jitter_colours,
    paste_crops,
    pick,
    random_box,
    resize,
)
from .feature_losses import distillation_losses, npair_loss, sample_pixels
from .panoptic import separation
from .task import Moment, Task
from .teacher_cache import TeacherCache


@dataclass(frozen=True)
class FeatureTraining:
    """What a step of the feature training looks like.

    Parameters
    ----------
    crops : tuple of (fraction, side, batch)
        From ``fraction`` of the run on, batches of that many square crops.
    metric_from : float
        Fraction of the run from which the metric loss takes part (0: always,
        1: never). Before it, and only if there are teachers, distillation alone.
    metric_share : float
        Part of a batch that is labelled, while both losses take part.
    spots : int
        Pixels of a crop that are compared with the teachers.
    pasted : float
        Share of the crops for the teachers into which part of another is pasted.
    metric_weight, relation_weight : float
        Of the metric loss and of the relational distillation loss.
    base_rate : float
        Learning rate of the base network in relation to that of the new layers.
    segments, pixels, draws : int
        The supplement's sampling: ``draws`` times, ``segments`` segments of a picture
        and ``pixels`` pixels of each (there 1000; the cost grows with their square).
    """

    crops: tuple[tuple[float, int, int], ...] = (
        (0.0, 160, 12),
        (0.4, 224, 8),
    )
    metric_from: float = 0.5
    metric_share: float = 0.25
    spots: int = 512
    pasted: float = 0.6
    metric_weight: float = 1.0
    relation_weight: float = 5.0
    base_rate: float = 1.0
    segments: int = 3
    pixels: int = 400
    draws: int = 10

    def crop(self, fraction: float) -> tuple[int, int]:
        """Side and number of crops at a fraction of the run."""
        side, batch = self.crops[0][1:]
        for start, next_side, next_batch in self.crops:
            if fraction >= start:
                side, batch = next_side, next_batch
        return side, batch


#: The base rate for a base network that has learned before.
PRETRAINED_RATE = 0.25
#: The supplement's training: one whole picture a step, ten draws, the metric loss alone.
#: New layers learn at 5e-3, the base network at a tenth of it.
PAPER_TRAINING = FeatureTraining(
    crops=((0.0, 321, 1),), metric_from=0.0, base_rate=0.1, pixels=1000
)
PAPER_SCHEDULE: dict[str, Any] = {
    "steps": 60_000,
    "optimizer": "sgd",
    "schedule": "poly",
    "learning_rate": 5e-3,
    "weight_decay": 5e-4,
    "warmup": 0.0,
}


@dataclass
class FeatureTask(Task):
    """Train a feature network by distillation, the metric loss, or both.

    Parameters
    ----------
    config : FeatureConfig
        Its outputs become the teachers' classes, if there are teachers.
    training : FeatureTraining
    cache : TeacherCache, optional
        Teachers' features; without it the metric loss alone trains.
    labelled, held_out : list of LabelledPicture
        For the metric loss and for the held-out figures.
    seed : int
        Of the first weights.
    """

    config: FeatureConfig
    training: FeatureTraining = field(default_factory=FeatureTraining)
    cache: TeacherCache | None = None
    labelled: Sequence[LabelledPicture] = ()
    held_out: Sequence[LabelledPicture] = ()
    seed: int = 0
    name: str = "features"

    def __post_init__(self) -> None:
        """Check that there is something to learn from, and that it fits."""
        if self.cache is None and not self.labelled:
            raise ValueError("give teachers, labelled pictures, or both to train on")
        if self.cache is not None:
            classes = self.cache.classes
            self.config = replace(self.config, classes=classes, dims=sum(classes))
        self.features = new_feature_network(self.config, self.seed)
        self.network = self.features

    def groups(self) -> list[dict[str, Any]]:
        """Base network and new layers."""
        base = [*self.features.stem.parameters(), *self.features.stages.parameters()]
        known = {id(parameter) for parameter in base}
        rest = [p for p in self.network.parameters() if id(p) not in known]
        return [
            {"params": base, "scale": self.training.base_rate},
            {"params": rest, "scale": 1.0},
        ]

    def batch(self, moment: Moment) -> dict[str, Tensor]:
        """Crops of cached views, and of labelled pictures when their time has come."""
        random = moment.random
        side, count = self.training.crop(moment.fraction)
        labelled = 0
        if self.labelled and moment.fraction >= self.training.metric_from:
            labelled = max(1, round(count * self.training.metric_share))
        if self.cache is None:
            labelled = count
        parts, batch = [], {}
        if count > labelled:
            crops, batch["targets"], batch["spots"] = self._distil_crops(
                side, count - labelled, random
            )
            parts.append(crops)
        if labelled:
            chosen = random.integers(len(self.labelled), size=labelled)
            stride = self.config.output_stride
            pairs = [
                crop_labelled(self.labelled[int(index)], side, random, stride)
                for index in chosen
            ]
            parts.append(torch.stack([crop for crop, _ in pairs]))
            batch["ids"] = torch.stack([ids for _, ids in pairs])
        pictures = torch.cat(parts).float().div_(255)
        return {"pictures": jitter_colours(pictures, random), **batch}

    def losses(self, batch: dict[str, Tensor], moment: Moment) -> dict[str, Tensor]:
        """Distillation and metric losses of a batch."""
        device = next(self.network.parameters()).device
        pictures = batch["pictures"].to(device, memory_format=torch.channels_last)
        features = self.network(pictures).float()
        found: dict[str, Tensor] = {}
        total = features.new_zeros(())
        with torch.autocast(device.type, enabled=False):
            distilled = 0
            if "targets" in batch:
                target = batch["targets"].to(device).float()
                distilled = len(target)
                spots = batch["spots"].to(device)
                at = features[:distilled].flatten(2)[:, :, spots]
                point, relation = distillation_losses(at, target)
                found["distil"], found["relation"] = point, relation
                total = total + point + self.training.relation_weight * relation
            if "ids" in batch:
                metric = self._metric(features[distilled:], batch["ids"], moment)
                found["metric"] = metric
                weight = self.training.metric_weight if distilled else 1.0
                total = total + weight * metric
        return {"loss": total, **found}

    @torch.inference_mode()
    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Separation of held-out segments by one pass at 256 pixels."""
        figures = []
        for index, item in enumerate(self.held_out):
            features = describe_picture(network, item.picture, (256,), flip=False)
            features = features[: self.config.dims]
            values = nn.functional.normalize(features, dim=0).cpu()

            def distance(p: Any, q: Any, values: Tensor = values) -> NDArray[Any]:
                shape = item.ids.shape  # noqa: B023  (called within this turn)
                pair = [pick(values, at, shape) for at in (p, q)]
                return (pair[0] - pair[1]).square().sum(1).numpy()

            figures.append(separation(item.ids.numpy(), distance, index))
        if not figures:
            return {}
        everywhere, near = np.nanmean(np.array(figures), 0)
        return {"auc": float(everywhere), "auc_near": float(near)}

    def finish(self) -> None:
        """Find the principal axes that complete the features in use."""
        if self.config.axes:
            fit_axes(self.features, self._photographs())

    def _photographs(self) -> Iterator[Tensor]:
        """Whole pictures, as many as tell the axes, of those that trained."""
        random = np.random.default_rng(self.seed)
        if self.cache is not None:
            for index in random.choice(
                len(self.cache), min(len(self.cache), FIT_PICTURES), replace=False
            ):
                view = np.array(self.cache.view(int(index))[0])
                yield torch.from_numpy(view).permute(2, 0, 1)
        else:
            for item in self.labelled[:FIT_PICTURES]:
                yield item.picture

    def _distil_crops(
        self, side: int, count: int, random: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Crops, what the teachers say at spots of them, and the spots' numbers."""
        grid = int(np.ceil(side / self.config.output_stride))
        spots = torch.from_numpy(random.permutation(grid**2)[: self.training.spots])
        places = torch.stack([spots // grid, spots % grid], -1)
        places = (places + 0.5) / grid
        pairs = [self._distil_crop(side, places, random) for _ in range(count)]
        crops, targets = paste_crops(
            torch.stack([crop for crop, _ in pairs]),
            torch.stack([target for _, target in pairs]),
            places,
            self.training.pasted,
            random,
        )
        return crops, targets, spots

    def _distil_crop(
        self, side: int, spots: Tensor, random: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        if self.cache is None:
            raise ValueError("Distillation needs a cache of teachers' features.")
        picture, target, aspect = self.cache.view(int(random.integers(len(self.cache))))
        top, left, height, width = random_box(aspect, random)
        size = picture.shape[0]
        rows = slice(round(top * size), max(round((top + height) * size), 1))
        columns = slice(round(left * size), max(round((left + width) * size), 1))
        part = torch.from_numpy(np.array(picture[rows, columns])).permute(2, 0, 1)
        crop = resize(part, (side, side))
        y, x = spots[:, 0], spots[:, 1]
        if random.random() < 0.5:
            crop, x = crop.flip(-1), 1 - x
        places = torch.stack([left + width * x, top + height * y], -1) * 2 - 1
        values = torch.from_numpy(target).permute(2, 0, 1)
        sampled = grid_sample(
            values[None], places[None, None], padding_mode="border", align_corners=False
        )
        return crop, sampled[0, :, 0]

    def _metric(self, features: Tensor, ids: Tensor, moment: Moment) -> Tensor:
        random = np.random.default_rng([moment.seed, moment.step, 1])
        unit = nn.functional.normalize(features, dim=1) * features.shape[1] ** 0.5
        training = self.training
        draws = training.draws if len(features) == 1 else 1
        losses = []
        for values, labels in zip(unit, ids.numpy(), strict=True):
            for _ in range(draws):
                chosen = sample_pixels(
                    labels, training.segments, training.pixels, random
                )
                if chosen is not None:
                    index = torch.from_numpy(chosen)
                    label = torch.from_numpy(labels.ravel()[chosen]).to(features.device)
                    at = values.flatten(1)[:, index.to(features.device)].T
                    losses.append(npair_loss(at, label))
        if not losses:
            return features.sum() * 0
        return torch.stack(losses).mean()
