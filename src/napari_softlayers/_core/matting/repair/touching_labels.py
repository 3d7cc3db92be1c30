"""Judging labels where they touch, with both sides of the contact unknown.

In a careful trimap unknown pixels part the labels. Where two labels touch, one of them
is likely wrong, and a large mistake (a limb missed) vouches for itself: it is an example
of its own colours, the solver holds it for true, and a network sees it in its input. So
whatever lies near a contact, on both sides alike, is unknown to all that judge it:

1. `contested` are the labels within reach of a contact.
2. Their opinion of them is asked from the colours of the other labels, and from a
   network, or else from the solver, that knows the other labels only.
3. Connected groups that the opinions are against are charged. What speaks against them
   is weighed: the opinions, the belief in the other side of the contact, and the share
   of their border that lies on it. The likeliest are convicted first, and their contacts
   are settled then: the other side is not needed as a culprit any more.
4. What is wrong up to the end of the reach goes on beyond: again from there. For the
   contacts left at last less evidence will do, since one of their sides must be wrong.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Mask
from ...run import SILENT, Run
from ..methods.closed_form import closed_form
from ..system import Labels
from .regions import Group, groups, opened, touching, widened
from .relabel import Classifier, color_ratio, of_label

#: Round after round: the reach on both sides of a contact, as a share of the longer side,
#: and the log-odds needed. At last the likelier side of a contact has to do.
ROUNDS = ((0.075, 0.0), (0.075, 0.0), (0.075, -3.0), (0.15, -3.0))
#: Share of all labels above which the reach is halved: mistakes are many and small then,
#: and what is right has to stay there to judge them by.
_MOST = 0.3
#: Share of a label that is never contested: what is left to learn from.
_KEPT = 0.5
#: Mean opinion of the labels below which they are suspect.
_DOUBT = 0.7
#: Pixels from a contact up to which a border counts as lying on it.
_NEAR = 3
#: Share of a group's border on a contact below which the contact says nothing of it.
_LEAST_SHARE = 0.08
#: How far across a contact the other side is asked, as a share of the longer side.
_ACROSS = 0.06
#: Pixels by which what was found is widened.
_ROUNDING = 4
#: Pixels of touching labels, both sides together, below which they are an accident.
_LEAST_CONTACT = 20


class Opinions(NamedTuple):
    """What is thought of the given labels by those that do not know them.

    ``colors``: log-likelihood ratio of the best other label. ``other``: probability of
    the given label by a network, or else by the solver. ``learned``: whether ``other``
    is a network's.
    """

    colors: Floats
    other: Floats
    learned: bool

    @property
    def belief(self) -> Floats:
        """Probability of the given label, by all."""
        by_colors = 1 / (1 + np.exp(self.colors))
        share = 0.75 if self.learned else 0.5
        mean = share * self.other + (1 - share) * by_colors
        return np.asarray(ndimage.gaussian_filter(mean, 1))

    def against(self, group: Group, contact: float, rival: float) -> float:
        """Log-odds that a group is wrong, less one for caution.

        Weights of logistic regressions on groups of wrong and right labels, rounded. A
        network tells things apart, so its opinion counts most, of either side; the
        solver knows no things, and colours have to do without it.

        ``contact``: share of the group's border that lies on a contact. ``rival``: mean
        belief in the labels on the other side.
        """
        colors, other = group.mean(self.colors), group.mean(self.other)
        if self.learned:
            sides = 9 * (0.5 - other) + 10 * (rival - 0.5)
            return 7.5 * contact + sides + 0.2 * colors - 6
        return 5 * contact + 2 * (0.5 - other) + 1.5 * colors - 4.5


def wrong_sides(
    picture: Floats,
    labels: Labels,
    classify: Classifier | None = None,
    *,
    device: str = "auto",
    run: Run = SILENT,
) -> Mask:
    """Labels on either side of contacts that are very probably wrong.

    ``picture`` and ``labels`` are at the working resolution. ``classify``: a network's
    opinion; without it the solver's is asked. ``device``: where the solver computes.
    True only where ``labels`` is not 0.
    """
    wrong = np.zeros(labels.shape, bool)
    ends = wrong
    for turn, (reach, needed) in enumerate(ROUNDS):
        part = run.part(turn / len(ROUNDS), (turn + 1) / len(ROUNDS))
        part.step(0.0, "Looking for wrong labels")
        rest = np.where(wrong, 0, labels).astype(np.int32)
        seams = touching(rest) | ends
        if np.count_nonzero(seams) < _LEAST_CONTACT:
            break
        reach *= max(labels.shape)
        doubtful = contested(rest, seams, reach)
        if np.count_nonzero(doubtful) > _MOST * np.count_nonzero(rest):
            doubtful = contested(rest, seams, reach / 2)
        trial = np.where(doubtful, 0, rest).astype(np.int32)
        colors = color_ratio(picture, trial, rest)
        if classify is not None:
            believed = classify(picture, trial)
        else:
            believed = closed_form(picture, trial, device=device, run=part)
        opinions = Opinions(colors, of_label(believed, rest), classify is not None)
        found = _convicted(opinions, doubtful, rest, seams, needed)
        wrong = wrong | found
        left = (rest != 0) & ~doubtful
        ends = left & ndimage.binary_dilation(found, np.ones((3, 3), bool), 2)
    if wrong.any():  # round off what blurring and opening have left
        wrong = ndimage.distance_transform_edt(~wrong) <= _ROUNDING
    return np.asarray(wrong & (labels != 0))


def contested(labels: Labels, seams: Mask, reach: float) -> Mask:
    """Known pixels within reach of a contact; less than a share of every label."""
    distance = ndimage.distance_transform_edt(~seams)
    result = np.zeros(labels.shape, bool)
    for label in np.unique(labels[labels != 0]):
        inside = labels == label
        middle = float(np.quantile(distance[inside], 1 - _KEPT))
        result |= inside & (distance <= reach) & (distance < middle)
    return result


def _convicted(
    opinions: Opinions, doubtful: Mask, labels: Labels, seams: Mask, needed: float
) -> Mask:
    """Groups of doubtful labels that the evidence is against, one side of a contact."""
    belief = opinions.belief
    near = ndimage.distance_transform_edt(~seams) <= _NEAR
    charged = []
    for group in groups([opened(doubtful & (belief < _DOUBT))], labels):
        contact = _border_share(group, near)
        if contact >= _LEAST_SHARE:
            rival = _rival(group, np.where(doubtful, labels, 0), belief)
            charged.append((opinions.against(group, contact, rival), group))
    result = np.zeros(labels.shape, bool)
    for score, group in sorted(charged, key=lambda one: -one[0]):
        if score > needed and _border_share(group, near) >= _LEAST_SHARE:
            result[group.window] |= group.mask
            near &= ndimage.distance_transform_edt(~result) > 2 * _NEAR  # settled
    return result


def _border_share(group: Group, near: Mask) -> float:
    """Share of the border of a group that lies on a contact."""
    inner = ndimage.binary_erosion(group.mask, np.ones((3, 3), bool))
    return float(near[group.window][group.mask & ~inner].mean())


def _rival(group: Group, labels: Labels, belief: Floats) -> float:
    """Mean belief in the doubtful labels on the other side of a group's contact."""
    reach = _ACROSS * max(labels.shape)
    inside = np.zeros(labels.shape, bool)
    inside[group.window] = group.mask
    window = widened(group.window, int(np.ceil(reach)))
    inside, labels, belief = inside[window], labels[window], belief[window]
    close = ndimage.distance_transform_edt(~inside) <= reach
    others = close & (labels != 0) & (labels != labels[inside][0])
    return float(belief[others].mean()) if others.any() else 0.5
