"""Small pieces of Qt that the docks are put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qtpy import QtWidgets as qt
from qtpy.QtCore import QObject, QTimer


def row(*parts: qt.QWidget | qt.QLayout | str) -> qt.QHBoxLayout:
    """Lay parts out side by side; a text becomes a label."""
    return fill(qt.QHBoxLayout(), *parts)


def column(widget: qt.QWidget, *parts: qt.QWidget | qt.QLayout) -> qt.QVBoxLayout:
    """Lay parts of a widget out one below the other."""
    return fill(qt.QVBoxLayout(widget), *parts)


def fill(line: qt.QBoxLayout, *parts: qt.QWidget | qt.QLayout | str) -> Any:
    """Put parts into a layout, one after the other."""
    line.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        if isinstance(part, qt.QLayout):
            line.addLayout(part)
        else:
            line.addWidget(qt.QLabel(part) if isinstance(part, str) else part)
    return line


def push_button(
    text: str, action: Callable[[], Any], tip: str = "", checkable: bool = False
) -> qt.QPushButton:
    """Make a push button; ``action`` is called without arguments."""
    made = qt.QPushButton(text)
    made.setToolTip(tip)
    made.setCheckable(checkable)
    made.clicked.connect(lambda *_: action())
    return made


def choice(names: Iterable[str], tip: str = "") -> qt.QComboBox:
    """Make a choice of names."""
    made = qt.QComboBox()
    made.addItems(list(names))
    made.setToolTip(tip)
    return made


def choose_next(combo: qt.QComboBox) -> None:
    """Go on to the next name, from the last one to the first."""
    combo.setCurrentIndex((combo.currentIndex() + 1) % combo.count())


def whole_number(low: int, high: int, tip: str, special: str = "") -> qt.QSpinBox:
    """Make a choice of a whole number; ``special`` is shown for the lowest one."""
    made = qt.QSpinBox()
    made.setRange(low, high)
    made.setSpecialValueText(special)
    made.setToolTip(tip)
    return made


def single_shot(
    parent: QObject, action: Callable[[], Any], milliseconds: int = 0
) -> QTimer:
    """Make a timer that calls once, some time after it was started last."""
    made = QTimer(parent)
    made.setSingleShot(True)
    made.setInterval(milliseconds)
    made.timeout.connect(action)
    return made
