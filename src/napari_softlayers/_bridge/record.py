"""Records of layers in a viewer: read and written here alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from napari_softlayers._recipes.record import (
    KEY,
    HelperRecord,
    ResultRecord,
    read_helper,
    read_record,
)

from .places import is_layer


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
