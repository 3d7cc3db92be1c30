"""Which device computes, and what happens when it cannot."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from types import ModuleType

    import torch

Result = TypeVar("Result")

DEVICES = ("auto", "cpu", "cuda", "mps")


def import_torch() -> ModuleType:
    """Import PyTorch, or say what to do when it cannot be loaded.

    Raises RuntimeError when PyTorch is missing or its libraries do not load (on
    Windows, this happens when Qt was loaded first).
    """
    try:
        import torch
    except (ImportError, OSError) as error:
        raise RuntimeError(
            f"PyTorch could not be loaded ({error}). Install it with "
            "'pip install torch'. On Windows, if it is installed, start napari with: "
            'python -c "import torch, napari; napari.Viewer(); napari.run()"'
        ) from error
    return torch


def choose_device(device: str | torch.device = "auto") -> torch.device:
    """Turn a device's name into a torch device that is really there.

    ``device`` {"auto", "cpu", "cuda", "cuda:N", "mps"} or torch.device: "auto" takes
    CUDA where there is one, otherwise the CPU. Raises ValueError when the name is
    unknown or the device is not present.
    """
    import_torch()
    import torch

    name = str(device)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, colon, index = name.partition(":")
    if kind not in DEVICES or (colon and kind == "auto"):
        raise ValueError(
            f"Device {name!r} is not known; use one of {', '.join(DEVICES)}."
        )
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device='cuda' was asked for, but PyTorch sees no CUDA device here; "
            "use device='auto' or 'cpu', or install a CUDA build of PyTorch."
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError(
            "device='mps' was asked for, but PyTorch sees no Apple GPU here; "
            "use device='auto' or 'cpu'."
        )
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if index and not (index.isdecimal() and int(index) < count):
        raise ValueError(
            f"Device {name!r} is not there; the {kind} devices here end at "
            f"'{kind}:{count - 1}'."
        )
    return torch.device(name)


def with_cpu_fallback(
    compute: Callable[[torch.device], Result], device: torch.device
) -> Result:
    """Run ``compute(device)``; when the GPU is out of memory, run it on the CPU."""
    torch = import_torch()
    try:
        return compute(device)
    except torch.OutOfMemoryError as error:
        if device.type == "cpu":
            raise
        warnings.warn(
            f"The GPU has too little memory ({error}); computing on the CPU instead.",
            RuntimeWarning,
            stacklevel=2,
        )
        torch.cuda.empty_cache()
        return compute(torch.device("cpu"))
