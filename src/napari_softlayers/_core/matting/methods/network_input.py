"""What the matting networks are given: a picture of bounded size, a trimap of three."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..system import Labels

#: No network ever sees more pixels than this; larger pictures are shrunk for it.
MOST_PIXELS = 3_000_000


def shrinking_factor(shape: tuple[int, ...]) -> int:
    """Smallest whole number by which a picture (H, W) must be shrunk for a network."""
    factor = 1
    while shape[0] * shape[1] / factor**2 > MOST_PIXELS:
        factor += 1
    return factor


def foreground_turns(count: int) -> list[int]:
    """Labels that are the foreground in turn: of two layers, only the second one."""
    return [2] if count == 2 else list(range(1, count + 1))


def three_classes(labels: Labels, foreground: int) -> NDArray[np.int64]:
    """A trimap for the network: 0 other labels, 1 unknown, 2 the foreground label."""
    classes: NDArray[Any] = np.where(labels == foreground, 2, 0)
    return np.where(labels == 0, 1, classes).astype(np.int64)
