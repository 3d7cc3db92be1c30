"""Matting with DeepMattePropNet: affinities from a network, spread by a solver."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import FloatArray
from ...devices import choose_device, import_torch, with_cpu_fallback
from ...run import SILENT, Run
from ..repair.resolution import shrunk, shrunk_labels
from ..system import Labels, one_hot, spread
from .network_input import foreground_turns, shrinking_factor, three_classes


def deep_propagation(
    picture: FloatArray,
    labels: Labels,
    *,
    weights: str = "deep_propagation",
    device: str = "auto",
    run: Run = SILENT,
    initial: FloatArray | None = None,
) -> FloatArray:
    """Layers that spread from the known pixels along learned affinities.

    A network gives the affinities W of four-connected pixels (Wang et al. 2018, Eq. 3):
    ``(L + C) alpha = C alpha*`` with ``L = D - W`` and C .8 on known pixels.

    ``picture`` float32 ``(H, W, 3)``. ``labels`` int ``(H, W)``: 0 unknown, 1..K. With
    more than two layers each in turn is the network's foreground, and the affinities
    are the geometric means of the turns. ``weights``: shipped weights by name, or the
    path of a safetensors file. ``device``, ``run``, ``initial``: see `methods`. Returns
    float32 ``(K, H, W)``: exactly 0 or 1 where the trimap is known.
    """
    from ...networks.propagation import PropagationSystem

    factor = shrinking_factor(labels.shape)
    small, marks = shrunk(picture, factor), shrunk_labels(labels, factor)
    across, down, known = affinities(small, marks, weights, device, run.part(0, 0.5))
    if factor > 1:
        across = np.kron(across, np.ones((factor, factor)))
        down = np.kron(down, np.ones((factor, factor)))
        height, width = labels.shape
        across = np.pad(across, ((0, 0), (0, factor)), mode="edge")
        across = across[:height, : width - 1]
        down = np.pad(down, ((0, factor), (0, 0)), mode="edge")[: height - 1, :width]
    count = int(labels.max())
    system = PropagationSystem(
        across, down, labels != 0, known, tolerance=1e-4, run=run.part(0.5, 0.6)
    )
    layers = system.propagate(one_hot(labels, count)[:-1], run.part(0.6, 1.0))
    unknown = labels == 0
    return spread(layers[:, unknown].T, unknown, labels)


def affinities(
    picture: FloatArray,
    labels: Labels,
    weights: str,
    device: str,
    run: Run = SILENT,
) -> tuple[FloatArray, FloatArray, float]:
    """Affinities (H, W - 1) and (H - 1, W) of a picture, and the known pixels' weight.

    ``picture`` float32 ``(H, W, 3)``. ``labels`` int ``(H, W)``: 0 unknown, 1..K.
    ``weights``, ``device``, ``run``: as for `deep_propagation`.
    """
    torch = import_torch()
    from ...networks.weights import load_network

    turns = foreground_turns(int(labels.max()))

    def compute(where: Any) -> tuple[FloatArray, FloatArray, float]:
        network: Any = load_network(weights, where, "deep_propagation")
        given = torch.from_numpy(np.ascontiguousarray(picture)).to(where)
        given = given.permute(2, 0, 1)[None]
        across: Any = 0.0
        down: Any = 0.0
        with torch.inference_mode():
            for index, label in enumerate(turns):
                run.step(index / len(turns), "Finding affinities")
                marks = torch.from_numpy(three_classes(labels, label)).to(where)
                found = network(given, marks[None])
                across = across + found.across[0].log() / len(turns)
                down = down + found.down[0].log() / len(turns)
        return (
            across.exp().cpu().numpy(),
            down.exp().cpu().numpy(),
            float(network.config.known),
        )

    return with_cpu_fallback(compute, choose_device(device))
