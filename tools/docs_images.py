"""Screenshots for the README and the docs, taken from a real viewer.

Every page function opens the viewer, does what the page describes, and saves what a
user would see. Run it with ``make docs-images``; name pages to make only those.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PLUGIN = "napari-softlayers"
CLICKS = (
    ((110, 225), False),
    ((40, 235), False),
    ((400, 130), False),
    ((60, 60), True),
    ((230, 40), True),
)
"""Rows and columns on the portrait; True takes away."""


def settle(seconds: float = 0.3) -> None:
    """Let Qt draw for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def wait(widget: Any) -> None:
    """Wait for a dock's computation."""
    settle(0.2)
    while widget.jobs.busy:
        settle(0.05)
    settle()


def open_viewer(sample: str, dock: str) -> tuple[Any, Any]:
    """A viewer with a sample and one dock."""
    viewer = napari.Viewer()
    viewer.window.resize(1280, 800)
    viewer.open_sample(PLUGIN, sample)
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, dock)
    settle()
    return viewer, widget


def save(viewer: Any, name: str) -> None:
    """Save the whole window as ``docs/images/<name>.jpg``."""
    settle()
    viewer.reset_view()
    settle()
    shot = viewer.screenshot(canvas_only=False, flash=False)[..., :3]
    IMAGES.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(shot)).save(
        IMAGES / f"{name}.jpg", quality=85, optimize=True
    )
    print(f"docs/images/{name}.jpg")


def matte() -> None:
    """A portrait, its trimap, the matte on a checkerboard."""
    viewer, widget = open_viewer("portrait_trimap", "Matte from trimap")
    save(viewer, "matte_trimap")
    widget.primary()
    wait(widget)
    save(viewer, "matte_result")
    widget.view.combo.setCurrentText("on checkerboard")
    save(viewer, "matte_checkerboard")
    viewer.close()


def export() -> None:
    """The matte in the dock "Layers & export": checks, a preview, an adjustment."""
    viewer, widget = open_viewer("portrait_trimap", "Matte from trimap")
    widget.primary()
    wait(widget)
    viewer.layers["portrait · trimap"].visible = False
    viewer.window.remove_dock_widget(widget)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Layers & export")
    settle(1)
    dock.result.select([len(dock.result.layers) - 1])
    dock.preview.choice.setCurrentText("on a colour")
    save(viewer, "export_preview")
    dock.preview.choice.setCurrentText("off")
    dock.result.select([0])
    dock.adjust.sliders["saturation"].setValue(-1)
    dock.adjust.sliders["exposure"].setValue(0.7)
    dock.adjust.sliders["blur"].setValue(6)
    wait(dock)
    settle(1)
    save(viewer, "export_adjusted")
    viewer.close()


def segments() -> None:
    """Soft segments of the portrait, and the map of them."""
    viewer, widget = open_viewer("portrait_trimap", "Soft segments")
    viewer.layers.remove("portrait · trimap")
    widget.primary()
    wait(widget)
    widget.panel.table.selectRow(1)
    save(viewer, "segments_result")
    widget.panel.inspect()
    save(viewer, "segments_map")
    viewer.close()


def clicks() -> None:
    """The person of the portrait, by clicks."""
    viewer, widget = open_viewer("portrait_trimap", "Soft segments")
    viewer.layers.remove("portrait · trimap")
    widget.clicks.toggle.click()
    wait(widget)
    mode = widget.clicks.mode
    for place, remove in CLICKS:
        mode.click(place, remove)
        wait(mode)
    settle(1)
    wait(mode)
    save(viewer, "clicks_object")
    viewer.close()


def palette() -> None:
    """Palette layers of the portrait, and the orange suit in blue."""
    viewer, widget = open_viewer("portrait_trimap", "Palette layers")
    viewer.layers.remove("portrait · trimap")
    widget.primary()
    wait(widget)
    save(viewer, "palette_result")
    colors = np.array(widget.model.colors)
    orange = int((colors[:, 0] - colors[:, 2]).argmax())
    widget.panel.swatches.setCurrentRow(orange)
    widget.panel.set_color(orange, (0.15, 0.4, 0.85))
    save(viewer, "palette_recoloured")
    viewer.close()


PAGES: dict[str, Callable[[], None]] = {
    "matte": matte,
    "segments": segments,
    "clicks": clicks,
    "palette": palette,
    "export": export,
}


def main() -> None:
    """Make the images of all pages, or of those named on the command line."""
    for name in sys.argv[1:] or PAGES:
        PAGES[name]()


if __name__ == "__main__":
    main()
