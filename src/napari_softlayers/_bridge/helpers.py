"""Helper layers: previews, prompts, overlays, by-products; each is found by its record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from napari_softlayers._recipes.record import KEY, HelperRecord

from .places import set_visible, with_axes
from .record import helper_of
from .results import put_frame


def helpers_with(viewer: Any, record: HelperRecord) -> list[Any]:
    """The helper layers with a record; one as a rule."""
    return [layer for layer in viewer.layers if helper_of(layer) == record]


def remove_helpers(viewer: Any, record: HelperRecord) -> None:
    """Take the helper layers with a record away."""
    for layer in helpers_with(viewer, record):
        viewer.layers.remove(layer)


@contextmanager
def active_kept(viewer: Any) -> Iterator[None]:
    """Keep the active layer, where napari would take one that is added."""
    active = viewer.layers.selection.active
    yield
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active


def show_helper(
    viewer: Any,
    record: HelperRecord,
    data: NDArray[Any],
    place: dict[str, Any],
    above: Any = None,
    **settings: Any,
) -> Any:
    """Show a picture as the helper layer with a record; update it when it is there.

    ``data`` uint8 ``(H, W, 3 or 4)``. ``place``: spatial arguments; may be empty.
    ``above``: the layer right above a new one, which is on top of all without it.
    ``settings``: more arguments of a new napari Image layer. Returns it.
    """
    from napari.layers import Image

    found = helpers_with(viewer, record)
    if found and found[0].data.shape[-3:] == data.shape:
        put_frame(found[0], data)
        set_visible(found[0], True)
        return found[0]
    remove_helpers(viewer, record)
    layer = Image(
        with_axes(data, place),
        rgb=True,
        contrast_limits=(0, 255),
        metadata={KEY: record.plain()},
        **settings,
        **place,
    )
    top = len(viewer.layers) if above is None else viewer.layers.index(above)
    with active_kept(viewer):
        viewer.layers.insert(top, layer)
    return layer
