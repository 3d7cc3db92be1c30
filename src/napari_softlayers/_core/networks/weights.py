"""Weights of the networks: one safetensors file holds a network whole.

The file's metadata name the kind of network and the sizes it was built with, so that a
file is all that is needed to get the network back. Shipped files lie in the folder
``weights`` of the package and are called ``<kind>-<preset>.safetensors``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

#: Kind of network, which is the module beside this one -> its configuration and its
#: network class, which is called with the configuration alone.
NETWORKS: dict[str, tuple[str, str]] = {
    "features": ("FeatureConfig", "FeatureNetwork"),
    "palette": ("PaletteConfig", "PaletteNetwork"),
    "adamatting": ("AdaMattingConfig", "AdaMatting"),
    "deep_propagation": ("DeepPropagationConfig", "DeepPropagation"),
}

FOLDER = Path(__file__).resolve().parents[2] / "weights"


def shipped_weights() -> dict[str, Path]:
    """Weights that come with the package: name -> file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}


def find_weights(name: str | Path) -> Path:
    """The file that a name or a path means.

    ``name``: a kind (``"features"``, which is ``"features-compact"``), the name of a
    shipped file, or the path of a safetensors file. Raises ValueError if there is no
    such file, or it is not a safetensors file.
    """
    shipped = shipped_weights()
    for key in (str(name), f"{name}-compact"):
        if key in shipped:
            return shipped[key]
    path = Path(name).expanduser()
    known = ", ".join(shipped) or "none"
    if not path.is_file():
        raise ValueError(
            f"there are no weights {str(name)!r}: neither a file nor one of the "
            f"shipped weights ({known})"
        )
    if path.suffix != ".safetensors":
        raise ValueError(
            f"{path} is not a .safetensors file; weights are read from safetensors "
            "only, since other formats can run code"
        )
    return path


def describe_weights(name: str | Path) -> dict[str, Any]:
    """What a weights file says of itself.

    Keys: ``network`` (the kind), ``config`` and ``about`` (data, steps, figures). Raises
    ValueError if the file is missing, broken, or not by :func:`save_network`.
    """
    from safetensors import SafetensorError, safe_open

    path = find_weights(name)
    try:
        with safe_open(str(path), "pt") as opened:
            metadata = opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}") from error
    if "network" not in metadata or "config" not in metadata:
        raise ValueError(
            f"{path} does not say which network it belongs to; weights must be written "
            "by 'napari-softlayers train' or save_network()"
        )
    return {
        "network": metadata["network"],
        "config": json.loads(metadata["config"]),
        "about": json.loads(metadata.get("about", "{}")),
    }


def save_network(
    path: str | Path,
    kind: str,
    network: nn.Module,
    about: Mapping[str, Any] | None = None,
    exact: bool = False,
) -> Path:
    """Write a network as one safetensors file.

    ``path`` path-like. ``kind``: a key of :data:`NETWORKS`. ``network``: with the
    dataclass that it was built with as ``config``. ``about`` mapping: anything that
    JSON can hold: data, steps, figures. ``exact``: keep kernels as float32, as vectors
    (biases, batch statistics) are anyway; otherwise they become float16. Returns Path:
    the file.
    """
    from safetensors.torch import save_file

    _check_kind(kind)
    tensors = {}
    for key, value in network.state_dict().items():
        kept = value.detach().cpu()
        if kept.is_floating_point():
            kept = kept.half() if kept.ndim > 1 and not exact else kept.float()
        tensors[key] = kept.contiguous()
    config: Any = network.config
    metadata = {
        "network": kind,
        "config": json.dumps(asdict(config)),
        "about": json.dumps(dict(about or {})),
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(path), metadata)
    return path


def load_network(
    name: str | Path, device: torch.device | str = "cpu", kind: str | None = None
) -> nn.Module:
    """A trained network, ready for inference.

    ``name``: see :func:`find_weights`. ``kind``: the kind that is needed; another one
    in the file is an error. Returns torch.nn.Module: in evaluation mode, float32,
    without gradients, batch normalisation taken into the convolutions. The same object
    for the same unchanged file and device, so treat it as read-only. Raises ValueError
    if there is no such file, it is not one of this project's, holds another kind of
    network, or its tensors do not fit the sizes that it names.
    """
    path = _find_kind(name, kind)
    return _load(path, path.stat().st_mtime_ns, str(torch.device(device)))


@lru_cache(maxsize=8)
def _load(path: Path, changed: int, device: str) -> nn.Module:
    about = describe_weights(path)
    kind = _check_kind(about["network"])
    module = import_module(f".{kind}", __package__)
    config_class, network_class = (getattr(module, name) for name in NETWORKS[kind])
    try:
        with torch.random.fork_rng(devices=[]):  # first weights are thrown away
            network: nn.Module = network_class(config_class(**about["config"]))
    except TypeError as error:
        raise _misfit(path, kind, error) from error
    put_weights(network, path, kind)
    return _fused(network.eval()).to(device).requires_grad_(False)


def _fused(network: nn.Module) -> nn.Module:
    """The same network with batch normalisation in the convolutions before it."""
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            for index, (one, next_one) in enumerate(pairwise(list(module))):
                if isinstance(one, nn.Conv2d) and isinstance(next_one, nn.BatchNorm2d):
                    module[index] = fuse_conv_bn_eval(one, next_one)
                    module[index + 1] = nn.Identity()
    return network


def put_weights(network: nn.Module, name: str | Path, kind: str) -> None:
    """Put the weights of a file into a network of the same sizes.

    ``name``, ``kind``, errors: see :func:`load_network`.
    """
    from safetensors.torch import load_file

    path = _find_kind(name, kind)
    tensors = {key: value.float() for key, value in load_file(str(path)).items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise _misfit(path, kind, error) from error


def _misfit(path: Path, kind: str, error: Exception) -> ValueError:
    return ValueError(
        f"{path} does not fit the network {kind!r} of this version: {error}"
    )


def _find_kind(name: str | Path, kind: str | None) -> Path:
    path = find_weights(name)
    found = describe_weights(path)["network"]
    if kind is not None and found != kind:
        raise ValueError(f"{path} holds a network of kind {found!r}, not {kind!r}")
    return path


def _check_kind(kind: str) -> str:
    if kind not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise ValueError(f"{kind!r} is no kind of network; known are {known}")
    return kind
