"""Palette layers of a whole stack as lazy additive layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import DTypeLike

from napari_softlayers._core.arrays import FloatArray
from napari_softlayers._core.cache import content_key
from napari_softlayers._core.palette.frames import Frames
from napari_softlayers._recipes import Frame, Input
from napari_softlayers._recipes.record import ResultRecord

from .pictures import identity_of, look_of, looked, result_dtype_of
from .places import SPATIAL_KEYS, is_layer, levels_of, step_of
from .results import clear_results, results_for
from .show import add_layer, hide_for, hide_others

if TYPE_CHECKING:
    from napari_softlayers._core.palette.stack import PaletteStack

KIND = "palette"


def frames_of(source: Any, nan: str = "refuse", frame: Frame | None = None) -> Frames:
    """Read a colour stack ``(T, H, W, 3 or 4)`` from a napari Image layer or an array.

    ``source`` napari Image layer, array_like or Frames. ``nan`` {"refuse", "fill"}: see
    `read_picture`. ``frame``: how a layer was looked at when a result was made; as it
    is now by default. Raises TypeError, ValueError when it is no RGB stack with one
    leading axis.
    """
    if isinstance(source, Frames):
        return source
    if not is_layer(source):
        return Frames(source, nan)
    array = levels_of(source)[0]
    if not hasattr(array, "shape"):
        raise TypeError(
            f"'{source.name}' is a {type(source).__name__} layer; an Image layer is "
            "needed."
        )
    if not getattr(source, "rgb", False) or array.ndim != 4:
        raise TypeError(
            f"'{source.name}' has shape {tuple(array.shape)}; an RGB stack (T, H, W, 3) "
            "is needed. For a single picture use palette_layers."
        )
    if frame is None:
        look = look_of(source, np.empty(0, array.dtype))
        frame = Frame(nan=nan, look=look, every=True)
    return ShownFrames(source, array, frame)


class ShownFrames(Frames):
    """Frames of a layer as the screen shows them."""

    def __init__(self, layer: Any, array: Any, frame: Frame) -> None:
        self.frame = frame
        super().__init__(array, frame.nan)
        self.layer = layer

    @property
    def input(self) -> Input:
        """What tells the stack from any other, by the frames that speak for all."""
        seen = (np.asarray(self.array[t]) for t in self.looked_at())
        return Input(
            name=self.layer.name,
            id=identity_of(self.layer),
            digest=content_key(*seen),
        )

    def _read(self, frame: int) -> tuple[FloatArray, FloatArray | None]:
        look = self.frame.look
        if look is None:
            return super()._read(frame)
        return looked(np.asarray(self.array[frame]), look, nan=self.nan)

    def _common_white(self) -> int | None:
        limited = self.frame.look is not None and self.frame.look.limits is not None
        return None if limited else super()._common_white()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"layer": None}  # stays in the viewer's process


def show_stack(
    viewer: Any,
    stack: PaletteStack,
    like: Any = None,
    dtype: DTypeLike | None = None,
) -> list[Any]:
    """Show one lazy layer a palette colour; a frame is decomposed when it is shown.

    It takes the place of palette layers of one frame, and they of it.

    ``like``: the source: gives place in space and name, and is hidden. ``dtype``:
    uint8, uint16 or float32; the source's by default, uint8 without one. Returns list
    of napari.layers.Image.
    """
    source = like if is_layer(like) else None
    if dtype is None:
        own = None if source is None else result_dtype_of(levels_of(source)[0])
        dtype = np.uint8 if own is None else own
    place = {} if source is None else {k: getattr(source, k) for k in SPATIAL_KEYS}
    frame = 0 if source is None else step_of(viewer, source)[0]
    coverage = stack.frame(frame).coverage
    clear_results(viewer, results_for(viewer, source, KIND))
    kept = hide_for(viewer, source)
    run = uuid4().hex[:12]
    shown: list[Any] = []
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
            coverage=round(float(coverage[index]), 5),
            color=(red, green, blue),
            recipe=stack.recipe,
        ).changed(**kept)
        shown.append(add_layer(viewer, data, record, (0, place), source, shown))
    hide_others(viewer, source, KIND)
    return shown
