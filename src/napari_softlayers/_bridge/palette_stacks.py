"""Palette layers of a whole stack as lazy additive layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import DTypeLike

from napari_softlayers._core.arrays import FloatArray
from napari_softlayers._core.palette.frames import Frames
from napari_softlayers._recipes import Look
from napari_softlayers._recipes.record import ResultRecord

from .pictures import identity_of, look_of, looked
from .places import SPATIAL_KEYS, is_layer, levels_of
from .record import write_record
from .results import clear_results, results_for
from .show import hide_for, limits_of

if TYPE_CHECKING:
    from napari_softlayers._core.palette.stack import PaletteStack

KIND = "palette"


def frames_of(source: Any) -> Frames:
    """Read a colour stack ``(T, H, W, 3 or 4)`` from a napari Image layer or an array.

    Raises
    ------
    TypeError, ValueError
        When it is no RGB stack with one leading axis.
    """
    if not is_layer(source):
        return Frames(source)
    array = levels_of(source)[0]
    if not getattr(source, "rgb", False) or array.ndim != 4:
        raise TypeError(
            f"'{source.name}' has shape {tuple(array.shape)}; an RGB stack (T, H, W, 3) "
            "is needed. For a single picture use palette_layers."
        )
    return ShownFrames(array, look_of(source, np.empty(0, array.dtype)))


class ShownFrames(Frames):
    """Frames as the screen shows them."""

    def __init__(self, array: Any, look: Look | None) -> None:
        super().__init__(array)
        self._look = look

    def read(self, frame: int) -> tuple[FloatArray, FloatArray | None]:
        """One frame's colours and alpha; see `Frames`."""
        if self._look is None:
            return super().read(frame)
        return looked(np.asarray(self.array[frame]), self._look)


def show_stack(
    viewer: Any, stack: PaletteStack, like: Any = None, dtype: DTypeLike = np.uint8
) -> list[Any]:
    """Show one lazy layer a palette colour; a frame is decomposed when it is shown.

    It takes the place of palette layers of one frame, and they of it.

    Parameters
    ----------
    viewer : napari.Viewer
    stack : PaletteStack
    like : napari Image layer, optional
        The source: gives place in space and name, and is hidden.
    dtype : {uint8, uint16, float32}

    Returns
    -------
    list of napari.layers.Image
    """
    source = like if is_layer(like) else None
    place = {} if source is None else {k: getattr(source, k) for k in SPATIAL_KEYS}
    clear_results(viewer, results_for(viewer, source, KIND))
    kept = hide_for(viewer, source)
    run = uuid4().hex[:12]
    shown = []
    for index, (name, color, data) in enumerate(
        zip(stack.names, stack.palette, stack.rgba(dtype), strict=True)
    ):
        red, green, blue = (float(value) for value in color)
        record = ResultRecord(
            kind=KIND,
            run=run,
            index=index,
            name=name,
            source="" if source is None else str(source.name),
            source_id="" if source is None else identity_of(source),
            color=(red, green, blue),
        ).changed(**kept)
        layer = viewer.add_image(
            data,
            rgb=True,
            name=record.full_name,
            blending="additive",
            contrast_limits=limits_of(dtype),
            **place,
        )
        write_record(layer, record)
        shown.append(layer)
    return shown
