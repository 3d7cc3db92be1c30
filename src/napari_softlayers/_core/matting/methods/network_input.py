"""What the matting networks are given and asked: a bounded picture, a trimap of three."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...devices import choose_device, import_torch, with_cpu_fallback
from ...run import Run
from ..repair.resolution import shrunk, shrunk_labels
from ..system import Labels

Found = TypeVar("Found")

#: No network ever sees more pixels than this; larger pictures are shrunk for it.
MOST_PIXELS = 3_000_000


def shrinking_factor(shape: tuple[int, ...]) -> int:
    """Smallest whole number by which a picture (H, W) must be shrunk for a network."""
    factor = 1
    while shape[0] * shape[1] / factor**2 > MOST_PIXELS:
        factor += 1
    return factor


def foreground_turns(labels: Labels) -> list[int]:
    """Labels that are the foreground in turn: of two layers, only the second one.

    Two layers are meant when nothing is labelled.
    """
    count = int(labels.max())
    return [2] if count <= 2 else list(range(1, count + 1))


def three_classes(labels: Labels, foreground: int) -> NDArray[np.int64]:
    """A trimap for the network: 0 other labels, 1 unknown, 2 the foreground label."""
    classes: NDArray[Any] = np.where(labels == foreground, 2, 0)
    return np.where(labels == 0, 1, classes).astype(np.int64)


def ask_network(
    kind: str,
    weights: str,
    device: str,
    picture: FloatArray,
    labels: Labels,
    factor: int,
    take: Callable[[Any, Any], Found],
    run: Run,
    message: str,
) -> list[Found]:
    """What a network finds, with each label in turn as the foreground.

    ``kind``, ``weights``: see `load_network`. ``picture`` float32 ``(H, W, 3)``.
    ``labels`` int ``(H, W)``: 0 unknown, 1..K. ``factor``: by which both are shrunk for
    the network. ``take``: makes of the network and of what it returns what is kept.
    """
    torch = import_torch()
    from ...networks.weights import load_network

    small, marks = shrunk(picture, factor), shrunk_labels(labels, factor)
    turns = foreground_turns(labels)

    def compute(where: Any) -> list[Found]:
        network = load_network(weights, where, kind)
        given = torch.from_numpy(np.ascontiguousarray(small)).to(where)
        given = given.permute(2, 0, 1)[None]
        found = []
        with torch.inference_mode():
            for index, label in enumerate(turns):
                run.step(index / len(turns), message)
                trimap = torch.from_numpy(three_classes(marks, label)).to(where)
                found.append(take(network, network(given, trimap[None])))
        return found

    return with_cpu_fallback(compute, choose_device(device))
