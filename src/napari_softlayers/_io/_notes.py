"""What is written beside the layers, and whether it can be believed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError


class _Note(BaseModel):
    """What only napari knows of a layer."""

    blending: str = ""
    space: dict[str, Any] = {}
    axes: int = 0
    record: dict[str, Any] | None = None


class _Info(BaseModel):
    """What is noted of a whole file; further entries are kept."""

    kind: str = "layers"
    parameters: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    sets: list[list[int]] = []
    napari: list[_Note] = []


def believable(info: dict[str, Any], layers: int) -> dict[str, Any]:
    """The notes of a file with that many layers, or none when they are forged."""
    try:
        found = _Info.model_validate(info)
    except ValidationError:
        return {}
    numbers = [number for group in found.sets for number in group]
    fitting = all(0 <= number < layers for number in numbers) and all(found.sets)
    return info if fitting and len(set(numbers)) == len(numbers) else {}
