"""Palette layers of a whole stack as lazy additive layers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from napari_softlayers._core.arrays import FloatArray
from napari_softlayers._core.cache import content_key
from napari_softlayers._core.palette.frames import Frames
from napari_softlayers._recipes import Frame, Input

from .pictures import SINCE, look_of, looked
from .places import identity_of, is_layer, levels_of, not_a, spatial_of, step_of
from .results import clear_results, results_for
from .show import add_layer, dtype_of, hide_for, new_records

if TYPE_CHECKING:
    from napari_softlayers._core.palette.stack import PaletteStack

KIND = "palette"


def frames_of(source: Any, nan: str = "refuse", frame: Frame | None = None) -> Frames:
    """Read a colour stack ``(T, H, W, 3 or 4)`` from a napari Image layer or an array.

    ``nan``: see `read_picture`. ``frame``: how a layer was looked at when a result was
    made; as it is now by default. Raises TypeError, ValueError when it is no RGB stack
    with one leading axis.
    """
    if isinstance(source, Frames):
        return source
    if not is_layer(source):
        return Frames(source, nan)
    array = levels_of(source)[0]
    if not hasattr(array, "shape"):
        raise not_a("an Image layer", source)
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
        digest = content_key(*(np.asarray(self.array[t]) for t in self.looked_at()))
        return Input(name=self.layer.name, id=identity_of(self.layer), digest=digest)

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


def warn_if_stack_changed(stack: PaletteStack) -> None:
    """Say where a stack's layer holds another one than it was made from."""
    if stack.recipe is None:
        return
    try:
        now = frames_of(stack.source, frame=stack.recipe.frame)
        if now.input.digest == stack.recipe.inputs["image"].digest:  # type: ignore[attr-defined]
            return
    except (TypeError, ValueError, IndexError):  # it holds no stack any more
        pass
    text = f"'{stack.source.name}' was changed after {SINCE} again."
    warnings.warn(text, UserWarning, stacklevel=3)


def show_stack(
    viewer: Any,
    stack: PaletteStack,
    like: Any = None,
    dtype: DTypeLike | None = None,
) -> list[Any]:
    """Show one lazy layer a palette colour; a frame is decomposed when it is shown.

    It takes the place of palette layers of one frame, and they of it. See
    `PaletteStack.to_napari`.
    """
    source = like if is_layer(like) else None
    dtype = dtype_of(source) if dtype is None else dtype
    place = {} if source is None else spatial_of(source)
    frame = 0 if source is None else step_of(viewer, source)[0]
    coverage = stack.frame(frame).coverage
    clear_results(viewer, results_for(viewer, source, KIND))
    kept = hide_for(viewer, source, KIND)
    records = new_records(
        stack.names,
        [tuple(map(float, color)) for color in stack.palette],
        coverage,
        source,
        kind=KIND,
        recipe=stack.recipe,
        **kept,
    )
    shown: list[Any] = []
    for data, record in zip(stack.rgba(dtype), records, strict=True):
        shown.append(add_layer(viewer, data, record, place, source, shown))
    return shown
