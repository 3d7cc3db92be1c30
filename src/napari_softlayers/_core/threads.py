"""Threads: work side by side, and limits where more threads only wait."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
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
    if min(torch.get_num_threads(), len(bands)) < 2:
        # As in the pool: the same bits for any number of cores.
        with _one_openmp_thread():
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

    futures = [_pool(torch.get_num_threads()).submit(in_mode, band) for band in bands]
    try:
        for band, future in zip(bands, futures, strict=True):
            future.result()
            run.step(band.stop / height, message)
    finally:  # nothing works on once this has returned, whatever happened
        for future in futures:
            future.cancel()
        wait(futures)


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads that stay: starting them takes as long as a band of a small picture."""
    return ThreadPoolExecutor(workers, "softlayers", initializer=_one_openmp_thread)


if hasattr(os, "register_at_fork"):  # a fork takes no threads along
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _one_openmp_thread() -> AbstractContextManager[Any]:
    """Limit OpenMP in the calling thread alone, from now on to the end of a with-block."""
    # PyTorch sets its own number at the first call in a thread.
    import_torch().get_num_threads()
    limits: AbstractContextManager[Any] = _controller().limit(
        limits=1, user_api="openmp"
    )
    return limits


_controller = cache(ThreadpoolController)
