"""From groups of initial layers to the final alphas at the picture's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..devices import import_torch, with_cpu_fallback
from ..numerics.laplacian import region_pixels
from ..numerics.operators import planes, resized
from ..run import SILENT, Run
from . import relaxed_sparsification as relaxed
from .graphs import band_count, pixel_graph
from .state import SegmentsState

OVERLAP = 48
"""Rows that neighbouring bands share; the refinement does not reach further."""


def final_alphas(
    state: SegmentsState,
    groups: Sequence[Sequence[int]],
    device: Any,
    run: Run = SILENT,
) -> FloatArray:
    """Sum initial layers to groups, enlarge them and sparsify each pixel (Eq. 7-17).

    ``groups`` sequence of sequences of int: initial layers of each final layer. Returns
    float32 ``(K, H, W)``: in [0, 1], summing to 1.
    """
    grouped = np.stack([state.layers[list(group)].sum(axis=0) for group in groups])
    if len(groups) == 1:
        return np.ones((1, *state.picture.shape[:2]), dtype=np.float32)
    if state.scale > 1:
        grouped = guided_upsampling(
            grouped, state.guide, state.picture, state.scale, run=run.part(0.0, 0.15)
        )
    start = relaxed.rounded_layers(grouped)
    del grouped
    part = run.part(0.15, 1.0)
    alphas = with_cpu_fallback(lambda where: refined(state, start, where, part), device)
    return relaxed.unit_sum(alphas)


def refined(
    state: SegmentsState, start: FloatArray, device: Any, run: Run
) -> FloatArray:
    """Run the relaxed sparsification, in bands where the picture is large."""
    options = relaxed.EXACT if state.options.quality == "exact" else relaxed.FAST
    height, width = state.picture.shape[:2]
    if state.pixel_graph is not None:
        return relaxed.relaxed_sparsification(
            start, *state.pixel_graph, options, device, run
        )
    pixels = region_pixels(state.superpixels, (height, width))
    bands = band_count((height, width))
    result = np.empty_like(start)
    borders = np.linspace(0, height, bands + 1).astype(int)
    for i, (first, last) in enumerate(zip(borders[:-1], borders[1:], strict=True)):
        part = run.part(i / bands, (i + 1) / bands)
        part.step(0.0, "Graph")
        rows = slice(max(first - OVERLAP, 0), min(last + OVERLAP, height))
        band = relaxed.relaxed_sparsification(
            start[:, rows],
            *pixel_graph(
                state.picture[rows],
                pixels - [rows.start, 0],
                state.edges,
                state.options.normalised,
                part,
            ),
            options,
            device,
            part.part(0.1, 1.0),
        )
        result[:, first:last] = band[:, first - rows.start : last - rows.start]
    return result


def enlarged_columns(
    columns: FloatArray, small: tuple[int, int], step: int, shape: tuple[int, int]
) -> FloatArray:
    """Interpolate ``(h * w, C)`` bilinearly to ``(H * W, C)``, ``step`` times larger."""
    large = resized(columns.reshape(*small, -1), scale_factor=step)
    cropped = large[: shape[0], : shape[1]]
    return np.ascontiguousarray(cropped.reshape(shape[0] * shape[1], -1))


def guided_upsampling(
    layers: FloatArray,
    guide: FloatArray,
    picture: FloatArray,
    step: int,
    eps: float = 1e-4,
    run: Run = SILENT,
) -> FloatArray:
    """Enlarge layers so that their edges follow those of the picture.

    ``layers`` ``(K, h, w)``. ``guide`` ``(h, w, 3)``: the picture at the size of the
    layers. ``picture`` ``(H, W, 3)``: the picture, ``step`` times as large. ``step``:
    pixels of the picture along one pixel of the guide. ``eps``: regularisation of the
    colour covariances. Returns float32 ``(K, H, W)``.

    The colour guided filter with 3x3 windows, whose linear coefficients are found at the
    small size and interpolated.
    """
    torch = import_torch()
    from ..numerics.guided_filter import GuidedFilter

    small, large = planes(guide).contiguous(), planes(picture).contiguous()
    alphas = torch.from_numpy(np.ascontiguousarray(layers, np.float32))
    run.step(0.0, "Enlarging the layers")
    follow = GuidedFilter(small, 1, eps, repeat=True)
    enlarged: FloatArray = follow.enlarged(alphas, large, step, run).numpy()
    return enlarged
