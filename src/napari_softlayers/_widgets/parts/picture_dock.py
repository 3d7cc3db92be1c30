"""What the docks share that take a picture apart: the image, its channels, the views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QLabel, QLineEdit, QWidget

from napari_softlayers._bridge import (
    Picture,
    clear_results,
    record_of,
    results_for,
    show,
    step_of,
)
from napari_softlayers._bridge.results import layer_with_id, recipe_as_shown
from napari_softlayers._bridge.view_modes import VIEWS, remove_preview, set_view
from napari_softlayers._recipes import Input, Recipe
from napari_softlayers._recipes.code import Namer, code_of

from .base import LayersWidget
from .combos import is_picture
from .layout import choice, choose_next, push_button, row
from .settings import preference, result_dtype

NO_IMAGE = "There is no image: open one, or choose it above."


class PictureWidget(LayersWidget):
    """Base of the docks with an image at the top and a choice of views.

    A subclass sets ``kind``, that of its results, and places ``self.view``, a `ViewBar`.
    """

    kind = ""
    settings: Callable[[], Any]
    """What the main button takes, as it is now; it has a ``recipe``.

    Raises ValueError, TypeError when something is missing or does not fit.
    """

    def __init__(
        self, viewer: Any, primary: str, views: tuple[str, ...] = VIEWS
    ) -> None:
        super().__init__(viewer, primary)
        self.image = self.combo("Image", is_picture, tip="The picture to take apart")
        self.channels = ChannelsEdit()
        self.form.addRow(self.channels.label, self.channels)
        self.view = ViewBar(viewer, self.kind, lambda: self.image.layer, views)
        self.shortcuts["h"] = lambda: choose_next(self.view.combo)
        self.shortcuts["w"] = self.view.toggle_original

    def picture_settings(self) -> dict[str, Any]:
        """The fields of a `PictureRequest` as they are now; ValueError without them."""
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

    def problem(self) -> str:
        """What is missing for the main button; empty when all is there."""
        return NO_IMAGE if self.image.layer is None else ""

    def refresh_state(self, *_: Any) -> None:
        """Follow the chosen layers."""
        problem = self.problem()
        self.channels.follow(self.image.layer)
        self.primary_button.setEnabled(not problem)
        if not self.jobs.busy:
            self.hint(problem)

    def put(self, layers: Any, picture: Picture, fresh: bool = False) -> list[Any]:
        """Put layers into the viewer; none when their image has gone meanwhile."""
        if picture.layer not in self.viewer.layers:
            self.say("The image was removed meanwhile; nothing was added.", "warning")
            return []
        dtype = result_dtype()
        shown = show(self.viewer, layers, like=picture, dtype=dtype, fresh=fresh)
        self.view.after_show()
        return shown

    # ---- code ------------------------------------------------------------------------

    def settings_recipe(self) -> Recipe | None:
        """The recipe of the settings as they are now; None when something is missing."""
        try:
            recipe: Recipe = self.settings().recipe()
        except ValueError:
            return None
        return recipe

    def code(self) -> str:
        """A call that gives the result on the screen, else one of the settings."""
        recipe = self.present_recipe()
        name_of = namer(self.viewer)
        return "" if recipe is None else code_of(recipe, name_of, result_dtype())

    def present_recipe(self) -> Recipe | None:
        """That of the result on the screen, else one of the settings."""
        return self.shown_recipe() or self.settings_recipe()

    def shown_recipe(self) -> Recipe | None:
        """The recipe of the result of the chosen image, of what is visible first."""
        sets = self.view.sets().values()
        for shown in sorted(sets, key=lambda one: not any(x.visible for x in one)):
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


class ChannelsEdit(QLineEdit):
    """Up to three channel numbers, or one grey frame; seen where a layer may have them."""

    def __init__(self) -> None:
        super().__init__()
        self.label = QLabel("Channels")
        self.setPlaceholderText("one grey frame; or e.g. 0, 1, 2")
        self.setToolTip(
            "Channels along the third-last axis to be used as red, green and blue"
        )
        self._layer: Any = None
        self.follow(None)

    def follow(self, layer: Any) -> None:
        """Show the row when a layer may have channels."""
        useful = layer is not None and not layer.rgb and layer.ndim > 2
        self.setVisible(useful)
        self.label.setVisible(useful)
        if layer is not self._layer:
            self.clear()
        self._layer = layer if useful else None

    def value(self) -> tuple[int, ...] | None:
        """The chosen channels, or None; ValueError when they are no numbers."""
        text = self.text().strip()
        if self._layer is None or not text:
            return None
        try:
            return tuple(int(part) for part in text.replace(",", " ").split())
        except ValueError as error:
            raise ValueError(
                f"Channels are '{text}'; up to three numbers such as '0, 1, 2' are "
                "needed."
            ) from error


class ViewBar(QWidget):
    """Choice of view and a Clear button for the results of one kind.

    ``image``: gives the image layer that is chosen now, or None. ``views``: those of
    `VIEWS` that make sense for this kind.
    """

    def __init__(
        self,
        viewer: Any,
        kind: str,
        image: Callable[[], Any],
        views: tuple[str, ...] = VIEWS,
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._kind = kind
        self.kinds = [kind]
        """Kinds of the results that are looked at and removed."""
        self._image = image
        self.combo = choice(
            views, "How to look at the result (key: H; W shows the original)"
        )
        self.combo.currentTextChanged.connect(self._apply)
        self.clear_button = push_button(
            "Clear", self.clear, "Remove the result and show the image again"
        )
        line = row("View", self.combo, self.clear_button)
        line.setStretch(1, 1)
        self.setLayout(line)

    @property
    def view(self) -> str:
        """The chosen view."""
        return str(self.combo.currentText())

    def sets(self) -> dict[str, list[Any]]:
        """Results of the chosen image by kind."""
        image = self._image()
        return {kind: results_for(self._viewer, image, kind) for kind in self.kinds}

    def toggle_original(self) -> None:
        """Key W: the original picture and back."""
        self.combo.setCurrentText("result" if self.view == "original" else "original")

    def after_show(self) -> None:
        """Bring new results into the chosen view."""
        if self.view != "result":
            self._apply(self.view)

    def clear(self) -> None:
        """Remove the results of the chosen image and show it again."""
        image = self._image()
        if image is None:
            return
        remove_preview(self._viewer, image)
        for shown in self.sets().values():
            clear_results(self._viewer, shown)
        self.combo.setCurrentText("result")

    def _apply(self, view: str) -> None:
        image = self._image()
        if image is None:
            return
        for kind, shown in self.sets().items():
            # those on the screen, else those that were there last
            if any(layer.visible for layer in shown):
                self._kind = kind
        set_view(self._viewer, image, self._kind, view)
