"""Choice of channels for layers that have more than a picture's."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLabel, QLineEdit


class ChannelsEdit(QLineEdit):
    """Up to three channel numbers; only seen for grey layers with more than two axes.

    Empty takes one frame as grey.
    """

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
        """The chosen channels, or None.

        Raises ValueError when the text is not a list of numbers.
        """
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
