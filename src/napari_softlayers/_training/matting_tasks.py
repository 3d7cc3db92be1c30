"""What the trainer needs to train the matting networks: batches, losses, figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from napari_softlayers._core.networks.adamatting import (
    AdaMattingConfig,
    Adapted,
    new_adamatting,
)
from napari_softlayers._core.networks.deep_propagation import (
    Affinities,
    DeepPropagationConfig,
    new_deep_propagation,
)
from napari_softlayers._core.networks.propagation import propagate

from .composites import Compositor, Sample
from .matting_files import Foreground, find_foregrounds
from .pictures import find_pictures
from .task import Moment, Task
from .trimaps import true_trimap

Batch = dict[str, Tensor]


class MattingTask(Task):
    """Batches of composites and held-out figures, shared by the matting networks.

    Parameters
    ----------
    foregrounds, backgrounds : path-like
        Folders; `find_foregrounds` says what layouts are understood. One
        in twelve backgrounds, and foregrounds, is held out. ``foregrounds`` may be
        None: all mattes are procedural then.
    batch_size, crop : int
        Samples a step and their side.
    size : int
        Side at which foregrounds are made before cropping.
    procedural : float
        Share of procedural mattes.
    mistakes : float
        Probability of wrong labels in a trimap.
    held_out : int
        Samples of the held-out set.
    """

    def __init__(
        self,
        foregrounds: str | Path | None,
        backgrounds: str | Path,
        batch_size: int = 8,
        crop: int = 160,
        size: int = 320,
        procedural: float = 0.7,
        mistakes: float = 0.65,
        held_out: int = 48,
    ) -> None:
        fronts = find_foregrounds(foregrounds) if foregrounds is not None else []
        backs = find_pictures(backgrounds)
        self.batch_size = batch_size
        shared: dict[str, Any] = {
            "crop": crop,
            "size": size,
            "procedural": procedural,
            "mistakes": mistakes,
        }
        kept = [b for i, b in enumerate(backs) if i % 12 or len(backs) < 12]
        self.compositor = Compositor(_every(fronts, 12, False), kept, **shared)
        held = [b for i, b in enumerate(backs) if i % 12 == 0]
        tests = Compositor(_every(fronts, 12, True), held, pool=held_out, **shared)
        rng = np.random.default_rng(12345)
        self.held_out = [tests.sample(rng) for _ in range(held_out)]

    def batch(self, moment: Moment) -> Batch:
        """Composites of one step."""
        rng, first = moment.random, moment.step * self.batch_size
        return stack(
            [self.compositor.sample(rng, first + i) for i in range(self.batch_size)]
        )

    def on_device(self, batch: Batch) -> Batch:
        """A batch on the network's device."""
        device = next(self.network.parameters()).device
        return {key: value.to(device) for key, value in batch.items()}


class AdaMattingTask(MattingTask):
    """Train AdaMatting with its multi-task loss.

    Parameters
    ----------
    config : AdaMattingConfig
    foregrounds, backgrounds : path-like
    **data
        As for `MattingTask`.

    Notes
    -----
    Eq. 3 of the paper: ``L_T / (2 sigma_1^2) + L_a / sigma_2 + log(2 sigma_1 sigma_2)``
    with the cross-entropy L_T of the adapted trimap and the mean absolute error L_a of
    the matte over the unknown region of the adapted trimap (Eq. 4). Here the truly
    unknown pixels are in that region as well, since a fresh network finds none, and L_a
    is the mean over the alpha decoder's matte and those of the recurrences.
    """

    name = "adamatting"

    def __init__(
        self,
        config: AdaMattingConfig,
        foregrounds: str | Path | None,
        backgrounds: str | Path,
        seed: int = 0,
        **data: Any,
    ) -> None:
        super().__init__(foregrounds, backgrounds, **data)
        self.network = new_adamatting(config, seed)

    def groups(self) -> list[dict[str, Any]]:
        """No weight decay for the two sigmas, and a faster pace."""
        named = list(self.network.named_parameters())
        rest = [p for name, p in named if name != "log_sigma"]
        sigma = [p for name, p in named if name == "log_sigma"]
        return [
            {"params": rest, "scale": 1.0},
            {"params": sigma, "scale": 5.0, "weight_decay": 0.0},
        ]

    def losses(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """The multi-task loss and its two parts."""
        batch = self.on_device(batch)
        adapted: Adapted = self.network(batch["image"], batch["trimap"])
        sigma: Any = self.network.log_sigma
        return multi_task_loss(adapted, batch["alpha"], batch["truth"], sigma)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Held-out mean IoU of the given and of the adapted trimap, and alpha errors."""
        given, found, errors, inside = [], [], [], []
        device = next(network.parameters()).device
        for start in range(0, len(self.held_out), 8):
            batch = stack(self.held_out[start : start + 8])
            image, trimap = batch["image"].to(device), batch["trimap"].to(device)
            adapted = network(image, trimap)
            label = adapted.logits.argmax(1).cpu()
            alpha = adapted.alphas[-1][:, 0].cpu().clone()
            alpha[label == 0], alpha[label == 2] = 0, 1
            error = (alpha - batch["alpha"]).abs()
            mixed = batch["truth"] == 1
            for i, truth in enumerate(batch["truth"].numpy()):
                given.append(mean_iou(batch["trimap"][i].numpy(), truth))
                found.append(mean_iou(label[i].numpy(), truth))
                errors.append(float(error[i].mean()))
                if mixed[i].any():
                    inside.append(float(error[i][mixed[i]].mean()))
        return {
            "given_iou": float(np.mean(given)),
            "adapted_iou": float(np.mean(found)),
            "alpha_error": float(np.mean(errors)),
            "alpha_error_mixed": float(np.mean(inside or [0.0])),
        }


class DeepPropagationTask(MattingTask):
    """Train DeepMattePropNet through the propagation.

    Parameters
    ----------
    config : DeepPropagationConfig
    foregrounds, backgrounds : path-like
    **data
        As for `MattingTask`. The trimaps have no mistakes unless asked for: what is
        propagated is what they say.
    """

    name = "deep_propagation"

    def __init__(
        self,
        config: DeepPropagationConfig,
        foregrounds: str | Path | None,
        backgrounds: str | Path,
        seed: int = 0,
        mistakes: float = 0.0,
        **data: Any,
    ) -> None:
        super().__init__(foregrounds, backgrounds, mistakes=mistakes, **data)
        self.network = new_deep_propagation(config, seed)

    def losses(self, batch: Batch, moment: Moment) -> dict[str, Tensor]:
        """Mean of the alpha and composition losses."""
        batch = self.on_device(batch)
        affinities = self.network(batch["image"], batch["trimap"])
        return matte_loss(self._mattes(affinities, batch), batch)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Held-out mean absolute alpha error where the trimap is unknown.

        ``plain_error`` is that of equal affinities, which know nothing of the picture.
        """
        errors: list[float] = []
        plain: list[float] = []
        for start in range(0, len(self.held_out), 8):
            batch = self.on_device(stack(self.held_out[start : start + 8]))
            found: Affinities = network(batch["image"], batch["trimap"])
            equal = Affinities(
                torch.ones_like(found.across), torch.ones_like(found.down)
            )
            unknown = batch["trimap"] == 1
            for affinities, results in ((found, errors), (equal, plain)):
                wrong = (self._mattes(affinities, batch) - batch["alpha"]).abs()
                for one, mask in zip(wrong, unknown, strict=True):
                    if mask.any() and not mask.all():
                        results.append(float(one[mask].mean()))
        return {
            "alpha_error": float(np.mean(errors or [0.0])),
            "plain_error": float(np.mean(plain or [0.0])),
        }

    def _mattes(self, affinities: Affinities, batch: Batch) -> Tensor:
        config: Any = self.network.config
        mattes = []
        for across, down, trimap in zip(
            affinities.across, affinities.down, batch["trimap"], strict=True
        ):
            known = trimap != 1
            if known.any():
                given = trimap.to(across.dtype) / 2
                matte = propagate(across, down, known, given, config.known)
            else:
                matte = torch.full_like(trimap, 0.5, dtype=across.dtype)
            mattes.append(matte)
        return torch.stack(mattes)


def matte_loss(
    matte: Tensor, batch: Batch, epsilon: float = 1e-12
) -> dict[str, Tensor]:
    """DeepMattePropNet's loss (Eq. 5), over the unknown pixels of the trimap.

    Parameters
    ----------
    matte : (N, H, W) float
    batch : dict of Tensor
        Of `stack`.
    epsilon : float
        Under the square roots.

    Returns
    -------
    dict
        ``loss``, the mean of its parts ``alpha`` and ``composition``.
    """
    unknown = (batch["trimap"] == 1).to(matte.dtype)
    total = unknown.sum().clamp(min=1)
    alpha = torch.sqrt((matte - batch["alpha"]).square() + epsilon)
    mix = matte[:, None]
    composed = mix * batch["foreground"] + (1 - mix) * batch["background"]
    # The truth without the noise of the picture.
    share = batch["alpha"][:, None]
    truth = share * batch["foreground"] + (1 - share) * batch["background"]
    color = torch.sqrt((composed - truth).square().sum(1) + epsilon)
    parts = [(value * unknown).sum() / total for value in (alpha, color)]
    return {
        "loss": (parts[0] + parts[1]) / 2,
        "alpha": parts[0],
        "composition": parts[1],
    }


def multi_task_loss(
    adapted: Adapted, alpha: Tensor, truth: Tensor, log_sigma: Tensor
) -> dict[str, Tensor]:
    """AdaMatting's loss (Eq. 3 and 4).

    Parameters
    ----------
    adapted : Adapted
    alpha : (N, H, W) float
    truth : (N, H, W) long
        The optimal trimap.
    log_sigma : (2,) float

    Returns
    -------
    dict
        ``loss``, and its parts ``trimap`` and ``alpha``.
    """
    logits = adapted.logits
    classes = cross_entropy(logits, truth)
    region = ((logits.argmax(1) == 1) | (truth == 1)).to(alpha.dtype)
    total = region.sum().clamp(min=1)
    errors = [((a[:, 0] - alpha).abs() * region).sum() / total for a in adapted.alphas]
    matte = torch.stack(errors).mean()
    weights = torch.exp(-log_sigma)
    loss = 0.5 * weights[0] ** 2 * classes + weights[1] * matte
    loss = loss + log_sigma.sum() + float(np.log(2))
    return {"loss": loss, "trimap": classes, "alpha": matte}


def mean_iou(labels: NDArray[Any], truth: NDArray[Any], classes: int = 3) -> float:
    """Mean over the classes of intersection over union; absent classes do not count."""
    values = []
    for label in range(classes):
        a, b = labels == label, truth == label
        union = np.count_nonzero(a | b)
        if union:
            values.append(np.count_nonzero(a & b) / union)
    return float(np.mean(values))


def stack(samples: Sequence[Sample]) -> Batch:
    """Samples as tensors: image, foreground, background, alpha, trimap, truth."""

    def pictures(values: list[NDArray[np.float32]]) -> Tensor:
        return torch.from_numpy(np.stack(values)).permute(0, 3, 1, 2)

    truth = np.stack([true_trimap(s.alpha) for s in samples])
    return {
        "image": pictures([s.image for s in samples]),
        "foreground": pictures([s.foreground for s in samples]),
        "background": pictures([s.background for s in samples]),
        "alpha": torch.from_numpy(np.stack([s.alpha for s in samples])),
        "trimap": torch.from_numpy(np.stack([s.trimap for s in samples])).long(),
        "truth": torch.from_numpy(truth).long(),
    }


def _every(items: list[Foreground], n: int, held: bool) -> list[Foreground]:
    """Every n-th item, or all others; with few items both are the same."""
    if len(items) < n:
        return items
    return [item for i, item in enumerate(items) if (i % n == 0) == held]
