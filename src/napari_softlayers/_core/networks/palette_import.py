"""The published checkpoints of "Fast Soft Color Segmentation", read without running code.

The authors gave their networks as two ``.pth`` files, which are pickles. They are read by
PyTorch's restricted reader, which builds tensors and nothing else, and rewritten as one
safetensors file.
"""

from __future__ import annotations

import json
import pickle
import struct
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..numerics.guided_filter import GuidedFilter
from .palette import STRIDE, PaletteConfig, PaletteNetwork
from .weights import load_network

FloatArray = NDArray[np.float32]

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # what PyTorch before 1.6 wrote
FILTER_RADIUS = 3  # of the guided filter in the authors' notebook
FILTER_EPSILON = 1e-6
LUMA = (0.299, 0.587, 0.114)


def import_checkpoints(
    mask_generator: str | Path, residue_predictor: str | Path, target: str | Path
) -> Path:
    """Convert the authors' pair of checkpoints into one safetensors file.

    Parameters
    ----------
    mask_generator, residue_predictor : path-like
        The two ``.pth`` files; the number of colours is found from their shapes.
    target : path-like
        The ``.safetensors`` file to be written, in float32.

    Returns
    -------
    Path
        The file, which ``palette_layers(..., method="network", weights=file)`` takes.

    Raises
    ------
    ValueError
        When a file is truncated, holds anything but tensors, or other tensors than
        these networks have.
    """
    from safetensors.torch import save_file

    path = Path(target)
    if path.suffix != ".safetensors":
        raise ValueError(f"{path} must end in .safetensors.")
    alpha = read_tensors(mask_generator)
    residue = read_tensors(residue_predictor)
    if "conv5.weight" not in alpha or alpha["conv5.weight"].ndim != 4:
        raise ValueError(
            f"{mask_generator} holds no tensor conv5.weight, so it is no alpha predictor "
            f"of the published form; it holds {', '.join(sorted(alpha)[:5])}, ..."
        )
    slots = len(alpha["conv5.weight"])
    config = PaletteConfig(slots=slots, guided=False, residues=True)
    network = PaletteNetwork(config)
    pairs = [(mask_generator, network.alpha, alpha)]
    if network.residue is not None:
        pairs.append((residue_predictor, network.residue, residue))
    for source, part, tensors in pairs:
        try:
            part.load_state_dict(tensors)
        except RuntimeError as error:
            raise ValueError(
                f"{source} does not fit the published network for {slots} colours: "
                f"{error}"
            ) from error
    metadata = {
        "network": "palette",
        "config": json.dumps(asdict(config)),
        "about": json.dumps({"source": "checkpoints of Akimoto et al., CVPR 2020"}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), str(path), metadata)
    return path


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read a PyTorch checkpoint of tensors alone, without running what it may hold.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of str to Tensor, on the CPU

    Raises
    ------
    ValueError
        When the file is no checkpoint, is truncated, or holds anything but tensors.
    """
    source = Path(path)
    if not source.is_file():
        raise ValueError(f"There is no file {source}.")
    with source.open("rb") as opened:
        start = opened.read(len(LEGACY))
    # other containers (tar) are read by parts of PyTorch that are not restricted
    if not start.startswith(ZIP) and start != LEGACY:
        raise ValueError(f"{source} is no PyTorch checkpoint.")
    try:
        found = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{source} is damaged or holds something other than tensors, such as code; "
            f"it was not read: {str(error).splitlines()[0]}"
        ) from error
    except (RuntimeError, EOFError, OSError, struct.error, *_MALFORMED) as error:
        raise ValueError(
            f"{source} is truncated or damaged ({error}); download it again."
        ) from error
    if not isinstance(found, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor)
        for key, value in found.items()
    ):
        raise ValueError(
            f"{source} holds something other than named tensors; a state dict is needed."
        )
    return dict(found)


#: What a reader of broken opcodes may stumble over.
_MALFORMED = (ValueError, KeyError, IndexError, TypeError, AttributeError)


def published_layers(
    picture: FloatArray, palette: FloatArray, weights: str | Path
) -> tuple[FloatArray, FloatArray]:
    """Layers as the authors' notebook makes them, to compare with.

    Alphas are smoothed by a guided filter on the grey picture, then divided by their sum
    without clipping; colours come from the residue predictor. The order of the colours
    matters, the sum is not exact, and up to seven rows and columns are cut off.

    Parameters
    ----------
    picture : ndarray of float32, ``(H, W, 3)``
    palette : ndarray of float32, ``(K, 3)``
        As many colours as the weights have slots.
    weights : path-like
        Written by `import_checkpoints`.

    Returns
    -------
    alphas : ndarray of float32, ``(K, H // 8 * 8, W // 8 * 8)``
        May lie outside [0, 1].
    colors : ndarray of float32, ``(K, H // 8 * 8, W // 8 * 8, 3)``
    """
    network = load_network(weights, "cpu", "palette")
    if not isinstance(network, PaletteNetwork) or network.residue is None:
        raise ValueError(f"{weights} holds no residue predictor.")
    slots = network.config.slots
    if palette.shape != (slots, 3):
        raise ValueError(
            f"The palette has shape {palette.shape}; these weights need ({slots}, 3)."
        )
    height, width = (size // STRIDE * STRIDE for size in picture.shape[:2])
    if min(height, width) == 0:
        raise ValueError(
            f"The picture has shape {picture.shape}; 8x8 pixels are needed."
        )
    planes = torch.from_numpy(picture[:height, :width].transpose(2, 0, 1).copy())[None]
    swatches = torch.from_numpy(palette)[None]
    with torch.inference_mode():
        alphas = network(planes, swatches)
        grey = torch.einsum("bchw,c->bhw", planes, torch.tensor(LUMA))
        follow = GuidedFilter(grey.double(), FILTER_RADIUS, FILTER_EPSILON)
        alphas = follow(alphas[0].double())[None].float()
        alphas = alphas / (alphas.sum(1, keepdim=True) + 1e-8)
        colors = network.layer_colors(planes, swatches, alphas)
    return alphas[0].numpy(), colors[0].permute(0, 2, 3, 1).contiguous().numpy()
