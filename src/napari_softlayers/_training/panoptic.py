"""Data sets in COCO's panoptic format, and how well features tell segments apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class PanopticPicture:
    """A picture of a panoptic set.

    Parameters
    ----------
    picture : Path
        The photograph.
    segments : Path
        PNG whose colours are segment ids, ``R + 256 G + 65536 B``; 0 is no segment.
    """

    picture: Path
    segments: Path

    def read(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """Picture ``(H, W, 3)`` and segment ids ``(H, W)`` (0: none)."""
        from PIL import Image

        with Image.open(self.picture) as opened:
            picture = np.asarray(opened.convert("RGB"))
        with Image.open(self.segments) as opened:
            coded = np.asarray(opened.convert("RGB")).astype(np.int32)
        ids = coded[..., 0] + 256 * coded[..., 1] + 65536 * coded[..., 2]
        if ids.shape != picture.shape[:2]:
            raise ValueError(
                f"{self.segments} is {ids.shape[::-1]} pixels but its photograph "
                f"{self.picture} is {picture.shape[1::-1]}"
            )
        return picture, ids


class PanopticSet:
    """A data set in COCO's panoptic format.

    Looks for ``panoptic_<split>.json`` and the folder ``panoptic_<split>`` in ``root``
    or ``root/annotations``, and for the photographs in ``root/images/<split>``,
    ``root/<split>`` or ``root/images``.

    Parameters
    ----------
    root : path-like
    split : str
        For instance ``"train2017"``.

    Raises
    ------
    ValueError
        If a part is missing; the message names where it was looked for.
    """

    def __init__(self, root: str | Path, split: str) -> None:
        root = Path(root)
        name = f"panoptic_{split}"
        notes = _first(f"{name}.json", root / "annotations", root)
        maps = _first(name, notes.parent)
        photos = _first(split, root / "images", root, missing=root / "images")
        about = json.loads(notes.read_text())
        files = {image["id"]: image["file_name"] for image in about["images"]}
        self.pictures = [
            PanopticPicture(
                photos / files[entry["image_id"]], maps / entry["file_name"]
            )
            for entry in about["annotations"]
        ]

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[PanopticPicture]:
        return iter(self.pictures)


def _first(name: str, *folders: Path, missing: Path | None = None) -> Path:
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    if missing is not None and missing.exists():
        return missing
    places = " or ".join(str(folder) for folder in folders)
    raise ValueError(
        f"no {name} in {places}; a panoptic data set has annotations/"
        "panoptic_<split>.json, annotations/panoptic_<split>/ and images/<split>/"
    )


def separation(
    ids: NDArray[np.int32],
    distance: Callable[[NDArray[np.intp], NDArray[np.intp]], Floats],
    seed: int = 0,
    pairs: int = 4000,
) -> tuple[float, float]:
    """How well a distance tells apart pixels of one segment and of two.

    Area under the ROC curve of "same segment?" over random pairs of pixels, and over
    pairs that are closer than 10 % of the long side. Pixels without a segment take no
    part.

    Parameters
    ----------
    ids : (H, W) int
        Segment ids, 0 for none.
    distance : callable
        ``distance(p, q)`` for two ``(N, 2)`` integer arrays of (row, column).
    seed : int
    pairs : int
        Random pairs; twice as many near ones.

    Returns
    -------
    everywhere, near : float
        NaN where all pairs are alike.
    """
    random = np.random.default_rng(seed)
    rows, columns = np.nonzero(ids)
    if len(rows) < 2:
        return float("nan"), float("nan")
    inside = np.stack([rows, columns], 1)
    first = inside[random.integers(len(inside), size=pairs)]
    second = inside[random.integers(len(inside), size=pairs)]
    everywhere = _auc_of(ids, first, second, distance)
    reach = 0.1 * max(ids.shape)
    first = inside[random.integers(len(inside), size=8 * pairs)]
    offset = random.uniform(-reach, reach, (len(first), 2))
    second = np.rint(first + offset).astype(np.intp)
    good = (np.hypot(*offset.T) < reach) & (second >= 0).all(1)
    good &= (second < ids.shape).all(1)
    first, second = first[good], second[good]
    labelled = ids[second[:, 0], second[:, 1]] > 0
    first, second = first[labelled][: 2 * pairs], second[labelled][: 2 * pairs]
    return everywhere, _auc_of(ids, first, second, distance)


def _auc_of(
    ids: NDArray[np.int32],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    distance: Callable[[NDArray[np.intp], NDArray[np.intp]], Floats],
) -> float:
    same = ids[tuple(first.T)] == ids[tuple(second.T)]
    return area_under_curve(same, -np.asarray(distance(first, second)))


def area_under_curve(positive: NDArray[np.bool_], score: Floats) -> float:
    """Probability that a positive scores above a negative (ties count half)."""
    from scipy.stats import rankdata

    wins, losses = int(positive.sum()), int((~positive).sum())
    if wins == 0 or losses == 0:
        return float("nan")
    ranks = rankdata(score)[positive].sum()
    return float((ranks - wins * (wins + 1) / 2) / (wins * losses))
