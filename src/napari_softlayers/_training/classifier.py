"""A classification network as a teacher: what it takes each part of a picture for.

A segmentation teacher knows the classes that it was taught and blends its guesses over
all else: a zebra, a laptop, a bowl. A network that tells the thousand classes of ImageNet
apart has an opinion of many of them, and a student whose base started from its weights
keeps what it knew there ("learning without forgetting", Li and Hoiem 2017).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, interpolate

from .._core.networks.features import PRESETS, FeatureConfig, FeatureNetwork
from .pretrained import start_from_efficientnet

FloatArray = npt.NDArray[np.float32]

#: So many numbers stay of the thousand scores.
DIRECTIONS = 32
#: Side of the square at which the network sees a picture; its last stage has stride 32.
SIDE = 384


class ClassifierTeacher:
    """EfficientNet-Lite's opinion of every part of a picture, in a few directions.

    Parameters
    ----------
    weights : mapping
        Of the whole network, see :func:`.pretrained.pretrained_weights`.
    config : FeatureConfig, optional
        With the stages of the base network; those of preset ``compact`` if not given.
    directions : int
        Numbers that stay of the scores.

    Notes
    -----
    The last layers (1x1 convolution, normalisation, classifier) act on every pixel of the
    last stage as they act on its mean in classification. The scores, less their mean and
    divided by their length, are projected on the first left singular vectors of the
    classifier's matrix, the directions in which classes differ most. Unlike softmax
    probabilities they stay smooth where no class is likely.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        config: FeatureConfig | None = None,
        directions: int = DIRECTIONS,
    ) -> None:
        self._base = FeatureNetwork(config or PRESETS["compact"]).eval()
        self._base.requires_grad_(False)
        start_from_efficientnet(self._base, weights)
        self._weights = weights
        matrix = weights["_fc.weight"].double()
        vectors = torch.linalg.svd(matrix - matrix.mean(0), full_matrices=False)[0]
        self._directions = vectors[:, :directions].float()
        self.directions = self._directions.shape[1]

    @torch.inference_mode()
    def scores(self, picture: npt.NDArray[np.uint8]) -> Tensor:
        """Class scores of every part.

        Parameters
        ----------
        picture : (H, W, 3) uint8
            It is stretched to a square.

        Returns
        -------
        (classes, s, s) float
        """
        values = (
            torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
        )
        values = interpolate(values, (SIDE, SIDE), mode="bilinear", align_corners=False)
        values = self._base.stem((values - self._base.mean) / self._base.std)
        for stage in self._base.stages:
            values = stage(values)
        w = self._weights
        values = conv2d(values, w["_conv_head.weight"])
        values = batch_norm(
            values,
            w["_bn1.running_mean"],
            w["_bn1.running_var"],
            w["_bn1.weight"],
            w["_bn1.bias"],
            eps=1e-3,
        ).clamp(0, 6)
        scores = conv2d(values, w["_fc.weight"][..., None, None], w["_fc.bias"])
        return scores[0]

    def __call__(self, picture: npt.NDArray[np.uint8]) -> FloatArray:
        """Scores of a picture ``(H, W, 3)`` uint8 in a few directions.

        Returns
        -------
        (s, s, directions) float32
            Vectors of a length below 1.
        """
        scores = self.scores(picture)
        scores = scores - scores.mean(0)
        unit = scores / scores.norm(dim=0).clamp_min(1e-6)
        return torch.einsum("chw,cd->hwd", unit, self._directions).numpy()
