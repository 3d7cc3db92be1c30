"""Choice of a matting method, with the options that belong to it."""

from __future__ import annotations

import inspect
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout

from napari_softlayers._recipes import MATTES

from ..parts.options import OptionsForm


class MethodPicker(QComboBox):
    """Lists the matting methods; adds the chosen one's options to a form."""

    def __init__(self, form: QFormLayout) -> None:
        super().__init__()
        form.addRow("Method", self)
        self.forms: dict[str, OptionsForm] = {}
        tips = []
        for index, (name, model) in enumerate(MATTES.items()):
            tip = inspect.getdoc(model) or ""
            tips.append(f"{name}: {tip}")
            self.addItem(name.replace("_", " "), name)
            self.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
            self.forms[name] = OptionsForm(model)
            form.addRow(self.forms[name])
        self.setToolTip("\n".join(tips))
        self.currentIndexChanged.connect(self._follow)
        self._follow()

    @property
    def method(self) -> str:
        """Name of the chosen method."""
        return str(self.currentData())

    def choose(self, method: str) -> None:
        """Choose a method by its name."""
        self.setCurrentIndex(self.findData(method))

    def options(self) -> dict[str, Any]:
        """Options of the chosen method that differ from its defaults."""
        return self.forms[self.method].changed()

    def _follow(self, *_: Any) -> None:
        for name, options in self.forms.items():
            options.setVisible(name == self.method and bool(options.controls))
