"""Names of colours: numbers, and everyday words."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .selection import check_colors

# Everyday names, as 8-bit sRGB
NAMED = {
    "black": (0, 0, 0),
    "charcoal": (54, 54, 58),
    "grey": (128, 128, 128),
    "silver": (192, 192, 192),
    "white": (255, 255, 255),
    "ivory": (250, 244, 228),
    "cream": (255, 246, 200),
    "beige": (225, 205, 175),
    "tan": (200, 165, 125),
    "khaki": (185, 170, 110),
    "brown": (120, 72, 38),
    "dark brown": (66, 42, 28),
    "maroon": (110, 22, 30),
    "brick red": (165, 55, 45),
    "red": (220, 30, 30),
    "coral": (245, 120, 95),
    "salmon": (250, 165, 145),
    "pink": (250, 185, 200),
    "magenta": (215, 35, 150),
    "plum": (130, 60, 115),
    "purple": (115, 35, 160),
    "violet": (150, 100, 215),
    "lavender": (205, 190, 235),
    "orange": (245, 135, 25),
    "apricot": (250, 195, 135),
    "gold": (225, 170, 30),
    "yellow": (250, 225, 45),
    "olive": (118, 118, 40),
    "lime": (170, 220, 50),
    "green": (40, 150, 60),
    "dark green": (22, 70, 35),
    "sage": (155, 175, 140),
    "mint": (165, 230, 195),
    "teal": (20, 120, 125),
    "turquoise": (65, 205, 200),
    "sky blue": (135, 195, 240),
    "steel blue": (80, 130, 175),
    "blue": (35, 80, 210),
    "navy": (22, 32, 90),
    "slate": (98, 112, 130),
}


def hex_name(color: ArrayLike) -> str:
    """Name a colour in [0, 1] like ``#d94f2a``."""
    red, green, blue = np.rint(np.asarray(color, dtype=np.float64) * 255).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def color_name(color: ArrayLike) -> str:
    """Give the everyday name nearest to a colour ``(3,)`` in [0, 1].

    Nearness is Euclidean in CIE Lab.
    """
    from skimage.color import rgb2lab

    table = np.array(list(NAMED.values())) / 255
    wanted = check_colors(np.asarray(color, dtype=np.float64)[None], "color")
    gaps = np.linalg.norm(rgb2lab(table[None])[0] - rgb2lab(wanted[None])[0], axis=1)
    return list(NAMED)[int(gaps.argmin())]
