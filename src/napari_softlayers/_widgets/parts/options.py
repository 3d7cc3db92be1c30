"""A drawer of advanced options, made from a list of what there is to set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QSpinBox,
    QWidget,
)
from superqt import QCollapsible


@dataclass(frozen=True)
class Option:
    """One option of a function: its name there, label, default, range or choices."""

    name: str
    label: str
    default: Any
    tip: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 1
    step: float = 1


class OptionsDrawer(QCollapsible):
    """Advanced options, closed at first.

    Parameters
    ----------
    options : sequence of Option
    """

    def __init__(self, options: tuple[Option, ...], title: str = "Advanced") -> None:
        super().__init__(title)
        self._options = options
        self._read: dict[str, Callable[[], Any]] = {}
        self._write: dict[str, Callable[[Any], None]] = {}
        inside = QWidget()
        self.form = QFormLayout(inside)
        self.form.setContentsMargins(0, 0, 0, 0)
        for option in options:
            self._add(option)
        self.addWidget(inside)
        self.collapse(animate=False)

    def values(self) -> dict[str, Any]:
        """All options as they are set."""
        return {name: read() for name, read in self._read.items()}

    def changed(self) -> dict[str, Any]:
        """Those options that differ from their default."""
        defaults = {option.name: option.default for option in self._options}
        return {
            name: value
            for name, value in self.values().items()
            if value != defaults[name]
        }

    def set(self, name: str, value: Any) -> None:
        """Set one option."""
        self._write[name](value)

    def _add(self, option: Option) -> None:
        made: Any
        if option.choices:
            made = QComboBox()
            made.addItems([str(choice) for choice in option.choices])
            self._read[option.name] = lambda: option.choices[made.currentIndex()]
            self._write[option.name] = lambda value: made.setCurrentIndex(
                option.choices.index(value)
            )
        elif isinstance(option.default, bool):
            made = QCheckBox()
            self._read[option.name] = lambda: bool(made.isChecked())
            self._write[option.name] = made.setChecked
        else:
            made = QSpinBox() if isinstance(option.default, int) else QDoubleSpinBox()
            if isinstance(option.default, float):
                made.setDecimals(4)
            made.setRange(option.low, option.high)
            made.setSingleStep(option.step)
            kind = type(option.default)
            self._read[option.name] = lambda: kind(made.value())
            self._write[option.name] = made.setValue
        made.setToolTip(option.tip)
        self._write[option.name](option.default)
        self.form.addRow(option.label, made)
