"""Matting with DeepMattePropNet: affinities from a network, spread by a solver."""

from __future__ import annotations

import numpy as np

from ...arrays import FloatArray
from ...run import SILENT, Run
from ..repair.resolution import enlarged
from ..system import Labels, one_hot, spread
from .network_input import ask_network, shrinking_factor


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
    found = ask_network(
        "deep_propagation",
        weights,
        device,
        picture,
        labels,
        factor,
        lambda net, now: (now.across[0].log(), now.down[0].log(), net.config.known),
        run.part(0, 0.5),
        "Finding affinities",
    )
    across, down = (
        sum(logs[way] / len(found) for logs in found).exp().cpu().numpy()
        for way in (0, 1)
    )
    height, width = labels.shape
    across = np.pad(across, ((0, 0), (0, 1)), mode="edge")
    across = enlarged(across, (height, width - 1), factor)
    down = np.pad(down, ((0, 1), (0, 0)), mode="edge")
    down = enlarged(down, (height - 1, width), factor)
    system = PropagationSystem(
        across, down, labels != 0, found[0][2], run=run.part(0.5, 0.6)
    )
    known = one_hot(labels, int(labels.max()))
    layers = system.propagate(known[:-1], run.part(0.6, 1.0))
    unknown = labels == 0
    return spread(layers[:, unknown].T, unknown, labels)
