"""Affinities between superpixels, of colours and of semantic features."""

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
    rows = np.concatenate([pairs[:, 0], pairs[:, 1]])
    columns = np.concatenate([pairs[:, 1], pairs[:, 0]])
    values = np.concatenate([weights, weights])
    return sparse.csr_array((values, (rows, columns)), shape=(count, count))


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
