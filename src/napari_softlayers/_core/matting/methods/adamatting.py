"""Matting with the AdaMatting network: an adapted trimap and a matte."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...arrays import FloatArray
from ...devices import choose_device, import_torch, with_cpu_fallback
from ...run import SILENT, Run
from ..repair.resolution import enlarged_layers, shrunk, shrunk_labels, working_factor
from ..system import Labels
from .network_input import foreground_turns, shrinking_factor, three_classes


def adamatting(
    picture: FloatArray,
    labels: Labels,
    *,
    weights: str = "adamatting",
    device: str = "auto",
    run: Run = SILENT,
    initial: FloatArray | None = None,
) -> tuple[FloatArray, dict[str, Any]]:
    """Layers from a trimap that may be wrong, by a network alone.

    The network decides what is background, mixed and foreground, and estimates the
    opacity of what is mixed (Cai et al. 2019). It overrules the trimap: its own,
    the *adapted* trimap, is returned beside the layers, to be shown, corrected and
    solved again.

    ``picture`` float32 ``(H, W, 3)``. ``labels`` int ``(H, W)``: 0 unknown, 1..K. For
    two layers 1 is the background and 2 the foreground; with more, each layer in turn
    is the foreground. ``weights``: shipped weights by name, or the path of a
    safetensors file. ``device``, ``run``, ``initial``: see `methods`. Returns float32
    ``(K, H, W)``, dict.
    """
    if not labels.any():
        warn_of_guess()
    factor = shrinking_factor(labels.shape)
    small, marks = shrunk(picture, factor), shrunk_labels(labels, factor)
    coarse = working_factor(labels.shape)
    count = layer_count(labels)
    classes, mattes = [], []
    turns = foreground_turns(count)
    for index, label in enumerate(turns):
        part = run.part(index / len(turns), (index + 1) / len(turns))
        seen, alpha = network_output(
            small, three_classes(marks, label), weights, device, part.part(0, 0.7)
        )
        seen = enlarged_layers(seen, labels.shape, factor)
        if coarse > factor:  # classes gain from a second, wider view
            wide, _ = network_output(
                shrunk(picture, coarse),
                three_classes(shrunk_labels(labels, coarse), label),
                weights,
                device,
                part.part(0.7, 1),
            )
            seen = 0.5 * seen + 0.5 * enlarged_layers(wide, labels.shape, coarse)
        classes.append(seen)
        mattes.append(enlarged_layers(alpha[None], labels.shape, factor)[0])
    run.step(1.0, "Adapting the trimap")
    if count == 2:
        label = classes[0].argmax(axis=0)
        trimap = np.choose(label, (1, 0, 2)).astype(np.int32)
        matte = np.where(label == 1, mattes[0], label / 2).astype(np.float32)
        return np.stack([1 - matte, matte]), {"trimap": trimap}
    return _many_layers(np.stack(classes), np.stack(mattes))


def _many_layers(
    classes: FloatArray, mattes: FloatArray
) -> tuple[FloatArray, dict[str, Any]]:
    """Put the turns (K, 3, H, W) and (K, H, W) of K layers together."""
    sure = classes[:, 2]
    winner = sure.argmax(axis=0)
    firm = sure.max(axis=0) > 0.5
    trimap = np.where(firm, winner + 1, 0).astype(np.int32)
    alphas = np.where(classes.argmax(axis=1) == 1, mattes, sure) + 1e-6
    alphas /= alphas.sum(axis=0)
    numbers = np.arange(1, len(classes) + 1)[:, None, None]
    alphas = np.where(firm, trimap[None] == numbers, alphas)
    return alphas.astype(np.float32), {"trimap": trimap}


def label_probabilities(
    picture: FloatArray,
    labels: Labels,
    weights: str = "adamatting",
    device: str = "auto",
    run: Run = SILENT,
) -> FloatArray:
    """Probability of every label, by the network's classes.

    ``picture`` float32 ``(H, W, 3)``. ``labels`` int ``(H, W)``: 0 unknown, 1..K.
    ``weights``, ``device``, ``run``: as for `adamatting`. Returns float32
    ``(K, H, W)``: summing to 1; what the network calls mixed is shared out.
    """
    count = layer_count(labels)
    if count == 2:
        logits, _ = network_output(
            picture, three_classes(labels, 2), weights, device, run
        )
        return np.stack([logits[0] + logits[1] / 2, logits[2] + logits[1] / 2])
    layers = []
    for label in range(1, count + 1):
        part = run.part((label - 1) / count, label / count)
        given = three_classes(labels, label)
        logits, _ = network_output(picture, given, weights, device, part)
        layers.append(logits[2] + logits[1] / count)
    total = np.stack(layers) + 1e-6
    return np.asarray(total / total.sum(axis=0), np.float32)


def network_output(
    picture: FloatArray,
    trimap: NDArray[np.int64],
    weights: str,
    device: str,
    run: Run = SILENT,
) -> tuple[FloatArray, FloatArray]:
    """Class probabilities (3, H, W) and matte (H, W) of the network.

    ``picture`` float32 ``(H, W, 3)``. ``trimap`` int64 ``(H, W)``: 0 background, 1
    unknown, 2 foreground. ``weights``, ``device``, ``run``: as for `adamatting`.
    """
    torch = import_torch()
    from ...networks.weights import load_network

    run.step(0.0, "Adapting the trimap")

    def compute(where: Any) -> tuple[FloatArray, FloatArray]:
        network = load_network(weights, where, "adamatting")
        given = torch.from_numpy(np.ascontiguousarray(picture)).to(where)
        marks = torch.from_numpy(trimap).to(where)
        with torch.inference_mode():
            found = network(given.permute(2, 0, 1)[None], marks[None])
            classes = torch.softmax(found.logits[0], 0)
            return classes.cpu().numpy(), found.alphas[-1][0, 0].cpu().numpy()

    result = with_cpu_fallback(compute, choose_device(device))
    run.step(1.0, "Adapting the trimap")
    return result


def layer_count(labels: Labels) -> int:
    """Number of layers of a trimap: two when nothing is labelled."""
    return max(2, int(labels.max()))


def warn_of_guess() -> None:
    """Say that there was nothing to go by."""
    warnings.warn(
        "The trimap has no label at all; the layers are the network's best guess. Paint "
        "a stroke on each layer to have a say.",
        UserWarning,
        stacklevel=5,
    )


def best_guess(
    picture: FloatArray, weights: str = "adamatting", device: str = "auto"
) -> NDArray[np.int32]:
    """A trimap of a picture without any labels: what the network is surest of.

    ``picture`` float32 ``(H, W, 3)``. ``weights``, ``device``: as for `adamatting`.
    Returns int32 ``(H, W)``: 0 unknown, 1 background, 2 foreground; both labels occur.
    """
    factor = working_factor(picture.shape[:2])
    small = shrunk(picture, factor)
    nothing = np.ones(small.shape[:2], np.int64)
    classes, _ = network_output(small, nothing, weights, device)
    trimap = np.zeros(nothing.shape, np.int32)
    for label, channel in ((1, 0), (2, 2)):
        sure = ndimage.uniform_filter(classes[channel], 5)
        least = min(0.8, float(np.quantile(sure, 0.95)))
        trimap[(sure >= least) & (classes.argmax(axis=0) == channel)] = label
        if not (trimap == label).any():
            trimap[sure >= np.quantile(sure, 0.98)] = label
    return np.kron(trimap, np.ones((factor, factor), np.int32))[
        : picture.shape[0], : picture.shape[1]
    ]
