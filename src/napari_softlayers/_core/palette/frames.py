"""Frames of a colour stack, each read as any picture is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import FloatArray
from ..picture import read_picture, white_of

LOOKED_AT = 8
"""Frames that tell what white is in a stack of wide integers."""


class Frames:
    """Frames of a stack ``(T, H, W, 3)`` or ``(T, H, W, 4)``.

    Parameters
    ----------
    array : array_like
        NumPy, dask, zarr: a frame is read when it is asked for. See `read_picture` for
        the values; white is the same in all frames.

    Raises
    ------
    ValueError
        When the stack has another shape.
    """

    def __init__(self, array: Any) -> None:
        self.array = array if hasattr(array, "shape") else np.asarray(array)
        shape = tuple(int(n) for n in self.array.shape)
        if len(shape) != 4 or shape[3] not in (3, 4) or 0 in shape:
            raise ValueError(
                f"The stack has shape {shape}; (T, H, W, 3) or (T, H, W, 4) with at "
                "least one frame is needed."
            )
        self.shape = shape[:3]
        self._white = self._common_white()

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, frame: int) -> tuple[FloatArray, FloatArray | None]:
        """One frame's colours ``(H, W, 3)`` and alpha ``(H, W)`` or None."""
        values = np.asarray(self.array[frame])
        if values.shape[-1] == 4 and not values[..., 3].any():
            return np.zeros((*self.shape[1:], 3), np.float32), np.zeros(
                self.shape[1:], np.float32
            )
        if self._white is None:
            return read_picture(values)
        return read_picture(np.clip(values / np.float64(self._white), 0, 1))

    def _common_white(self) -> float | None:
        """What means 1 in all frames; None where the dtype says it."""
        dtype = np.dtype(self.array.dtype)
        if dtype.kind == "b" or dtype.itemsize == 1 or dtype.kind not in "uif":
            return None
        picked = np.unique(np.linspace(0, len(self) - 1, LOOKED_AT).astype(int))
        seen = [np.asarray(self.array[int(t)]) for t in picked]
        if dtype.kind == "f" and not all(np.isfinite(frame).all() for frame in seen):
            return None
        if min(float(frame.min()) for frame in seen) < 0:
            return None
        top = max(float(frame.max()) for frame in seen)
        white = white_of(top, dtype)
        return None if white == 1 else float(white)
