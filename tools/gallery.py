"""The pictures of docs/gallery.md and the moving picture at the top of the README.

Run it with ``make docs-gallery``; name pictures to make only those. All source pictures
ship with scikit-image.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from skimage.color import hsv2rgb, rgb2hsv

import napari_softlayers as nsl
from napari_softlayers._demo import layers_sheet, on_checkerboard, sheet
from napari_softlayers._samples import cat, portrait

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
SIDE = 300
"""Long side of a picture in a sheet."""
Picture = NDArray[Any]


def small(picture: Picture, side: int = SIDE) -> NDArray[np.float32]:
    """Shrink a picture to a long side; in [0, 1]."""
    scale = side / max(picture.shape[:2])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    photo = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(photo, np.float32) / 255


def save(page: Any, name: str) -> None:
    """Save a sheet as ``docs/images/gallery_<name>.jpg``."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.save(IMAGES / f"gallery_{name}.jpg", quality=85, optimize=True)
    print(f"docs/images/gallery_{name}.jpg")


def segments() -> None:
    """A cup and a rocket fall apart by themselves."""
    for name, picture in (("coffee", data.coffee()), ("rocket", data.rocket())):
        save(layers_sheet(nsl.soft_segments(small(picture))), name)


def matte() -> None:
    """A cat from a rough trimap."""
    picture, trimap = cat()
    layers = nsl.matte(picture, trimap, method="information_flow")
    colors = np.array([[0.5, 0.5, 0.5], [0.75, 0.2, 0.2], [0.2, 0.65, 0.3]])
    mixed = 0.5 * picture / 255 + 0.5 * colors[trimap]
    panels = [
        ("picture", layers.image),
        ("trimap: red rest, green object", mixed),
        ("alpha", np.repeat(layers.alphas[1][..., None], 3, axis=2)),
        ("cut out", on_checkerboard(layers.alphas[1], layers.colors[1])),
    ]
    save(sheet(panels), "cat")


def palette() -> None:
    """A stained tissue section in three colours, and with other ones."""
    layers = nsl.palette_layers(small(data.immunohistochemistry()), 3)
    save(layers_sheet(layers), "tissue")


def recolour() -> None:
    """The orange of the suit becomes blue; skin and rocket keep theirs."""
    picture = small(portrait()[0])
    segments = nsl.soft_segments(picture, 12)
    pieces, chosen = orange_pieces(segments, nsl.palette_layers(picture, 6))
    orange = pieces.subset(chosen)
    panels = [
        ("picture", picture),
        ("the orange of the suit", on_checkerboard(*light(orange))),
        ("recoloured", turned(pieces, chosen, 0.55)),
    ]
    save(sheet(panels), "recolour")


def tour() -> None:
    """The moving picture: segments lift off one by one, then a colour changes."""
    picture = small(portrait()[0], 400)
    segments = nsl.soft_segments(picture, 5)
    order = np.argsort(segments.coverage)[::-1].tolist()
    frames = [picture]
    for gone in range(1, len(order)):
        frames.append(on_checkerboard(*light(segments.subset(order[gone:]))))
    frames = [*frames, *frames[-2::-1]]
    finer = nsl.cut(segments, 12)  # where face and suit are apart
    pieces, chosen = orange_pieces(finer, nsl.palette_layers(picture, 6))
    still = len(frames)
    frames += [turned(pieces, chosen, step / 8) for step in range(1, 9)]
    pages = [
        Image.fromarray((np.clip(frame, 0, 1) * 255 + 0.5).astype("uint8"))
        for frame in frames
    ]
    pages[0].save(
        IMAGES / "tour.webp",
        save_all=True,
        append_images=pages[1:],
        duration=[1200, *[700] * (still - 1), *[250] * 8],
        loop=0,
        quality=70,
        method=6,
    )
    print("docs/images/tour.webp")


def light(layers: nsl.SoftLayers) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Alpha ``(H, W)`` and colour ``(H, W, 3)`` of some layers together."""
    alpha = layers.alphas.sum(axis=0)
    total = (layers.alphas[..., None] * layers.colors).sum(axis=0)
    return alpha, np.clip(total / np.maximum(alpha[..., None], 1e-3), 0, 1)


def orange_pieces(
    segments: nsl.SoftLayers, palette: nsl.SoftLayers
) -> tuple[nsl.SoftLayers, list[int]]:
    """Segments x palette, and the pieces of the segment with most orange that are so."""
    colors = np.asarray(palette.extras["palette"])
    orange = palette.alphas[int((colors[:, 0] - colors[:, 2]).argmax())]
    most = int((segments.alphas * orange).sum(axis=(1, 2)).argmax())
    pieces = segments.intersect(palette)
    found = np.asarray(pieces.extras["palette"])
    saturated = np.ptp(found, axis=1) > 0.3
    pairs = pieces.extras["pairs"]
    return pieces, [
        i for i, pair in enumerate(pairs) if pair[0] == most and saturated[i]
    ]


def turned(pieces: nsl.SoftLayers, chosen: list[int], turn: float) -> Picture:
    """The picture with the hue of some pieces turned by a share of the circle."""
    colors = np.array(pieces.extras["palette"])
    hsv = rgb2hsv(colors[chosen])
    hsv[:, 0] = (hsv[:, 0] + turn) % 1
    colors[chosen] = hsv2rgb(hsv)
    return np.asarray(pieces.recolor(colors).composite())


PICTURES: dict[str, Callable[[], None]] = {
    "segments": segments,
    "matte": matte,
    "palette": palette,
    "recolour": recolour,
    "tour": tour,
}


def main() -> None:
    """Make all pictures, or those named on the command line."""
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()


if __name__ == "__main__":
    main()
