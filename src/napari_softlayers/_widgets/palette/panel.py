"""The lower half of the palette dock: swatches and what can be done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QFileDialog, QWidget

from napari_softlayers._core.harmonies import HARMONIES, harmony

from ..parts.desk import Desk
from ..parts.layout import choice, column, push_button, row, single_shot
from .model import FEWEST, MOST, Color, PaletteModel, as_color
from .swatches import Eyedropper, Swatches

RECOLOR, MOVE = "recolours the picture", "moves the palette"
THROTTLE_MS = 10
FILES = "GIMP palettes (*.gpl)"


class PalettePanel(QWidget):
    """Swatches of a `PaletteModel`: recolour, move, pick, lock, add, remove, reorder.

    ``wanted`` asks to take the picture apart with a list of colours (quickly, while one
    is dragged), ``changed`` to show a model, ``previewed`` to show it while it changes.
    """

    wanted = Signal(list, bool)
    changed = Signal(object)
    previewed = Signal(object)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.model: PaletteModel | None = None
        self.eyedropper = Eyedropper(desk.viewer)
        self._timer = single_shot(self, self._preview, THROTTLE_MS)
        self._fill()

    def _fill(self) -> None:
        self.swatches = Swatches()
        self.swatches.edited.connect(self.edit)
        self.swatches.reordered.connect(self.reorder)
        self.swatches.currentRowChanged.connect(self.enable)
        self.effect = choice(
            (RECOLOR, MOVE),
            "Recolouring keeps the layers; moving the palette takes the picture apart anew",
        )
        self.change_button = push_button("Change", self.edit, "Choose another colour")
        self.pick_button = push_button(
            "Pick", self.pick, "Then click in the picture: the swatch takes that colour"
        )
        self.lock_button = push_button(
            "Lock", self.toggle_lock, "Extract keeps locked colours", checkable=True
        )
        self.add_button = push_button(
            "Add", self.add, "Then click in the picture: its colour becomes a new layer"
        )
        self.remove_button = push_button("Remove", self.remove, "Take the colour out")
        self.reset_button = push_button(
            "Reset", self.reset, "The picture's own colours again"
        )
        self.harmony = choice(
            ("Harmony …", *HARMONIES),
            "Recolour with a palette related to the present one",
        )
        self.harmony.activated.connect(self.harmonise)
        self.load_button = push_button(
            "Load …", self.load, "Colours from a GIMP palette (.gpl)"
        )
        self.save_button = push_button(
            "Save …", self.save, "The colours as a GIMP palette (.gpl)"
        )
        column(
            self,
            self.swatches,
            row("A new colour", self.effect),
            row(self.change_button, self.pick_button, self.lock_button),
            row(self.add_button, self.remove_button, self.reset_button),
            row(self.harmony, self.load_button, self.save_button),
        )

    def show_model(self, model: PaletteModel | None) -> None:
        """Show the swatches of a model."""
        self.model = model
        if model is None:
            self.swatches.show_colors([], [])
        else:
            names = model.layers.names if model.is_split else ()
            self.swatches.show_colors(model.colors, model.locked, names)
        self.enable()

    def enable(self, *_: Any) -> None:
        """Switch buttons by what there is."""
        model, chosen = self.model, self.swatches.currentRow()
        some = model is not None and 0 <= chosen < len(model.colors)
        for button in (self.change_button, self.pick_button, self.lock_button):
            button.setEnabled(some)
        plain = model is not None and not model.is_split
        count = 0 if model is None else len(model.colors)
        self.add_button.setEnabled(plain and count < MOST)
        self.remove_button.setEnabled(some and plain and count > FEWEST)
        self.reset_button.setEnabled(model is not None and model.recolored)
        self.harmony.setEnabled(model is not None)
        self.save_button.setEnabled(model is not None)
        if some and model is not None:
            self.lock_button.setChecked(model.locked[chosen])

    def forget(self) -> None:
        """Show nothing, wait for nothing."""
        self._timer.stop()
        self.eyedropper.stop()
        for dialog in self.findChildren(QColorDialog):
            dialog.close()
        self.show_model(None)

    def set_color(self, index: int, color: Any, final: bool = True) -> None:
        """Give a swatch another colour.

        ``color`` sequence of three numbers in [0, 1]. ``final``: False while a colour
        is being dragged: a quick preview only.
        """
        model = self.model
        if model is None or not 0 <= index < len(model.colors):
            return
        wanted = as_color(color)
        self.swatches.paint(index, wanted, model.locked[index])
        if self.effect.currentText() == MOVE and not model.is_split:
            palette = list(model.palette)
            palette[index] = wanted
            self.wanted.emit(palette, not final)
            return
        model.colors[index] = wanted
        self.recolor(final)

    def recolor(self, final: bool = True) -> None:
        """Show the present colours: a preview, or the layers themselves."""
        if final:
            self._timer.stop()
            self.changed.emit(self.model)
        elif not self._timer.isActive():
            self._timer.start()

    def _preview(self) -> None:
        if self.model is not None:
            self.previewed.emit(self.model)

    def edit(self, index: int | None = None) -> None:
        """Open a colour dialog for a swatch; the picture follows while it is used."""
        model = self.model
        chosen = self.swatches.currentRow() if index is None else index
        if model is None or not 0 <= chosen < len(model.colors):
            return
        before = model.colors[chosen]
        dialog = QColorDialog(QColor.fromRgbF(*before), self)
        dialog.currentColorChanged.connect(
            lambda color: self.set_color(chosen, color.getRgbF()[:3], final=False)
        )
        dialog.colorSelected.connect(
            lambda color: self.set_color(chosen, color.getRgbF()[:3])
        )
        dialog.rejected.connect(lambda: self.set_color(chosen, before))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def pick(self) -> None:
        """Let the next click in the picture set the selected swatch."""
        chosen = self.swatches.currentRow()
        self._wait_for_click(lambda color: self.set_color(chosen, color))

    def add(self) -> None:
        """Let the next click in the picture add a colour."""
        model = self.model
        if model is not None:
            palette = list(model.palette)
            self._wait_for_click(
                lambda color: self.wanted.emit([*palette, as_color(color)], False)
            )

    def _wait_for_click(self, use: Any) -> None:
        model = self.model
        if model is None:
            return

        def picked(color: Any) -> None:
            if color is None:
                self.desk.say("That was beside the picture; nothing was changed.")
            else:
                use(color)

        self.desk.say("Click on a colour in the picture.")
        self.eyedropper.start(model.picture, picked)

    def remove(self) -> None:
        """Take the selected colour out."""
        model, chosen = self.model, self.swatches.currentRow()
        if model is not None and len(model.colors) > FEWEST:
            palette = list(model.palette)
            del palette[chosen]
            self.wanted.emit(palette, False)

    def toggle_lock(self) -> None:
        """Lock the selected colour, or unlock it."""
        model, chosen = self.model, self.swatches.currentRow()
        if model is not None and 0 <= chosen < len(model.colors):
            model.locked[chosen] = not model.locked[chosen]
            self.swatches.paint(chosen, model.colors[chosen], model.locked[chosen])
            self.enable()

    def reorder(self, order: list[int]) -> None:
        """Put the layers in another order."""
        model = self.model
        if model is not None and sorted(order) == list(range(len(model.colors))):
            self.changed.emit(model.reordered(order))

    def reset(self) -> None:
        """Back to the picture's own colours."""
        if self.model is not None:
            self.set_colors(self.model.palette)

    def set_colors(self, colors: list[Color]) -> None:
        """Recolour with a whole palette; further colours of it are ignored."""
        model = self.model
        if model is not None:
            known = [as_color(color) for color in colors][: len(model.colors)]
            model.colors = known + model.colors[len(known) :]
            self.recolor()

    def harmonise(self, index: int) -> None:
        """Recolour with a related palette."""
        if self.model is not None and index > 0:
            self.set_colors(list(harmony(self.model.colors, HARMONIES[index - 1])))
        self.harmony.setCurrentIndex(0)

    def load(self, path: str | Path | None = None) -> None:
        """Take colours from a GIMP palette; asks for the file when none is given."""
        from napari_softlayers._core.palette.gpl import read_gpl

        chosen = path or QFileDialog.getOpenFileName(self, "Load palette", "", FILES)[0]
        if not chosen:
            return
        try:
            found = [as_color(color) for color in read_gpl(chosen)[0]]
        except (OSError, ValueError) as error:
            self.desk.say(str(error), "error")
            return
        if self.model is not None and self.effect.currentText() == RECOLOR:
            self.set_colors(found)
        else:
            self.wanted.emit(found, False)

    def save(self, path: str | Path | None = None) -> None:
        """Write the colours as a GIMP palette; asks for the file when none is given."""
        from napari_softlayers._core.palette.gpl import write_gpl

        if self.model is None:
            return
        chosen = path or QFileDialog.getSaveFileName(self, "Save palette", "", FILES)[0]
        if not chosen:
            return
        try:
            write_gpl(Path(chosen).with_suffix(".gpl"), self.model.colors)
        except OSError as error:
            self.desk.say(f"The palette could not be written: {error}", "error")
            return
        self.desk.say(f"Saved {Path(chosen).with_suffix('.gpl').name}.")
