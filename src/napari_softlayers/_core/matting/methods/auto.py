"""Matting from sloppy trimaps: a repairing front and an exact back.

Labels that are very probably wrong become unknown (see `wrong_labels`). Where that leaves
large holes, and in bands that are far too wide, what is certain is pulled softly to its
label (see `wide_unknown`); then the solver does what it always does. A trimap with
nothing wrong gives exactly the solver's own result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays import FloatArray
from ...run import SILENT, Run
from ..repair.relabel import Classifier
from ..repair.resolution import enlarged_layers, shrunk, shrunk_labels, working_factor
from ..repair.wide_unknown import WEIGHT, is_wide, promotion, solve_promoted
from ..repair.wrong_labels import wrong_labels
from ..system import Labels
from ..trimap import trimap_tolerance
from .adamatting import best_guess, label_probabilities, warn_of_guess
from .closed_form import closed_form
from .information_flow import information_flow

#: Solvers that `auto` may end with.
SOLVERS: dict[str, Callable[..., FloatArray]] = {
    "closed_form": closed_form,
    "information_flow": information_flow,
}


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

    ``picture`` float32 ``(H, W, 3)``. ``labels`` int ``(H, W)``: 0 unknown, 1..K;
    without any label the network guesses two layers. ``solver``: what solves for the
    layers in the end, of `SOLVERS`. ``tolerance``: pixels by which painted boundaries
    may be off: known pixels that near to a boundary become unknown as well.
    ``weights``: the AdaMatting network that helps to judge: "shipped", "none" (colours
    and solver alone), or the path of a safetensors file. ``device``, ``run``,
    ``initial``: see `methods`. Returns float32 ``(K, H, W)``, dict: when the trimap
    stays as it is, the solver's own alphas. Raises ValueError for an unknown solver, a
    negative tolerance, weights that are not there, or no labels and no network.
    """
    if solver not in SOLVERS:
        raise ValueError(
            f"solver={solver!r} is not known; use one of {', '.join(SOLVERS)}."
        )
    solve = SOLVERS[solver]
    labels = np.asarray(labels, np.int32)
    network = network_weights(weights)
    if not labels.any():
        if network is None:
            raise ValueError(
                "The trimap has no label at all, and there is no network to guess: "
                "paint 1 where there is nothing but background and 2 where there is "
                "nothing but foreground."
            )
        warn_of_guess()
        labels = best_guess(picture, network, device)
    classify: Classifier | None = None
    if network is not None:
        classify = partial(label_probabilities, weights=network, device=device)
    wrong = wrong_labels(picture, labels, classify, device=device, run=run.part(0, 0.4))
    repaired = np.where(wrong, 0, labels).astype(np.int32)
    if tolerance:
        repaired = trimap_tolerance(repaired, tolerance)
    part = run.part(0.4, 0.7)
    alphas = solve(picture, repaired, device=device, run=part, initial=initial)
    wide = is_wide(repaired, alphas)
    if wide or wrong.any():
        opinion = None
        if classify is not None:
            opinion = _opinion(picture, repaired, classify, len(alphas))
        promoted = promotion(repaired, alphas, opinion, None if wide else wrong)
        shown = np.where(promoted.weights > WEIGHT / 2, promoted.labels, 0)
        shown = np.where(repaired == 0, shown, repaired).astype(np.int32)
        rest = run.part(0.7, 1.0)
        if solver == "closed_form":
            alphas = solve_promoted(
                picture, repaired, promoted, device=device, initial=alphas, run=rest
            )
        else:  # without a data term: what is promoted is held
            alphas = solve(picture, shown, device=device, run=rest, initial=alphas)
        repaired = shown
    run.step(1.0, "Solving")
    return alphas, {"trimap": repaired}


def _opinion(
    picture: FloatArray, labels: Labels, classify: Classifier, count: int
) -> FloatArray:
    """Probabilities of all labels ``(K, H, W)``, judged at the working resolution.

    A label that has vanished there, as a dot does in a large picture, is nowhere likely.
    """
    factor = working_factor(labels.shape)
    found = classify(shrunk(picture, factor), shrunk_labels(labels, factor))
    found = np.pad(found, ((0, count - len(found)), (0, 0), (0, 0)))
    return enlarged_layers(found, labels.shape, factor)


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
