"""From the working size to the picture's: edge-aware and plain interpolation."""

from __future__ import annotations

import numpy as np

from ..devices import import_torch
from ..picture import FloatArray
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

    Parameters
    ----------
    layers : ndarray, ``(K, h, w)``
    guide : ndarray, ``(h, w, 3)``
        The picture at the size of the layers.
    picture : ndarray, ``(H, W, 3)``
        The picture, ``step`` times as large.
    step : int
        Pixels of the picture along one pixel of the guide.
    eps : float
        Regularisation of the colour covariances.
    run : Run, optional

    Returns
    -------
    ndarray of float32, ``(K, H, W)``

    Notes
    -----
    The colour guided filter with 3x3 windows, whose linear coefficients are found at the
    small size and interpolated.

    References
    ----------
    He and Sun, Fast guided filter, arXiv:1505.00996, 2015.
    """
    run = run or Run()
    torch = import_torch()
    colors = torch.from_numpy(np.ascontiguousarray(guide.transpose(2, 0, 1)))
    mean = _box(colors)
    centered = [(i, j) for i in range(3) for j in range(i, 3)]
    products = _box(torch.stack([colors[i] * colors[j] for i, j in centered]))
    covariance = {
        pair: products[k] - mean[pair[0]] * mean[pair[1]]
        for k, pair in enumerate(centered)
    }
    inverse = _inverse(covariance, eps)
    large = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
    height, width = picture.shape[:2]
    result = np.empty((len(layers), height, width), dtype=np.float32)
    for k, layer in enumerate(layers):
        run.step(k / len(layers), "Enlarging the layers")
        alpha = torch.from_numpy(np.ascontiguousarray(layer, dtype=np.float32))
        level = _box(alpha[None])[0]
        joint = _box(colors * alpha) - mean * level
        slopes = torch.stack(
            [sum(inverse[i, j] * joint[j] for j in range(3)) for i in range(3)]
        )
        offset = level - (slopes * mean).sum(0)
        planes = _box(torch.cat([slopes, offset[None]]))[None]
        wide = torch.nn.functional.interpolate(
            planes, scale_factor=step, mode="bilinear", align_corners=False
        )[0, :, :height, :width]
        result[k] = ((wide[:3] * large).sum(0) + wide[3]).numpy()
    return result


def _box(values):  # type: ignore[no-untyped-def]
    """Average ``(C, h, w)`` over 3x3 windows; the border is repeated."""
    torch = import_torch()
    padded = torch.nn.functional.pad(values[None], (1, 1, 1, 1), mode="replicate")
    return torch.nn.functional.avg_pool2d(padded, 3, stride=1)[0]


def _inverse(covariance, eps):  # type: ignore[no-untyped-def]
    """Invert symmetric 3x3 matrices, given and returned as planes, plus ``eps``."""
    a, b, c = covariance[0, 0] + eps, covariance[0, 1], covariance[0, 2]
    d, e, f = covariance[1, 1] + eps, covariance[1, 2], covariance[2, 2] + eps
    cofactors = {
        (0, 0): d * f - e * e,
        (0, 1): c * e - b * f,
        (0, 2): b * e - c * d,
        (1, 1): a * f - c * c,
        (1, 2): b * c - a * e,
        (2, 2): a * d - b * b,
    }
    determinant = (
        a * cofactors[0, 0] + b * cofactors[0, 1] + c * cofactors[0, 2]
    ).clamp_min(1e-20)
    inverse = {pair: plane / determinant for pair, plane in cofactors.items()}
    inverse.update({(j, i): plane for (i, j), plane in inverse.items()})
    return inverse
