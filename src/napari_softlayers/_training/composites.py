"""Training pictures for matting: composites made on the fly, trimaps with mistakes.

A composite is ``image = alpha * foreground + (1 - alpha) * background`` with a known
alpha. Foregrounds are RGBA cut-outs, pairs in the layout of Adobe Composition-1k, or
procedural mattes filled with the texture of a photograph; backgrounds are photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .mattes import random_matte
from .matting_files import Cutout, Foreground, load_photo
from .trimaps import TOLERANCE, random_trimap

Array = NDArray[np.float32]


class Sample(NamedTuple):
    """A training picture.

    Attributes
    ----------
    image, foreground, background : float32 array (H, W, 3)
    alpha : float32 array (H, W)
    trimap : uint8 array (H, W)
        What the network is told: 0 background, 1 unknown, 2 foreground.
    """

    image: Array
    foreground: Array
    background: Array
    alpha: Array
    trimap: NDArray[np.uint8]


class Compositor:
    """Makes samples from folders; keeps a pool of foregrounds that slowly renews.

    Parameters
    ----------
    foregrounds : sequence of Foreground
        May be empty: all foregrounds are procedural then.
    backgrounds : sequence of Path
        Photographs; they also give procedural mattes their texture.
    crop : int
        Side of the samples.
    size : int
        Side at which foregrounds are made; crops are taken from these.
    procedural : float
        Share of procedural mattes (1 when there are no foregrounds).
    pool : int
        Foregrounds kept; each is renewed after about 25 uses.
    mistakes : float
        Probability of wrong labels in a trimap.
    seed : int
        Of the pool.
    """

    def __init__(
        self,
        foregrounds: Sequence[Foreground],
        backgrounds: Sequence[Path],
        crop: int = 160,
        size: int = 320,
        procedural: float = 0.7,
        pool: int = 300,
        mistakes: float = 0.65,
        seed: int = 0,
    ) -> None:
        if not backgrounds:
            raise ValueError("at least one background picture is needed")
        if crop > size:
            raise ValueError(f"crop ({crop}) must not exceed size ({size})")
        self.foregrounds, self.backgrounds = list(foregrounds), list(backgrounds)
        self.crop, self.size, self.mistakes = crop, size, mistakes
        self.procedural = procedural if self.foregrounds else 1.0
        self.pool: list[tuple[int, Cutout] | None] = [None] * pool
        self.seed = seed

    def sample(self, rng: np.random.Generator, drawn: int = 0) -> Sample:
        """One training picture, of the crop's size.

        Parameters
        ----------
        rng : numpy.random.Generator
        drawn : int
            Samples drawn before, by which the pool has been renewed. The same generator
            and number give the same sample, whatever was drawn in fact.
        """
        cutout = self._cutout(int(rng.integers(len(self.pool))), drawn)
        color, alpha = self._augmented(cutout, rng)
        background = self._photo(alpha.shape[0], rng)
        if rng.random() < 0.3:  # like colours make it hard
            color = _towards(color, background, alpha, rng.uniform(0.2, 0.8))
        if rng.random() < 0.3:
            gain, power = rng.uniform(0.6, 1.3), rng.uniform(0.7, 1.4)
            color = np.clip(gain * color, 0, 1) ** np.float32(power)
        mix = alpha[..., None]
        image = mix * color + (1 - mix) * background
        noise = rng.standard_normal(image.shape, np.float32)
        image = np.clip(image + np.float32(rng.uniform(0, 0.02)) * noise, 0, 1)
        trimap = random_trimap(alpha, rng, self.mistakes)
        return Sample(image, color, background, alpha, trimap)

    def _cutout(self, slot: int, drawn: int) -> Cutout:
        """The foreground in a slot of the pool, after so many draws."""
        life = 25 * len(self.pool)
        age = (drawn + slot * life // len(self.pool)) // life
        kept = self.pool[slot]
        if kept is None or kept[0] != age:
            fresh = self._new_cutout(np.random.default_rng([self.seed, slot, age]))
            kept = self.pool[slot] = (age, fresh)
        return kept[1]

    def _new_cutout(self, rng: np.random.Generator) -> Cutout:
        if rng.random() >= self.procedural:
            chosen = self.foregrounds[rng.integers(len(self.foregrounds))]
            return _squared(chosen.load(self.size), self.size)
        matte = random_matte(self.size, rng)
        texture = self._photo(self.size, rng)
        if rng.random() < 0.5:  # most things are of fewer colours than a photograph
            blurred = _scaled(_scaled(texture, 8), self.size, Image.Resampling.BICUBIC)
            share = rng.uniform(0.2, 0.7)
            texture = share * texture + (1 - share) * blurred
        if rng.random() < 0.4:
            tint = rng.random(3) * 0.8
            detail = texture - texture.mean((0, 1))
            texture = np.clip(tint + rng.uniform(0.2, 0.8) * detail, 0, 1)
        shine = matte.shine[..., None]
        color = (shine + (1 - shine) * texture).astype(np.float32)
        return Cutout(color, matte.alpha)

    def _augmented(self, cutout: Cutout, rng: np.random.Generator) -> Cutout:
        """Flip, turn and crop around a mixed pixel."""
        color, alpha = cutout
        window = int(rng.integers(self.crop, self.size + 1))
        mixed = np.argwhere((alpha > TOLERANCE) & (alpha < 1 - TOLERANCE))
        centre = np.array(alpha.shape) // 2
        if len(mixed):
            centre = mixed[rng.integers(len(mixed))]
        centre = centre + rng.integers(-window // 3, window // 3 + 1, 2)
        limit = np.array(alpha.shape) - window
        top, left = np.clip(centre - window // 2, 0, limit)
        part = (slice(top, top + window), slice(left, left + window))
        values = np.dstack([color[part], alpha[part]])
        values = np.rot90(values, int(rng.integers(4)))
        if rng.random() < 0.5:
            values = values[:, ::-1]
        if window != self.crop:
            values = _scaled(values, self.crop)
        return Cutout(np.ascontiguousarray(values[..., :3]), values[..., 3].copy())

    def _photo(self, side: int, rng: np.random.Generator) -> Array:
        """A random square of a random photograph."""
        path = self.backgrounds[rng.integers(len(self.backgrounds))]
        photo = load_photo(path, self.size)
        window = int(rng.uniform(min(side, 0.6 * self.size), self.size))
        top, left = (int(rng.integers(n - window + 1)) for n in photo.shape[:2])
        square = photo[top : top + window, left : left + window]
        if rng.random() < 0.5:
            square = square[:, ::-1]
        scaled = Image.fromarray(square).resize((side, side), Image.Resampling.BILINEAR)
        return np.asarray(scaled, np.float32) / np.float32(255)


def _squared(cutout: Cutout, side: int) -> Cutout:
    """Pad a cut-out to a square with clear pixels."""
    height, width = cutout.alpha.shape
    rest = [(0, side - height), (0, side - width)]
    return Cutout(
        np.pad(cutout.color, [*rest, (0, 0)], mode="edge"), np.pad(cutout.alpha, rest)
    )


def _scaled(
    values: Array, side: int, how: Image.Resampling = Image.Resampling.BOX
) -> Array:
    """Scale (H, W, C) to a square, by default averaging areas."""
    planes = [
        Image.fromarray(values[..., c]).resize((side, side), how)
        for c in range(values.shape[2])
    ]
    return np.asarray(
        np.clip(np.dstack([np.asarray(p) for p in planes]), 0, 1), np.float32
    )


def _towards(color: Array, background: Array, alpha: Array, share: float) -> Array:
    """Move the foreground's mean colour towards the background's."""
    weight = alpha.sum() + 1e-6
    mean = (color * alpha[..., None]).sum((0, 1)) / weight
    shift = share * (background.mean((0, 1)) - mean)
    return np.asarray(np.clip(color + shift, 0, 1), np.float32)
