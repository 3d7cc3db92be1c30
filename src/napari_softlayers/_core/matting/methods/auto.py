"""Matting from sloppy trimaps: a repairing front and an exact back.

Labels that are very probably wrong become unknown (see `wrong_labels`). Where that leaves
large holes, and in bands that are far too wide, what is certain is pulled softly to its
label (see `wide_unknown`); then the solver does what it always does. A trimap with
nothing wrong gives exactly the solver's own result.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...run import SILENT, Run
from ..repair.relabel import Classifier
from ..repair.resolution import enlarged_layers, shrunk, shrunk_labels, working_factor
from ..repair.wide_unknown import WEIGHT, Promotion, is_wide, promotion, solve_promoted
from ..repair.wrong_labels import wrong_labels
from ..system import Labels
from ..trimap import trimap_tolerance
from .closed_form import closed_form

#: Solvers that `auto` may end with.
SOLVERS = ("closed_form", "information_flow")


def auto(
    picture: FloatArray,
    labels: Labels,
    *,
    solver: str = "closed_form",
    tolerance: int = 0,
    weights: str = "shipped",
    device: str = "auto",
    run: Run = SILENT,
    initial: FloatArray | None = None,
) -> tuple[FloatArray, dict[str, Any]]:
    """Layers from a trimap that may be wrong, wide or mere scribbles.

    Parameters
    ----------
    picture : float32 array (H, W, 3)
    labels : int array (H, W)
        0 unknown, 1..K. Without any label the network guesses two layers.
    solver : {"closed_form", "information_flow"}
        What solves for the layers in the end.
    tolerance : int
        Pixels by which painted boundaries may be off: known pixels that near to a
        boundary become unknown as well.
    weights : str
        The AdaMatting network that helps to judge: "shipped", "none" (colours and
        solver alone), or the path of a safetensors file.
    device, run, initial
        See `methods`.

    Returns
    -------
    float32 array (K, H, W), dict
        When the trimap stays as it is, the solver's own alphas.

    Raises
    ------
    ValueError
        For an unknown solver, a negative tolerance, weights that are not there, or no
        labels and no network.
    """
    if solver not in SOLVERS:
        raise ValueError(
            f"solver={solver!r} is not known; use one of {', '.join(SOLVERS)}."
        )
    labels = np.asarray(labels, np.int32)
    network = network_weights(weights)
    if not labels.any():
        labels = _guessed(picture, network, device)
    classify = None if network is None else _classifier(network, device)
    wrong = wrong_labels(picture, labels, classify, device=device, run=run.part(0, 0.4))
    repaired = np.where(wrong, 0, labels).astype(np.int32)
    if tolerance:
        repaired = trimap_tolerance(repaired, tolerance)
    alphas = _solved(picture, repaired, solver, device, run.part(0.4, 0.7), initial)
    wide = is_wide(repaired, alphas)
    if wide or wrong.any():
        opinion = None
        if classify is not None:
            opinion = _opinion(picture, repaired, classify)
        promoted = promotion(repaired, alphas, opinion, None if wide else wrong)
        shown = np.where(promoted.weights > WEIGHT / 2, promoted.labels, 0)
        shown = np.where(repaired == 0, shown, repaired).astype(np.int32)
        rest = run.part(0.7, 1.0)
        alphas = _narrowed(
            picture, repaired, shown, promoted, solver, alphas, device, rest
        )
        repaired = shown
    run.step(1.0, "Solving")
    return alphas, {"trimap": repaired}


def network_weights(weights: str) -> str | None:
    """What ``weights`` of `auto` means: a name or path, or None for no network.

    Raises ValueError when a file is asked for that is not there.
    """
    from ...networks.weights import find_weights, shipped_weights

    if weights == "none":
        return None
    if weights == "shipped":
        return "adamatting" if "adamatting-compact" in shipped_weights() else None
    return str(find_weights(Path(weights)))


def _classifier(network: str, device: str) -> Classifier:
    from .adamatting import label_probabilities

    def classify(picture: FloatArray, labels: Labels) -> FloatArray:
        return label_probabilities(picture, labels, network, device)

    return classify


def _opinion(picture: FloatArray, labels: Labels, classify: Classifier) -> FloatArray:
    """The network's probabilities, found at the working resolution."""
    factor = working_factor(labels.shape)
    found = classify(shrunk(picture, factor), shrunk_labels(labels, factor))
    return enlarged_layers(found, labels.shape, factor)


def _solved(
    picture: FloatArray,
    labels: Labels,
    solver: str,
    device: str,
    run: Run,
    initial: FloatArray | None,
) -> FloatArray:
    if solver == "information_flow":
        from .information_flow import information_flow

        return information_flow(
            picture, labels, device=device, run=run, initial=initial
        )
    return closed_form(picture, labels, device=device, run=run, initial=initial)


def _narrowed(
    picture: FloatArray,
    repaired: Labels,
    shown: Labels,
    promoted: Promotion,
    solver: str,
    alphas: FloatArray,
    device: str,
    run: Run,
) -> FloatArray:
    """Solve again, with promoted pixels pulled (or, without a data term, held)."""
    if solver == "closed_form":
        return solve_promoted(
            picture, repaired, promoted, device=device, initial=alphas, run=run
        )
    return _solved(picture, shown, solver, device, run, alphas)


def _guessed(
    picture: FloatArray, network: str | None, device: str
) -> NDArray[np.int32]:
    """Labels for a trimap that has none."""
    if network is None:
        raise ValueError(
            "The trimap has no label at all, and there is no network to guess: paint 1 "
            "where there is nothing but background and 2 where there is nothing but "
            "foreground."
        )
    from .adamatting import best_guess, warn_of_guess

    warn_of_guess()
    return best_guess(picture, network, device)
