"""Bands of rows side by side: all of them once, none left behind, the same threads."""

import os
import threading
import time

import numpy as np
import pytest
import torch

from napari_softlayers._core.run import SILENT, Cancelled, Run
from napari_softlayers._core.threads import BAND, for_bands

CPU = torch.device("cpu")
HEIGHT = 40
PER_ROW = BAND // 4  # bands of four rows


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def count(run=SILENT, work=lambda rows: None, height=HEIGHT):
    seen, names = np.zeros(height, int), set()

    def one(rows):
        seen[rows] += 1
        names.add(threading.current_thread().name)
        work(rows)

    for_bands(one, height, PER_ROW, CPU, run)
    return seen, names


@pytest.mark.parametrize("height", [1, 4, 5, 40, 41])
def test_every_row_is_worked_on_once(height):
    seen, _ = count(height=height)
    assert (seen == 1).all()


def test_the_same_threads_serve_again():
    _, first = count(work=lambda rows: time.sleep(0.01))
    _, again = count(work=lambda rows: time.sleep(0.01))
    assert len(first | again) <= 2
    assert threading.main_thread().name not in first


@pytest.mark.parametrize("way", ["error", "cancel"])
def test_nothing_works_on_after_an_error_or_a_cancel(way):
    begun, ended = [], []

    def work(rows):
        begun.append(rows.start)
        if way == "error" and rows.start == 4:
            raise ArithmeticError("band")
        time.sleep(0.02)
        ended.append(rows.start)

    run = Run(cancelled=lambda: way == "cancel" and len(begun) > 2)
    with pytest.raises((ArithmeticError, Cancelled)):
        count(run, work)
    still = len(ended)
    assert len(begun) < HEIGHT // 4
    time.sleep(0.06)
    assert len(ended) == still
    assert (count()[0] == 1).all()  # the threads are there for the next one


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_process_has_threads_of_its_own():
    count()
    child = os.fork()
    if child == 0:
        seen, _ = count()
        os._exit(0 if (seen == 1).all() else 1)
    deadline = time.monotonic() + 30
    done = 0
    while not done and time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    if not done:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert done
    assert os.waitstatus_to_exitcode(status) == 0
