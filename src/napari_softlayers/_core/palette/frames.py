"""Frames of a colour stack, each read as any picture is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, to_numpy
from ..picture import NothingSeen, common_white, read_picture, seen_values

LOOKED_AT = 8
"""So many frames tell the palette, and what white is in a stack of wide integers."""


class Frames:
    """Frames of a stack ``(T, H, W, 3)`` or ``(T, H, W, 4)``.

    ``array`` array_like: NumPy, dask, zarr: a frame is read when it is asked for. See
    `read_picture` for the values; white is the same in all frames. ``nan`` {"refuse",
    "fill"}: see `read_picture`. Raises ValueError when the stack has another shape.
    """

    def __init__(self, array: Any, nan: str = "refuse") -> None:
        lazy = isinstance(getattr(array, "dtype", None), np.dtype)
        self.array = array if lazy else to_numpy(array, "stack")
        self.nan = nan
        shape = tuple(int(n) for n in self.array.shape)
        if len(shape) != 4 or shape[3] not in (3, 4) or 0 in shape:
            raise ValueError(
                f"The stack has shape {shape}; (T, H, W, 3) or (T, H, W, 4) with at "
                "least one frame is needed."
            )
        self.shape = shape[:3]
        self.white = self._common_white()

    def __len__(self) -> int:
        return self.shape[0]

    def looked_at(self) -> list[int]:
        """Numbers of the frames that speak for all."""
        picked = np.linspace(0, len(self) - 1, min(LOOKED_AT, len(self)))
        return sorted({int(t) for t in picked})

    def read(self, frame: int) -> tuple[FloatArray, FloatArray | None]:
        """One frame's colours ``(H, W, 3)`` and alpha ``(H, W)`` or None.

        A frame in which nothing is seen is black and transparent: the others count.
        """
        try:
            return self._read(frame)
        except NothingSeen:
            nothing = np.zeros((*self.shape[1:], 4), np.float32)
            return nothing[..., :3], nothing[..., 3]
        except ValueError as error:
            raise ValueError(f"Frame {frame}: {error}") from error

    def _read(self, frame: int) -> tuple[FloatArray, FloatArray | None]:
        return read_picture(self.array[frame], nan=self.nan, white=self.white)

    def _common_white(self) -> int | None:
        """What means 1 in all frames; None where the dtype says it."""
        dtype = np.dtype(self.array.dtype)
        if dtype.kind not in "uif" or dtype.kind != "f" and dtype.itemsize == 1:
            return None
        seen = [self._seen(t) for t in self.looked_at()]
        top = max(float(frame[..., :3].max()) for frame in seen)
        alpha = max(float(frame[..., 3:].max(initial=0)) for frame in seen)
        return common_white(top, 0 if dtype.kind == "f" else alpha, dtype)

    def _seen(self, frame: int) -> NDArray[Any]:
        try:
            return seen_values(self.array[frame], nan=self.nan)[0]
        except ValueError as error:
            raise ValueError(f"Frame {frame}: {error}") from error
