"""Choice of a matting method, with the options that belong to it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QSpinBox

from napari_softlayers._core.matting import METHODS

TIPS = {
    "closed_form": "Exact and fastest",
    "knn": "Also gathers colours from far away",
    "information_flow": "Sharpest in hair and fur",
    "auto": "Forgives wrong labels, wide bands and scribbles",
    "adamatting": "A network that corrects the trimap",
    "deep_propagation": "A network's affinities",
}
FORGIVING = "auto"
MOST_TOLERANCE = 200


class MethodPicker(QComboBox):
    """Lists the matting methods; adds its rows to a form.

    Parameters
    ----------
    form : QFormLayout
    """

    def __init__(self, form: QFormLayout) -> None:
        super().__init__()
        for index, name in enumerate(METHODS):
            self.addItem(name.replace("_", " "), name)
            tip = TIPS.get(name, "")
            self.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        self.setToolTip("\n".join(f"{name}: {tip}" for name, tip in TIPS.items()))
        form.addRow("Method", self)
        self._form = form
        self.tolerance = QSpinBox()
        self.tolerance.setRange(0, MOST_TOLERANCE)
        self.tolerance.setSuffix(" px")
        self.tolerance.setToolTip("By how much painted boundaries may be off")
        form.addRow("Tolerance", self.tolerance)
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
        if self.method != FORGIVING or not self.tolerance.value():
            return {}
        return {"tolerance": int(self.tolerance.value())}

    def _follow(self, *_: Any) -> None:
        forgiving = self.method == FORGIVING
        self.tolerance.setVisible(forgiving)
        label = self._form.labelForField(self.tolerance)
        if label is not None:
            label.setVisible(forgiving)
