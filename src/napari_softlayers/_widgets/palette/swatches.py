"""A row of colour swatches: choose, reorder by dragging, see what is locked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QListView, QListWidget, QListWidgetItem

from napari_softlayers._bridge.prompts import pixel_at

SIDE = 36
LOCKED = "locked"
NUMBER = Qt.ItemDataRole.UserRole


class Swatches(QListWidget):
    """Colours in the order of the layers.

    ``edited`` asks to change a colour (double click), ``reordered`` gives the new order
    as numbers of the old one.
    """

    edited = Signal(int)
    reordered = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self._names: list[str] = []
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Snap)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setSpacing(2)
        self.setFixedHeight(2 * (SIDE + 30))
        self.setToolTip(
            "Double click changes a colour; drag to reorder; the order is that of the "
            "layers, bottom first"
        )
        self.itemDoubleClicked.connect(lambda item: self.edited.emit(self.row(item)))

    def show_colors(
        self, colors: Sequence[Any], locked: Sequence[bool], names: Sequence[str] = ()
    ) -> None:
        """Show colours ``(K, 3)`` in [0, 1]; locked ones say so, names are tooltips."""
        self._names = list(names)
        chosen = self.currentRow()
        with QSignalBlocker(self):
            self.clear()
            for number, (color, lock) in enumerate(zip(colors, locked, strict=True)):
                item = QListWidgetItem()
                item.setData(NUMBER, number)
                self.addItem(item)
                self.paint(number, color, lock)
            self.setCurrentRow(min(max(chosen, 0), self.count() - 1))

    def paint(self, row: int, color: Any, locked: bool) -> None:
        """Give one swatch another colour."""
        shade = QColor.fromRgbF(*color)
        square = QPixmap(SIDE, SIDE)
        square.fill(shade)
        icon = QIcon(square)
        icon.addPixmap(square, QIcon.Mode.Selected)  # not tinted when selected
        item = self.item(row)
        item.setIcon(icon)
        item.setText(LOCKED if locked else shade.name())
        name = self._names[row] if row < len(self._names) else shade.name()
        item.setToolTip(name + (", locked" if locked else ""))

    def dropEvent(self, event: Any) -> None:
        """Tell the new order after a drag."""
        super().dropEvent(event)

        def place(item: QListWidgetItem) -> tuple[int, int]:
            box = self.visualItemRect(item)
            return box.top() // (SIDE + 10), box.left()

        items = sorted(map(self.item, range(self.count())), key=place)
        order = [int(item.data(NUMBER)) for item in items]
        if order != list(range(self.count())):
            self.reordered.emit(order)


class Eyedropper:
    """Waits for one click in the canvas."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._callback: Callable[..., Any] | None = None

    @property
    def waiting(self) -> bool:
        """Whether a click is waited for."""
        return self._callback is not None

    def start(self, picture: Any, done: Callable[[Any], None]) -> None:
        """Call ``done`` with the colour ``(3,)`` under the next click.

        ``picture``: whose colours are picked; a click beside it gives None.
        """
        self.stop()

        def clicked(_viewer: Any, event: Any) -> None:
            self.stop()
            done(color_at(picture, event.position))

        self._callback = clicked
        self._viewer.mouse_drag_callbacks.append(clicked)

    def stop(self) -> None:
        """Wait no longer."""
        callback, self._callback = self._callback, None
        if callback is not None and callback in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(callback)


def color_at(picture: Any, position: Any) -> Any:
    """Colour ``(3,)`` of a picture at a position in the world; None beside it."""
    pixel = pixel_at(picture.grid.pixels_of([tuple(position)])[0], picture.shape)
    return None if pixel is None else picture.data[pixel]
