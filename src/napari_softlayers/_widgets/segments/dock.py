"""The dock "Soft segments"."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLineEdit

from napari_softlayers._recipes import Recipe
from napari_softlayers._recipes.options import Segments

from ..clicks.panel import ClickPanel
from ..parts.combos import is_picture
from ..parts.layout import choice, whole_number
from ..parts.options import OptionsDrawer
from ..parts.picture_dock import PictureWidget
from ..parts.settings import preference
from .model import MOST_LAYERS, SegmentsModel, SegmentsRequest
from .panel import SegmentsPanel

MEGABYTE = 1 << 20
BUNDLED, COLORS, LAYER, HUB = (
    "bundled",
    "none (colours alone)",
    "image layer",
    "hub model",
)


class SegmentsWidget(PictureWidget):
    """The picture falls apart into its objects by itself."""

    kind = "segments"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "Compute", ("result", "original"))
        self._fill_form()
        self.clicks = ClickPanel(self, self.settings)
        self.after.addWidget(self.clicks)
        self.leaving.append(self.clicks.mode.release)
        self.panel = SegmentsPanel(self, self.put)
        self.after.addWidget(self.panel)
        self.after.addWidget(self.view)
        self.view.kinds.append("clicks")
        self.view.clear_button.clicked.connect(lambda *_: self.clicks.mode.clear())
        self.shortcuts |= {
            "j": lambda: self.panel.table.step(-1),
            "k": lambda: self.panel.table.step(1),
            "q": self.clicks.toggle.click,
        }
        self.attach()

    def _fill_form(self) -> None:
        tip = "Number of layers, 2 to 15; auto decides by the picture"
        self.count = whole_number(1, MOST_LAYERS, tip, "auto")
        self.form.addRow("Segments", self.count)
        self.features = choice(
            (BUNDLED, COLORS, LAYER, HUB), "What tells objects apart"
        )
        self.features.currentTextChanged.connect(self.refresh_state)
        self.form.addRow("Features", self.features)
        self.feature_layer = self.combo(
            "Feature layer",
            is_picture,
            tip="RGB, or features along the third-last axis",
        )
        self.hub_model = QLineEdit()
        self.hub_model.setPlaceholderText("facebook/dinov2-small, or a folder")
        self.hub_model.setToolTip(
            "A Hugging Face model; it is downloaded when you press Compute"
        )
        self.form.addRow("Model", self.hub_model)
        self.options = OptionsDrawer(Segments)
        self.superpixels = self.combo(
            "Superpixels",
            lambda layer: hasattr(layer, "selected_label"),
            tip="Regions of your own instead of SLIC",
            optional="SLIC",
            form=self.options.form,
        )
        self.body.addWidget(self.options)

    @property
    def model(self) -> SegmentsModel | None:
        """The layers shown last, with their tree."""
        return self.panel.model

    def primary(self) -> None:
        """Compute the layers and show them."""
        request = self.tried(self.settings)
        if request is not None:
            self.compute(request.solve, self._show_new, sources=(request.image,))

    def settings(self) -> SegmentsRequest:
        """What Compute takes; see the base."""
        count = int(self.count.value())
        return SegmentsRequest(
            **self.picture_settings(),
            features=self._feature_source(),
            superpixels=self.superpixels.layer,
            cache_bytes=int(preference("compute", "cache_mb")) * MEGABYTE,
            options={"n_segments": "auto" if count < 2 else count}
            | self.options.values(),
        )

    def _feature_source(self) -> Any:
        """A name, a layer, or None for colours alone."""
        chosen = self.features.currentText()
        if chosen == BUNDLED:
            return "bundled"
        if chosen == COLORS:
            return None
        if chosen == HUB:
            name = self.hub_model.text().strip()
            if not name:
                raise ValueError("Name a Hugging Face model, or choose other features.")
            return f"hub:{name}"
        if self.feature_layer.layer is None:
            raise ValueError("Choose the layer that holds the features.")
        return self.feature_layer.layer

    def _show_new(self, model: SegmentsModel) -> None:
        self.panel.show_model(model, "Move the level; select to merge or split.")

    def present_recipe(self) -> Recipe | None:
        """Of the clicks while there are some, else of what is on the screen."""
        return self.clicks.mode.recipe() or super().present_recipe()

    def refresh_state(self, *_: Any) -> None:
        """Follow the chosen layers."""
        super().refresh_state()
        image, chosen = self.image.layer, self.features.currentText()
        for field, wanted in ((self.feature_layer, LAYER), (self.hub_model, HUB)):
            field.setVisible(chosen == wanted)
            self.form.labelForField(field).setVisible(chosen == wanted)
        if self.model is not None and self.model.picture.layer is not image:
            self.panel.forget()
        self.clicks.settle(image)
        self.clicks.toggle.setEnabled(image is not None)
        self.panel.enable()

    def detach(self) -> None:
        """Let viewer and layers go."""
        self.clicks.turn_off()
        self.panel.forget()
        super().detach()
