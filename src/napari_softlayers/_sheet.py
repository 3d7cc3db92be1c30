"""Pictures of results: layers side by side on a checkerboard, with their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._core.layers.compositing import checkerboard

if TYPE_CHECKING:
    from ._core.layers.soft_layers import SoftLayers

CAPTION = 22
GAP = 6


def on_checkerboard(
    alpha: NDArray[np.float32], color: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Show one layer over a checkerboard, ``(H, W, 3)``."""
    board = checkerboard(alpha.shape)
    return alpha[..., None] * color + (1 - alpha[..., None]) * board


def sheet(panels: Sequence[tuple[str, NDArray[Any]]], columns: int = 4) -> Any:
    """Lay captioned pictures of one size out in a grid.

    ``panels`` sequence of (caption, picture ``(H, W, 3)`` in [0, 1]). Returns
    PIL.Image.Image.
    """
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
    panels = [("picture", layers.image)]
    for name, alpha, color in zip(
        layers.names, layers.alphas, layers.colors, strict=True
    ):
        panels.append((name, on_checkerboard(alpha, color)))
    return sheet(panels, columns)
