"""GIMP palettes, ``.gpl`` files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray
from .names import color_name, hex_name
from .selection import MOST, check_colors

HEADER = "GIMP Palette"
MAX_BYTES = 1 << 20
SAID = re.compile(r"[a-z][\w ]*:", re.IGNORECASE)
"""A line of the header, such as "Columns: 8"; no colour starts with a letter."""


def read_gpl(path: str | Path, most: int = MOST) -> tuple[FloatArray, list[str]]:
    """Read a GIMP palette, UTF-8 or Latin-1, also with an alpha (that is left out).

    ``most``: only the first ``most`` colours are taken. Returns ``palette`` float32
    ``(K, 3)``: colours in [0, 1]. Raises ValueError when the file is not a GIMP
    palette, is too large, has no colours or a bad line.
    """
    lines = _lines(Path(path))
    while len(lines) > 1 and not lines[0].strip():
        del lines[0]
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
            said = text.partition(":")[2].split("#")[0].strip()
            if text.casefold().startswith("channels:") and said.casefold() == "rgba":
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
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise type(error)(f"'{path}' cannot be read: {error.strerror}.") from error
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
