"""The Laplacian of the whole graph: matting, colour and semantic affinities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..arrays import DoubleArray
from .superpixels import Superpixels

WINDOW = 3
"""Side of the matting Laplacian's windows."""


def graph_laplacian(
    matting: sparse.csr_array | sparse.csr_matrix,
    edges: sparse.csr_array | None,
    pixels: NDArray[np.int64],
    shape: tuple[int, int],
    normalised: bool = False,
) -> sparse.csr_array:
    r"""Add affinities between superpixels to a matting Laplacian (Eq. 3 and 6).

    Parameters
    ----------
    matting : sparse matrix, ``(h * w, h * w)``
        Matting Laplacian of a picture of size ``shape``.
    edges : csr_array, ``(n, n)``, optional
        Weighted sum of the affinities between superpixels, see `weighted_edges`.
    pixels : ndarray of int, ``(n, 2)``
        Row and column of each superpixel, see `region_pixels`. Superpixels outside of
        ``shape`` are left out.
    shape : tuple of int
        ``(h, w)``. A matting Laplacian's energy is the same at every scale, so that the
        edges keep their weights on a smaller picture.
    normalised : bool
        Give :math:`D^{-1/2} L D^{-1/2}` (times 9, a pixel's usual degree, so that both
        forms have the same scale) instead of the plain :math:`L`.

    Returns
    -------
    csr_array, ``(h * w, h * w)``
        Symmetric, in the matting Laplacian's dtype; rows of the plain form sum to 0.
    """
    laplacian = sparse.csr_array(matting)
    if edges is not None:
        between = edge_laplacian(edges, pixels, shape).astype(laplacian.dtype)
        laplacian = sparse.csr_array(laplacian + between)
    if normalised:
        scale = normalising_scale(edges, pixels, shape).astype(laplacian.dtype)
        diagonal = sparse.diags_array(scale)
        laplacian = sparse.csr_array(diagonal @ laplacian @ diagonal)
    laplacian.sort_indices()
    return _narrow(laplacian)


def _narrow(matrix: sparse.csr_array) -> sparse.csr_array:
    """Use 32-bit indices where they suffice: products are bound by memory."""
    if max(matrix.nnz, *matrix.shape) > np.iinfo(np.int32).max:
        return matrix
    indices, pointers = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return sparse.csr_array((matrix.data, indices, pointers), shape=matrix.shape)


def edge_laplacian(
    edges: sparse.csr_array, pixels: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_array:
    """Give the Laplacian ``(h * w, h * w)`` of the edges between superpixels alone."""
    kept, place = _placed(edges, pixels, shape)
    between = sparse.csr_array(sparse.diags_array(kept.sum(axis=1)) - kept)
    return sparse.csr_array(place @ between @ place.T)


def normalising_scale(
    edges: sparse.csr_array | None, pixels: NDArray[np.int64], shape: tuple[int, int]
) -> DoubleArray:
    """Give ``3 / sqrt(degree)`` of each pixel, ``(h * w,)`` (Eq. 3)."""
    degrees = _window_counts(shape).ravel()
    if edges is not None:
        kept, place = _placed(edges, pixels, shape)
        degrees = degrees + place @ kept.sum(axis=1)
    return WINDOW / np.sqrt(np.maximum(degrees, 1e-3))


def weighted_edges(
    affinities: Sequence[sparse.csr_array], weight: float = 0.01
) -> sparse.csr_array | None:
    r"""Sum affinities, each times the paper's :math:`\sigma_S = \sigma_C`."""
    if not affinities:
        return None
    return sparse.csr_array(sum(affinities[1:], start=affinities[0]) * weight)


def region_pixels(
    superpixels: Superpixels, shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Give the pixel ``(n, 2)`` of each centroid in a picture of another size."""
    full = np.asarray(superpixels.labels.shape)
    nearest = np.floor(superpixels.centroids + 0.5)
    inside = np.asarray((nearest + 0.5) / full * shape, dtype=np.int64)
    return np.minimum(inside, np.asarray(shape, dtype=np.int64) - 1)


def _placed(
    edges: sparse.csr_array, pixels: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Give the edges inside ``shape``, and the matrix that puts them at their pixels."""
    inside = ((pixels >= 0) & (pixels < shape)).all(axis=1)
    kept = sparse.csr_array(edges)[inside][:, inside]
    rows = pixels[inside, 0] * shape[1] + pixels[inside, 1]
    count = len(rows)
    place = sparse.csr_array(
        (np.ones(count), (rows, np.arange(count))), shape=(shape[0] * shape[1], count)
    )
    return kept, place


def _window_counts(shape: tuple[int, int]) -> DoubleArray:
    """Count the matting windows that cover each pixel: its degree in that graph."""
    counts = [
        np.convolve(np.ones(max(length - WINDOW + 1, 1)), np.ones(WINDOW))[:length]
        for length in shape
    ]
    return np.outer(counts[0], counts[1])
