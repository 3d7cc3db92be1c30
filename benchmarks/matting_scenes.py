"""Photographs with trimaps for benchmarks/matting.py, and harder cases made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def pictures(data: Path, trimap: str) -> Iterator[tuple[str, Any, Any, Any]]:
    """Names, pictures in [0, 1], classic trimaps and true mattes."""
    import numpy as np
    from PIL import Image

    def grey(folder: str, name: str) -> Any:
        return np.asarray(Image.open(data / folder / name).convert("L"))

    for path in sorted((data / "image").glob("*.png")):
        picture = np.asarray(Image.open(path).convert("RGB")) / np.float32(255)
        guide = grey(trimap, path.name)
        classic = np.where(guide < 25, 0, np.where(guide > 230, 255, 128))
        truth = grey("alpha", path.name) / 255.0
        yield path.stem, picture, classic.astype(np.uint8), truth


def enlarged(data: Path, pixels: float, unknown: float) -> tuple[Any, Any]:
    """The first picture, enlarged with some noise, its unknown band widened."""
    import numpy as np
    from PIL import Image
    from scipy import ndimage

    _, picture, classic, _ = next(pictures(data, "trimap2"))
    scale = np.sqrt(pixels / classic.size)
    size = tuple(int(round(side * scale)) for side in classic.shape[::-1])
    large = Image.fromarray((picture * 255 + 0.5).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    colors = np.asarray(large, np.float32) / 255
    generator = np.random.default_rng(0)
    colors += generator.normal(0, 0.7 / 255, colors.shape).astype(np.float32)
    labels = np.asarray(Image.fromarray(classic).resize(size, Image.Resampling.NEAREST))
    distance = ndimage.distance_transform_edt((labels == 0) | (labels == 255))
    widest = np.quantile(distance, unknown)
    trimap = np.where(labels == 255, 2, 1)
    trimap[distance <= widest] = 0
    return colors.clip(0, 1), trimap


def scribbles(truth: Any, share: float) -> Any:
    """Random strokes well inside of the background and the foreground."""
    import numpy as np
    from scipy import ndimage

    generator = np.random.default_rng(0)
    sure = {
        1: ndimage.binary_erosion(truth < 0.02, iterations=6, border_value=1),
        2: ndimage.binary_erosion(truth > 0.98, iterations=6),
    }
    trimap = np.zeros(truth.shape, int)
    while (trimap > 0).mean() < share:
        label = int(generator.integers(1, 3))
        places = np.argwhere(sure[label])
        y, x = places[generator.integers(len(places))]
        angle, length = generator.random() * np.pi, generator.integers(20, 80)
        for t in range(length):
            cy, cx = int(y + t * np.sin(angle)), int(x + t * np.cos(angle))
            window = np.s_[max(cy - 4, 0) : cy + 5, max(cx - 4, 0) : cx + 5]
            trimap[window][sure[label][window]] = label
    return trimap
