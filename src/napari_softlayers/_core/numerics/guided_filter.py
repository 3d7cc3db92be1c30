"""The guided filter: smooth values where the picture is smooth, keep its edges [1]_.

References
----------
.. [1] K. He, J. Sun, X. Tang, "Guided Image Filtering", IEEE TPAMI 35(6), 2013.
   https://doi.org/10.1109/TPAMI.2012.213
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Pairs (i, j) of the upper triangle of a symmetric 3x3 matrix.
_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def guided_filter(
    guide: FloatArray, values: FloatArray, radius: int, eps: float
) -> FloatArray:
    r"""Filter every channel of ``values`` so that it follows the guide.

    In every window the output is an affine function of the guide, ``a . I + b``, with
    ``a = (cov(I) + eps)^-1 cov(I, p)`` and ``b = mean(p) - a . mean(I)`` (Eq. 11, 18-19
    of the paper); overlapping windows are averaged. The cost does not depend on the
    radius. The filter is linear in ``values``.

    Parameters
    ----------
    guide : (H, W) or (H, W, 3) float32
        Grey or colour guide, in [0, 1].
    values : (H, W) or (H, W, C) float32
        What is filtered.
    radius : int
        Windows have ``2 * radius + 1`` pixels a side, less at the border.
    eps : float
        Variance of the guide that counts as an edge, above 0.

    Returns
    -------
    (H, W, C) float32
        ``(H, W)`` if ``values`` had no channel axis.

    Raises
    ------
    ValueError
        If sizes do not agree, the radius is below 1 or ``eps`` is not positive.
    """
    values = np.asarray(values, np.float32)
    shape = np.shape(guide)[:2]
    if values.ndim not in (2, 3) or values.shape[:2] != shape:
        raise ValueError(
            f"values of shape {values.shape} do not fit a guide of {shape} pixels; "
            "resize them to the guide first"
        )
    follow = GuidedFilter(guide, radius, eps)
    if values.ndim == 2:
        return follow(values)
    result = np.empty(values.shape, np.float32)
    for index in range(values.shape[2]):
        result[..., index] = follow(values[..., index])
    return result


class GuidedFilter:
    """The filter for one guide: its part of the work is done once.

    Parameters
    ----------
    guide : (H, W) or (H, W, 3) float32
    radius : int
    eps : float
        See :func:`guided_filter`.
    """

    def __init__(self, guide: FloatArray, radius: int, eps: float) -> None:
        guide = np.asarray(guide, np.float32)
        if guide.ndim not in (2, 3) or guide.shape[2:] not in ((), (1,), (3,)):
            raise ValueError(
                f"the guide must be (H, W) or (H, W, 3), but its shape is {guide.shape}"
            )
        if radius < 1 or not eps > 0:
            raise ValueError(
                f"radius >= 1 and eps > 0 are needed, not {radius} and {eps}"
            )
        planes = guide[None] if guide.ndim == 2 else np.moveaxis(guide, 2, 0)
        # Centred, so that covariances lose fewer digits; the filter does not change.
        self._planes = np.ascontiguousarray(planes - planes.mean((1, 2), keepdims=True))
        self._box = _BoxMean(guide.shape[0], guide.shape[1], int(radius))
        self._means = [self._box(plane) for plane in self._planes]
        self._inverse = _inverse_covariance(
            self._planes, self._means, self._box, float(eps)
        )

    def __call__(self, channel: FloatArray) -> FloatArray:
        """Filter one channel ``(H, W)``."""
        planes, means, box = self._planes, self._means, self._box
        count = len(planes)
        level = np.float32(channel.mean(dtype=np.float64))
        channel = np.asarray(channel - level, np.float32)
        mean = box(channel)
        covs = [box(planes[i] * channel) - means[i] * mean for i in range(count)]
        rest = mean
        total = np.zeros_like(mean)
        for i in range(count):
            slope = np.zeros_like(mean)
            for j in range(count):
                slope += self._inverse[min(i, j), max(i, j)] * covs[j]
            rest = rest - slope * means[i]
            total += box(slope) * planes[i]
        return np.asarray(total + box(rest) + level, np.float32)


def _inverse_covariance(
    planes: FloatArray, means: list[FloatArray], box: _BoxMean, eps: float
) -> dict[tuple[int, int], FloatArray]:
    """Entries of ``(cov(I) + eps)^-1`` in every window (closed form)."""
    count = len(planes)
    cov: dict[tuple[int, int], FloatArray] = {}
    for i, j in _PAIRS:
        if j < count:
            cov[i, j] = box(planes[i] * planes[j]) - means[i] * means[j]
            if i == j:
                cov[i, j] = np.maximum(cov[i, j], 0) + np.float32(eps)
    if count == 1:
        return {(0, 0): np.reciprocal(cov[0, 0])}
    aa, ab, ac, bb, bc, cc = (cov[pair] for pair in _PAIRS)
    inverse = {
        (0, 0): bb * cc - bc * bc,
        (0, 1): ac * bc - ab * cc,
        (0, 2): ab * bc - ac * bb,
        (1, 1): aa * cc - ac * ac,
        (1, 2): ab * ac - aa * bc,
        (2, 2): aa * bb - ab * ab,
    }
    determinant = aa * inverse[0, 0] + ab * inverse[0, 1] + ac * inverse[0, 2]
    # Rounding must not make the matrix singular: its determinant is at least eps^3.
    determinant = np.maximum(determinant, np.float32(eps) ** 3)
    return {pair: entry / determinant for pair, entry in inverse.items()}


class _BoxMean:
    """Mean over windows, cut off at the border, for planes of one size.

    Sums over ``k`` neighbours are put together from sums over powers of two, so the
    cost grows with log k and no running sum collects rounding errors.
    """

    def __init__(self, height: int, width: int, radius: int) -> None:
        self.radius = radius
        counts = []
        for size in (height, width):
            at = np.arange(size)
            count = np.minimum(at + radius, size - 1) - np.maximum(at - radius, 0) + 1
            counts.append(1 / count)
        self._weight = np.outer(*counts).astype(np.float32)

    def __call__(self, plane: FloatArray) -> FloatArray:
        rows = _window_sum(plane, self.radius)
        both = _window_sum(rows.T, self.radius).T
        return np.asarray(both * self._weight, np.float32)


def _window_sum(plane: FloatArray, radius: int) -> FloatArray:
    """Sum over ``2 * radius + 1`` neighbours along the first axis."""
    height = plane.shape[0]
    radius = min(radius, height)
    width = 2 * radius + 1
    power = np.zeros((height + 2 * radius, plane.shape[1]), np.float32)
    power[radius : radius + height] = plane
    total: FloatArray | None = None
    begin, step = 0, 1
    while True:
        if width & step:
            part = power[begin : begin + height]
            total = part.copy() if total is None else np.add(total, part, out=total)
            begin += step
        step *= 2
        if step > width:
            break
        power = power[: len(power) - step // 2] + power[step // 2 :]
    return plane if total is None else total
