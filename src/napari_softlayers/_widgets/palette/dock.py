"""The dock "Palette layers"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox

from napari_softlayers._bridge import show
from napari_softlayers._bridge.places import set_visible
from napari_softlayers._bridge.results import results_for
from napari_softlayers._bridge.stored import stored_layers
from napari_softlayers._bridge.view_modes import remove_preview, show_preview
from napari_softlayers._core.run import Run

from ..parts.base import row
from ..parts.options import Option, OptionsDrawer
from ..parts.picture_dock import PictureWidget
from ..parts.settings import preference, result_dtype
from .model import MOST, Color, PaletteModel, PaletteRequest
from .panel import PalettePanel

METHODS = ("mixture", "network")
OPTIONS = (
    Option(
        "selection",
        "Selection",
        "kmeans",
        "How colours are chosen: common ones, or the corners of the colour hull",
        ("kmeans", "hull"),
    ),
    Option("seed", "Seed", 0, "The same seed gives the same palette", (), 0, 99999),
)
USUAL_COUNT = 6
SAME = 0.5 / 255


class PaletteWidget(PictureWidget):
    """One soft layer a colour, and recolouring that follows the mouse.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    kind = "palette"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "Extract", ("result", "original"))
        self._fill_form()
        self.panel = PalettePanel(self)
        self.split_button = self.button(
            "Split by segments",
            self.split,
            "Every object gets colours of its own: needs soft segments of the same image",
        )
        self.after.addWidget(self.panel)
        self.after.addLayout(row(self.split_button))
        self.after.addWidget(self.view)
        self.shortcuts |= {
            "j": lambda: self._step(-1),
            "k": lambda: self._step(1),
        }
        self.attach()

    def _fill_form(self) -> None:
        self.count = QSpinBox()
        self.count.setRange(1, MOST)
        self.count.setSpecialValueText("auto")
        self.count.setValue(USUAL_COUNT)
        self.count.setToolTip("Number of colours, 2 to 12; auto decides by the picture")
        self.form.addRow("Colours", self.count)
        self.method = QComboBox()
        self.method.addItems(METHODS)
        self.method.setToolTip(
            "mixture: up to three colours a pixel, exact; network: trained"
        )
        self.form.addRow("Method", self.method)
        self.smoothing = QDoubleSpinBox()
        self.smoothing.setRange(0, 10)
        self.smoothing.setSingleStep(0.5)
        self.smoothing.setValue(1.0)
        self.smoothing.setToolTip("Of the alphas along the picture's edges; 0 is off")
        self.form.addRow("Smoothing", self.smoothing)
        self.stack = QCheckBox("All frames")
        self.stack.setToolTip(
            "One palette for the whole stack, computed frame by frame"
        )
        self.form.addRow(self.stack)
        self.options = OptionsDrawer(OPTIONS)
        self.body.addWidget(self.options)

    # ---- computing ----------------------------------------------------------------------

    @property
    def model(self) -> PaletteModel | None:
        """The layers shown last, with their colours."""
        return self.panel.model

    def primary(self) -> None:
        """Choose a palette, take the picture apart and show the layers."""
        count = "auto" if self.count.value() < 2 else int(self.count.value())
        locked = self._locked()
        if isinstance(count, int) and len(locked) >= count:
            self.say(
                f"{len(locked)} colours are locked and {count} are asked for; ask for "
                "more, or unlock some.",
                "error",
            )
            return
        request = self._request(count, locked)
        if request is None:
            return
        if self.stack.isChecked() and not self.stack.isHidden():
            self.compute(request.stack, self._show_stack, sources=(request.image,))
            return
        self.compute(request.solve, self._show_new, sources=(request.image,))

    def decompose(self, palette: list[Color], quick: bool = False) -> None:
        """Take the picture apart with given colours.

        Parameters
        ----------
        palette : list of colours
        quick : bool
            While a colour is dragged: by a lookup table.
        """
        request = self._request([list(color) for color in palette], [])
        if request is None:
            return
        if quick:
            request = replace(request, method="lookup")
        model = self.model
        known = model is not None and model.picture.layer is request.image
        picture = model.picture if model is not None and known else None

        def solve(run: Run, post: Callable[[Any], None]) -> PaletteModel:
            return (
                request.solve(run, post)
                if picture is None
                else request.model_of(picture, run)
            )

        done = self._show_quick if quick else self._show_new
        self.compute(solve, done, sources=(request.image,))

    def _request(self, palette: Any, locked: list[Color]) -> PaletteRequest | None:
        try:
            settings = self.picture_settings()
        except ValueError as error:
            self.say(str(error), "error")
            return None
        options = self.options.values()
        return PaletteRequest(
            **settings,
            palette=palette,
            locked=locked or None,
            method=self.method.currentText(),
            selection=str(options["selection"]),
            smoothing=float(self.smoothing.value()),
            seed=int(options["seed"]),
        )

    def _locked(self) -> list[Color]:
        model = self.model
        if model is None or model.picture.layer is not self.image.layer:
            return []
        return [
            color
            for color, lock in zip(model.palette, model.locked, strict=True)
            if lock
        ]

    def split(self) -> None:
        """Cut the palette layers along the soft segments of the same image."""
        model = self.model
        if model is None:
            self.say("There are no palette layers yet; press Extract first.", "error")
            return
        segments = results_for(self.viewer, model.picture.layer, "segments")
        if not segments:
            self.say(
                f"'{model.picture.name}' has no soft segments yet; make them in the dock "
                "'Soft segments' first.",
                "error",
            )
            return
        try:
            found = stored_layers(segments)
        except (TypeError, ValueError) as error:
            self.say(str(error), "error")
            return
        self.compute(
            lambda run, _post: model.split_by(found, run),
            self._show_new,
            sources=(model.picture.layer,),
        )

    # ---- showing ------------------------------------------------------------------------

    def _show_new(self, model: PaletteModel) -> None:
        kept = self._locked()
        if "pairs" not in model.layers.extras:
            model.locked = [
                any(np.allclose(color, other, atol=SAME) for other in kept)
                for color in model.palette
            ]
        self.show_result(model)

    def _show_quick(self, model: PaletteModel) -> None:
        """Show layers of a palette that is still being moved; swatches stay."""
        if self._show_layers(model):
            self.say(f"{len(model.layers)} colours.")

    def show_result(self, model: PaletteModel) -> None:
        """Show layers in their present colours, and the swatches."""
        if self._show_layers(model):
            self.panel.show_model(model)
            self.say(f"{len(model.layers)} layers. Double-click a colour to change it.")

    def _show_layers(self, model: PaletteModel) -> bool:
        image = model.picture.layer
        if image not in self.viewer.layers:
            self.say("The image was removed meanwhile; nothing was added.", "warning")
            return False
        remove_preview(self.viewer, image)
        show(
            self.viewer,
            model.shown_layers(),
            like=model.picture,
            dtype=result_dtype(),
            fresh=True,
        )
        self.view.after_show()
        return True

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
        image = stack.source
        if image in self.viewer.layers:
            made = stack.to_napari(self.viewer)
            self.panel.show_model(None)
            self.say(f"{len(made)} layers; frames are computed when you look at them.")

    def _step(self, by: int) -> None:
        """Keys J and K: the swatch before or after, and its layer."""
        swatches = self.panel.swatches
        if self.model is None or not swatches.count():
            return
        swatches.setCurrentRow((swatches.currentRow() + by) % swatches.count())
        results = results_for(self.viewer, self.model.picture.layer, self.kind)
        if swatches.currentRow() < len(results):
            self.viewer.layers.selection.active = results[swatches.currentRow()]

    # ---- state ---------------------------------------------------------------------------

    def refresh_state(self, *_: Any) -> None:
        """Follow the chosen layers."""
        if not hasattr(self, "panel"):
            return
        image = self.image.layer
        self.channels.follow(image)
        self.stack.setVisible(image is not None and image.rgb and image.ndim == 3)
        if self.model is not None and self.model.picture.layer is not image:
            self.panel.forget()
        self.primary_button.setEnabled(image is not None)
        some = self.model is not None
        self.split_button.setEnabled(
            some and bool(results_for(self.viewer, image, "segments"))
        )
        self.panel.enable()
        if not self.jobs.busy:
            self.hint("" if image is not None else "There is no image: open one.")

    def detach(self) -> None:
        """Let viewer and layers go."""
        self.panel.forget()
        super().detach()

    def attach(self) -> None:
        """Follow the viewer."""
        if not self._attached:
            self._links.undo.append(self.panel.eyedropper.stop)
        super().attach()

    def code(self) -> str:
        """The present settings as a call for the console."""
        image = self.image.layer
        if image is None:
            return ""
        model = self.model
        palette: Any = "auto" if self.count.value() < 2 else int(self.count.value())
        if model is not None and "pairs" not in model.layers.extras:
            palette = _rounded(model.palette)
        settings = {
            "method": self.method.currentText(),
            "smoothing": float(self.smoothing.value()),
            "device": str(preference("compute", "device")),
        } | self.options.changed()
        given = ", ".join(f"{key}={value!r}" for key, value in settings.items())
        lines = [
            "import napari_softlayers as nsl\n",
            f"picture = viewer.layers[{image.name!r}]",
            f"layers = nsl.palette_layers(picture, {palette!r}, {given})",
        ]
        if model is not None and model.recolored and "pairs" not in model.layers.extras:
            lines.append(f"layers = layers.recolor({_rounded(model.colors)})")
        lines.append("layers.to_napari(viewer, like=picture)")
        return "\n".join(lines) + "\n"


def _rounded(colors: list[Color]) -> list[list[float]]:
    return [[round(value, 5) for value in color] for color in colors]
