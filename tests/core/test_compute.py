"""Progress spans, cancelling, devices."""

import pytest
import torch

from napari_softlayers._core.devices import choose_device, with_cpu_fallback
from napari_softlayers._core.run import Cancelled, Run
from napari_softlayers._core.threads import one_thread


def test_parts_fill_their_span_of_the_bar():
    seen = []
    run = Run(progress=lambda fraction, message: seen.append((fraction, message)))
    run.part(0.5, 1.0).part(0.0, 0.5).step(1.0, "half")
    run.step(2.0, "over")
    assert seen == [(0.75, "half"), (1.0, "over")]


def test_cancel_raises_at_the_next_step():
    with pytest.raises(Cancelled):
        Run(cancelled=lambda: True).part(0, 0.5).step(0.1)


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="not known"):
        choose_device("tpu")
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert choose_device("auto").type == "cpu"
        with pytest.raises(ValueError, match="no CUDA device"):
            choose_device("cuda")


def test_gpu_memory_falls_back_to_the_cpu():
    def compute(device):
        if device.type == "cuda":
            raise torch.OutOfMemoryError("full")
        return device.type

    with pytest.warns(RuntimeWarning, match="CPU instead"):
        assert with_cpu_fallback(compute, torch.device("cuda")) == "cpu"
    with pytest.raises(torch.OutOfMemoryError):
        with_cpu_fallback(
            lambda device: compute(torch.device("cuda")), torch.device("cpu")
        )


def test_one_thread_inside_and_as_many_as_before_outside():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
