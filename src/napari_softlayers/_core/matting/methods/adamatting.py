"""Matting with the AdaMatting network: an adapted trimap and a matte."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...arrays import FloatArray
from ...devices import import_torch
from ...run import SILENT, Run
from ..repair.resolution import enlarged, enlarged_layers, shrunk, working_factor
from ..system import Labels, one_hot
from .network_input import ask_network, shrinking_factor


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
    factor, coarse = shrinking_factor(labels.shape), working_factor(labels.shape)
    first = run.part(0, 0.7)
    classes, mattes = _judged(picture, labels, factor, weights, device, first)
    if coarse > factor:  # classes gain from a second, wider view
        wide, _ = _judged(picture, labels, coarse, weights, device, run.part(0.7, 1))
        classes = 0.5 * classes + 0.5 * wide
    run.step(1.0, "Adapting the trimap")
    if len(classes) == 1:
        label = classes[0].argmax(axis=0)
        trimap = np.choose(label, (1, 0, 2)).astype(np.int32)
        matte = np.where(label == 1, mattes[0], label / 2).astype(np.float32)
        return np.stack([1 - matte, matte]), {"trimap": trimap}
    return _many_layers(classes, mattes)


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
    alphas = np.where(firm, one_hot(trimap, len(classes)), alphas)
    return alphas.astype(np.float32), {"trimap": trimap}


def label_probabilities(
    picture: FloatArray, labels: Labels, weights: str, device: str
) -> FloatArray:
    """Probability of every label, by the network's classes.

    Parameters as for `adamatting`. Returns float32 ``(K, H, W)``: summing to 1; what the
    network calls mixed is shared out.
    """
    classes, _ = _judged(picture, labels, 1, weights, device)
    if len(classes) == 1:
        back, mixed, front = classes[0]
        return np.stack([back + mixed / 2, front + mixed / 2])
    total = classes[:, 2] + classes[:, 1] / len(classes) + 1e-6
    return np.asarray(total / total.sum(axis=0), np.float32)


def _judged(
    picture: FloatArray,
    labels: Labels,
    factor: int,
    weights: str,
    device: str,
    run: Run = SILENT,
) -> tuple[FloatArray, FloatArray]:
    """What the network makes of a picture that is shrunk for it by a factor.

    Returns probabilities of the classes ``(T, 3, H, W)`` and mattes ``(T, H, W)``, for
    each of T labels that are the foreground in turn.
    """
    torch = import_torch()

    def take(_: Any, found: Any) -> tuple[FloatArray, FloatArray]:
        classes = torch.softmax(found.logits[0], 0)
        return classes.cpu().numpy(), found.alphas[-1][0, 0].cpu().numpy()

    found = ask_network(
        "adamatting",
        weights,
        device,
        picture,
        labels,
        factor,
        take,
        run,
        "Adapting the trimap",
    )
    classes = [enlarged_layers(one, labels.shape, factor) for one, _ in found]
    mattes = np.stack([matte for _, matte in found])
    return np.stack(classes), enlarged_layers(mattes, labels.shape, factor)


def warn_of_guess() -> None:
    """Say that there was nothing to go by."""
    warnings.warn(
        "The trimap has no label at all; the layers are the network's best guess. Paint "
        "a stroke on each layer to have a say.",
        stacklevel=5,
    )


def best_guess(picture: FloatArray, weights: str, device: str) -> NDArray[np.int32]:
    """A trimap of a picture without any labels: what the network is surest of.

    Parameters as for `adamatting`. Returns int32 ``(H, W)``: 0 unknown, 1 background, 2
    foreground; both labels occur.
    """
    factor = working_factor(picture.shape[:2])
    small = shrunk(picture, factor)
    trimap = np.zeros(small.shape[:2], np.int32)
    classes = _judged(small, trimap, 1, weights, device)[0][0]
    for label, channel in ((1, 0), (2, 2)):
        sure = ndimage.uniform_filter(classes[channel], 5)
        least = min(0.8, float(np.quantile(sure, 0.95)))
        trimap[(sure >= least) & (classes.argmax(axis=0) == channel)] = label
        if not (trimap == label).any():
            trimap[sure >= np.quantile(sure, 0.98)] = label
    return enlarged(trimap, picture.shape, factor)
