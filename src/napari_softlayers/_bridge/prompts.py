"""Clicks as a Points layer, and the overlays that answer them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.arrays import FloatArray
from napari_softlayers._recipes.record import KEY

from .pictures import Picture
from .places import identity_of, place_in_space, set_visible
from .record import active_kept, helper_for, helper_of, helpers_with, show_helper

ADD, REMOVE = "add", "remove"
ROLES = (ADD, REMOVE)
PROMPTS, OVERLAY = "prompts", "overlay"
ROLE_COLORS = ("#2fbf4d", "#e04030")
DOT = (9, 18)
"""Least and largest size of a prompt on the screen."""
MOST_OBJECTS = 15


@dataclass(frozen=True)
class Prompts:
    """Clicks as the core takes them.

    ``points`` ``(n, 2)``: rows and columns, inside the picture, one a pixel. ``labels``
    ``(n,)``: 0 takes the pixel away from every object, 1..K gives it to one.
    ``objects``: the user's numbers of the K objects, ascending; there may be gaps.
    ``outside``, ``replaced``: how many clicks were left out because they lie outside the
    picture, or because a later one on the same pixel says otherwise.
    """

    points: FloatArray
    labels: NDArray[np.int64]
    objects: tuple[int, ...] = ()
    outside: int = 0
    replaced: int = 0

    @property
    def key(self) -> tuple[bytes, bytes]:
        """What tells two sets of clicks apart."""
        return self.points.tobytes(), self.labels.tobytes()

    def label_of(self, number: int) -> int | None:
        """Label of one of the user's objects; None when it was not clicked on."""
        return self.objects.index(number) + 1 if number in self.objects else None


def add_prompts(viewer: Any, picture: Picture) -> Any:
    """Add an empty Points layer for clicks over a picture, or find the one there is.

    The Points are the user's: they can be moved, deleted, and their ``role`` and
    ``object`` edited.
    """
    from napari.layers import Points

    found = prompts_for(viewer, picture.layer)
    if found is not None:
        return found
    layer = Points(
        np.empty((0, 2)),
        ndim=2,
        name=f"{picture.name} · prompts",
        property_choices={
            "role": list(ROLES),
            "object": np.arange(1, MOST_OBJECTS + 1),
        },
        face_color="role",
        face_color_cycle=list(ROLE_COLORS),
        border_color="white",
        size=max(2.0, max(picture.shape) / 60),
        canvas_size_limits=DOT,
        metadata={KEY: helper_for(PROMPTS, picture.layer).plain()},
        **place_in_space(picture.layer, picture.shape),
    )
    with active_kept(viewer):
        viewer.layers.append(layer)
    return layer


def prompts_for(viewer: Any, image: Any) -> Any:
    """Find the Points layer with the clicks on an image; None without one."""
    return next(iter(helpers_with(viewer, helper_for(PROMPTS, image))), None)


def next_click(layer: Any, role: str, number: int) -> None:
    """Set role and object of points that are added from now on."""
    layer.feature_defaults = {"role": role, "object": number}


def add_click(layer: Any, point: tuple[float, float], role: str, number: int) -> None:
    """Add one click; the points selected before stay as they are."""
    layer.selected_data = set()
    next_click(layer, role, number)
    layer.add([point])
    layer.selected_data = set()


Snapshot = tuple[Any, tuple[str, ...], tuple[int, ...]]


def snapshot_of(layer: Any) -> Snapshot:
    """Copy a layer's points, roles and objects."""
    if layer is None or len(layer.data) == 0:
        return np.empty((0, 2)), (), ()
    features = layer.features
    data = np.array(layer.data, dtype=float)[:, -2:]
    count = len(data)
    roles = features["role"] if "role" in features else [ADD] * count
    objects = features["object"] if "object" in features else [1] * count
    return (
        data,
        tuple(REMOVE if str(role) == REMOVE else ADD for role in roles),
        tuple(_number(value) for value in objects),
    )


def restore(layer: Any, snapshot: Snapshot) -> None:
    """Put points, roles and objects back."""
    import pandas

    data, roles, objects = snapshot
    layer.selected_data = set()
    layer.data = data
    layer.features = pandas.DataFrame(
        {
            "role": pandas.Categorical(list(roles), categories=list(ROLES)),
            "object": np.array(objects, dtype=np.int64),
        }
    )


def same_snapshot(one: Snapshot, other: Snapshot) -> bool:
    """Compare two copies."""
    return np.array_equal(one[0], other[0]) and one[1:] == other[1:]


def prompts_of(snapshot: Snapshot, shape: tuple[int, int]) -> Prompts:
    """Read clicks for a picture of some shape.

    Clicks outside it are left out; of several on one pixel the last one counts.
    """
    data, roles, objects = snapshot
    chosen: dict[tuple[int, int], tuple[Any, int]] = {}
    outside = replaced = 0
    for point, role, number in zip(data, roles, objects, strict=True):
        pixel = pixel_at(point, shape)
        if pixel is None:
            outside += 1
            continue
        label = 0 if role == REMOVE else number
        before = chosen.pop(pixel, None)
        replaced += before is not None and before[1] != label
        chosen[pixel] = (point, label)
    points = np.array([point for point, _ in chosen.values()], np.float32)
    numbers = np.array([number for _, number in chosen.values()], np.int64)
    found = tuple(int(number) for number in np.unique(numbers[numbers > 0]))
    labels = np.where(numbers > 0, np.searchsorted(found, numbers) + 1, 0)
    return Prompts(points.reshape(-1, 2), labels, found, outside, replaced)


def pixel_at(point: Any, shape: tuple[int, int]) -> tuple[int, int] | None:
    """Pixel that a point (row, column) lies on; None outside the picture."""
    if not np.isfinite(point).all():
        return None
    row, column = (int(np.floor(float(value) + 0.5)) for value in point)
    inside = 0 <= row < shape[0] and 0 <= column < shape[1]
    return (row, column) if inside else None


def _number(value: Any) -> int:
    """Number of an object, whatever was typed."""
    try:
        return min(max(int(float(value)), 1), MOST_OBJECTS)
    except (TypeError, ValueError):
        return 1


def show_overlay(
    viewer: Any,
    picture: Picture,
    what: str,
    alpha: FloatArray,
    color: tuple[float, ...],
    strength: float,
) -> Any:
    """Tint a region of a picture in a layer of its own, or update it.

    ``what``: tells several overlays of one picture apart; part of the layer's name.
    ``alpha`` ``(h, w)``: at the picture's size or smaller. ``strength``: opacity where
    alpha is 1.
    """
    data = np.empty((*alpha.shape, 4), np.uint8)
    data[..., :3] = np.rint(np.array(color) * 255)
    data[..., 3] = np.rint(np.clip(alpha, 0, 1) * (255 * strength))
    grid = picture.grid
    return show_helper(
        viewer,
        helper_for(OVERLAY, picture.layer, what),
        data,
        {} if grid is None else replace(grid, shape=data.shape[:2]).place(),
        above=prompts_for(viewer, picture.layer),
        name=f"{picture.name} · {what}",
        blending="translucent_no_depth",
    )


def hide_overlay(viewer: Any, image: Any, what: str) -> None:
    """Hide an overlay until it is shown again."""
    for layer in helpers_with(viewer, helper_for(OVERLAY, image, what)):
        set_visible(layer, False)


def remove_overlays(viewer: Any, image: Any) -> None:
    """Take all overlays of an image away."""
    owner = identity_of(image)
    for layer in list(viewer.layers):
        record = helper_of(layer)
        if record and (record.kind, record.source_id) == (OVERLAY, owner):
            viewer.layers.remove(layer)
