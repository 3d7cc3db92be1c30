"""Alpha layer processing (Section 4.4): smoothing, masks and the bounds of Eq. 3.

All functions take and give torch tensors: pictures ``(3, H, W)`` in [0, 1] and alphas
``(K, H, W)``.
"""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate, pad

from ..run import Run
from ..threads import for_bands

EDGE = 0.05  # variance of the guide below which smoothing = 1 averages (He et al.: eps)
SHRINK = 2  # the filter's statistics are taken on blocks of 2 x 2 pixels
DRIFT = 0.2  # how far a layer's colour may lie from its palette colour
TRACE = 0.01  # alphas below are dropped
DAMPING = 0.02  # rho of the step back to the picture's colours
MESSAGE = "Smoothing alphas"


def smooth(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    strength: float = 1.0,
    run: Run | None = None,
) -> torch.Tensor:
    """Smooth alphas along the picture with a guided filter.

    In windows of about six pixels, each alpha layer is replaced by its affine fit to the
    picture's colours, ``a = w . c + b`` with ``w = (Cov(c) + eps I)^-1 Cov(c, a)`` [1]_;
    the fits are computed at half size and interpolated ("fast guided filter" [2]_).

    Parameters
    ----------
    picture : Tensor, ``(3, H, W)``
    alphas : Tensor, ``(K, H, W)``
    strength : float
        0 changes nothing; ``eps = 0.05 strength``.
    run : Run, optional

    Returns
    -------
    Tensor, ``(K, H, W)``
        Sums to 1 where the alphas do; values may lie slightly outside [0, 1].

    References
    ----------
    .. [1] He, Sun, Tang, "Guided image filtering", ECCV 2010, Eq. 14-16.
    .. [2] He, Sun, "Fast guided filter", arXiv:1505.00996.
    """
    run = run or Run()
    if strength == 0:
        return alphas
    middle = picture.mean((1, 2), keepdim=True)  # keeps the variances exact in float32
    fits = _affine_fits(picture - middle, alphas, EDGE * strength, run.part(0, 0.5))
    smoothed = torch.empty_like(alphas)
    count, height, width = alphas.shape

    def work(rows: slice) -> None:
        near = fits[:, rows.start // SHRINK : -(-rows.stop // SHRINK) + 2]
        full = interpolate(
            near[None], scale_factor=SHRINK, mode="bilinear", align_corners=False
        )[0, :, SHRINK : SHRINK + rows.stop - rows.start, SHRINK : SHRINK + width]
        guide = picture[:, rows] - middle
        band = full[3 * count :]
        for channel in range(3):
            weights = full[channel * count : (channel + 1) * count]
            band.addcmul_(weights, guide[channel])
        smoothed[:, rows] = band

    size = 6 * count * width
    for_bands(work, height, size, alphas.device, run.part(0.5, 1), MESSAGE)
    return smoothed


def _affine_fits(
    guide: torch.Tensor, alphas: torch.Tensor, epsilon: float, run: Run
) -> torch.Tensor:
    """Weights and offsets of the affine fits: w_r, w_g, w_b, b.

    Shape ``(4 K, h + 2, w + 2)``: half size, with a border that repeats the outermost.
    """
    count, height, width = alphas.shape
    low = [-(-height // SHRINK), -(-width // SHRINK)]
    sums = alphas.new_empty(9 + 4 * count, *low)

    def accumulate(rows: slice) -> None:
        c, a = guide[:, rows], alphas[:, rows]
        at = slice(rows.start // SHRINK, -(-rows.stop // SHRINK))
        sums[:3, at] = _shrink(c)
        sums[3:9, at] = _shrink(_pairs(c))
        sums[9 : 9 + count, at] = _shrink(a)
        for channel in range(3):
            first = 9 + (channel + 1) * count
            sums[first : first + count, at] = _shrink(c[channel] * a)

    size = 4 * count * width
    for_bands(accumulate, height, size, guide.device, run.part(0, 0.6), MESSAGE)
    fits = torch.empty_like(sums[9:])

    def solve(rows: slice) -> None:
        part = _box(sums, rows)
        fits[:, rows] = _solve_fits(part[:3], part[3:9], part[9:], epsilon)

    size = 2 * len(sums) * low[1]
    for_bands(solve, low[0], size, guide.device, run.part(0.6, 0.8), MESSAGE)
    padded = fits.new_empty(4 * count, low[0] + 2, low[1] + 2)

    def blur(rows: slice) -> None:
        padded[:, rows.start + 1 : rows.stop + 1, 1:-1] = _box(fits, rows)

    for_bands(blur, low[0], size, guide.device, run.part(0.8, 1), MESSAGE)
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    padded[..., 0], padded[..., -1] = padded[..., 1], padded[..., -2]
    return padded


def _solve_fits(
    mean: torch.Tensor, square: torch.Tensor, rest: torch.Tensor, epsilon: float
) -> torch.Tensor:
    """Solve the 3 x 3 systems of all windows."""
    count = len(rest) // 4
    alpha, product = rest[:count], rest[count:].unflatten(0, (3, count))
    covariance = product - mean[:, None] * alpha
    weights = _solve_symmetric(square - _pairs(mean), covariance, epsilon)
    offset = alpha - (weights * mean[:, None]).sum(0)
    return torch.cat([weights.flatten(0, 1), offset])


def _shrink(values: torch.Tensor) -> torch.Tensor:
    """Means of blocks of 2 x 2 pixels; an odd last row or column is repeated."""
    height, width = values.shape[1:]
    if height % 2 or width % 2:
        values = pad(values[None], (0, width % 2, 0, height % 2), mode="replicate")[0]
    rows = values[:, ::2] + values[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]).mul_(0.25)


def _box(values: torch.Tensor, rows: slice) -> torch.Tensor:
    """Means of 3 x 3 windows in some rows; the border is repeated."""
    height = values.shape[1]
    above, below = int(rows.start > 0), int(rows.stop < height)
    part = values[:, rows.start - above : rows.stop + below]
    part = pad(part[None], (1, 1, 1 - above, 1 - below), mode="replicate")[0]
    tall = part[:, :-2] + part[:, 1:-1]
    tall += part[:, 2:]
    wide = tall[..., :-2] + tall[..., 1:-1]
    wide += tall[..., 2:]
    return wide.mul_(1 / 9)


def refine(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    palette: torch.Tensor,
    run: Run | None = None,
) -> torch.Tensor:
    """Bring smoothed alphas back into bounds and back to the picture's colours.

    Bounds: a layer near its palette colour can only hold ``a_i <= (1 - c) / (1 - p_i)``
    and ``a_i <= c / p_i`` in each channel, or Eq. 1 and 3 would push its colour (or
    others') far away: white has no room for a dark layer. Each alpha is cut there, with
    0.2 of freedom for the colour, and alphas below 0.01 are dropped.

    Colours: smoothing decides which layers a pixel belongs to, but blurs how much of
    each. One step along the alphas' own covariance brings the mixture's colour ``m =
    sum a_i p_i`` back to ``c`` without new layers,

        a_i <- a_i (1 + (p_i - m)^T (S + rho I)^-1 (c - m)),
        S = sum_i a_i (p_i - m) (p_i - m)^T,

    which keeps zeros and the sum.

    Parameters
    ----------
    picture : Tensor, ``(3, H, W)``
    alphas : Tensor, ``(K, H, W)``
        May lie outside [0, 1].
    palette : Tensor, ``(K, 3)``
    run : Run, optional

    Returns
    -------
    Tensor, ``(K, H, W)``
        In [0, 1], summing to 1.
    """
    run = run or Run()
    result = torch.empty_like(alphas)
    cuts = _cuts(palette)
    moments = torch.cat([palette.T, _pairs(palette.T)])

    def work(rows: slice) -> None:
        color = picture[:, rows]
        part = _bound(color, alphas[:, rows].clamp(0, 1), cuts)
        part = _refit(color, part, palette, moments)
        result[:, rows] = _bound(color, part, cuts)

    count, height, width = alphas.shape
    for_bands(work, height, 5 * count * width, alphas.device, run, "Refining alphas")
    return result


def _cuts(palette: torch.Tensor) -> list[tuple[int, int, float, int]]:
    """Layer, channel, factor and side (0: of 1 - c, 1: of c) of the bounds that matter.

    A bound of one or more at every value in [0, 1] never cuts.
    """
    above = 1 / (1 - palette - DRIFT).clamp(min=1e-3)
    below = 1 / (palette - DRIFT).clamp(min=1e-3)
    return [
        (layer, channel, float(reach[layer, channel]), side)
        for side, reach in enumerate((above.cpu(), below.cpu()))
        for layer, channel in torch.nonzero(reach > 1).tolist()
    ]


def _bound(
    color: torch.Tensor,
    alphas: torch.Tensor,
    cuts: list[tuple[int, int, float, int]],
) -> torch.Tensor:
    """Cut alphas at their bounds, drop traces, bring the sum to one."""
    sides = (1 - color, color)
    part = alphas * 1.0
    for layer, channel, reach, side in cuts:
        limit = sides[side][channel] * reach
        torch.minimum(part[layer], limit, out=part[layer])
    part.add_(alphas, alpha=1e-6)  # where every layer was cut to nothing
    part /= part.sum(0)
    part.sub_(TRACE).clamp_(min=0)
    return part.div_(part.sum(0))


def _refit(
    color: torch.Tensor,
    alphas: torch.Tensor,
    palette: torch.Tensor,
    moments: torch.Tensor,
) -> torch.Tensor:
    """One damped step of the mixture's colour towards the picture's."""
    found = (moments @ alphas.flatten(1)).unflatten(1, alphas.shape[1:])
    mean = found[:3]
    step = _solve_symmetric(found[3:] - _pairs(mean), color - mean, DAMPING)
    gain = (palette @ step.flatten(1)).unflatten(1, alphas.shape[1:])
    gain += 1 - (mean * step).sum(0)
    return alphas.mul(gain).clamp_(min=0)


def _pairs(values: torch.Tensor) -> torch.Tensor:
    """Products of three planes: rr, rg, rb, gg, gb, bb."""
    return torch.stack([values[i] * values[j] for i in range(3) for j in range(i, 3)])


def _solve_symmetric(
    matrix: torch.Tensor, target: torch.Tensor, ridge: float
) -> torch.Tensor:
    """Solve symmetric 3 x 3 systems, given as `_pairs`, by their adjugates.

    ``target`` has shape ``(3, ...)``; the ridge is added to the diagonal.
    """
    rr, rg, rb, gg, gb, bb = matrix
    rr, gg, bb = rr + ridge, gg + ridge, bb + ridge
    adjugate = [
        [gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg],
        [rb * gb - rg * bb, rr * bb - rb * rb, rg * rb - rr * gb],
        [rg * gb - rb * gg, rg * rb - rr * gb, rr * gg - rg * rg],
    ]
    first = adjugate[0]
    scale = 1 / (rr * first[0] + rg * first[1] + rb * first[2])
    return torch.stack(
        [sum((row[j] * scale) * target[j] for j in range(3)) for row in adjugate]
    )


def apply_masks(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    masks: torch.Tensor,
    palette: torch.Tensor,
) -> torch.Tensor:
    """Multiply alphas by the user's masks and share out what was taken (Fig. 10).

    Where nothing is left, the allowed layer with the nearest palette colour takes the
    pixel; where every layer is forbidden, the masks are ignored.

    Parameters
    ----------
    picture : Tensor, ``(3, H, W)``
    alphas, masks : Tensor, ``(K, H, W)``
    palette : Tensor, ``(K, 3)``
    """
    masked = alphas * masks
    total = masked.sum(0)
    lost = total < 1e-4
    if lost.any():
        gaps = torch.cdist(picture[:, lost].T, palette).T
        gaps = torch.where(masks[:, lost] > 0, gaps, torch.inf)
        nearest = torch.zeros_like(gaps).scatter_(0, gaps.argmin(0, keepdim=True), 1)
        free = torch.isinf(gaps).all(0)
        masked[:, lost] = torch.where(free, alphas[:, lost], nearest)
        total = masked.sum(0)
    return masked / total
