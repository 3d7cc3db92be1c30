"""Layer colours for given alphas: smooth estimates, then an exact sum.

The colours of a layer are only seen where its alpha is positive, but they are estimated
everywhere, so that a later edit of the alpha shows no fringes.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from ..arrays import FloatArray
from ..devices import choose_device
from ..run import SILENT, Run, as_run
from ..threads import for_bands

REGULARIZATION = 1e-5
GRADIENT_WEIGHT = 0.1
SWEEPS = 10
SWEEP_VALUES = 12
"""Values that a sweep touches for each pixel of each layer."""
CHUNK = 1 << 17
NEWTON_STEPS = 8


def estimate_colors(
    image: FloatArray,
    alphas: FloatArray,
    *,
    device: str | torch.device = "cpu",
    run: Run = SILENT,
) -> FloatArray:
    """Estimate the straight colours of all layers together, with an exact sum.

    Multi-level foreground estimation (Germer et al. 2020 [1]_), written for K layers: at
    each pixel the colours minimise ``(sum_k alpha_k F_k - I)^2 + sum_j (eps + w
    |alpha_k - alpha_k^j|) (F_k - F_k^j)^2`` over the four neighbours j, from the coarsest
    level to the finest. The K x K system of a pixel is a diagonal plus rank one, so its
    solution is closed (Sherman-Morrison). Ten sweeps a level and a gradient weight of 0.1
    converge further than the paper's two sweeps. `project_exact` ends it.

    ``image`` ``(H, W, 3)``. ``alphas`` ``(K, H, W)``, summing to one. Returns float32
    ``(K, H, W, 3)``, in [0, 1]: ``sum_k alphas[k] * colors[k] == image`` to float32
    rounding.

    References
    ----------
    .. [1] Germer, Uelwer, Conrad, Harmeling: Fast Multi-Level Foreground Estimation,
       ICPR 2020.
    """
    run = as_run(run)
    target = choose_device(device)
    picture = as_tensor(image.transpose(2, 0, 1)).to(target)
    alpha = as_tensor(alphas).to(target)
    smooth = _multi_level(picture, alpha, run.part(0.0, 0.8))
    exact = project_exact(picture, alpha, smooth, run.part(0.8, 1.0))
    return np.ascontiguousarray(exact.permute(0, 2, 3, 1).cpu().numpy())


def _multi_level(picture: torch.Tensor, alpha: torch.Tensor, run: Run) -> torch.Tensor:
    """Solve from 1x1 to full size; colours ``(K, 3, H, W)``."""
    height, width = picture.shape[1:]
    levels = max(1, math.ceil(math.log2(max(height, width))))
    sizes = [
        tuple(max(1, round(side ** (level / levels))) for side in (height, width))
        for level in range(levels + 1)
    ]
    pixels = sum(h * w for h, w in sizes)
    colors = _weighted_means(picture, alpha)[:, :, None, None]
    done = 0
    for h, w in sizes:
        colors = interpolate(colors, size=(h, w), mode="nearest")
        small_picture = interpolate(picture[None], size=(h, w), mode="area")[0]
        small_alpha = interpolate(alpha[None], size=(h, w), mode="area")[0]
        colors = _sweeps(small_picture, small_alpha, colors, run)
        done += h * w
        run.step(done / pixels, "layer colours")
    return colors


def _weighted_means(picture: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """Mean colour of every layer, ``(K, 3)``; the picture's mean for an empty one."""
    weight = alpha.flatten(1)
    flat = picture.flatten(1)
    total = weight.sum(1, keepdim=True)
    means = (weight @ flat.T) / total.clamp_min(1e-6)
    return torch.where(total > 1e-6, means, flat.mean(1)[None])


def _sweeps(
    picture: torch.Tensor, alpha: torch.Tensor, colors: torch.Tensor, run: Run
) -> torch.Tensor:
    """Jacobi sweeps of the pixel-wise closed form at one level."""
    down, right = (  # smoothness of the vertical and the horizontal neighbour pairs
        alpha.diff(dim=axis).abs_().mul_(GRADIENT_WEIGHT).add_(REGULARIZATION)
        for axis in (1, 2)
    )
    degree = _degree(alpha, down, right)
    gain = alpha / degree
    gain = gain / (1 + (alpha * gain).sum(0))
    down, right, inverse = down[:, None], right[:, None], (1 / degree)[:, None]
    other = torch.empty_like(colors)
    quiet = Run(cancelled=run.cancelled)
    count, height, width = alpha.shape
    for _ in range(SWEEPS):

        def sweep(
            rows: slice, colors: torch.Tensor = colors, out: torch.Tensor = other
        ) -> None:
            mean = _neighbour_sums(colors, down, right, rows, out[:, :, rows])
            mean.mul_(inverse[:, :, rows])
            error = picture[:, rows] - (alpha[:, None, rows] * mean).sum(0)
            mean.addcmul_(gain[:, None, rows], error[None]).clamp_(0, 1)

        for_bands(sweep, height, SWEEP_VALUES * count * width, colors.device, quiet)
        colors, other = other, colors
    return colors


def _degree(
    alpha: torch.Tensor, down: torch.Tensor, right: torch.Tensor
) -> torch.Tensor:
    """Sum of the smoothness weights around every pixel."""
    degree = torch.zeros_like(alpha)
    degree[:, 1:] += down
    degree[:, :-1] += down
    degree[:, :, 1:] += right
    degree[:, :, :-1] += right
    return degree.clamp_min_(REGULARIZATION)


def _neighbour_sums(
    colors: torch.Tensor,
    down: torch.Tensor,
    right: torch.Tensor,
    rows: slice,
    out: torch.Tensor,
) -> torch.Tensor:
    """Weighted sum of the four neighbours' colours at some rows, written to ``out``."""
    first, last = max(rows.start, 1), min(rows.stop, colors.shape[2] - 1)
    here, beside = colors[:, :, rows], right[:, :, rows]
    out.zero_()
    out[:, :, first - rows.start :].addcmul_(
        down[:, :, first - 1 : rows.stop - 1], colors[:, :, first - 1 : rows.stop - 1]
    )
    out[:, :, : last - rows.start].addcmul_(
        down[:, :, rows.start : last], colors[:, :, rows.start + 1 : last + 1]
    )
    out[:, :, :, 1:].addcmul_(beside, here[:, :, :, :-1])
    out[:, :, :, :-1].addcmul_(beside, here[:, :, :, 1:])
    return out


def project_exact(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    colors: torch.Tensor,
    run: Run = SILENT,
) -> torch.Tensor:
    """Move layer colours by as little as possible so that they add up to the picture.

    Minimises ``sum_k alpha_k |u_k - c_k|^2`` subject to ``sum_k alpha_k u_k = I`` and
    ``0 <= u_k <= 1``. The optimum is ``u_k = clip(c_k + t, 0, 1)`` with one scalar t per
    pixel and channel; ``g(t) = sum_k alpha_k clip(c_k + t)`` grows from 0 to 1 and is
    piecewise linear, so a solution always exists. Layers with alpha 0 keep their colour.

    ``picture`` ``(3, H, W)``. ``alphas`` ``(K, H, W)``, summing to one. ``colors``
    ``(K, 3, H, W)`` or ``(K, 3, 1, 1)`` ``(a palette)``, in [0, 1]. Returns
    ``(K, 3, H, W)``, in [0, 1].
    """
    count, height, width = alphas.shape
    colors = colors.expand(count, 3, height, width)
    result = torch.empty_like(picture[None].expand(count, -1, -1, -1)).contiguous()
    step = max(1, (CHUNK * 4) // (width * count))  # bands fit the processor's cache
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        part = alphas[:, rows]
        result[:, :, rows] = _project_rows(picture[:, rows], part, colors[:, :, rows])
        run.step(rows.stop / height, "exact sum")
    return result


def exact_colors(
    image: FloatArray, alphas: FloatArray, colors: FloatArray, run: Run = SILENT
) -> FloatArray:
    """`project_exact` for arrays, whose last axis is the channels."""
    exact = project_exact(
        as_tensor(image.transpose(2, 0, 1)),
        as_tensor(alphas),
        as_tensor(colors.transpose(0, 3, 1, 2)),
        run,
    )
    return np.ascontiguousarray(exact.permute(0, 2, 3, 1).numpy())


def as_tensor(array: NDArray[Any]) -> torch.Tensor:
    """Tensor over an array's memory; one that may only be read is read."""
    array = np.ascontiguousarray(array)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writ")
        return torch.from_numpy(array)


def _project_rows(
    picture: torch.Tensor, alpha: torch.Tensor, colors: torch.Tensor
) -> torch.Tensor:
    """Project one band; ``(K, 3, h, W)``."""
    weight = alpha[:, None]
    shift = picture - (weight * colors).sum(0)
    moved = colors + torch.where(weight > 0, shift[None], 0)
    clipped = moved.clamp(0, 1).contiguous()
    outside = ((moved - clipped).abs_() * weight).amax(0) > 0
    where = outside.flatten().nonzero().squeeze(1)
    if where.numel() == 0:
        return clipped
    flat = colors.reshape(len(colors), -1)[:, where]
    weights = weight.expand_as(colors).reshape(len(colors), -1)[:, where]
    values = _solve_clipped(picture.reshape(-1)[where], weights, flat)
    clipped.view(len(colors), -1)[:, where] = values
    return clipped


def _solve_clipped(
    target: torch.Tensor, weights: torch.Tensor, colors: torch.Tensor
) -> torch.Tensor:
    """Solve ``sum_k w_k clip(c_k + t) = target`` for n scalars t; ``(K, n)`` colours."""
    shift = target - (weights * colors).sum(0)
    todo = torch.arange(len(target), device=target.device)
    result = colors.clone()
    for _ in range(NEWTON_STEPS):
        w, c, t = weights[:, todo], colors[:, todo], shift[todo]
        moved = c + t
        clipped = moved.clamp(0, 1)
        missing = target[todo] - (w * clipped).sum(0)
        result[:, todo] = torch.where(w > 0, clipped, c)
        free = (w * (moved == clipped)).sum(0)
        shift[todo] = t + missing / free.clamp_min(1e-9)
        open_ = missing.abs() > 2e-7
        stuck = open_ & (free <= 1e-9)
        if stuck.any():
            at = todo[stuck]
            result[:, at] = _by_breakpoints(target[at], weights[:, at], colors[:, at])
        todo = todo[open_ & ~stuck]
        if todo.numel() == 0:
            return result
    result[:, todo] = _by_breakpoints(target[todo], weights[:, todo], colors[:, todo])
    return result


def _by_breakpoints(
    target: torch.Tensor, weights: torch.Tensor, colors: torch.Tensor
) -> torch.Tensor:
    """Find the linear piece of g that holds the solution, by sorting its corners."""
    corners = torch.cat([-colors, 1 - colors]).sort(0).values
    heights = torch.stack(
        [(weights * (colors + t).clamp(0, 1)).sum(0) for t in corners]
    )
    upper = (heights < target).sum(0).clamp(1, len(corners) - 1)[None]
    t0, t1 = corners.gather(0, upper - 1)[0], corners.gather(0, upper)[0]
    g0, g1 = heights.gather(0, upper - 1)[0], heights.gather(0, upper)[0]
    t = t0 + (t1 - t0) * ((target - g0) / (g1 - g0).clamp_min(1e-12)).clamp(0, 1)
    return torch.where(weights > 0, (colors + t).clamp(0, 1), colors)
