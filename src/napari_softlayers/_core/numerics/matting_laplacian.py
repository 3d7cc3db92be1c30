"""The matting Laplacian of Levin, Lischinski and Weiss (2008) on 3x3 windows.

In a window ``w`` of nine pixels with mean colour ``mu`` and covariance ``C``, write
``C + eps / 9 = G G^T`` (Cholesky) and ``y_i = G^-1 (I_i - mu)``. The affinity of two
pixels of the window (Eq. 12 of [1]_) is then the plain inner product

``A_w[i, j] = (1 + y_i . y_j) / 9``    and    ``L = sum_w (identity - A_w)``.

Everything here is built from these *whitened colours* ``y``: they are computed from
centred colours in float64 (``E[xx] - E[x]E[x]`` loses everything at ``eps = 1e-7``).
Windows that do not fit in the picture are not used.

References
----------
.. [1] A. Levin, D. Lischinski, Y. Weiss, "A Closed-Form Solution to Natural Image
   Matting", IEEE TPAMI 30(2), 2008. doi:10.1109/TPAMI.2007.1177
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import ndimage, sparse

from ..arrays import DoubleArray, Floats, Mask
from ..run import SILENT, Run

#: The nine pixels of a window, and the twenty-five neighbours that a pixel shares a
#: window with (itself included), as (dy, dx) in raster order.
WINDOW = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
NEIGHBOURS = tuple((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3))
EPSILON = 1e-7
_PIXELS_PER_STRIP = 8192


def matting_laplacian(
    picture: Floats,
    eps: float = EPSILON,
    *,
    dtype: DTypeLike = np.float64,
    run: Run = SILENT,
) -> sparse.csr_matrix:
    """Matting Laplacian of a whole picture.

    ``picture`` ``(H, W, 3)``: colours in [0, 1]. ``eps``: regularisation of the window
    covariances (divided by the nine pixels). ``dtype``: of the matrix; the products are
    accumulated in it. Returns scipy.sparse.csr_matrix ``(H * W, H * W)``: symmetric,
    positive semi-definite, rows add up to zero, sorted indices. Not normalised. A
    picture with a side under three pixels has no window: all zero.
    """
    height, width = picture.shape[:2]
    everywhere = np.ones((height, width), bool)
    values = laplacian_stencil(picture, everywhere, eps, dtype=dtype, run=run)
    size = height * width
    dy, dx = np.array(NEIGHBOURS, np.int32).T
    y, x = np.arange(height)[:, None] + dy, np.arange(width)[:, None] + dx
    inside = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))
    neighbours = np.arange(size, dtype=np.int32)[:, None] + (dy * width + dx)
    pointers = np.zeros(size + 1, np.int32)
    np.cumsum(np.count_nonzero(inside, axis=2).ravel(), out=pointers[1:])
    inside = inside.reshape(size, 25)
    values = np.ascontiguousarray(values.T)
    return sparse.csr_matrix(
        (values[inside], neighbours[inside], pointers), shape=(size, size)
    )


def laplacian_stencil(
    picture: Floats,
    unknown: Mask,
    eps: float = EPSILON,
    *,
    dtype: DTypeLike = np.float64,
    run: Run = SILENT,
) -> NDArray[Any]:
    """Rows of the matting Laplacian, for some of the pixels only.

    As `matting_laplacian`, but for the n pixels of ``unknown`` bool ``(H, W)``; windows
    that hold none of them are skipped. In float32, mattes of large, smooth pictures are
    off by some per cent: their slowest modes cost less than its rounding. Returns
    ``(25, n)``: ``L[p, p + NEIGHBOURS[k]]`` for the unknown pixels p in raster order;
    zero where the neighbour lies outside of the picture.
    """
    stencil = np.empty((25, int(np.count_nonzero(unknown))), dtype)
    for start, part in stencil_strips(picture, unknown, eps, dtype=dtype, run=run):
        stencil[:, start : start + part.shape[1]] = part
    return stencil


def stencil_strips(
    picture: Floats,
    unknown: Mask,
    eps: float = EPSILON,
    *,
    dtype: DTypeLike = np.float64,
    run: Run = SILENT,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """The columns of `laplacian_stencil` strip by strip: (first column, (25, m))."""
    ends = np.cumsum(np.count_nonzero(unknown, axis=1))
    height, count = unknown.shape[0], int(ends[-1])
    start_row = done = 0
    while done < count:
        # As many rows as hold a strip's worth of pixels, but enough of them that the
        # two rows of windows shared with the neighbouring strips do not matter.
        stop_row = int(np.searchsorted(ends, done + _PIXELS_PER_STRIP)) + 1
        stop_row = min(max(stop_row, start_row + 4), height)
        stop = int(ends[stop_row - 1])
        if stop > done:
            part = np.empty((25, stop - done), dtype)
            _strip(picture, unknown, start_row, stop_row, eps, part)
            yield done, part
        start_row, done = stop_row, stop
        run.step(done / count, "Building the matting Laplacian")


def whitened_colors(colors: DoubleArray, eps: float) -> DoubleArray:
    """Whiten the colours of windows, so that affinities become inner products.

    ``colors`` float64 ``(9, 3, n)``: colours of the nine pixels of n windows;
    overwritten. ``eps``: regularisation of the covariance (divided by nine). Returns
    float64 ``(9, 3, n)``: ``y`` with
    ``y_i . y_j = (I_i - mu)^T (C + eps / 9)^-1 (I_j - mu)``.
    """
    y = colors
    y -= y.sum(axis=0) / 9
    red, green, blue = y[:, 0], y[:, 1], y[:, 2]

    def covariance(a: DoubleArray, b: DoubleArray) -> Any:
        return np.einsum("pn,pn->n", a, b) / 9

    # Forward substitution y = G^-1 d, the Cholesky factor G computed on the way. The
    # covariances of the channels are taken before they are overwritten.
    c_rr, c_gr, c_br = (covariance(red, c) for c in (red, green, blue))
    c_gg, c_bg = (covariance(green, c) for c in (green, blue))
    c_bb = covariance(blue, blue)
    ridge = eps / 9
    g_rr = np.sqrt(c_rr + ridge)
    g_gr, g_br = c_gr / g_rr, c_br / g_rr
    g_gg = np.sqrt(np.maximum(c_gg - g_gr * g_gr, 0) + ridge)
    g_bg = (c_bg - g_br * g_gr) / g_gg
    g_bb = np.sqrt(np.maximum(c_bb - g_br * g_br - g_bg * g_bg, 0) + ridge)
    red /= g_rr
    green -= g_gr * red
    green /= g_gg
    blue -= g_br * red
    blue -= g_bg * green
    blue /= g_bb
    return y


def _strip(
    picture: Floats, unknown: Mask, start: int, stop: int, eps: float, out: NDArray[Any]
) -> None:
    """Fill ``out`` (25, n) for the unknown pixels of the rows start to stop.

    The windows that touch an unknown pixel p are listed in raster order. Those centred
    on the row of p, one above or one below lie side by side in that list, so sums over
    horizontal positions are sums of shifted slices, and only sums over the three
    vertical positions need an index.
    """
    height, width = unknown.shape
    # Window centres, on a grid with one more row and two more columns on each side, so
    # that pixels on the border have nine windows as well, those outside counting zero.
    inside = np.zeros((stop - start + 2, width + 2), bool)
    inside[1:-1, 1:-1] = unknown[start:stop]
    centers = ndimage.binary_dilation(inside, np.ones((3, 3), bool))
    rank = np.cumsum(centers).reshape(centers.shape) - 1
    y, x = np.nonzero(centers)
    y += start - 1
    x -= 1
    fits = (y > 0) & (y < height - 1) & (x > 0) & (x < width - 1)
    colors = _window_colors(picture, y, x, fits)
    whitened = whitened_colors(colors, eps)
    # One more row (the constant) makes affinities inner products of four numbers; a
    # window that does not fit is all zero.
    vectors = np.empty((9, 4, len(y)), out.dtype)
    np.multiply(whitened, fits / 3.0, out=vectors[:, :3], casting="same_kind")
    vectors[:, 3] = fits / 3.0
    rows, columns = np.nonzero(inside)
    positions = [rank[rows - dy, columns] for dy in (-1, 0, 1)]
    _accumulate(vectors, positions, out)
    windows_of = np.zeros(len(y), out.dtype)
    _add_three(windows_of, [fits.astype(out.dtype)] * 3)
    for where in positions:
        out[12] += windows_of[where]


def _accumulate(
    vectors: NDArray[Any], positions: list[NDArray[np.intp]], out: NDArray[Any]
) -> None:
    """Sum ``-A_w`` over the windows, into the twenty-five values of every pixel."""
    out[:] = 0
    affinity: dict[tuple[int, int], NDArray[Any]] = {}
    term = np.empty_like(vectors[0, 0])
    for a in range(9):
        for b in range(a, 9):
            product = vectors[a, 0] * vectors[b, 0]
            for c in (1, 2, 3):
                product += np.multiply(vectors[a, c], vectors[b, c], out=term)
            affinity[a, b] = affinity[b, a] = product
    total, picked = np.empty_like(affinity[0, 0]), np.empty_like(out[0])
    for k, (dy, dx) in enumerate(NEIGHBOURS):
        for ay in (-1, 0, 1):
            by = ay + dy
            if abs(by) > 1:
                continue
            # The pixel is at column ax of its window, its neighbour at column ax + dx.
            pairs = [
                affinity[3 * ay + ax + 4, 3 * by + ax + dx + 4]
                if abs(ax + dx) <= 1
                else None
                for ax in (-1, 0, 1)
            ]
            total[:] = 0
            _add_three(total, pairs)
            np.take(total, positions[ay + 1], out=picked, mode="clip")
            out[k] -= picked


def _add_three(total: NDArray[Any], terms: list[NDArray[Any] | None]) -> None:
    """Add to every window the terms of those where its centre has column -1, 0, 1."""
    left, middle, right = terms
    if left is not None:  # the pixel is left of the centre of the next window
        total[:-1] += left[1:]
    if middle is not None:
        total += middle
    if right is not None:
        total[1:] += right[:-1]


def _window_colors(
    picture: Floats, y: NDArray[np.intp], x: NDArray[np.intp], fits: Mask
) -> DoubleArray:
    """Colours (9, 3, n) of the windows centred at (y, x); anything where not fits."""
    height, width = picture.shape[:2]
    first, last = max(int(y[0]) - 1, 0), min(int(y[-1]) + 2, height)
    rows = picture[first:last].reshape(-1, 3)
    channels = [rows[:, c].astype(np.float64) for c in range(3)]
    center = np.where(fits, (y - first) * width + x, 0)
    colors = np.empty((9, 3, len(y)))
    for p, (dy, dx) in enumerate(WINDOW):
        where = center + (dy * width + dx)
        for c, channel in enumerate(channels):
            np.take(channel, where, out=colors[p, c], mode="clip")
    return colors
