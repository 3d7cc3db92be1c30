"""The graph of a picture: its Laplacian, and affinities between superpixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree
from scipy.special import erf

from ..arrays import DoubleArray, FloatArray
from .superpixels import Superpixels

NEGLIGIBLE = 1e-6
"""Affinities below this are left out of the graph."""


def color_affinity(
    picture: FloatArray,
    superpixels: Superpixels,
    steepness: float = 50.0,
    threshold: float = 0.05,
    radius: float = 0.2,
) -> sparse.csr_array:
    r"""Join superpixels of nearly the same colour that are not far apart.

    ``picture`` ``(H, W, 3)``: values in [0, 1]. ``superpixels``: regions of the
    picture, ``n`` of them. ``steepness``, ``threshold``: the paper's :math:`a_c` and
    :math:`b_c`. ``radius``: largest distance of two centroids, as a fraction of height
    and width. Returns csr_array, ``(n, n)``: symmetric, values in [0, 1], empty
    diagonal.

    .. math:: w^C_{s,t} = (\operatorname{erf}(a_c (b_c - |c_s - c_t|)) + 1) / 2

    See Aksoy et al., Semantic soft segmentation, ACM TOG 37(4), 2018, Eq. 4.
    """
    colors = superpixels.means(picture)
    nearest = np.floor(superpixels.centroids + 0.5)
    places = nearest / superpixels.labels.shape
    pairs = cKDTree(places).query_pairs(radius, output_type="ndarray")
    distance = np.linalg.norm(colors[pairs[:, 0]] - colors[pairs[:, 1]], axis=1)
    weights = (erf(steepness * (threshold - distance)) + 1) / 2
    kept = weights > NEGLIGIBLE
    return symmetric_edges(pairs[kept], weights[kept], superpixels.count)


def symmetric_edges(
    pairs: NDArray[np.int64], weights: DoubleArray, count: int
) -> sparse.csr_array:
    """Make the symmetric ``(count, count)`` matrix of weighted pairs."""
    half = sparse.csr_array((weights, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return sparse.csr_array(half + half.T)


def semantic_affinity(
    features: FloatArray,
    superpixels: Superpixels,
    steepness: float = 20.0,
    threshold: float = 0.15,
) -> sparse.csr_array:
    r"""Join neighbours of like features and push neighbours of unlike ones apart.

    ``features`` ``(H, W, D)``: semantic features, each channel in [0, 1].
    ``superpixels``: regions of the picture, ``n`` of them. ``steepness``,
    ``threshold``: the paper's :math:`a_s` and :math:`b_s`; the paper names 0.2 for the
    latter, the published results were made with 0.15. Returns csr_array, ``(n, n)``:
    symmetric, values in [-1, 1], non-zero only between regions that touch.

    .. math:: w^S_{s,t} = \operatorname{erf}(a_s (b_s - |f_s - f_t|))

    See Aksoy et al., Semantic soft segmentation, ACM TOG 37(4), 2018, Eq. 5.
    """
    means = superpixels.means(features)
    pairs = superpixels.neighbours()
    distance = np.linalg.norm(means[pairs[:, 0]] - means[pairs[:, 1]], axis=1)
    weights = erf(steepness * (threshold - distance))
    return symmetric_edges(pairs, weights, superpixels.count)


def region_pixels(
    superpixels: Superpixels, shape: tuple[int, int]
) -> NDArray[np.int64]:
    """Give the pixel ``(n, 2)`` of each centroid in a picture of another size."""
    full = np.asarray(superpixels.labels.shape)
    nearest = np.floor(superpixels.centroids + 0.5)
    inside = np.asarray((nearest + 0.5) / full * shape, dtype=np.int64)
    return np.minimum(inside, np.asarray(shape, dtype=np.int64) - 1)


def graph_laplacian(
    matting: sparse.csr_array | sparse.csr_matrix,
    edges: sparse.csr_array | None,
    pixels: NDArray[np.int64],
    shape: tuple[int, int],
    normalised: bool = False,
) -> sparse.csr_array:
    r"""Add affinities between superpixels to a matting Laplacian (Eq. 3 and 6).

    ``matting`` sparse matrix ``(h * w, h * w)``: matting Laplacian of a picture of size
    ``shape``. ``edges`` csr_array ``(n, n)`` or None: weighted sum of the affinities
    between superpixels. ``pixels`` int ``(n, 2)``: row and column of each superpixel,
    see `region_pixels`; those outside of ``shape`` are left out. ``shape``: ``(h, w)``;
    a matting Laplacian's energy is the same at every scale, so that the edges keep
    their weights on a smaller picture. ``normalised``: give :math:`D^{-1/2} L D^{-1/2}`
    (times 9, a pixel's usual degree, so that both forms have the same scale) instead of
    the plain :math:`L`. Returns csr_array ``(h * w, h * w)``: symmetric, in the matting
    Laplacian's dtype; rows of the plain form sum to 0.
    """
    laplacian = sparse.csr_array(matting)
    # The matting windows that cover each pixel: its degree in that graph.
    rows, columns = (
        np.convolve(np.ones(max(length - 2, 1)), np.ones(3))[:length]
        for length in shape
    )
    degrees = np.outer(rows, columns).ravel()
    if edges is not None:
        inside = ((pixels >= 0) & (pixels < shape)).all(axis=1)
        kept = sparse.csr_array(edges)[inside][:, inside]
        places = pixels[inside, 0] * shape[1] + pixels[inside, 1]
        ones, count = np.ones(len(places)), len(places)
        place = sparse.csr_array(
            (ones, (places, np.arange(count))), shape=(len(degrees), count)
        )
        sums = kept.sum(axis=1)
        between = sparse.csr_array(sparse.diags_array(sums) - kept)
        between = (place @ between @ place.T).astype(laplacian.dtype)
        laplacian = sparse.csr_array(laplacian + between)
        degrees = degrees + place @ sums
    if normalised:
        scale = 3 / np.sqrt(np.maximum(degrees, 1e-3))
        diagonal = sparse.diags_array(scale.astype(laplacian.dtype))
        laplacian = sparse.csr_array(diagonal @ laplacian @ diagonal)
    laplacian.sort_indices()
    return _narrow(laplacian)


def _narrow(matrix: sparse.csr_array) -> sparse.csr_array:
    """Use 32-bit indices where they suffice: products are bound by memory."""
    if max(matrix.nnz, *matrix.shape) > np.iinfo(np.int32).max:
        return matrix
    indices, pointers = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return sparse.csr_array((matrix.data, indices, pointers), shape=matrix.shape)
