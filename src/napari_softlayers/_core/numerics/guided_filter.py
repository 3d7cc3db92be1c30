"""The guided filter: values become affine functions of the picture's colours [1]_.

In every window the values p are fitted by ``a . I + b`` with ``a = (Cov(I) + eps)^-1
Cov(I, p)`` and ``b = mean(p) - a . mean(I)`` (Eq. 11 and 18-19 of [1]_); overlapping fits
are averaged. The fits may be made at a smaller size and interpolated [2]_.

Symmetric matrices of every pixel, 1 x 1 or 3 x 3, are planes of their upper triangle, in
the order rr, rg, rb, gg, gb, bb.

References
----------
.. [1] K. He, J. Sun, X. Tang, "Guided Image Filtering", IEEE TPAMI 35(6), 2013.
   https://doi.org/10.1109/TPAMI.2012.213
.. [2] K. He, J. Sun, "Fast Guided Filter", arXiv:1505.00996, 2015.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from ..run import SILENT, Run
from ..threads import for_bands

MESSAGE = "Following the picture's edges"


class GuidedFilter:
    """The filter for one guide: its part of the work is done once.

    Computes on the guide's device and in its precision, in bands of rows side by side.
    The cost hardly depends on the radius. The filter is linear in the values.

    Parameters
    ----------
    guide : Tensor, ``(C, H, W)``
        One or three channels.
    radius : int
        Windows have ``2 * radius + 1`` pixels (with ``step=2``, blocks) a side.
    eps : float
        Variance of the guide that counts as an edge, above 0.
    step : {1, 2}
        2 makes the fits on blocks of 2 x 2 pixels.
    repeat : bool
        What windows see beyond the border: the outermost pixels again, or (False)
        nothing, so that they are smaller there.

    Raises
    ------
    ValueError
        If the guide has another number of channels, or a number is out of range.
    """

    def __init__(
        self,
        guide: Tensor,
        radius: int,
        eps: float,
        *,
        step: int = 1,
        repeat: bool = False,
        run: Run = SILENT,
    ) -> None:
        if guide.ndim != 3 or len(guide) not in (1, 3):
            raise ValueError(
                f"The guide must be (1, H, W) or (3, H, W), but its shape is "
                f"{tuple(guide.shape)}."
            )
        if radius < 1 or step not in (1, 2) or not eps > 0:
            raise ValueError(
                f"radius={radius}, eps={eps} and step={step}; radius >= 1, eps > 0 and "
                "a step of 1 or 2 are needed."
            )
        # Centred, so that covariances lose fewer digits; the filter does not change.
        self._middle = guide.mean((1, 2), keepdim=True)
        self._guide = guide - self._middle
        self._radius, self._step, self._repeat = radius, step, repeat
        moments = self._moments(self._guide, run.part(0, 0.6))
        upper = [(i + 1, j) for i in range(len(guide)) for j in range(i, len(guide))]
        self._mean = moments.new_empty(moments.shape[1:])
        self._inverse = moments.new_empty(len(upper), *moments.shape[2:])

        def invert(rows: slice) -> None:
            found = self._box(moments, rows)
            self._mean[:, rows] = found[0]
            squares = torch.stack([found[place] for place in upper])
            self._inverse[:, rows] = inverses(squares - products(found[0]), eps)

        _for_rows(invert, moments, run.part(0.6, 1))

    def __call__(self, values: Tensor, run: Run = SILENT) -> Tensor:
        """Filter values ``(K, H, W)`` of the guide's size."""
        fits = self._fits(values, run.part(0, 0.5))
        return _drawn(fits, self._guide, self._step, run.part(0.5, 1))

    def enlarged(
        self, values: Tensor, picture: Tensor, step: int, run: Run = SILENT
    ) -> Tensor:
        """Filter values ``(K, h, w)`` of the guide's size up to that of a picture.

        ``values`` ``(K, h, w)``. ``picture`` ``(C, H, W)``: what the guide was made
        from, up to ``step`` times as large. Returns ``(K, H, W)``.
        """
        fits = self._fits(values, run.part(0, 0.5))
        step *= self._step
        return _drawn(fits, picture - self._middle, step, run.part(0.5, 1))

    def _moments(self, values: Tensor, run: Run) -> Tensor:
        """Block means of values, and of their products with each channel of the guide.

        Shape ``(C + 1, K, h, w)``.
        """
        step = self._step
        low = [-(-size // step) for size in values.shape[1:]]
        moments = values.new_empty(len(self._guide) + 1, len(values), *low)

        def gather(rows: slice) -> None:
            part = values[:, rows]
            place = moments[:, :, rows.start // step : -(-rows.stop // step)]
            place[0] = _block_means(part, step)
            for channel, target in zip(self._guide[:, rows], place[1:], strict=True):
                target.copy_(_block_means(channel * part, step))

        size = 4 * values[:, 0].numel()
        for_bands(gather, values.shape[1], size, values.device, run, MESSAGE)
        return moments

    def _fits(self, values: Tensor, run: Run) -> Tensor:
        """Averaged fits ``(C + 1, K, h, w)``: slopes of the channels, then offsets."""
        moments = self._moments(values, run.part(0, 0.6))
        fits = torch.empty_like(moments)

        def solve(rows: slice) -> None:
            level, *joint = self._box(moments, rows)
            mean = self._mean[:, None, rows]
            slopes = multiplied(
                self._inverse[:, rows], torch.stack(joint) - mean * level
            )
            fits[:-1, :, rows] = slopes
            fits[-1, :, rows] = level - (slopes * mean).sum(0)

        _for_rows(solve, fits, run.part(0.6, 0.8))
        averaged = moments  # their work is done

        def average(rows: slice) -> None:
            averaged[:, :, rows] = self._box(fits, rows)

        _for_rows(average, fits, run.part(0.8, 1))
        return averaged

    def _box(self, planes: Tensor, rows: slice) -> Tensor:
        """Means over windows of planes ``(..., h, w)``, of some rows."""
        radius, (height, width) = self._radius, planes.shape[-2:]
        above, below = min(radius, rows.start), min(radius, height - rows.stop)
        part = planes[..., rows.start - above : rows.stop + below, :]
        missing = (radius, radius, radius - above, radius - below)
        mode = "replicate" if self._repeat else "constant"
        part = pad(part, missing, mode)
        sums = _window_sums(_window_sums(part, radius, -2), radius, -1)
        if self._repeat:
            return sums.mul_((2 * radius + 1) ** -2)
        down = _window_sizes(height, radius, planes)[rows, None]
        return sums.div_(down * _window_sizes(width, radius, planes))


def _drawn(fits: Tensor, guide: Tensor, step: int, run: Run) -> Tensor:
    """Apply fits ``(C + 1, K, h, w)``, enlarged ``step`` times, to a guide (C, H, W)."""
    height, width = guide.shape[1:]
    result = fits.new_empty(fits.shape[1], height, width)
    if step > 1:
        fits = pad(fits, (1, 1, 1, 1), "replicate")

    def draw(rows: slice) -> None:
        near = fits[:, :, rows]
        if step > 1:
            near = fits[:, :, rows.start // step : -(-rows.stop // step) + 2]
            near = interpolate(near, scale_factor=step, mode="bilinear")
            near = near[..., step + rows.start % step :, step : step + width]
            near = near[:, :, : rows.stop - rows.start]
        band = result[:, rows].copy_(near[-1])
        for slope, channel in zip(near[:-1], guide[:, rows], strict=True):
            band.addcmul_(slope, channel)

    size = fits[:, :, 0, 0].numel() * width
    for_bands(draw, height, size, guide.device, run, MESSAGE)
    return result


def _for_rows(work: Callable[[slice], None], planes: Tensor, run: Run) -> None:
    size = 2 * planes[:, :, 0].numel()
    for_bands(work, planes.shape[2], size, planes.device, run, MESSAGE)


def _block_means(planes: Tensor, step: int) -> Tensor:
    """Means of blocks of ``step`` x ``step`` pixels, less at the lower right border."""
    if step == 1:
        return planes
    return avg_pool2d(planes, step, ceil_mode=True, count_include_pad=False)


def _window_sums(planes: Tensor, radius: int, dim: int) -> Tensor:
    """Sums over ``2 * radius + 1`` neighbours, ``2 * radius`` fewer of them.

    They are put together from sums over powers of two, so that the cost grows with log
    radius and no running sum collects rounding errors.
    """
    width, size = 2 * radius + 1, planes.shape[dim] - 2 * radius
    total = planes.narrow(dim, 0, size)
    begin = step = 1
    while 2 * step <= width:
        length = planes.shape[dim] - step
        planes = planes.narrow(dim, 0, length) + planes.narrow(dim, step, length)
        step *= 2
        if width & step:
            total = total + planes.narrow(dim, begin, size)
            begin += step
    return total


def _window_sizes(size: int, radius: int, like: Tensor) -> Tensor:
    """Pixels of windows that are cut at both ends of ``size``."""
    at = torch.arange(size, device=like.device)
    below = (at + radius).clamp(max=size - 1) - (at - radius).clamp(min=0)
    return (below + 1).to(like.dtype)


def products(vectors: Tensor) -> Tensor:
    """Products ``v v^T`` of vectors ``(C, ...)``."""
    size = len(vectors)
    planes = [vectors[i] * vectors[j] for i in range(size) for j in range(i, size)]
    return torch.stack(planes)


def inverses(matrices: Tensor, ridge: float) -> Tensor:
    """Invert positive semidefinite matrices with a ridge on their diagonals.

    By the adjugate; its determinant is at least ``ridge^3``, whatever rounding says.
    """
    if len(matrices) == 1:
        return 1 / (matrices.clamp(min=0) + ridge)
    rr, rg, rb, gg, gb, bb = matrices
    rr, gg, bb = (diagonal.clamp(min=0) + ridge for diagonal in (rr, gg, bb))
    adjugate = torch.stack(
        [
            gg * bb - gb * gb,
            rb * gb - rg * bb,
            rg * gb - rb * gg,
            rr * bb - rb * rb,
            rg * rb - rr * gb,
            rr * gg - rg * rg,
        ]
    )
    determinant = rr * adjugate[0] + rg * adjugate[1] + rb * adjugate[2]
    return adjugate.div_(determinant.clamp_(min=ridge**3))


def multiplied(matrices: Tensor, vectors: Tensor) -> Tensor:
    """Multiply vectors ``(C, ...)`` by matrices."""
    if len(vectors) == 1:
        return matrices * vectors
    rr, rg, rb, gg, gb, bb = matrices
    r, g, b = vectors
    return torch.stack(
        [
            rr * r + rg * g + rb * b,
            rg * r + gg * g + gb * b,
            rb * r + gb * g + bb * b,
        ]
    )
