"""Foregrounds and backgrounds in folders: cut-outs, Composition-1k, photographs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .pictures import find_pictures

Array = NDArray[np.float32]


class Cutout(NamedTuple):
    """A foreground: ``color`` float32 (H, W, 3) and ``alpha`` float32 (H, W)."""

    color: Array
    alpha: Array


@dataclass(frozen=True)
class Foreground:
    """Files of one foreground: an RGBA picture, or a colour picture and its alpha."""

    color: Path
    alpha: Path | None = None

    def load(self, side: int | None = None) -> Cutout:
        """Read it, scaled so that the longer side is ``side`` pixels."""
        with Image.open(self.color) as opened:
            picture = opened.convert("RGBA" if self.alpha is None else "RGB")
        if self.alpha is not None:
            with Image.open(self.alpha) as opened:
                picture = picture.convert("RGBA")
                picture.putalpha(opened.convert("L"))
        if side is not None:
            picture.thumbnail((side, side), Image.Resampling.BOX)
        values = np.asarray(picture, np.float32) / np.float32(255)
        return Cutout(values[..., :3], values[..., 3])


def find_foregrounds(folder: str | Path) -> list[Foreground]:
    """Foregrounds under a folder.

    Parameters
    ----------
    folder : path-like
        RGBA pictures in any subfolders; or, as Adobe Composition-1k has it, folders
        ``fg`` and ``alpha`` side by side (below any others, such as
        ``Training_set/Adobe-licensed images``) with files of the same stem.

    Returns
    -------
    list of Foreground

    Raises
    ------
    ValueError
        When nothing is found, or an ``fg`` picture has no alpha.
    """
    folder = Path(folder)
    pairs = [f for f in folder.rglob("fg") if f.with_name("alpha").is_dir()]
    if (folder / "fg").is_dir() and (folder / "alpha").is_dir():
        pairs = [folder / "fg"]
    if not pairs:
        return [Foreground(path) for path in find_pictures(folder)]
    found = []
    for colors in sorted(pairs):
        alphas = {p.stem: p for p in find_pictures(colors.with_name("alpha"))}
        for path in find_pictures(colors):
            if path.stem not in alphas:
                raise ValueError(f"{path} has no alpha beside it in {colors.parent}")
            found.append(Foreground(path, alphas[path.stem]))
    return found


@lru_cache(maxsize=1024)
def load_photo(path: Path, side: int) -> NDArray[np.uint8]:
    """A photograph as uint8 (H, W, 3), its shorter side scaled to ``side``."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    factor = side / min(picture.size)
    size = tuple(max(side, round(n * factor)) for n in picture.size)
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))  # type: ignore[arg-type]
