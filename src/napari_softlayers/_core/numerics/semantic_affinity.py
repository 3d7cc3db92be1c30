"""Semantic affinity between adjacent superpixels (Eq. 5)."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.special import erf

from ..arrays import FloatArray
from .color_affinity import symmetric_edges
from .superpixels import Superpixels


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
