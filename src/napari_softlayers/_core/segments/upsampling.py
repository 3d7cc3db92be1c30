"""From the working size to the picture's: edge-aware and plain interpolation."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray
from ..devices import import_torch
from ..run import Run


def enlarged_columns(
    columns: FloatArray, small: tuple[int, int], step: int, shape: tuple[int, int]
) -> FloatArray:
    """Interpolate ``(h * w, C)`` bilinearly to ``(H * W, C)``, ``step`` times larger."""
    torch = import_torch()
    values = torch.from_numpy(columns.reshape(*small, -1)).permute(2, 0, 1)[None]
    large = torch.nn.functional.interpolate(
        values, scale_factor=step, mode="bilinear", align_corners=False
    )
    cropped = large[0, :, : shape[0], : shape[1]].permute(1, 2, 0)
    return np.ascontiguousarray(cropped.reshape(shape[0] * shape[1], -1).numpy())


def guided_upsampling(
    layers: FloatArray,
    guide: FloatArray,
    picture: FloatArray,
    step: int,
    eps: float = 1e-4,
    run: Run | None = None,
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

    small, large = (
        torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1)))
        for part in (guide, picture)
    )
    alphas = torch.from_numpy(np.ascontiguousarray(layers, np.float32))
    run = run or Run()
    run.step(0.0, "Enlarging the layers")
    follow = GuidedFilter(small, 1, eps, repeat=True)
    enlarged: FloatArray = follow.enlarged(alphas, large, step, run).numpy()
    return enlarged
