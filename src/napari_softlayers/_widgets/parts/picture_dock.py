"""What the docks share that take a picture apart: the image, its channels, the views."""

from __future__ import annotations

from typing import Any

from napari_softlayers._bridge import record_of, results_for, step_of
from napari_softlayers._bridge.results import layer_with_id, recipe_as_shown
from napari_softlayers._bridge.view_modes import VIEWS
from napari_softlayers._recipes import Input, Recipe
from napari_softlayers._recipes.code import Namer, code_of

from .base import LayersWidget
from .channels import ChannelsEdit
from .combos import is_picture
from .settings import preference, result_dtype
from .view_bar import ViewBar

NO_IMAGE = "There is no image: open one, or choose it above."


class PictureWidget(LayersWidget):
    """Base of the docks with an image at the top and a choice of views.

    A subclass sets ``kind``, that of its results, and places ``self.view``.

    ``primary``: text of the main button. ``views`` tuple of str: ways to look at the
    results, see `ViewBar`.
    """

    kind = ""

    def __init__(
        self, viewer: Any, primary: str, views: tuple[str, ...] = VIEWS
    ) -> None:
        super().__init__(viewer, primary)
        self.image = self.combo("Image", is_picture, tip="The picture to take apart")
        self.channels = ChannelsEdit()
        self.form.addRow(self.channels.label, self.channels)
        self.view = ViewBar(viewer, self.kind, lambda: self.image.layer, views)
        self.shortcuts |= {"h": self.view.next_view, "w": self.view.toggle_original}

    def picture_settings(self) -> dict[str, Any]:
        """The fields of a `PictureRequest` as they are now.

        Raises ValueError when there is no image, or its channels are no numbers.
        """
        image = self.image.layer
        if image is None:
            raise ValueError(NO_IMAGE)
        return {
            "image": image,
            "step": step_of(self.viewer, image),
            "channels": self.channels.value(),
            "megapixels": float(preference("compute", "working_megapixels")),
            "device": str(preference("compute", "device")),
        }

    # ---- code ------------------------------------------------------------------------

    def settings_recipe(self) -> Recipe | None:
        """The recipe of the settings as they are now; None when something is missing."""
        return None

    def code_kinds(self) -> tuple[str, ...]:
        """Kinds of results whose code is copied, the first one there is."""
        return (self.kind,)

    def code(self) -> str:
        """A call that gives the result on the screen, else one of the settings."""
        recipe = self.present_recipe()
        if recipe is None:
            return ""
        return code_of(recipe, namer(self.viewer), result_dtype())

    def present_recipe(self) -> Recipe | None:
        """That of the result on the screen, else one of the settings."""
        return self.shown_recipe() or self.settings_recipe()

    def shown_recipe(self) -> Recipe | None:
        """The recipe of the result that is shown for the chosen image."""
        for kind in self.code_kinds():
            shown = results_for(self.viewer, self.image.layer, kind)
            record = record_of(shown[0]) if shown else None
            if record is None or record.recipe is None or record.recipe.live:
                continue
            if record.recipe.frame.every:
                return record.recipe
            try:
                recipe = recipe_as_shown(shown)
            except (TypeError, ValueError):
                continue
            if recipe is not None:
                return recipe
        return None


def namer(viewer: Any) -> Namer:
    """What gives the present names of inputs' layers."""

    def name_of(given: Input) -> str:
        layer = layer_with_id(viewer, given.id) if given.id else None
        return str(given.name if layer is None else layer.name)

    return name_of
