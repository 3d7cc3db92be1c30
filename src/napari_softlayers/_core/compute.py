"""Devices, threads, progress and cancelling: what every long computation shares."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from types import ModuleType

    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

DEVICES = ("auto", "cpu", "cuda", "mps")


class Cancelled(Exception):
    """Raised inside a computation after the user asked to cancel it."""


@dataclass(frozen=True)
class Run:
    """Progress and cancelling of one computation, handed down to its steps.

    Parameters
    ----------
    progress : callable, optional
        Called with the fraction done in [0, 1] and a short message.
    cancelled : callable, optional
        Returns True once the user wants to stop.
    start, stop : float
        The span of the whole progress bar that this run fills.
    """

    progress: Callable[[float, str], None] | None = None
    cancelled: Callable[[], bool] | None = None
    start: float = 0.0
    stop: float = 1.0

    def check(self) -> None:
        """Raise `Cancelled` when the user has asked to stop."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("The computation was cancelled.")

    def step(self, fraction: float, message: str = "") -> None:
        """Report ``fraction`` (0 to 1) of this run as done; raise when cancelled."""
        self.check()
        if self.progress is not None:
            fraction = min(max(fraction, 0.0), 1.0)
            self.progress(self.start + fraction * (self.stop - self.start), message)

    def part(self, start: float, stop: float) -> Run:
        """Give a run that fills only the span ``start``..``stop`` of this one."""
        span = self.stop - self.start
        return Run(
            self.progress,
            self.cancelled,
            self.start + start * span,
            self.start + stop * span,
        )


def import_torch() -> ModuleType:
    """Import PyTorch, or say what to do when it cannot be loaded.

    Raises
    ------
    RuntimeError
        When PyTorch is missing or its libraries do not load (on Windows, this
        happens when Qt was loaded first).
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

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:N", "mps"} or torch.device
        "auto" takes CUDA where there is one, otherwise the CPU.

    Raises
    ------
    ValueError
        When the name is unknown or the device is not present.
    """
    torch = import_torch()
    if isinstance(device, torch.device):
        device = str(device)
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = str(device).partition(":")[0]
    if kind not in DEVICES:
        raise ValueError(
            f"Device {device!r} is not known; use one of {', '.join(DEVICES)}."
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
    return torch.device(device)


def with_cpu_fallback(
    compute: Callable[[torch.device], Any], device: torch.device
) -> Any:
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


def in_threads(
    work: Callable[[Item], Result], items: Sequence[Item]
) -> Iterator[Result]:
    """Give ``work(item)`` for every item in order, computed by as many threads as cores.

    For work that releases the interpreter lock, as NumPy does on large arrays. When the
    caller stops early, what has not begun is left out.
    """
    workers = min(import_torch().get_num_threads(), len(items))
    if workers < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Limit BLAS to one thread inside a with-block.

    Products of small matrices run 5 to 20 times slower with more threads than free
    cores.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


def one_thread() -> AbstractContextManager[Any]:
    """Limit BLAS and OpenMP (torch on the CPU) to this one thread inside a with-block.

    For many steps on small arrays: every step waits for the slowest of the threads, and
    where cores are busy with something else that takes longer than the step.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)
