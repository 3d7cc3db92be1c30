"""Sloppy trimaps of known kinds, seeded: what people paint in ten seconds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

#: Name -> what is wrong with the trimap. Lengths are pixels of pictures 800 wide.
SCENES = {
    "T1": "supplied, small unknown band",
    "T2": "supplied, large unknown band",
    "D40": "T2 with its unknown band dilated by 40 px",
    "U10": "T1, blobs of 10 % of the known area painted over the band, wrong side",
    "S10": "T1, 10 % of the known area swapped in ellipses and strokes",
    "B5": "T1, 5 % of the known area wrong in one to three discs (a limb missed)",
    "scribbles": "twelve strokes, everything else unknown",
    "moved": "T1 shifted by 8 px",
}


class Picture(NamedTuple):
    """A photograph, its true alpha and its supplied trimaps (0, 1, 2 labels)."""

    name: str
    image: np.ndarray
    alpha: np.ndarray
    trimaps: tuple[np.ndarray, np.ndarray]


def load_pictures(folder, half=False):
    """The pictures of an alphamatting.com training folder."""
    folder = Path(folder)
    for path in sorted((folder / "image").glob("*.png")):
        image = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        alpha = np.asarray(Image.open(folder / "alpha" / path.name).convert("L"))
        alpha = alpha.astype(np.float32) / 255
        trimaps = []
        for kind in ("trimap1", "trimap2"):
            grey = np.asarray(Image.open(folder / kind / path.name).convert("L"))
            trimaps.append(np.where(grey < 64, 1, np.where(grey > 192, 2, 0)))
        if half:
            image, alpha = halved(image), halved(alpha[..., None])[..., 0]
            trimaps = [halved_labels(t) for t in trimaps]
        yield Picture(path.stem, image, alpha, (trimaps[0], trimaps[1]))


def halved(values):
    """Mean of every 2x2 square."""
    height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
    cut = values[:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
    return cut.mean((1, 3)).astype(np.float32)


def halved_labels(labels):
    """Labels of 2x2 squares that agree; unknown elsewhere."""
    height, width = labels.shape[0] // 2 * 2, labels.shape[1] // 2 * 2
    cut = labels[:height, :width].reshape(height // 2, 2, width // 2, 2)
    low, high = cut.min((1, 3)), cut.max((1, 3))
    return np.where(low == high, low, 0)


def make_scene(kind, picture, seed=0):
    """A trimap (labels 0 unknown, 1 background, 2 foreground) of a kind."""
    rng = np.random.default_rng([seed, sum(map(ord, picture.name + kind))])
    small, large = picture.trimaps
    unit = max(small.shape) / 800
    if kind == "T1":
        return small
    if kind == "T2":
        return large
    if kind == "D40":
        wide = ndimage.distance_transform_edt(large != 0) <= 40 * unit
        return _with_all_labels(np.where(wide, 0, large), large)
    if kind == "moved":
        angle = rng.uniform(0, 2 * np.pi)
        shift = 8 * unit * np.sin(angle), 8 * unit * np.cos(angle)
        return ndimage.shift(small, shift, order=0, mode="nearest")
    if kind == "scribbles":
        return _scribbles(picture.alpha, unit, rng)
    if kind == "S10":
        return _swapped(small, 0.10, unit, rng)
    if kind == "U10":
        return _overpainted(small, picture.alpha, 0.10, unit, rng)
    if kind == "B5":
        return _limb_missed(small, 0.05, rng)
    raise ValueError(f"scene {kind!r} is not one of {', '.join(SCENES)}")


def _with_all_labels(trimap, before):
    for label in (1, 2):
        if not (trimap == label).any():
            depth = ndimage.distance_transform_edt(before == label)
            trimap[depth > 0.8 * depth.max()] = label
    return trimap


def _blob(shape, centre, rng, longest):
    """An ellipse, or a stroke of that length."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    dy, dx = y - centre[0], x - centre[1]
    turn, half = rng.uniform(0, np.pi), rng.uniform(0.3, 1) * longest / 2
    along = dx * np.cos(turn) + dy * np.sin(turn)
    across = dy * np.cos(turn) - dx * np.sin(turn)
    thin = half * (rng.uniform(0.4, 1) if rng.random() < 0.6 else 0.2)
    return (along / half) ** 2 + (across / thin) ** 2 < 1


def _near(mask, distance):
    return np.argwhere(ndimage.distance_transform_edt(~mask) < distance)


def _swapped(trimap, share, unit, rng):
    known = trimap != 0
    near = _near(~known, 30 * unit)
    wrong = np.zeros(trimap.shape, bool)
    while wrong.sum() < share * known.sum():
        centre = near[rng.integers(len(near))]
        wrong |= _blob(trimap.shape, centre, rng, 120 * unit) & known
    return np.where(wrong, 3 - trimap, trimap)


def _overpainted(trimap, alpha, share, unit, rng):
    band = np.argwhere(trimap == 0)
    result = trimap.copy()
    painted = np.zeros(trimap.shape, bool)
    while painted.sum() < share * (trimap != 0).sum():
        centre = band[rng.integers(len(band))]
        blob = _blob(trimap.shape, centre, rng, 100 * unit)
        result[blob] = 1 if alpha[blob].mean() > 0.5 else 2
        painted |= blob
    return result


def _limb_missed(trimap, share, rng):
    known = trimap != 0
    wanted = share * known.sum()
    count = int(rng.integers(1, 4))
    near = _near(~known, 0.03 * max(trimap.shape))
    result = trimap.copy()
    y, x = np.mgrid[: trimap.shape[0], : trimap.shape[1]]
    for _ in range(count):
        centre = near[rng.integers(len(near))]
        while trimap[tuple(centre)] == 0:
            centre = near[rng.integers(len(near))]
        label = trimap[tuple(centre)]
        gap = np.hypot(y - centre[0], x - centre[1])
        inside = np.sort(gap[trimap == label])
        radius = inside[min(int(wanted / count), len(inside) // 3)]
        radius = min(radius, np.sqrt(2.2 * wanted / count / np.pi))
        disc = (gap < radius) & (trimap != 3 - label)
        result[disc] = 3 - label
    return result


def _scribbles(alpha, unit, rng):
    """Twelve curved strokes, six on each side, far enough inside."""
    trimap = np.zeros(alpha.shape, int)
    width = 5 * unit
    for label, side in ((1, alpha < 0.02), (2, alpha > 0.98)):
        depth = ndimage.distance_transform_edt(side)
        starts = np.argwhere(depth > min(2 * width, 0.5 * depth.max()))
        for _ in range(6):
            place = starts[rng.integers(len(starts))].astype(float)
            angle = rng.uniform(0, 2 * np.pi)
            for _ in range(int(100 * unit)):
                angle += rng.normal(0, 0.15)
                step = place + [np.sin(angle), np.cos(angle)]
                cell = tuple(np.clip(step.astype(int), 0, np.array(alpha.shape) - 1))
                if depth[cell] <= min(width, 0.3 * depth.max()):
                    angle += 0.8
                    continue
                place = step
                row, column = cell
                half = max(1, round(width / 2))
                brush = (
                    slice(max(row - half, 0), row + half + 1),
                    slice(max(column - half, 0), column + half + 1),
                )
                trimap[brush][side[brush]] = label
    return trimap
