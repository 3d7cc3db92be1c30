"""Second opinions on labels: from colours, place and edges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...arrays import DoubleArray, FloatArray, Floats
from ...devices import import_torch
from ...run import SILENT, Run
from ..system import Labels, one_hot
from .resolution import blurred

_BINS = 16
_ITERATIONS = 8

#: Estimates the probability of every label (K, H, W) from a picture and labels.
Classifier = Callable[[FloatArray, Labels], FloatArray]


def relabelled(picture: FloatArray, labels: Labels, *, run: Run = SILENT) -> FloatArray:
    """Labels that colours, place and edges suggest, whatever the trimap says.

    Every iteration takes the labels so far as examples. A pixel's score for a label is
    the logarithm of how common its colour is among the examples (histograms of 16^3
    bins) plus that of their share in its surroundings; the scores' softmax, smoothed
    along the picture's edges by a guided filter, is the next estimate.

    ``labels``: the examples of the first iteration. Returns probabilities ``(K, H, W)``
    of the labels.
    """
    torch = import_torch()
    from ...numerics.guided_filter import GuidedFilter

    count = int(labels.max())
    member = one_hot(labels, count)
    bins = color_bins(picture)
    # Smooths layers along the edges of the picture's lightness.
    grey = torch.from_numpy(picture.mean(axis=2, dtype=np.float64)[None])
    follow = GuidedFilter(grey, 6, 1e-4, repeat=True)
    reach = 0.075 * max(labels.shape)
    for iteration in range(_ITERATIONS):
        run.step(iteration / _ITERATIONS, "Looking for wrong labels")
        likelihood = np.log(color_shares(bins, member) + 1e-5)
        near = np.stack([blurred(one, reach) for one in member]) + 1e-3
        scores = likelihood[:, bins] + np.log(near)
        scores = np.exp(np.clip(scores - scores.max(axis=0), -20, 0))
        scores /= scores.sum(axis=0)
        votes = follow(torch.from_numpy(scores[:-1])).numpy()
        votes = np.concatenate([votes, 1 - votes.sum(axis=0, keepdims=True)])
        member = one_hot(votes.argmax(axis=0) + 1, count)
    return votes.astype(np.float32)


def color_bins(picture: FloatArray) -> NDArray[np.intp]:
    """Number of every pixel's colour among ``16^3`` bins."""
    levels = np.minimum((picture * _BINS).astype(np.intp), _BINS - 1)
    return (levels[..., 0] * _BINS + levels[..., 1]) * _BINS + levels[..., 2]


def color_shares(bins: NDArray[np.intp], member: Floats) -> DoubleArray:
    """Share of every colour bin in each of K groups of pixels, (K, bins)."""
    shares = np.stack(
        [np.bincount(bins.ravel(), one.ravel(), _BINS**3) for one in member]
    )
    return np.asarray(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1))


def color_ratio(picture: FloatArray, examples: Labels, labels: Labels) -> DoubleArray:
    """Log-likelihood ratio of the best other label to the given one, by colours alone.

    ``examples``: to learn the colours from. ``labels``: those in doubt. The ratio is
    within -6 and 6; 0 where ``labels`` is 0.
    """
    bins = color_bins(picture)
    shares = color_shares(bins, one_hot(examples, int(examples.max())))
    cubes = shares.reshape(-1, _BINS, _BINS, _BINS)
    cubes = ndimage.gaussian_filter(cubes, (0, 0.7, 0.7, 0.7), mode="nearest")
    scores = np.log(cubes.reshape(shares.shape) + 1e-5)[:, bins]
    own = of_label(scores, labels)
    np.put_along_axis(scores, np.maximum(labels, 1)[None] - 1, -np.inf, 0)
    ratio = np.clip(scores.max(axis=0) - own, -6, 6)
    return np.where(labels == 0, 0, ratio)


def of_label(layers: Floats, labels: Labels) -> Floats:
    """Every pixel's own layer of (K, H, W); the first one where unknown."""
    return np.asarray(np.take_along_axis(layers, np.maximum(labels, 1)[None] - 1, 0)[0])
