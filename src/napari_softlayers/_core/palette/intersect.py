"""Semantic segments x palette layers: the red of the car, apart from the roof's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import FloatArray
from ..layers.colors import exact_colors
from ..layers.soft_layers import SoftLayers
from ..run import Run, as_run
from .recolor import layer_palette

EMPTY = 1e-3  # share of the picture below which a pair is dropped


def intersect(
    segments: SoftLayers,
    palette: SoftLayers,
    *,
    empty: float = EMPTY,
    run: Run | None = None,
) -> SoftLayers:
    """Cut each palette layer along the segments of the same picture.

    ``empty``: pairs that cover a smaller share of the picture are dropped and their light
    goes to the segment's largest pair, so that nothing crosses a segment's edge. Returns
    SoftLayers of kind "palette": alphas ``a_s a_p``, named "segment · colour", with an
    exact sum. ``extras["palette"]`` holds the palette colour of each layer and
    ``extras["pairs"]`` the two indices, so that `recolor` works on them.
    """
    run = as_run(run)
    if not isinstance(palette, SoftLayers):
        raise TypeError(
            f"A {type(palette).__name__} came; SoftLayers from palette_layers are needed."
        )
    _check_same_picture(segments, palette)
    if not 0 <= empty < 1:
        raise ValueError(f"empty={empty} came; a share in [0, 1) is needed.")
    colors = layer_palette(palette)
    alphas: list[FloatArray] = []
    pairs: list[tuple[int, int]] = []
    shades = palette.whole()
    weight = np.ones(palette.shape) if palette.alpha is None else palette.alpha
    for s, segment in enumerate(segments.whole()):
        run.step(0.4 * s / len(segments), "Crossing segments and colours")
        shares = np.einsum(
            "khw,hw->k", shades, segment * weight, dtype=np.float64, optimize=True
        ) / float(weight.sum())
        kept = np.flatnonzero(shares >= empty)
        if not len(kept):
            kept = np.array([int(shares.argmax())])
        products = shades[kept] * segment
        lost = segment - products.sum(axis=0)
        products[int(shares[kept].argmax())] += lost
        alphas.extend(np.clip(products, 0, 1))
        pairs.extend((s, int(p)) for p in kept)
    order = [p for _, p in pairs]
    stack = np.stack(alphas)
    crossed = replace(
        palette,
        alphas=stack,
        colors=exact_colors(
            palette.image, stack, palette.colors[order], run.part(0.4, 1)
        ),
        names=[f"{segments.names[s]} · {palette.names[p]}" for s, p in pairs],
        extras={"palette": colors[order], "pairs": np.array(pairs)},
        alpha=None,
    )
    return crossed.covered(palette.alpha)


def _check_same_picture(segments: SoftLayers, palette: SoftLayers) -> None:
    if segments.shape != palette.shape:
        raise ValueError(
            f"The segments are {segments.shape[0]}x{segments.shape[1]}, the palette "
            f"layers {palette.shape[0]}x{palette.shape[1]}; both must come from the same "
            "picture."
        )
    difference = float(np.abs(segments.light - palette.light).mean())
    if difference > 0.02:
        raise ValueError(
            "The segments and the palette layers are of different pictures (mean "
            f"difference {difference:.2f}); compute both from the same one."
        )
