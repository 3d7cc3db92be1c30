"""The graphs of a picture, one at each working size and one of its own pixels."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.ndimage import correlate1d

from ..arrays import DoubleArray, FloatArray
from ..numerics.laplacian import (
    color_affinity,
    graph_laplacian,
    region_pixels,
    semantic_affinity,
)
from ..numerics.matting_laplacian import matting_laplacian
from ..numerics.superpixels import Superpixels, block_means
from ..run import Run
from .features import SemanticFeatures
from .state import PixelGraph, SegmentOptions

Level = tuple[tuple[int, int], "Future[sparse.csr_matrix]"]
"""A size of the picture, and its matting Laplacian."""
COARSE_PIXELS = 1500
"""Least size of the level on which the eigenvectors are started."""

BAND_PIXELS = 1_500_000
"""Larger pictures are refined in bands of rows, so that memory stays bounded."""


def band_count(shape: tuple[int, int]) -> int:
    """Number of bands of rows that a picture is refined in."""
    return int(np.ceil(shape[0] * shape[1] / BAND_PIXELS))


def affinity_edges(
    base: FloatArray,
    regions: Superpixels,
    semantic: SemanticFeatures | None,
    options: SegmentOptions,
) -> sparse.csr_array | None:
    """Compute the affinities between superpixels that are switched on."""
    affinities = []
    if options.color_affinity:
        affinities.append(color_affinity(base, regions, radius=options.color_radius))
    if options.semantic_affinity and semantic is not None:
        affinities.append(
            semantic_affinity(
                semantic.affinity, regions, threshold=options.semantic_threshold
            )
        )
    if not affinities:
        return None
    return sparse.csr_array(
        sum(affinities[1:], affinities[0]) * options.affinity_weight
    )


def begin_matting(
    guide: FloatArray, exact: bool, beside: ThreadPoolExecutor, run: Run
) -> list[Level]:
    """Begin the matting Laplacians at the working size and halves of it, coarse first.

    They follow from the picture ``guide`` ``(h, w, 3)`` alone, and are computed in a
    thread of ``beside``. ``run``: for the cancel; the progress is that of the main
    thread.
    """
    sizes = [guide]
    while not exact and sizes[0][..., 0].size >= 4 * COARSE_PIXELS:
        sizes.insert(0, block_means(sizes[0], 2))
    quiet = Run(cancelled=run.cancelled)
    return [
        ((len(size), size.shape[1]), beside.submit(matting_laplacian, size, run=quiet))
        for size in sizes
    ]


def working_laplacians(
    levels: list[Level],
    regions: Superpixels,
    edges: sparse.csr_array | None,
    normalised: bool,
    run: Run,
) -> list[sparse.csr_array]:
    """Add the edges between superpixels to what `begin_matting` began."""
    matrices = []
    for i, (shape, matting) in enumerate(levels):
        run.step(i / len(levels), "Graph")
        pixels = region_pixels(regions, shape)
        matrices.append(
            graph_laplacian(matting.result(), edges, pixels, shape, normalised)
        )
    return matrices


def pixel_graph(
    picture: FloatArray,
    pixels: NDArray[np.int64],
    edges: sparse.csr_array | None,
    normalised: bool,
    run: Run,
) -> PixelGraph:
    """Give the graph of the pixels of a picture ``(h, W, 3)`` or of some rows of it.

    ``pixels``: of the superpixels; edges between those outside are left out.
    """
    quiet = Run(cancelled=run.cancelled)
    matting = matting_laplacian(picture, dtype=np.float32, run=quiet)
    shape = (picture.shape[0], picture.shape[1])
    laplacian = graph_laplacian(matting, edges, pixels, shape, normalised)
    run.check()
    return laplacian, sparsity_exponents(picture)


@lru_cache(maxsize=8)
def derivative_kernels(taps: int = 13) -> tuple[DoubleArray, DoubleArray]:
    r"""Design the separable prefilter and first-derivative kernels for a gradient.

    ``taps``: odd length of both kernels, at least 3. Returns ``prefilter``,
    ``derivative`` ``(taps,)``: the prefilter sums to 1; the derivative of a unit ramp
    is 1.

    The gradient turns with the picture when the derivative kernel is the derivative of
    the prefilter, :math:`D(\omega) = j \omega P(\omega)`. Both kernels follow from
    least squares over all frequencies with :math:`P(0) = 1`.

    See Farid and Simoncelli, Differentiation of discrete multidimensional signals, IEEE
    TIP 13(4), 2004, doi:10.1109/TIP.2004.823819.
    """
    if taps < 3 or taps % 2 == 0:
        raise ValueError(f"taps={taps}; an odd number of at least 3 is needed.")
    side = taps // 2
    frequency = np.linspace(0, np.pi, 2001)[1:, None]
    offsets = np.arange(1, side + 1)
    even = np.hstack([np.ones_like(frequency), 2 * np.cos(frequency * offsets)])
    odd = 2 * np.sin(frequency * offsets)
    mismatch = np.hstack([frequency * even, -odd])
    total = np.concatenate([[1.0], np.full(side, 2.0), np.zeros(side)])
    solution = np.linalg.solve(mismatch.T @ mismatch, total)
    solution /= total @ solution
    half, slope = solution[: side + 1], solution[side + 1 :]
    prefilter = np.concatenate([half[:0:-1], half])
    derivative = np.concatenate([-slope[::-1], [0.0], slope])
    return prefilter, derivative


def gradient_magnitude(picture: FloatArray, taps: int = 13) -> FloatArray:
    """Give the length of the colour gradient at each pixel, ``(H, W)``.

    The squares of both directions are summed over the channels; the picture is
    continued beyond its border by its outermost pixels.
    """
    prefilter, derivative = derivative_kernels(taps)
    total = np.zeros(picture.shape[:2])
    for along in (0, 1):
        smooth = correlate1d(picture, prefilter, axis=1 - along, mode="nearest")
        slope = correlate1d(smooth, derivative, axis=along, mode="nearest")
        total += (slope.astype(np.float64) ** 2).sum(axis=-1)
    return np.sqrt(total).astype(np.float32)


def sparsity_exponents(picture: FloatArray) -> FloatArray:
    r"""Give :math:`\gamma_p = \min(0.9 + |\nabla c_p|, 1)`, ``(H, W)`` (Eq. 10b)."""
    return np.asarray(np.minimum(0.9 + gradient_magnitude(picture), 1), np.float32)
