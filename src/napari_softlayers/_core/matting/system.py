"""The linear system of a matte: only the unknown pixels are unknowns.

With the matting Laplacian L split in unknown (U) and known (K) pixels, the matte is the
solution of ``L_UU a_U = -L_UK a_K``: what the trimap says holds exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import FloatArray, Floats, Mask
from ..numerics.matting_laplacian import EPSILON, NEIGHBOURS, stencil_strips
from ..run import SILENT, Run

Labels = NDArray[np.integer[Any]]
"""Of a picture ``(H, W)``: 0 unknown, 1..K known."""


@dataclass(frozen=True)
class System:
    """``matrix @ alphas = right`` over the unknown pixels in raster order.

    ``matrix`` ``(n, n)``: the Laplacian among the n unknown pixels, in float64: see
    `laplacian_stencil`. ``right`` ``(n, K - 1)``: what the known pixels add, for all
    layers but the last (which is what is left).
    """

    matrix: sparse.csr_matrix
    right: Floats
    unknown: Mask


def laplacian_system(
    picture: FloatArray, labels: Labels, *, eps: float = EPSILON, run: Run = SILENT
) -> System:
    """Assemble the closed-form system of a labelled picture; see `closed_form`."""
    return assemble(stencil_strips(picture, labels == 0, eps, run=run), labels)


def assemble(strips: Iterable[tuple[int, Floats]], labels: Labels) -> System:
    """Make a system of the rows of the Laplacian at the unknown pixels.

    ``strips`` of arrays ``(25, m)``: see `stencil_strips`; together all n of them.
    """
    unknown = labels == 0
    # Unknown pixels and their twenty-five neighbours on a grid with a margin of two.
    width = unknown.shape[1] + 4
    y, x = np.nonzero(unknown)
    flat = ((y + 2) * width + x + 2).astype(np.int32)
    offsets = np.array([dy * width + dx for dy, dx in NEIGHBOURS], np.int32)
    count, n_layers = len(flat), int(labels.max())
    # Numbers of the unknown pixels, minus one elsewhere.
    number = np.full((unknown.shape[0] + 4) * width, -1, np.int32)
    number[flat] = np.arange(count, dtype=np.int32)
    padded = np.pad(labels, 2).ravel()
    right = np.zeros((count, n_layers - 1))
    # The ends of these arrays are never touched, so they take no memory.
    data, indices = np.empty(25 * count), np.empty(25 * count, np.int32)
    pointers = np.zeros(count + 1, np.int32)
    filled = 0
    for start, stencil in strips:
        rows = slice(start, start + stencil.shape[1])
        values = np.ascontiguousarray(stencil.T)
        columns = number[flat[rows, None] + offsets]
        among = columns >= 0
        near = np.flatnonzero(~among.all(axis=1))  # a known one is near
        around = padded[flat[start + near, None] + offsets]
        for k in range(n_layers - 1):  # -L_UK a_K
            right[start + near, k] = -(values[near] * (around == k + 1)).sum(axis=1)
        per_row = np.count_nonzero(among, axis=1)
        stop = filled + int(per_row.sum())
        data[filled:stop], indices[filled:stop] = values[among], columns[among]
        pointers[start + 1 : start + 1 + len(per_row)] = filled + np.cumsum(per_row)
        filled = stop
    matrix = sparse.csr_matrix(
        (data[:filled], indices[:filled], pointers), shape=(count, count)
    )
    return System(matrix, right, unknown)


def spread(values: Floats, unknown: Mask, labels: Labels) -> FloatArray:
    """Put a solution and the known labels together as layers on the simplex.

    ``values`` ``(n, K - 1)``: solution for all layers but the last, at the n unknown
    pixels. Returns float32 ``(K, H, W)``: in [0, 1], summing to 1.
    """
    layers = np.empty((values.shape[1] + 1, len(values)), np.float32)
    layers[:-1] = values.T
    layers[-1] = 1 - layers[:-1].sum(axis=0)
    # The parts above zero of numbers that sum to one sum to one at least.
    np.clip(layers, 0, 1, out=layers)
    layers /= layers.sum(axis=0)
    alphas = one_hot(labels, len(layers))
    alphas[:, unknown] = layers
    return alphas


def one_hot(labels: Labels, n_layers: int) -> FloatArray:
    """Labels 1..K as layers (K, H, W) of zeros and ones."""
    numbers = np.arange(1, n_layers + 1)[:, None, None]
    return np.asarray(labels[None] == numbers, np.float32)
