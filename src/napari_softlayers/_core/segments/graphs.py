"""The graphs of a picture: one at each working size, one of the picture's own pixels."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..arrays import FloatArray
from ..numerics.affinities import color_affinity, semantic_affinity
from ..numerics.laplacian import graph_laplacian, region_pixels, weighted_edges
from ..numerics.matting_laplacian import matting_laplacian
from ..numerics.superpixels import Superpixels, block_means
from ..run import Run
from .features import SemanticFeatures
from .gradients import sparsity_exponents
from .state import PixelGraph, SegmentOptions

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
    return weighted_edges(affinities, options.affinity_weight)


class WorkingGraphs:
    """The Laplacian at the working size, and those at halves of it.

    Their matting parts follow from the picture alone: they are begun at once, in a
    thread of ``beside``.

    ``guide`` ``(h, w, 3)``: the picture at the working size. ``run``: for the cancel;
    the progress is that of the main thread.
    """

    def __init__(
        self,
        guide: FloatArray,
        options: SegmentOptions,
        beside: ThreadPoolExecutor,
        run: Run,
    ) -> None:
        sizes = [guide]
        if options.quality != "exact":
            while sizes[0][..., 0].size >= 4 * COARSE_PIXELS:
                sizes.insert(0, block_means(sizes[0], 2))
        quiet = Run(cancelled=run.cancelled)
        self.normalised = options.normalised
        self.shapes = [(size.shape[0], size.shape[1]) for size in sizes]
        self._matting: list[Future[sparse.csr_matrix]] = [
            beside.submit(matting_laplacian, size, run=quiet) for size in sizes
        ]

    def laplacians(
        self, regions: Superpixels, edges: sparse.csr_array | None, run: Run
    ) -> list[sparse.csr_array]:
        """Add the edges between superpixels; from coarse to fine."""
        matrices = []
        for i, (matting, shape) in enumerate(
            zip(self._matting, self.shapes, strict=True)
        ):
            run.step(i / len(self.shapes), "Graph")
            pixels = region_pixels(regions, shape)
            matrices.append(
                graph_laplacian(matting.result(), edges, pixels, shape, self.normalised)
            )
        return matrices


class Surroundings(NamedTuple):
    """What a pixel graph needs beside the pixels.

    ``shape``: height and width of the whole picture. ``edges`` csr_array or None.
    """

    shape: tuple[int, int]
    regions: Superpixels
    edges: sparse.csr_array | None
    normalised: bool


def pixel_graph(
    rows: FloatArray, first_row: int, around: Surroundings, run: Run
) -> PixelGraph:
    """Give the graph of some rows ``(h, W, 3)`` of a picture's pixels.

    Edges between superpixels that leave the rows are left out.
    """
    pixels = region_pixels(around.regions, around.shape)
    pixels[:, 0] -= first_row
    laplacian = graph_laplacian(
        matting_laplacian(rows, dtype=np.float32, run=Run(cancelled=run.cancelled)),
        around.edges,
        pixels,
        (rows.shape[0], rows.shape[1]),
        around.normalised,
    )
    run.check()
    return PixelGraph(laplacian, sparsity_exponents(rows))
