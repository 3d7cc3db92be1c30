"""Small pieces of Qt that the docks are put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)


def row(*parts: QWidget | QLayout | str) -> QHBoxLayout:
    """Lay parts out side by side; a text becomes a label."""
    return _filled(QHBoxLayout(), parts)


def column(widget: QWidget, *parts: QWidget | QLayout) -> QVBoxLayout:
    """Lay parts of a widget out one below the other."""
    return _filled(QVBoxLayout(widget), parts)


def _filled(line: QBoxLayout, parts: Iterable[QWidget | QLayout | str]) -> Any:
    line.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        if isinstance(part, QLayout):
            line.addLayout(part)
        else:
            line.addWidget(QLabel(part) if isinstance(part, str) else part)
    return line


def push_button(
    text: str, action: Callable[[], Any], tip: str = "", checkable: bool = False
) -> QPushButton:
    """Make a push button; ``action`` is called without arguments."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setCheckable(checkable)
    made.clicked.connect(lambda *_: action())
    return made


def choice(names: Iterable[str], tip: str = "") -> QComboBox:
    """Make a choice of names."""
    made = QComboBox()
    made.addItems(list(names))
    made.setToolTip(tip)
    return made


def choose_next(combo: QComboBox) -> None:
    """Go on to the next name, from the last one to the first."""
    combo.setCurrentIndex((combo.currentIndex() + 1) % combo.count())


def whole_number(low: int, high: int, tip: str, special: str = "") -> QSpinBox:
    """Make a choice of a whole number; ``special`` is shown for the lowest one."""
    made = QSpinBox()
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
