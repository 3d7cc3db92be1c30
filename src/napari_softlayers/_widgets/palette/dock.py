"""The dock "Palette layers"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from qtpy.QtWidgets import QCheckBox

from napari_softlayers._bridge import layers_from_napari, record_of, results_for
from napari_softlayers._bridge.pictures import ChangedError, check_unchanged
from napari_softlayers._bridge.places import set_visible
from napari_softlayers._bridge.show import hidden_words
from napari_softlayers._bridge.view_modes import remove_preview, show_preview
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.run import Run
from napari_softlayers._recipes.options import Palette

from ..parts.layout import push_button, whole_number
from ..parts.options import OptionsDrawer, add_option
from ..parts.picture_dock import PictureWidget
from ..parts.settings import result_dtype
from .model import FEWEST, MOST, Color, PaletteModel, PaletteRequest
from .panel import PalettePanel

USUAL_COUNT = 6
SAME = 0.5 / 255


class PaletteWidget(PictureWidget):
    """One soft layer a colour, and recolouring that follows the mouse."""

    kind = "palette"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "Extract", ("result", "original"))
        self._fill_form()
        self.panel = PalettePanel(self)
        self.panel.wanted.connect(self.decompose)
        self.panel.changed.connect(self.show_changed)
        self.panel.previewed.connect(self.show_quickly)
        self.split_button = push_button(
            "Split by segments",
            self.split,
            "Every object gets colours of its own: needs soft segments of the same image",
        )
        self.after.addWidget(self.panel)
        self.after.addWidget(self.split_button)
        self.leaving.append(self.panel.eyedropper.stop)
        self.after.addWidget(self.view)
        self.shortcuts |= {"j": lambda: self._step(-1), "k": lambda: self._step(1)}
        self.attach()

    def _fill_form(self) -> None:
        tip = "Number of colours, 2 to 12; auto decides by the picture"
        self.count = whole_number(1, MOST, tip, "auto")
        self.count.setValue(USUAL_COUNT)
        self.form.addRow("Colours", self.count)
        self.method = add_option(self.form, Palette, "method")
        self.smoothing = add_option(self.form, Palette, "smoothing")
        self.stack = QCheckBox("All frames")
        self.stack.setToolTip(
            "One palette for the whole stack, computed frame by frame"
        )
        self.form.addRow(self.stack)
        self.options = OptionsDrawer(Palette, leave_out=("method", "smoothing"))
        self.body.addWidget(self.options)

    @property
    def model(self) -> PaletteModel | None:
        """The layers shown last, with their colours."""
        return self.panel.model

    def primary(self) -> None:
        """Choose a palette, take the picture apart and show the layers."""
        count, locked = int(self.count.value()), self._locked()
        if FEWEST <= count <= len(locked):
            self.say(
                f"{len(locked)} colours are locked and {count} are asked for; ask for "
                "more, or unlock some.",
                "error",
            )
            return
        request = self.tried(self.settings)
        if request is None:
            return
        if request.every:
            self.compute(request.stack, self._show_stack, sources=(request.image,))
        else:
            self.compute(request.solve, self._show_new, sources=(request.image,))

    def decompose(self, palette: list[Color], quick: bool = False) -> None:
        """Take the picture apart with given colours.

        ``quick``: while a colour is dragged: by a lookup table, and as the picture was
        read.
        """
        changes: dict[str, Any] = {"palette": palette, "locked": None}
        if quick:
            changes["method"] = "lookup"
        request = self.tried(self.settings, changes)
        if request is None:
            return
        model = self.model

        def solve(run: Run, post: Callable[[Any], None]) -> PaletteModel:
            if quick and model is not None and model.picture.layer is request.image:
                return request.model_of(model.picture, run)
            return request.solve(run, post)

        done = self._show_quick if quick else self._show_new
        self.compute(solve, done, sources=(request.image,))

    def settings(self, changes: dict[str, Any] | None = None) -> PaletteRequest:
        """What Extract takes, see the base; or the same with other options."""
        count = int(self.count.value())
        options = {
            "palette": "auto" if count < FEWEST else count,
            "method": self.method.value,
            "smoothing": self.smoothing.value,
            "locked": self._locked() or None,
        }
        return PaletteRequest(
            **self.picture_settings(),
            options=options | self.options.values() | (changes or {}),
            every=self.stack.isChecked() and not self.stack.isHidden(),
        )

    def _locked(self) -> list[Color]:
        model = self.model
        if model is None or model.picture.layer is not self.image.layer:
            return []
        pairs = zip(model.palette, model.locked, strict=True)
        return [color for color, locked in pairs if locked]

    def split(self) -> None:
        """Cut the palette layers along the soft segments of the same image."""
        model, segments = self.model, self.tried(self._segments)
        if model is not None and segments is not None:
            self.compute(
                lambda run, _post: model.split_by(segments, run),
                self._show_new,
                sources=(model.picture.layer,),
            )

    def _segments(self) -> SoftLayers:
        """The soft segments of the same picture.

        Raises ValueError, TypeError when something is missing or does not fit.
        """
        if self.model is None:
            raise ValueError(
                "There are no palette layers of one picture yet; press Extract first."
            )
        picture = self.model.picture
        segments = results_for(self.viewer, picture.layer, "segments")
        if not segments:
            raise ValueError(
                f"'{picture.name}' has no soft segments yet; make them in the dock "
                "'Soft segments' first."
            )
        record, plane = record_of(segments[0]), picture.grid
        if record is not None and plane is not None and record.plane != plane.step:
            raise ValueError(
                f"The soft segments are of {record.words or 'another plane'}, the palette "
                f"layers of {plane.words()}; make both of the same plane."
            )
        return layers_from_napari(segments)

    def _show_new(self, model: PaletteModel) -> None:
        kept = self._locked()
        if not model.is_split:
            model.locked = [
                any(np.allclose(color, other, atol=SAME) for other in kept)
                for color in model.palette
            ]
        self.show_result(model)

    def _show_quick(self, model: PaletteModel) -> None:
        """Show layers of a palette that is still being moved; swatches stay."""
        if shown := self._show_layers(model):
            self.say(f"{len(model.layers)} colours. {hidden_words(shown)}".strip())

    def show_changed(self, model: PaletteModel) -> None:
        """Show a model whose colours or order were changed, if its picture is the same."""
        try:
            check_unchanged(model.picture, "its colours had been taken; press Extract")
        except ChangedError as error:
            self.panel.forget()
            self.say(str(error), "warning")
            return
        self.show_result(model)

    def show_result(self, model: PaletteModel) -> None:
        """Show layers in their present colours, and the swatches."""
        if shown := self._show_layers(model):
            self.panel.show_model(model)
            where = f" of {model.picture.words}" if model.picture.words else ""
            self.say(
                f"{len(model.layers)} layers{where}. Double-click a colour to change it. "
                f"{hidden_words(shown)}".strip()
            )

    def _show_layers(self, model: PaletteModel) -> list[Any]:
        remove_preview(self.viewer, model.picture.layer)
        return self.put(model.shown_layers(), model.picture, fresh=True)

    def show_quickly(self, model: PaletteModel) -> None:
        """Show the picture in its present colours, while they change."""
        image = model.picture.layer
        results = results_for(self.viewer, image, self.kind)
        if not results or image not in self.viewer.layers:
            return
        for layer in results:
            set_visible(layer, False)
        show_preview(self.viewer, image, results, model.preview())

    def _show_stack(self, stack: Any) -> None:
        from napari_softlayers._bridge.palette_stacks import show_stack  # loads torch

        image = stack.source
        if image not in self.viewer.layers:
            self.say("The image was removed meanwhile; nothing was added.", "warning")
            return
        remove_preview(self.viewer, image)
        made = show_stack(self.viewer, stack, image, result_dtype())
        self.panel.forget()
        self.view.after_show()
        self.say(
            f"{len(made)} layers of all {len(stack)} frames, with one palette; a frame is "
            f"computed when you look at it. {hidden_words(made)}".strip()
        )

    def _step(self, by: int) -> None:
        """Keys J and K: the swatch before or after, and its layer."""
        swatches = self.panel.swatches
        if self.model is None or not swatches.count():
            return
        swatches.setCurrentRow((swatches.currentRow() + by) % swatches.count())
        results = results_for(self.viewer, self.model.picture.layer, self.kind)
        if swatches.currentRow() < len(results):
            self.viewer.layers.selection.active = results[swatches.currentRow()]

    def refresh_state(self, *_: Any) -> None:
        """Follow the chosen layers."""
        super().refresh_state()
        image = self.image.layer
        self.stack.setVisible(image is not None and image.rgb and image.ndim == 3)
        if self.model is not None and self.model.picture.layer is not image:
            self.panel.forget()
        segments = results_for(self.viewer, image, "segments")
        self.split_button.setEnabled(self.model is not None and bool(segments))
        self.panel.enable()

    def detach(self) -> None:
        """Let viewer and layers go."""
        self.panel.forget()
        super().detach()
