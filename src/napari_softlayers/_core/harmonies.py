"""Harmonies of a palette. Loads no torch: the dock lists them before it computes."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import ArrayLike

from .arrays import DoubleArray, FloatArray
from .checks import one_of

HARMONIES = (
    "complementary",
    "analogous",
    "triad",
    "warmer",
    "cooler",
    "muted",
    "vivid",
    "lighter",
    "darker",
)


def harmony(palette: ArrayLike, kind: str) -> FloatArray:
    """Make a related palette by turning hues or shifting tones.

    ``palette`` ``(K, 3)``: colours in [0, 1]. ``kind``: one of `HARMONIES`.
    "complementary" and "triad" turn all hues by half and a third of the circle,
    "analogous" by a twelfth; the others shift warmth, saturation or lightness. Greys
    stay grey. Returns float32 ``(K, 3)``. Raises ValueError when the palette or the
    kind does not fit.
    """
    from .palette.selection import check_colors

    colors = check_colors(palette, most=None)
    one_of(kind, "harmony", HARMONIES)
    turns = {"complementary": 1 / 2, "triad": 1 / 3, "analogous": 1 / 12}
    if kind in turns:
        changed = np.array([_turn_hue(color, turns[kind]) for color in colors])
    elif kind in ("warmer", "cooler"):
        shift = np.array([0.08, 0.01, -0.08]) * (1 if kind == "warmer" else -1)
        # black and white hold their place: nothing there can be warmer
        mean = colors.mean(axis=1, keepdims=True)
        changed = colors + shift * (4 * mean * (1 - mean))
    elif kind in ("muted", "vivid"):
        grey = (colors @ np.array([0.299, 0.587, 0.114]))[:, None]
        changed = grey + (0.5 if kind == "muted" else 1.5) * (colors - grey)
    else:
        changed = colors ** (0.75 if kind == "lighter" else 1 / 0.75)
    return np.asarray(np.clip(changed, 0, 1), np.float32)


def _turn_hue(color: DoubleArray, turn: float) -> tuple[float, float, float]:
    hue, lightness, saturation = colorsys.rgb_to_hls(*color)
    return colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation)
