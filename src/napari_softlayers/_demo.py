"""The main jobs on a picture that ships with scikit-image, as sheets and in napari."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._core.layers.compositing import checkerboard

if TYPE_CHECKING:
    from ._core.layers.soft_layers import SoftLayers


def demo(output: Path) -> None:
    """Take a sample picture apart, print a table, write sheets, open the viewer.

    ``output`` gets one folder of PNGs a method and ``<method>.png``, the layers side by
    side.
    """
    from ._api import matte, palette_layers, soft_segments
    from ._samples import portrait

    image, trimap = portrait()
    jobs: dict[str, Callable[[], SoftLayers]] = {
        "segments": lambda: soft_segments(image),
        "matte": lambda: matte(image, trimap),
        "palette": lambda: palette_layers(image),
    }
    results = []
    output.mkdir(parents=True, exist_ok=True)
    print(f"{'method':<16}{'layers':>7}{'seconds':>9}{'largest error':>15}")
    for name, compute in jobs.items():
        start = time.perf_counter()
        layers = compute()
        seconds, error = time.perf_counter() - start, layers.recomposition_error
        print(f"{name:<16}{len(layers):>7}{seconds:>9.1f}{error:>15.1e}")
        layers.save(output / name)
        layers_sheet(layers).save(output / f"{name}.png")
        results.append(layers)
    print(f"Layers and sheets are in {output.resolve()}")
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform != "linux" or any(map(os.environ.get, displays)):
        _open_viewer(results)
    else:
        print("There is no display here, so the viewer stays closed.")


def _open_viewer(results: list[SoftLayers]) -> None:
    """Show the first result over its picture, the others hidden."""
    import napari

    viewer: Any = napari.Viewer(title="napari-softlayers")
    picture = viewer.add_image(results[0].image, rgb=True, name="picture")
    for layers in reversed(results):
        layers.to_napari(viewer, like=picture)
    napari.run()


CAPTION = 22
GAP = 6


def on_checkerboard(
    alpha: NDArray[np.float32], color: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Show one layer over a checkerboard, ``(H, W, 3)``."""
    board = checkerboard(alpha.shape)
    return alpha[..., None] * color + (1 - alpha[..., None]) * board


def sheet(panels: Sequence[tuple[str, NDArray[Any]]], columns: int = 4) -> Any:
    """Captioned pictures ``(H, W, 3)`` of one size in a grid, as one PIL image."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = panels[0][1].shape[:2]
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    size = (columns * (width + GAP) + GAP, rows * (height + CAPTION + GAP) + GAP)
    page = Image.new("RGB", size, (32, 34, 38))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(14)
    for index, (caption, picture) in enumerate(panels):
        x = GAP + (index % columns) * (width + GAP)
        y = GAP + (index // columns) * (height + CAPTION + GAP)
        draw.text((x + 2, y + 2), caption, fill=(230, 230, 230), font=font)
        data = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
        page.paste(Image.fromarray(data), (x, y + CAPTION))
    return page


def layers_sheet(layers: SoftLayers, columns: int = 4) -> Any:
    """The picture and each of its layers on a checkerboard, as one PIL image."""
    shown = map(on_checkerboard, layers.alphas, layers.colors)
    panels = zip(layers.names, shown, strict=True)
    return sheet([("picture", layers.image), *panels], columns)
