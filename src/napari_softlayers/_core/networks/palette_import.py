"""The published checkpoints of "Fast Soft Color Segmentation", read without running code.

The authors gave their networks as two ``.pth`` files, which are pickles. They are read by
PyTorch's restricted reader, which builds tensors and nothing else, and rewritten as one
safetensors file.
"""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .palette import PaletteConfig, PaletteNetwork
from .weights import save_network

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # what PyTorch before 1.6 wrote
#: What a reader of broken opcodes may stumble over.
_MALFORMED = (ValueError, KeyError, IndexError, TypeError, AttributeError)


def import_checkpoints(
    mask_generator: str | Path, residue_predictor: str | Path, target: str | Path
) -> Path:
    """Convert the authors' pair of checkpoints into one safetensors file.

    ``mask_generator``, ``residue_predictor`` path-like: the two ``.pth`` files; the
    number of colours is found from their shapes. ``target`` path-like: the
    ``.safetensors`` file to be written, in float32. Returns Path: the file, which
    ``palette_layers(..., method="network", weights=file)`` takes. Raises ValueError
    when a file is truncated, holds anything but tensors, or other tensors than these
    networks have.
    """
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
    network: Any = PaletteNetwork(config)
    for source, part, tensors in (
        (mask_generator, network.alpha, alpha),
        (residue_predictor, network.residue, residue),
    ):
        try:
            part.load_state_dict(tensors)
        except RuntimeError as error:
            raise ValueError(
                f"{source} does not fit the published network for {slots} colours: "
                f"{error}"
            ) from error
    about = {"source": "checkpoints of Akimoto et al., CVPR 2020"}
    return save_network(path, "palette", network, about, exact=True)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read a PyTorch checkpoint of tensors alone, without running what it may hold.

    ``path`` path-like. Returns dict of str to Tensor, on the CPU. Raises ValueError
    when the file is no checkpoint, is truncated, or holds anything but tensors.
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
