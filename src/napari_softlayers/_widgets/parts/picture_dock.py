"""What the docks share that take a picture apart: the image, its channels, the views."""

from __future__ import annotations

from typing import Any

from napari_softlayers._bridge import step_of
from napari_softlayers._bridge.views import VIEWS

from .base import LayersWidget
from .channels import ChannelsEdit
from .combos import is_picture
from .settings import preference
from .view_bar import ViewBar

NO_IMAGE = "There is no image: open one, or choose it above."


class PictureWidget(LayersWidget):
    """Base of the docks with an image at the top and a choice of views.

    A subclass sets ``kind``, that of its results, and places ``self.view``.

    Parameters
    ----------
    viewer : napari.Viewer
    primary : str
        Text of the main button.
    views : tuple of str
        Ways to look at the results, see `ViewBar`.
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

        Raises
        ------
        ValueError
            When there is no image, or its channels are no numbers.
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
