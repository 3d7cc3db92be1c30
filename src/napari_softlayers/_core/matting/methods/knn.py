"""KNN matting (Chen, Li, Tang 2013): affinities to the nearest pixels in feature space.

References
----------
.. [1] Q. Chen, D. Li, C.-K. Tang, "KNN Matting", IEEE TPAMI 35(9), 2013.
   doi:10.1109/TPAMI.2013.18
"""

from __future__ import annotations

import numpy as np

from ...arrays import FloatArray
from ...numerics.operators import SparseOperator, interruptible, solver_device
from ...run import SILENT, Run
from ..system import Labels, spread
from . import graph


def knn(
    picture: FloatArray,
    labels: Labels,
    *,
    neighbours: tuple[int, ...] = (20, 10),
    position_weights: tuple[float, ...] = (2.0, 0.1),
    solver_tolerance: float = 1e-5,
    max_iterations: int = 2000,
    device: str = "auto",
    run: Run = SILENT,
    initial: FloatArray | None = None,
) -> FloatArray:
    """Mattes that agree between pixels of like colour, near and far.

    Minimises ``sum_pq k(p, q) (a_p - a_q)^2`` over the unknown pixels p and their
    nearest pixels q, known or not, with the kernel ``k = 1 - |f_p - f_q|_1 / 5`` of
    Eq. 3 of [1]_ for the five features colour and position. What the trimap says
    holds exactly.

    ``picture`` float32 ``(H, W, 3)``. ``labels`` int ``(H, W)``. ``neighbours``: how
    many nearest pixels, for every weight of the position. ``position_weights``: how
    much the position counts, the longer side of the picture being 1.
    ``solver_tolerance``, ``max_iterations``, ``device``, ``run``, ``initial``: see
    `methods`. Returns float32 ``(K, H, W)``.
    """
    if len(neighbours) != len(position_weights) or min(neighbours, default=0) < 1:
        raise ValueError(
            f"neighbours={neighbours} and position_weights={position_weights}; one "
            "positive number of neighbours for every weight is needed."
        )
    where = solver_device(device)
    unknown = np.flatnonzero(labels.ravel() == 0)
    edges = []
    for i, (count, weight) in enumerate(zip(neighbours, position_weights, strict=True)):
        part = run.part(0.7 * i / len(neighbours), 0.7 * (i + 1) / len(neighbours))
        features = graph.color_position_features(picture, weight)
        _, found = graph.nearest(features, features[unknown], count + 1, part)
        rows, columns, alike = graph.like_edges(features, unknown, found)
        edges.append((rows, columns, np.where(rows == columns, 0, alike)))
    matrix, known = interruptible(
        lambda: graph.split_columns(
            graph.affinity_laplacian(edges, labels.size)[unknown], labels
        ),
        run,
    )
    tied = np.asarray(abs(matrix.sum(axis=1))).ravel() > 1e-3
    matrix, right = graph.pin_islands(matrix, -known, tied)
    solution = graph.solve(
        SparseOperator(matrix, where).multiply,
        matrix.diagonal(),
        right,
        None if initial is None else initial[:-1, labels == 0].T,
        where,
        solver_tolerance=solver_tolerance,
        max_iterations=max_iterations,
        run=run.part(0.7, 1),
    )
    return spread(solution, labels == 0, labels)
