"""A viewer with a small picture and its trimap, and helpers for docks."""

from __future__ import annotations

import numpy as np
import pytest

SIZE = (48, 64)


@pytest.fixture
def disc() -> tuple[np.ndarray, np.ndarray]:
    """A soft orange disc on blue, uint8, and a trimap with a band around its edge."""
    rows, columns = np.indices(SIZE)
    distance = np.hypot(rows - 24, columns - 32)
    alpha = np.clip((16 - distance) / 6 + 0.5, 0, 1)[..., None]
    picture = alpha * (230, 140, 40) + (1 - alpha) * (30, 60, 160)
    trimap = np.zeros(SIZE, np.uint8)
    trimap[distance < 10] = 2
    trimap[distance > 22] = 1
    return picture.astype(np.uint8), trimap


@pytest.fixture
def viewer(make_napari_viewer):
    """A real viewer that is not shown."""
    return make_napari_viewer()


@pytest.fixture
def settle(qtbot):
    """Wait until a dock has finished what it computes."""

    def wait(dock, timeout=60000):
        qtbot.waitUntil(lambda: dock.jobs.quiet, timeout=timeout)

    return wait


def light(viewer) -> np.ndarray:
    """Sum of the visible additive uint8 layers, in [0, 1]."""
    total = 0.0
    for layer in viewer.layers:
        if layer.visible and getattr(layer, "rgb", False):
            rgba = layer.data / 255
            assert layer.blending == "additive", layer.name
            total = total + layer.opacity * rgba[..., 3:] * rgba[..., :3]
    return total
