"""Names of colours, and GIMP palettes (``.gpl`` files), which hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray
from .selection import MOST, check_colors

HEADER = "GIMP Palette"
MAX_BYTES = 1 << 20
SAID = re.compile(r"(Name|Columns|Channels):", re.IGNORECASE)

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


def read_gpl(path: str | Path, most: int = MOST) -> tuple[FloatArray, list[str]]:
    """Read a GIMP palette, UTF-8 or Latin-1, also with an alpha (that is left out).

    ``most``: only the first ``most`` colours are taken. Returns ``palette`` float32
    ``(K, 3)``: colours in [0, 1]. Raises ValueError when the file is not a GIMP
    palette, is too large, has no colours or a bad line.
    """
    lines = _lines(Path(path))
    if not lines[0].strip().casefold().startswith(HEADER.casefold()):
        raise ValueError(f"{path} does not start with '{HEADER}': no GIMP palette.")
    colors: list[list[int]] = []
    names: list[str] = []
    channels = 3
    for number, line in enumerate(lines[1:], start=2):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if SAID.match(text):
            if text.casefold().startswith("channels:") and text.endswith(("A", "a")):
                channels = 4
            continue
        if len(colors) == most:
            break
        color, name = _read_line(text, channels, f"{path}, line {number}")
        colors.append(color)
        names.append(name)
    if not colors:
        raise ValueError(f"{path} is a GIMP palette without colours.")
    return (np.array(colors) / 255).astype(np.float32), names


def _lines(path: Path) -> list[str]:
    """The lines of a text file, ended as on any system."""
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(
            f"{path} is larger than {MAX_BYTES >> 20} MB: no GIMP palette."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return re.split("\r\n|\n|\r", text)


def _read_line(text: str, channels: int, place: str) -> tuple[list[int], str]:
    """As many numbers from 0 to 255 as there are channels, and a name."""
    parts = text.split(maxsplit=channels)
    try:
        color = [int(part) for part in parts[:channels]]
    except ValueError:
        color = []
    if len(color) != channels or not all(0 <= value <= 255 for value in color):
        raise ValueError(
            f"{place}: {text!r} is no colour; {channels} whole numbers from 0 to 255 and "
            "a name are needed."
        )
    name = parts[channels].strip() if len(parts) > channels else ""
    return color[:3], name or hex_name(np.array(color[:3]) / 255)


def write_gpl(
    path: str | Path, palette: ArrayLike, names: Sequence[str] | None = None
) -> Path:
    """Write a GIMP palette.

    ``palette`` ``(K, 3)``: colours in [0, 1], rounded to 8 bits. ``names`` sequence of
    str: one a colour; everyday names otherwise.
    """
    colors = check_colors(palette)
    labels = [color_name(c) for c in colors] if names is None else list(map(str, names))
    if len(labels) != len(colors):
        raise ValueError(
            f"{len(labels)} names came for {len(colors)} colours; give one a colour."
        )
    lines = [HEADER, "Name: Palette layers", f"Columns: {len(colors)}", "#"]
    for color, label in zip(np.rint(colors * 255).astype(int), labels, strict=True):
        red, green, blue = color
        lines.append(f"{red:3d} {green:3d} {blue:3d}\t{' '.join(label.split())}")
    target = Path(path)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target
