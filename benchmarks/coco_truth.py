"""COCO panoptic pictures with their true segments, and how well masks fit them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LEAST_SHARE = 0.02
"""Segments below this share of the picture are no targets."""


@dataclass(frozen=True)
class Truth:
    """A picture and its true segments.

    Parameters
    ----------
    name : str
    picture : ndarray, ``(H, W, 3)``
        In [0, 1].
    ids : ndarray of int, ``(H, W)``
        Segment of each pixel, 0 where nobody said.
    targets : list of int
        Segments above 2 % of the picture that are not crowds.
    """

    name: str
    picture: NDArray[np.float32]
    ids: NDArray[np.int64]
    targets: list[int]


def pictures(
    data: Path, long_side: int = 320, most: int | None = None
) -> Iterator[Truth]:
    """Read the validation pictures of a folder in COCO's panoptic format."""
    notes = json.loads((data / "annotations/panoptic_val2017.json").read_text())
    files = {entry["id"]: entry["file_name"] for entry in notes["images"]}
    for note in notes["annotations"][:most]:
        photo = Image.open(data / "images/val2017" / files[note["image_id"]])
        map_file = data / "annotations/panoptic_val2017" / note["file_name"]
        scale = long_side / max(photo.size)
        size = (round(photo.width * scale), round(photo.height * scale))
        picture = np.asarray(
            photo.convert("RGB").resize(size, Image.Resampling.LANCZOS), np.float32
        )
        colors = np.asarray(
            Image.open(map_file).convert("RGB").resize(size, Image.Resampling.NEAREST),
            np.int64,
        )
        ids = colors @ [1, 256, 65536]
        crowds = {s["id"] for s in note["segments_info"] if s.get("iscrowd")}
        numbers, counts = np.unique(ids, return_counts=True)
        targets = [
            int(number)
            for number, count in zip(numbers, counts, strict=True)
            if number and number not in crowds and count > LEAST_SHARE * ids.size
        ]
        yield Truth(files[note["image_id"]], picture / 255, ids, targets)


def scores(truth: Truth, masks: NDArray[np.bool_]) -> tuple[float, float]:
    """Give the mean IoU over the targets of the best mask, and of the best union.

    The union is greedy: from the best mask on, the mask that helps most is added. Pixels
    without a true segment do not count.
    """
    known = truth.ids.ravel() > 0
    flat = masks.reshape(len(masks), -1)[:, known]
    ids = truth.ids.ravel()[known]
    single, union = [], []
    for target in truth.targets:
        wanted = ids == target
        inside = flat[:, wanted].sum(axis=1)
        sizes = flat.sum(axis=1)
        ious = inside / np.maximum(sizes + wanted.sum() - inside, 1)
        single.append(ious.max())
        union.append(_greedy(flat, wanted, ious))
    return float(np.mean(single)), float(np.mean(union))


def _greedy(
    flat: NDArray[np.bool_], wanted: NDArray[np.bool_], ious: NDArray[np.float64]
) -> float:
    best = float(ious.max())
    joined = flat[int(ious.argmax())].copy()
    while True:
        together = flat | joined
        inside = together[:, wanted].sum(axis=1)
        found = inside / (together.sum(axis=1) + wanted.sum() - inside)
        if found.max() <= best:
            return best
        best = float(found.max())
        joined = together[int(found.argmax())]


def boundary_score(truth: Truth, labels: NDArray[np.int64], reach: float = 2) -> float:
    """F measure of the borders between labels, right within ``reach`` pixels."""
    from scipy.ndimage import distance_transform_edt
    from skimage.segmentation import find_boundaries

    ours = find_boundaries(labels, mode="inner")
    true = find_boundaries(truth.ids, mode="inner")
    if not ours.any() or not true.any():
        return float(ours.any() == true.any())
    precision = (distance_transform_edt(~true)[ours] <= reach).mean()
    recall = (distance_transform_edt(~ours)[true] <= reach).mean()
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def blurred_ids(truth: Truth, sigma: float = 1.0) -> NDArray[np.float32]:
    """Turn true segments into colours far from each other: features without error."""
    from scipy.ndimage import gaussian_filter

    numbers, index = np.unique(truth.ids, return_inverse=True)
    colors = np.random.default_rng(0).random((len(numbers), 3))
    for _ in range(30):  # push the closest pair apart, inside the unit cube
        gap = colors[:, None] - colors[None]
        distance = np.linalg.norm(gap, axis=-1) + np.eye(len(colors)) * 9
        push = (gap / distance[..., None] ** 3).sum(axis=1)
        colors = np.clip(colors + 0.02 * push / len(colors), 0, 1)
    values = colors[index.reshape(truth.ids.shape)]
    return gaussian_filter(values, (sigma, sigma, 0)).astype(np.float32)
