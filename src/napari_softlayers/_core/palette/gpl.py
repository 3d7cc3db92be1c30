"""GIMP palettes: reading and writing ``.gpl`` files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray
from .names import color_name, hex_name
from .selection import MOST, check_colors

HEADER = "GIMP Palette"


def read_gpl(path: str | Path, most: int = MOST) -> tuple[FloatArray, list[str]]:
    """Read a GIMP palette.

    Parameters
    ----------
    path : str or Path
    most : int
        Only the first ``most`` colours are taken.

    Returns
    -------
    palette : ndarray of float32, ``(K, 3)``
        Colours in [0, 1].
    names : list of str

    Raises
    ------
    ValueError
        When the file is not a GIMP palette, has no colours or a bad line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file, so no GIMP palette.") from error
    if not lines or lines[0].strip() != HEADER:
        raise ValueError(f"{path} does not start with '{HEADER}': no GIMP palette.")
    colors: list[list[int]] = []
    names: list[str] = []
    for number, line in enumerate(lines[1:], start=2):
        text = line.strip()
        if not text or text.startswith(("#", "Name:", "Columns:")):
            continue
        if len(colors) == most:
            break
        color, name = _read_line(text, f"{path}, line {number}")
        colors.append(color)
        names.append(name)
    if not colors:
        raise ValueError(f"{path} is a GIMP palette without colours.")
    return (np.array(colors) / 255).astype(np.float32), names


def _read_line(text: str, place: str) -> tuple[list[int], str]:
    """Three numbers from 0 to 255 and a name."""
    parts = text.split(maxsplit=3)
    try:
        color = [int(part) for part in parts[:3]]
    except ValueError:
        color = []
    if len(color) != 3 or not all(0 <= value <= 255 for value in color):
        raise ValueError(
            f"{place}: {text!r} is no colour; three whole numbers from 0 to 255 and a "
            "name are needed."
        )
    name = parts[3].strip() if len(parts) > 3 else ""
    return color, name or hex_name(np.array(color) / 255)


def write_gpl(
    path: str | Path,
    palette: ArrayLike,
    names: Sequence[str] | None = None,
    title: str = "Palette layers",
) -> Path:
    """Write a GIMP palette.

    Parameters
    ----------
    path : str or Path
    palette : array_like, ``(K, 3)``
        Colours in [0, 1], rounded to 8 bits.
    names : sequence of str, optional
        One a colour; everyday names otherwise.
    title : str

    Returns
    -------
    Path
    """
    colors = check_colors(palette)
    labels = list(names) if names is not None else [color_name(c) for c in colors]
    if len(labels) != len(colors):
        raise ValueError(
            f"{len(labels)} names came for {len(colors)} colours; give one a colour."
        )
    lines = [HEADER, f"Name: {_one_line(title)}", f"Columns: {len(colors)}", "#"]
    for color, label in zip(np.rint(colors * 255).astype(int), labels, strict=True):
        red, green, blue = color
        lines.append(f"{red:3d} {green:3d} {blue:3d}\t{_one_line(label)}")
    target = Path(path)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
