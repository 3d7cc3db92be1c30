"""Narrowing what is far too widely unknown, bands or holes: soft promotion.

Far from every label a matte smears: each pixel is a little of everything, because
nothing near by holds it. Yet most of such pixels are opaque or clear. The solver's own
matte tells which (together with a network's opinion, if there is one), and a weak data
term pulls them there:

``min  a^T L a + sum_p w_p (a_p - t_p)^2``

with the target t_p in {0, 1} and a weight w_p that grows with the certainty and with
the distance from the labels. A weak term leaves edges and hair to the Laplacian.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from ...arrays import DoubleArray, FloatArray, Mask
from ...numerics.operators import solver_device
from ...run import SILENT, Run
from ..methods.closed_form import solve_local
from ..system import Labels, laplacian_system, spread

#: Largest weight of the data term; the Laplacian's diagonal is about ten.
WEIGHT = 0.03
#: Half width of a band, as a share of the longer side, up to which it is left alone.
WIDE = 0.02
#: The same in holes that wrong labels left: somebody took them for opaque or clear.
_WIDE_HOLE = 0.01


class Promotion(NamedTuple):
    """Pixels' labels 1..K and how strongly they are pulled to them: 0 to `WEIGHT`."""

    labels: NDArray[np.int32]
    weights: FloatArray


def is_wide(labels: Labels, alphas: FloatArray) -> bool:
    """Whether a trimap's unknown band is far too wide for what is mixed in it.

    ``alphas``: the solver's matte. True when a quarter of the picture, or an eighth that
    is hardly mixed, is unknown and far from all labels.
    """
    far = _distance(labels) > WIDE * max(labels.shape)
    share = np.count_nonzero(far) / far.size
    if share < 0.125:
        return False
    mixed = np.count_nonzero(alphas.max(axis=0)[far] < 0.9) / np.count_nonzero(far)
    return bool(share >= 0.25 or mixed < 0.2)


def promotion(
    labels: Labels,
    alphas: FloatArray,
    opinion: FloatArray | None = None,
    holes: Mask | None = None,
) -> Promotion:
    """Choose what to pull to which label.

    ``alphas``: the solver's matte. ``opinion`` ``(K, H, W)``: a network's probabilities
    of the labels; they are multiplied with the matte. ``holes``: where labels were found
    wrong: nothing is promoted outside of them.
    """
    belief = np.clip(alphas, 0.02, 0.98)
    if opinion is not None:
        belief = belief * np.clip(opinion, 0.02, 0.98)
    belief = belief / belief.sum(axis=0)
    chosen = belief.argmax(axis=0)
    certain = np.clip(2 * belief.max(axis=0) - 1, 0, 1) ** 2
    unit = (WIDE if holes is None else _WIDE_HOLE) * max(labels.shape)
    away = np.clip(_distance(labels) / unit - 1, 0, 1)
    if holes is not None:
        away *= holes
    inside = np.zeros(labels.shape)
    for index in np.unique(chosen):
        inside += ndimage.distance_transform_edt(chosen == index)
    inside = np.clip((inside - unit / 4) / (unit / 2), 0, 1)
    weights = np.where(labels == 0, WEIGHT * certain * away * inside, 0)
    return Promotion((chosen + 1).astype(np.int32), weights.astype(np.float32))


def solve_promoted(
    picture: FloatArray,
    labels: Labels,
    promoted: Promotion,
    *,
    device: str = "auto",
    initial: FloatArray | None = None,
    run: Run = SILENT,
) -> FloatArray:
    """Closed-form matte with the data term of a promotion; see `closed_form`."""
    where = solver_device(device)
    system = laplacian_system(picture, labels, run=run.part(0, 0.4))
    precision = system.matrix.dtype  # small systems are in double
    weights = promoted.weights[system.unknown].astype(precision)
    chosen = promoted.labels[system.unknown]
    numbers = np.arange(1, system.right.shape[1] + 1)
    target = (chosen[:, None] == numbers).astype(precision)
    matrix: Any = (system.matrix + sparse.diags(weights)).tocsr()
    system = replace(
        system, matrix=matrix, right=system.right + weights[:, None] * target
    )
    solution = solve_local(picture, system, where, initial, run=run.part(0.4, 1.0))
    return spread(solution, system.unknown, labels)


def _distance(labels: Labels) -> DoubleArray:
    """Distance of unknown pixels to the nearest label."""
    if not (labels != 0).any():
        return np.full(labels.shape, np.inf)
    distance: DoubleArray = ndimage.distance_transform_edt(labels == 0)
    return distance
