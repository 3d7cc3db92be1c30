"""Fixtures of all tests: reference data, GPU marks, small pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# The measures that benchmarks report are not part of the package.
sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))


def pytest_collection_modifyitems(items):
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
    for item in items:
        if item.get_closest_marker("gui"):  # they share one clipboard and one keyboard
            item.add_marker(pytest.mark.xdist_group("screen"))
    if not os.environ.get("DISPLAY") and os.name == "posix":
        for item in items:
            if item.get_closest_marker("gui"):
                item.add_marker(pytest.mark.skip(reason="no display here"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The reference pictures; set SOFTLAYERS_DATA to look elsewhere."""
    folder = Path(os.environ.get("SOFTLAYERS_DATA", DATA))
    if not folder.is_dir():
        pytest.skip(f"reference data are not at {folder}")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A real picture, uint8 (128, 128, 3)."""
    from skimage import data
    from skimage.transform import resize

    small = resize(data.astronaut(), (128, 128), anti_aliasing=True)
    return (small * 255 + 0.5).astype(np.uint8)
