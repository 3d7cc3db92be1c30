"""Finding wrong labels in a trimap: propose, verify, demote.

A wrong label is worse than a missing one: whatever solver follows holds it for true. So
labels that are very probably wrong are *demoted* to unknown, all at a working resolution
of about a tenth of a megapixel. First `wrong_sides` judges where labels touch. Then, for
what does not touch anything or is left:

1. `relabelled` proposes: colours, place and edges vote on the label of every pixel, over
   and over; what it contradicts is under suspicion. So are islands of a label that
   touch another label with no unknown band between them, and, with a network,
   what its classes contradict.
2. The solver disposes: it is run with all suspects unknown, and those that it gives
   back to their label are cleared.
3. Each connected group of suspects needs evidence: of the solver, of the colours, of the
   network, and of its border. Where labels touch one of them is likely wrong, since a
   careful trimap has unknown pixels in between.
4. What is demoted grows a little, over the rim that the caution of these steps left.

Nothing is demoted from a trimap without contradictions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ...arrays import FloatArray, Floats, Mask
from ...run import SILENT, Run
from ..methods.closed_form import closed_form
from ..system import Labels
from .regions import (
    LEAST_AREA,
    RIM,
    contact_share,
    groups,
    grown,
    opened,
    touching_share,
    widened,
)
from .relabel import Classifier, color_ratio, of_label, relabelled
from .resolution import enlarged, shrunk, shrunk_labels, working_factor
from .touching_labels import wrong_sides

_TRIAL_RIM = 2
_ROUNDS = 3


class Evidence(NamedTuple):
    """What speaks against the labels of one group of suspects.

    ``contact``: share of its border that touches another label, or labels found wrong
    before. ``colors``: mean log-likelihood ratio of the best other label, from the
    colours of all labels that are not under suspicion. ``solver``: mean difference of
    the solver's matte from the label, 0 to 1. ``network``: mean probability that the
    network gives the label, 0 to 1 (.5 without one).
    """

    contact: float
    colors: float
    solver: float
    network: float

    @property
    def score(self) -> float:
        """Weighted sum; touching nothing speaks for the labels."""
        return (
            self.colors / 3
            + 2 * (self.solver - 0.5)
            + (1.5 * self.contact if self.contact > 0 else -0.4)
            + (2.5 if self.network < 0.5 else 1.5) * (0.5 - self.network)
        )


def wrong_labels(
    picture: FloatArray,
    labels: Labels,
    classify: Classifier | None = None,
    *,
    device: str = "auto",
    run: Run = SILENT,
) -> Mask:
    """Known pixels whose label is very probably wrong.

    ``classify``: a network's opinion. ``device``: where the solver computes. True only
    where ``labels`` is not 0; every label keeps some pixels.
    """
    factor = working_factor(labels.shape)
    small, marks = shrunk(picture, factor), shrunk_labels(labels, factor)
    demoted = np.zeros(marks.shape, bool)
    if _all_present(marks, int(labels.max())):
        first, later = run.part(0, 0.3), run.part(0.3, 1)
        demoted = wrong_sides(small, marks, classify, device=device, run=first)
        for turn in range(_ROUNDS):  # each with cleaner colours than the last
            part = later.part(turn / _ROUNDS, (turn + 1) / _ROUNDS)
            found = _one_round(small, marks, demoted, classify, device, part)
            if not (found & ~demoted).any():
                break
            demoted |= found
    if demoted.any():
        demoted = with_remnants(demoted, marks)
        # Squares that are known in part only count as unknown: include what lies in them.
        demoted = ndimage.binary_dilation(demoted, np.ones((3, 3), bool), 2)
    return _kept_alive(enlarged(demoted, labels.shape, factor), labels)


def _one_round(
    picture: FloatArray,
    labels: Labels,
    demoted: Mask,
    classify: Classifier | None,
    device: str,
    run: Run,
) -> Mask:
    """More labels to demote, beside those that are already."""
    rest = np.where(demoted, 0, labels)
    if not _all_present(rest, int(labels.max())):
        return demoted
    known = rest != 0
    votes = relabelled(picture, rest, run=run.part(0, 0.3))
    suspects = known & (votes.argmax(axis=0) + 1 != rest)
    believed: Floats = np.full(labels.shape, 0.5)
    if classify is not None:
        believed = of_label(classify(picture, rest), rest)
        suspects |= known & (believed < 0.2)
    suspects = with_islands(suspects, rest)
    run.step(0.4, "Looking for wrong labels")
    suspects = grown(opened(suspects), suspects)
    trial = np.where(with_remnants(suspects, rest), 0, rest).astype(np.int32)
    if not suspects.any() or not _all_present(trial, int(labels.max())):
        return demoted
    alphas = closed_form(picture, trial, device=device, run=run.part(0.4, 0.9))
    against = 1 - of_label(alphas, rest)
    guilty = grown(opened(suspects & (_local_mean(against, suspects) >= 0.5)), suspects)
    colors = color_ratio(picture, trial, rest)
    careless = demoted.any() or touching_share(rest) > 0.01
    needed = 1.1 if careless else 1.4
    marked = np.where(demoted, -1, rest)  # bordering on what was wrong counts, too
    convicted = np.zeros_like(guilty)
    for group in groups([guilty, opened(suspects & ~guilty)], rest):
        evidence = Evidence(
            contact_share(group.mask, marked[group.window]),
            group.mean(colors),
            group.mean(against),
            group.mean(believed),
        )
        if evidence.score >= needed:
            convicted[group.window] |= group.mask
    if not convicted.any():
        return demoted
    rim = ndimage.distance_transform_edt(~convicted) <= RIM
    return np.asarray(demoted | (rim & (labels != 0)))


def with_islands(suspects: Mask, labels: Labels) -> Mask:
    """Suspect the whole of an island when much of it is suspect.

    An island is a connected part of a label, not its largest, that touches other labels
    along much of its border.
    """
    result = suspects.copy()
    for label in range(1, int(labels.max()) + 1):
        parts, count = ndimage.label(labels == label)
        if count < 2:
            continue
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        inside = np.bincount(parts[suspects], minlength=count + 1)
        for index, window in enumerate(ndimage.find_objects(parts), 1):
            if inside[index] < 0.4 * sizes[index] or sizes[index] == sizes.max():
                continue
            wide = widened(window, 2)
            part = parts[wide] == index
            if contact_share(part, labels[wide]) > 0.25:
                result[wide] |= part
    return result


def with_remnants(suspects: Mask, labels: Labels) -> Mask:
    """Suspects with a rim, and what little of their label is left around them.

    A few known pixels in the middle of wrong ones would hold the solver to them.
    """
    distance = ndimage.distance_transform_edt(~suspects)
    near, loose = distance <= RIM, distance <= _TRIAL_RIM
    for label in np.unique(labels[suspects]):
        rest = (labels == label) & ~loose
        loose |= rest & near & ~grown(opened(rest, 3, 2 * LEAST_AREA), rest)
    return np.asarray(loose & (labels != 0))


def _local_mean(values: Floats, mask: Mask, sigma: float = 2.0) -> Floats:
    """Blur of values inside a mask, that nothing from outside gets into."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    return np.asarray(ndimage.gaussian_filter(values * mask, sigma) / (weight + 1e-6))


def _all_present(labels: Labels, count: int) -> bool:
    return bool(np.bincount(labels.ravel(), minlength=count + 1)[1:].all())


def _kept_alive(demoted: Mask, labels: Labels) -> Mask:
    """Leave a label alone that would lose its last pixels."""
    demoted = demoted & (labels != 0)
    for label in np.unique(labels[demoted]):
        inside = labels == label
        if not (inside & ~demoted).any():
            demoted &= ~inside
    return demoted
