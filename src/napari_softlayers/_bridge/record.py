"""Records of layers in a viewer, read and written here alone.

Helper layers, such as previews and overlays, are found by theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from napari_softlayers._recipes.record import (
    KEY,
    HelperRecord,
    ResultRecord,
    read_helper,
    read_record,
)

from .places import identity_of, is_layer, put_frame, set_visible, with_axes


def record_of(layer: Any) -> ResultRecord | None:
    """What a result layer carries; None for any other layer."""
    return read_record(_values(layer))


def helper_of(layer: Any) -> HelperRecord | None:
    """What a helper layer carries; None for results and for foreign layers."""
    return read_helper(_values(layer))


def write_record(layer: Any, record: ResultRecord | HelperRecord) -> None:
    """Put a record into a layer's metadata, in place of the one before."""
    layer.metadata = {**layer.metadata, KEY: record.plain()}


def recorded(layers: Iterable[Any]) -> list[tuple[ResultRecord, Any]]:
    """The result layers among some, each with its record before it."""
    return [(r, x) for x in layers if (r := record_of(x)) is not None]


def in_order(layers: Iterable[Any]) -> list[Any]:
    """The result layers among some in the order of their index, the bottom one first."""
    return [x for _, x in sorted(recorded(layers), key=lambda pair: pair[0].index)]


def is_result(layer: Any) -> bool:
    """Tell whether a layer belongs to a result set (helper layers do not)."""
    return record_of(layer) is not None


def is_own(layer: Any) -> bool:
    """Tell whether a layer was made by the plugin as a result or a helper."""
    values = _values(layer)
    return isinstance(values, dict) and "kind" in values


def _values(layer: Any) -> Any:
    return layer.metadata.get(KEY) if is_layer(layer) else None


def helper_for(kind: str, image: Any, what: str = "") -> HelperRecord:
    """The record of a layer that helps with an image."""
    return HelperRecord(kind=kind, what=what, source_id=identity_of(image))


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
