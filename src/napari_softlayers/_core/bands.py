"""Bands of rows that stay in a CPU's cache, one thread each.

Many short PyTorch operations with several OpenMP threads each wait for one another,
badly so on a busy machine. Whole bands in threads of their own do not.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from threadpoolctl import ThreadpoolController

from napari_softlayers._core.compute import Run

BAND = 1 << 21  # values that a band works on at once


def for_bands(
    work: Callable[[slice], None],
    height: int,
    values_per_row: int,
    device: torch.device,
    run: Run,
    message: str = "",
) -> None:
    """Call ``work`` for slices of rows that cover ``height``, in parallel.

    Parameters
    ----------
    work : callable
        Gets a slice of rows; slices start at even rows and do not overlap.
    height : int
    values_per_row : int
        Values that the work touches in each row.
    device : torch.device
        On a GPU all rows are one band.
    run, message
        Reported after each band; no further band starts once cancelled.
    """
    run.check()
    step = height
    if device.type == "cpu":
        step = max(BAND // max(values_per_row, 1) // 2 * 2, 2)
    bands = [slice(at, min(at + step, height)) for at in range(0, height, step)]
    workers = min(torch.get_num_threads(), len(bands))
    if workers < 2:
        for band in bands:
            work(band)
            run.step(band.stop / height, message)
        return
    inference = torch.is_inference_mode_enabled()  # PyTorch keeps it for each thread

    def in_mode(band: slice) -> None:
        with torch.inference_mode(inference):
            work(band)

    with ThreadPoolExecutor(workers, initializer=_use_one_thread) as pool:
        try:
            for band, _ in zip(bands, pool.map(in_mode, bands), strict=True):
                run.step(band.stop / height, message)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _use_one_thread() -> None:
    """Limit PyTorch's operations to one thread inside the calling thread alone."""
    torch.get_num_threads()  # PyTorch sets its own number at the first call in a thread
    _controller().limit(limits=1, user_api="openmp")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
