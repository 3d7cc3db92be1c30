"""Palette selection: k-means, the RGB hull of Tan et al. 2018, or the user's colours."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import DoubleArray, FloatArray, to_numpy
from ..checks import one_of
from ..numerics.kmeans import kmeans, nearest
from .hull import simplified_hull

FEWEST, MOST = 2, 12
SELECTIONS = ("kmeans", "hull")
SAMPLE = 20_000  # pixels looked at
SAME = 1 / 512  # colours nearer than half an 8-bit step in all channels are one
AUTO_ERROR = 10 ** (-30 / 10)  # "auto": mean squared error without residues of 30 dB


def select_palette(
    picture: FloatArray,
    palette: int | str | ArrayLike = 6,
    *,
    selection: str = "kmeans",
    locked: ArrayLike | None = None,
    seed: int = 0,
) -> FloatArray:
    """Choose the palette colours of a picture.

    ``picture`` ``(H, W, 3)``: values in [0, 1]. ``palette`` int from 2 to 12, "auto" or
    ``(K, 3)``: number of colours; "auto" takes the fewest whose mixtures come within 30
    dB of the picture without residues; given colours are checked and returned.
    ``selection`` {"kmeans", "hull"}: cluster centres: colours of the picture; or the
    corners of a hull around the picture's colours: purer than the picture's own, with
    small residues. ``locked`` ``(L, 3)``: colours that must be in the palette as they
    are; they come first. ``seed``: of the sample and of the first centres.

    Returns float32 ``(K, 3)``: distinct colours, by decreasing share of the picture
    after the locked ones. Fewer than asked for (with a warning) when the picture has
    fewer. Raises ValueError when a colour lies outside [0, 1], a shape is wrong or a
    number is out of range.
    """
    one_of(selection, "selection", SELECTIONS)
    if not isinstance(palette, (str, int, np.integer)):
        return merge_duplicates(asked_colors(palette, locked))[0].astype(np.float32)
    fixed = np.zeros((0, 3)) if locked is None else check_colors(locked, "locked")
    sample = _sample(picture, seed)
    if isinstance(palette, str):
        if palette != "auto":
            raise ValueError(
                f"palette={palette!r} is not known; give a number from {FEWEST} to "
                f'{MOST}, "auto" or an array of colours (K, 3).'
            )
        return _automatic(sample, selection, fixed, seed)
    if isinstance(palette, bool) or not FEWEST <= palette <= MOST:
        raise ValueError(
            f"palette={palette} colours were asked for; {FEWEST} to {MOST} are possible."
        )
    if len(fixed) > palette:
        raise ValueError(
            f"{len(fixed)} colours are locked, but the palette has only {palette}; "
            "unlock some or ask for more colours."
        )
    colors = _choose(sample, int(palette), selection, fixed, seed)
    if len(colors) < palette:
        warnings.warn(
            f"The picture has only {len(colors)} distinct colours to offer; the palette "
            f"has {len(colors)} instead of {palette}.",
            stacklevel=2,
        )
    return colors


def asked_colors(palette: ArrayLike, locked: ArrayLike | None) -> DoubleArray:
    """The user's own colours, the locked ones first, before equal ones are merged."""
    fixed = [] if locked is None else [check_colors(locked, "locked")]
    return np.concatenate([*fixed, check_colors(palette)])


def check_colors(
    colors: ArrayLike, name: str = "palette", most: int | None = MOST
) -> DoubleArray:
    """Give colours as float64 ``(K, 3)``, K from 1 to ``most``, or say what is wrong."""
    array = to_numpy(colors, name)
    are_colors = array.ndim == 2 and array.shape[1] == 3
    if not are_colors or not 1 <= len(array) <= (most or np.inf):
        number = f"1 to {most}" if most else "one or more"
        raise ValueError(
            f"{name} has shape {array.shape}; (K, 3) with {number} colours (red, green, "
            "blue) is needed."
        )
    array = array.astype(np.float64)
    if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise ValueError(
            f"{name} has values from {array.min():g} to {array.max():g}; finite values "
            "in [0, 1] are needed. Divide 8-bit colours by 255."
        )
    return array


def merge_duplicates(colors: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Keep the first of equal colours.

    Returns ``colors`` ``(K', 3)``. ``index`` int ``(K,)``: where each colour went.
    """
    kept: list[int] = []
    index = np.empty(len(colors), np.int64)
    for i, color in enumerate(colors):
        same = [n for n, k in enumerate(kept) if np.abs(colors[k] - color).max() < SAME]
        index[i] = same[0] if same else len(kept)
        if not same:
            kept.append(i)
    return colors[kept], index


def _sample(picture: FloatArray, seed: int) -> DoubleArray:
    """Pixels ``(N, 3)`` on a jittered draw, sorted so that the order means nothing."""
    pixels = picture.reshape(-1, 3)
    if len(pixels) > SAMPLE:
        chosen = np.random.default_rng(seed).integers(len(pixels), size=SAMPLE)
        pixels = pixels[np.sort(chosen)]
    return pixels.astype(np.float64)


def _choose(
    sample: DoubleArray, count: int, selection: str, fixed: DoubleArray, seed: int
) -> FloatArray:
    """At most ``count`` distinct colours: the fixed ones, then the picture's."""
    fixed = merge_duplicates(fixed)[0]
    corners = (
        simplified_hull(sample, count - len(fixed)) if selection == "hull" else None
    )
    if corners is not None:
        colors = np.concatenate([fixed, corners])
    else:
        if selection == "hull":
            warnings.warn(
                "The picture's colours lie in a plane or on a line and have no hull; "
                "its palette comes from k-means.",
                stacklevel=3,
            )
        colors = cluster_colors(sample, count, fixed, seed)
    colors = merge_duplicates(colors)[0]
    share = np.bincount(nearest(sample, colors)[0], minlength=len(colors))
    share[: len(fixed)] = share.max() + 1
    return colors[np.argsort(-share, kind="stable")].astype(np.float32)


def cluster_colors(
    sample: DoubleArray, count: int, fixed: DoubleArray | None = None, seed: int = 0
) -> DoubleArray:
    """Centres of clusters of colours.

    ``sample`` ``(N, 3)``. ``count``: centres, the fixed ones included. ``fixed``
    ``(L, 3)``. Returns ``(K, 3)``: the fixed centres first; K is smaller than `count`
    when the sample has fewer distinct colours.
    """
    return kmeans(
        sample,
        count,
        np.random.default_rng(seed),
        fixed=fixed,
        draws=4,
        same=SAME,
        iterations=50,
        tolerance=1e-5,
    )[0]


def _automatic(
    sample: DoubleArray, selection: str, fixed: DoubleArray, seed: int
) -> FloatArray:
    """The smallest palette whose mixtures come near enough to the picture."""
    import torch

    from ..numerics.mixture import Mixture

    pixels = torch.from_numpy(sample[:: max(1, len(sample) // 4000)].T.copy()).float()
    for count in range(max(FEWEST, len(fixed)), MOST + 1):
        colors = _choose(sample, count, selection, fixed, seed)
        alphas = Mixture(colors).alphas(pixels[:, None])[:, 0]
        error = pixels - torch.from_numpy(colors).T @ alphas
        if len(colors) < count or float(error.square().mean()) < AUTO_ERROR:
            break
    return colors
