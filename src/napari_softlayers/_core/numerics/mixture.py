"""Best mixture of up to three palette colours at a pixel.

The residues of Section 5 cost ``|c - sum a p|^2`` when they are exact, so Aksoy's
sparse colour unmixing energy (Eq. 4 of [1]_, identity covariances) becomes a function
of the alphas alone,

    F(a) = |c - sum_i a_i p_i|^2 + sigma (sum_i a_i / sum_i a_i^2 - 1).

For each support of one, two or three palette colours the nearest point of its
segment or triangle is affine in the colour ``c``; the support with the smallest ``F``
wins. Which one wins hardly changes within 1/63, so it is decided on a grid of 64^3
colours (only where the picture has any) and the alphas are then computed exactly for
each pixel.

References
----------
.. [1] Akimoto et al., "Fast Soft Color Segmentation", CVPR 2020.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch

from ..arrays import DoubleArray, FloatArray
from ..run import SILENT, Run
from ..threads import for_bands

SIGMA = 5e-4  # weight of the sparsity term: larger is nearer to a hard segmentation
BINS = 64  # colours a channel at which the support is decided
_INFEASIBLE = 1e6


class Supports(NamedTuple):
    """Affine forms of the alphas on every support of up to three colours.

    ``members`` int64 ``(S, 3)``: palette indices of a support; short supports repeat
    their last index, which has its alpha in the last place. ``forms`` float32
    ``(S, 3, 4)``: alphas of the members are ``forms[..., :3] @ c + forms[..., 3]``.
    ``errors`` float32 ``(S, 3, 4)``: the part of ``c`` outside the support is
    ``errors[..., :3] @ c + errors[..., 3]`` in an orthonormal basis (zero rows where
    the support spans more). ``size``: number of palette colours.
    """

    members: torch.Tensor
    forms: torch.Tensor
    errors: torch.Tensor
    size: int


def palette_supports(
    palette: FloatArray, device: torch.device | None = None
) -> Supports:
    """Set up the supports of a palette.

    ``palette`` ``(K, 3)``: distinct colours in [0, 1]. ``device``: where the pixels
    will be.
    """
    colors = np.asarray(palette, dtype=np.float64)
    members, forms, errors = [], [], []
    for size in (1, 2, 3):
        for support in combinations(range(len(colors)), size):
            made = _affine_form(colors[list(support)])
            if made is not None:
                members.append(support[:-1] + (support[-1],) * (4 - size))
                forms.append(made[0])
                errors.append(made[1])

    def tensor(values: list[DoubleArray]) -> torch.Tensor:
        return torch.as_tensor(np.array(values), dtype=torch.float32, device=device)

    return Supports(
        torch.as_tensor(np.array(members), dtype=torch.int64, device=device),
        tensor(forms),
        tensor(errors),
        len(colors),
    )


def _affine_form(corners: DoubleArray) -> tuple[DoubleArray, DoubleArray] | None:
    """Alphas and error of the nearest point in the span of one to three corners.

    Gives None where the corners are so nearly dependent that the alphas would amplify
    the rounding of a colour a hundredfold.
    """
    size = len(corners)
    last = corners[-1]
    forms, errors = np.zeros((3, 4)), np.zeros((3, 4))
    basis, stretch, turn = np.linalg.svd((corners[:-1] - last).T)
    if size > 1:
        if stretch.min() < 5e-3:
            return None
        inverse = (turn.T / stretch) @ basis[:, : size - 1].T
        forms[: size - 1, :3] = inverse
        forms[: size - 1, 3] = -inverse @ last
    forms[2] = -forms[:2].sum(0)
    forms[2, 3] += 1
    normals = basis[:, size - 1 :].T
    errors[: len(normals), :3] = normals
    errors[: len(normals), 3] = -normals @ last
    return forms, errors


def best_supports(colors: torch.Tensor, supports: Supports) -> torch.Tensor:
    """Find the support with the smallest energy for each colour.

    ``colors`` float32 ``(N, 3)``. Returns int64 ``(N,)``: rows of `supports`.
    """
    bias = torch.cat([supports.forms, supports.errors], 1).permute(1, 2, 0)
    weight, offset = bias[:, :3].contiguous(), bias[:, 3:].contiguous()
    values = torch.baddbmm(offset, colors.expand(6, *colors.shape), weight)
    alphas, error = values[:3], values[3:]
    energy = error.square_().sum(0)
    energy.add_(alphas.amin(0) < -1e-6, alpha=_INFEASIBLE)
    energy.add_(alphas.square_().sum(0).reciprocal_(), alpha=SIGMA)
    return energy.argmin(1)


def mix(
    picture: torch.Tensor, chosen: torch.Tensor, supports: Supports
) -> torch.Tensor:
    """Alphas of colours on their supports.

    ``picture`` float32 ``(3, N)``. ``chosen`` int ``(N,)``: rows of `supports`. Returns
    float32 ``(K, N)``: non-negative, summing to 1.
    """
    values = picture.new_empty(3, picture.shape[1])
    for member, forms in enumerate(supports.forms[:, :2].permute(1, 2, 0)):
        alpha = values[member].copy_(forms[3][chosen])
        for channel in range(3):
            alpha.addcmul_(forms[channel][chosen], picture[channel])
    torch.sub(1 - values[0], values[1], out=values[2])
    values.clamp_(min=0)
    values /= values.sum(0)
    alphas = values.new_zeros(supports.size, picture.shape[1])
    return alphas.scatter_add_(0, supports.members.T[:, chosen], values)


class Mixture:
    """The mixture alphas of one palette, ready for any number of pictures.

    Remembers the support of each colour that it has met on its grid, so that frames of a
    stack and repeated calls pay only for the pixels.

    ``palette`` ``(K, 3)``: distinct colours in [0, 1].
    """

    def __init__(self, palette: FloatArray, device: torch.device | None = None) -> None:
        self.supports = palette_supports(palette, device)
        self._table = torch.full((BINS**3,), -1, dtype=torch.int32, device=device)

    def alphas(self, picture: torch.Tensor, run: Run = SILENT) -> torch.Tensor:
        """Alphas ``(K, H, W)`` of a picture ``(3, H, W)`` with values in [0, 1]."""
        height, width = picture.shape[1:]
        codes = torch.empty(height, width, dtype=torch.int32, device=picture.device)
        met = torch.zeros(BINS**3, dtype=torch.bool, device=picture.device)

        def encode(rows: slice) -> None:
            steps = (picture[:, rows] * (BINS - 1)).round_()
            steps[1].add_(steps[0], alpha=BINS)
            codes[rows] = steps[2].add_(steps[1], alpha=BINS).to(torch.int32)
            met[codes[rows]] = True

        device, message = picture.device, "Mixing palette colours"
        for_bands(encode, height, 8 * width, device, run.part(0, 0.2), message)
        self._decide(met, run.part(0.2, 0.5))
        alphas = picture.new_empty(self.supports.size, height, width)

        def work(rows: slice) -> None:
            chosen = self._table[codes[rows].flatten()]
            mixed = mix(picture[:, rows].flatten(1), chosen, self.supports)
            alphas[:, rows] = mixed.unflatten(1, (-1, width))

        size = (self.supports.size + 12) * width
        for_bands(work, height, size, device, run.part(0.5, 1), message)
        return alphas

    def _decide(self, met: torch.Tensor, run: Run) -> None:
        """Fill the table for the colours of the grid that occur."""
        new = (met & (self._table < 0)).nonzero()[:, 0]
        steps = torch.stack([new // BINS**2, new // BINS % BINS, new % BINS], 1)
        colors = steps.to(torch.float32) / (BINS - 1)

        def work(span: slice) -> None:
            chosen = best_supports(colors[span], self.supports)
            self._table[new[span]] = chosen.to(torch.int32)

        size = 8 * len(self.supports.members)
        for_bands(work, len(new), size, met.device, run, "Mixing palette colours")


class LookupTable:
    """The mixture alphas on a coarse grid of colours, interpolated between.

    Quick enough to follow a colour that is being dragged: building it costs
    milliseconds whatever the size of the picture. The interpolation makes the alphas
    continuous in the colour, and a little less sparse than `Mixture`.

    ``palette`` ``(K, 3)``: distinct colours in [0, 1]. ``size``: grid points a channel.
    """

    def __init__(
        self,
        palette: FloatArray,
        device: torch.device | None = None,
        size: int = 33,
    ) -> None:
        axis = torch.linspace(0, 1, size, device=device)
        grid = torch.cartesian_prod(axis, axis, axis)
        supports = palette_supports(palette, device)
        alphas = mix(grid.T, best_supports(grid, supports), supports)
        self.table = alphas.reshape(1, -1, size, size, size).contiguous()

    def alphas(self, picture: torch.Tensor, run: Run = SILENT) -> torch.Tensor:
        """Alphas ``(K, H, W)`` of a picture ``(3, H, W)`` with values in [0, 1]."""
        run.check()
        # grid_sample wants (x, y, z) = (last, middle, first axis of the table)
        places = (picture * 2 - 1).flip(0).permute(1, 2, 0)[None, None]
        alphas = torch.nn.functional.grid_sample(
            self.table, places, align_corners=True, padding_mode="border"
        )
        return alphas[0, :, 0]
