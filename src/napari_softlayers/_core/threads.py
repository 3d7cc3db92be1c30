"""Threads: work side by side, and limits where more threads only wait."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController, threadpool_limits

from .devices import import_torch
from .run import Run

if TYPE_CHECKING:
    import torch

BAND = 1 << 21  # values that a band works on at once


def one_thread(api: str | None = None) -> AbstractContextManager[Any]:
    """Limit BLAS and OpenMP (torch on the CPU) to this one thread inside a with-block.

    For many steps on small arrays: every step waits for the slowest of the threads, and
    where cores are busy with something else that takes longer than the step. Products
    of small matrices run 5 to 20 times slower with more threads than free cores; for
    them alone, ``api`` is "blas".
    """
    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api=api)
    return limits


def for_bands(
    work: Callable[[slice], None],
    height: int,
    values_per_row: int,
    device: torch.device,
    run: Run,
    message: str = "",
) -> None:
    """Call ``work`` for slices of rows that cover ``height``, in parallel.

    ``work``: gets a slice of rows; slices start at even rows and do not overlap.
    ``values_per_row``: values that the work touches in each row. ``device``: on a GPU
    all rows are one band. ``run``, ``message``: reported after each band; no further
    band starts once cancelled.
    """
    torch = import_torch()
    run.check()
    step = height
    if device.type == "cpu":
        step = max(BAND // max(values_per_row, 1) // 2 * 2, 2)
    bands = [slice(at, min(at + step, height)) for at in range(0, height, step)]
    workers = min(torch.get_num_threads(), len(bands))
    if workers < 2:
        with _one_openmp_thread():  # as in the pool, for the same bits
            for band in bands:
                work(band)
                run.step(band.stop / height, message)
        return
    # Many short operations with several OpenMP threads each wait for one another, badly
    # so on a busy machine; whole bands in threads of their own do not.
    inference = torch.is_inference_mode_enabled()  # PyTorch keeps it for each thread

    def in_mode(band: slice) -> None:
        with torch.inference_mode(inference):
            work(band)

    with ThreadPoolExecutor(workers, initializer=_one_openmp_thread) as pool:
        try:
            for band, _ in zip(bands, pool.map(in_mode, bands), strict=True):
                run.step(band.stop / height, message)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _one_openmp_thread() -> AbstractContextManager[Any]:
    """Limit OpenMP in the calling thread alone, from now on to the end of a with-block."""
    # PyTorch sets its own number at the first call in a thread.
    import_torch().get_num_threads()
    limits: AbstractContextManager[Any] = _controller().limit(
        limits=1, user_api="openmp"
    )
    return limits


_controller = cache(ThreadpoolController)
