"""Symmetric matrices of every pixel, 1 x 1 or 3 x 3, as planes of their upper triangle.

The order of the planes is rr, rg, rb, gg, gb, bb.
"""

from __future__ import annotations

import torch
from torch import Tensor


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
