"""Regions of labels: connected groups, what they touch, and what is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Mask
from ..system import Labels

Window = tuple[slice, slice]

#: Pixels of the working resolution below which a region is a speck.
LEAST_AREA = 30
#: Reach, in pixels of the working resolution, over which a region may be rounded off.
RIM = 6


class Group(NamedTuple):
    """A connected group of pixels with one label, in a window of the picture."""

    mask: Mask
    window: Window

    def mean(self, values: Floats) -> float:
        return float(values[self.window][self.mask].mean())


def groups(masks: list[Mask], labels: Labels) -> Iterator[Group]:
    """Connected groups of each mask and label, with a margin around them."""
    for mask in masks:
        for label in np.unique(labels[mask]):
            parts, _ = ndimage.label(mask & (labels == label))
            for index, window in enumerate(ndimage.find_objects(parts), 1):
                wide = widened(window, 2)
                yield Group(parts[wide] == index, wide)


def contact_share(group: Mask, labels: Labels) -> float:
    """Share of the border of a group with one label that touches another label."""
    ring = ndimage.binary_dilation(group, np.ones((3, 3), bool)) & ~group
    other = ring & (labels != labels[group][0]) & (labels != 0)
    return int(np.count_nonzero(other)) / max(int(np.count_nonzero(ring)), 1)


def touching(labels: Labels) -> Mask:
    """Known pixels next to another label: none in a careful trimap."""
    highest = ndimage.maximum_filter(labels, 3)
    hidden = np.where(labels == 0, np.iinfo(np.int32).max, labels)
    return np.asarray((labels != 0) & (ndimage.minimum_filter(hidden, 3) != highest))


def touching_share(labels: Labels) -> float:
    """Share of the borders of all labels where two labels touch.

    Zero in a careful trimap, which has unknown pixels between them.
    """
    highest = ndimage.maximum_filter(labels, 3)
    border = (labels != 0) & (ndimage.minimum_filter(labels, 3) != highest)
    meeting = int(np.count_nonzero(touching(labels)))
    return meeting / max(int(np.count_nonzero(border)), 1)


def opened(mask: Mask, radius: int = 2, area: int = LEAST_AREA) -> Mask:
    """A mask without slivers and specks."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    core = ndimage.binary_opening(mask, y * y + x * x <= radius * radius + 0.5)
    parts, count = ndimage.label(core)
    keep = np.bincount(parts.ravel(), minlength=count + 1) >= area
    keep[0] = False
    return np.asarray(keep[parts])


def grown(core: Mask, within: Mask, reach: float = RIM) -> Mask:
    """The parts of a mask that are connected to a core, and near it."""
    if not core.any():
        return core
    near = ndimage.distance_transform_edt(~core) <= reach
    return np.asarray(ndimage.binary_propagation(core, mask=within & near))


def widened(window: Any, by: int) -> Window:
    """A window with a margin, cut off at the top and the left of the picture."""
    rows, columns = window
    return (
        slice(max(rows.start - by, 0), rows.stop + by),
        slice(max(columns.start - by, 0), columns.stop + by),
    )
