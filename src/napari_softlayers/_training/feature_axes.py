"""Principal axes of two layers, with which the features in use are completed."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from napari_softlayers._core.networks.features import (
    Axes,
    FeatureNetwork,
    describe_picture,
)

#: Pictures from which the axes are found, vectors of each, and its long side.
FIT_PICTURES, FIT_VECTORS, FIT_SIDE = 200, 200, 384
#: Lengths of what the hidden layer and the last stage add, where the square roots of a
#: teacher's probabilities have length 1.
HIDDEN_WEIGHT, STAGE_WEIGHT = 1.4, 0.57


@torch.inference_mode()
def fit_axes(network: FeatureNetwork, pictures: Iterable[Tensor]) -> None:
    """Set the axes of a network to the principal axes of its layers in photographs.

    Parameters
    ----------
    network : FeatureNetwork
        In evaluation mode, with ``axes`` in its configuration.
    pictures : iterable of (3, H, W) float in [0, 1], or uint8

    Raises
    ------
    ValueError
        If there are no pictures.
    """
    seen: dict[Axes, list[Tensor]] = {network.hidden_axes: [], network.stage_axes: []}
    generator = torch.Generator().manual_seed(0)

    def keep(axes: nn.Module, given: tuple[Tensor, ...]) -> None:
        vectors = given[0].flatten(2)[0].T.cpu()
        chosen = torch.randperm(len(vectors), generator=generator)[:FIT_VECTORS]
        seen[axes].append(vectors[chosen].double())  # type: ignore[index]

    hooks = [axes.register_forward_pre_hook(keep) for axes in seen]
    place = network.head.weight.device
    try:
        for picture in pictures:
            describe_picture(network, picture.to(place), (FIT_SIDE,), flip=False)
    finally:
        for hook in hooks:
            hook.remove()
    for axes, weight in zip(seen, (HIDDEN_WEIGHT, STAGE_WEIGHT), strict=True):
        if not seen[axes]:
            raise ValueError("no pictures to find the axes of the features from")
        vectors = torch.cat(seen[axes])
        unit = nn.functional.normalize(vectors, dim=1)
        principal = torch.linalg.eigh(torch.cov(unit.T))[1].flip(1)
        count = min(axes.vectors.shape)
        axes.vectors.zero_()
        axes.vectors[:count] = weight * principal[:, :count].T
