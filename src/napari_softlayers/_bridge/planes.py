"""Results of one plane of a stack are seen there alone; elsewhere their source is.

napari itself shows a layer only on the planes where it has data; the source, which was
hidden for the result, is shown and hidden here as the sliders move.
"""

from __future__ import annotations

import weakref
from typing import Any

from .record import recorded
from .results import show_by_id

_followed: weakref.WeakKeyDictionary[Any, dict[str, bool]] = weakref.WeakKeyDictionary()
"""Viewers, and of each source with results whether its plane was in sight."""


def follow_planes(viewer: Any) -> None:
    """Follow a viewer's sliders from now on, once."""
    model = getattr(viewer, "__wrapped__", viewer)
    new = model not in _followed
    now = _in_sight(model)
    _followed.setdefault(model, {}).update(now)
    for identity, seen in now.items():
        if not seen:
            show_by_id(model, identity)
    if not new:
        return
    reference = weakref.ref(model)

    def moved(*_: Any) -> None:
        """Show or hide sources whose results went out of sight or came back."""
        followed = reference()
        if followed is None:
            return
        before, now = _followed[followed], _in_sight(followed)
        for identity, seen in now.items():
            if before.get(identity, seen) != seen:
                show_by_id(followed, identity, not seen)
        _followed[followed] = now

    model.dims.events.point.connect(moved)


def _in_sight(viewer: Any) -> dict[str, bool]:
    """Of each source with a result on one plane, whether that plane is shown.

    Not of those that the user had hidden before.
    """
    found: dict[str, bool] = {}
    for record, layer in recorded(viewer.layers):
        if record.plane and record.source_visible and layer.visible:
            seen = found.get(record.source_id, False)
            found[record.source_id] = seen or shown_here(viewer, layer)
    return found


def shown_here(viewer: Any, layer: Any) -> bool:
    """Whether the sliders stand on the plane of a layer with one frame."""
    leading = int(layer.ndim) - 2
    if leading <= 0 or viewer.dims.ndisplay == 3:
        return True
    point = tuple(viewer.dims.point)[-int(layer.ndim) :]
    place = layer.world_to_data(point)[:leading]
    return all(-0.5 <= value < 0.5 for value in place)
