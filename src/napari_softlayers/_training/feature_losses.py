"""Losses of the feature training, and the pixels that they look at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

# Roots of probabilities below this count as this: their logarithms stay finite.
_LEAST = 1e-6


def npair_loss(features: Tensor, labels: Tensor) -> Tensor:
    r"""Metric loss of the supplement (Eq. 1) over all pairs of the given pixels.

    With :math:`D = \|f_p - f_q\|^2 / d` the mean over pairs of
    :math:`\log((1 + e^{D}) / 2)` for equal labels and of
    :math:`\log(1 + e^{-D})` for unequal ones.

    Parameters
    ----------
    features : (N, d) float
    labels : (N,) int

    Returns
    -------
    () float

    Notes
    -----
    The first term is as printed: zero, its least value, at D = 0. The second is printed
    as ``log(1 + exp(-D) / 2)``. That also falls towards its least value, zero, at large
    D, but at D = 0 it pushes with 1/3 where the first term pulls with 1/2, although the
    text calls the two conjugate. Sohn's N-pair loss with one negative is
    ``log(1 + exp(-margin))``, so the halving belongs to neither exponential; we leave it
    out of the second term (a constant log 2 apart from halving the bracket as in
    the first), and pull and push balance. The supplement's matrix form gives squared
    distances, which we take; they have a gradient at zero that the norm lacks.
    """
    squared = features.square().sum(1)
    distance = squared[:, None] + squared[None] - 2 * features @ features.T
    distance = distance.clamp_min(0) / features.shape[1]
    same = labels[:, None] == labels[None]
    return softplus(torch.where(same, distance, -distance)).mean() - (
        same.float().mean() * float(np.log(2))
    )


def distillation_losses(
    features: Tensor, target: Tensor, related: int = 256
) -> tuple[Tensor, Tensor]:
    """How far features are from the teachers', pixel by pixel and in relation.

    Parameters
    ----------
    features, target : (N, D, P) float
        Square roots of class probabilities at P pixels of N crops.
    related : int
        So many of the pixels are compared with each other.

    Returns
    -------
    pointwise, relational : () float
        The Kullback-Leibler divergence of the features' probabilities from the target's,
        summed over the teachers, and the mean squared difference of the cosines of all
        pairs of pixels of a crop.
    """
    ratio = 2 * (target.clamp_min(_LEAST) / features.clamp_min(_LEAST)).log()
    divergence = (target.square() * ratio).sum(1).mean()
    pairs = []
    for values in (features[..., :related], target[..., :related]):
        unit = nn.functional.normalize(values, dim=1)
        pairs.append(unit.transpose(1, 2) @ unit)
    return divergence, nn.functional.mse_loss(pairs[0], pairs[1])


def sample_pixels(
    ids: npt.NDArray[np.integer],
    segments: int,
    pixels: int,
    random: np.random.Generator,
) -> npt.NDArray[np.intp] | None:
    """The supplement's sample of one picture: flat pixel indices, segment by segment.

    Returns
    -------
    (segments * pixels,) int or None
        None when the picture shows fewer than two segments.
    """
    flat = ids.ravel()
    present, counts = np.unique(flat[flat > 0], return_counts=True)
    present = present[counts >= 4]
    if len(present) < 2:
        return None
    count = min(segments, len(present))
    chosen = random.choice(present, count, replace=False)
    parts = [random.choice(np.nonzero(flat == i)[0], pixels) for i in chosen]
    return np.concatenate(parts)
