"""Stacks and video: every frame with the same palette, computed when it is looked at."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..arrays import FloatArray
from ..cache import ContentCache
from ..checks import whole
from ..devices import choose_device
from ..layers.soft_layers import SoftLayers
from ..picture import layer_dtype
from ..run import SILENT, Run
from .decomposer import Decomposer, Processing
from .frames import Frames
from .names import hex_name
from .selection import select_palette

KEPT_FRAMES = 4  # decomposed frames that are remembered


class PaletteStack:
    """Palette layers of a stack, one frame at a time.

    Each frame depends on nothing but its own pixels and the palette, which is fixed: the
    same picture gives the same layers at any time, so nothing flickers.

    ``stack`` Frames or array_like, ``(T, H, W, 3)`` or ``(T, H, W, 4)``: NumPy, dask or
    any array that gives frames by ``stack[t]``. The other parameters: see
    `palette_layers`; a palette to be chosen is chosen from eight frames. Raises
    ValueError when the stack has another shape or the palette does not fit.

    Attributes
    ----------
    palette : ndarray of float32, ``(K, 3)``
    names : list of str
    parameters : dict
        What it was made with; enough to make it again.
    source : optional
        Where the stack came from, such as a napari layer.
    recipe : optional
        How it was made.
    """

    def __init__(
        self,
        stack: Any,
        palette: int | str | ArrayLike = 6,
        method: str = "mixture",
        *,
        selection: str = "kmeans",
        smoothing: float = 1.0,
        processing: Processing | None = None,
        locked: ArrayLike | None = None,
        weights: str | Path | None = None,
        seed: int = 0,
        device: str | torch.device = "auto",
    ) -> None:
        self.frames = stack if isinstance(stack, Frames) else Frames(stack)
        self.source: Any = None
        self.recipe: Any = None
        self.shape = self.frames.shape
        seen = []
        for t in self.frames.looked_at():
            rgb, alpha = self.frames.read(t)
            seen.append(rgb.reshape(-1, 3) if alpha is None else rgb[alpha > 0])
        pixels = np.concatenate(seen)
        if not len(pixels):
            raise ValueError(
                "Every pixel of the stack is transparent; there is nothing to take "
                "apart. Make it opaque first, for example with stack[..., :3]."
            )
        self.palette = select_palette(
            pixels[None], palette, selection=selection, locked=locked, seed=seed
        )
        self.names = [hex_name(color) for color in self.palette]
        self._decompose = Decomposer(
            self.palette,
            method,
            choose_device(device),
            selection=selection,
            smoothing=smoothing,
            processing=processing,
            weights=weights,
            seed=int(seed),
        )
        self.parameters = self._decompose.parameters
        self._kept = ContentCache(KEPT_FRAMES)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def frame(self, frame: int, run: Run | None = None) -> SoftLayers:
        """Decompose one frame; the last four are remembered."""
        if not 0 <= whole(frame, "frame") < len(self):
            raise ValueError(f"Frame {frame} was asked for; there are {len(self)}.")

        def compute() -> SoftLayers:
            picture, alpha = self.frames.read(frame)
            layers = self._decompose(picture, None, run or SILENT, frame=frame)
            return layers.covered(alpha).locked()

        with self._lock:  # one at a time: the layers of a frame are asked for together
            return self._kept.get_or_compute(str(frame), compute, size=lambda _: 1)

    def alphas(self) -> Any:
        """All alphas as a dask array of float32, ``(T, K, H, W)``, a frame a block."""
        sizes = (len(self.palette), *self.shape[1:])
        return self._lazy(self._alpha_block, sizes, np.dtype(np.float32))

    def rgba(self, dtype: DTypeLike = np.uint8) -> list[Any]:
        """Layers for additive blending: K dask arrays ``(T, H, W, 4)``.

        All layers of a frame are computed together when the first of them is looked at.
        """
        kind, sizes = layer_dtype(dtype), (*self.shape[1:], 4)
        return [
            self._lazy(self._rgba_block, sizes, kind, layer, kind)
            for layer in range(len(self.palette))
        ]

    def _lazy(
        self, block: Any, sizes: tuple[int, ...], dtype: np.dtype[Any], *given: Any
    ) -> Any:
        """A dask array of which each block is one frame."""
        import dask.array as da

        return da.map_blocks(
            block,
            *given,
            dtype=dtype,
            chunks=((1,) * len(self), *sizes),
            meta=np.empty((0, 0, 0, 0), dtype),
        )

    def _alpha_block(self, block_info: Any = None) -> FloatArray:
        return self.frame(block_info[None]["chunk-location"][0]).alphas[None]

    def _rgba_block(
        self, layer: int, dtype: np.dtype[Any], block_info: Any = None
    ) -> NDArray[Any]:
        layers = self.frame(block_info[None]["chunk-location"][0])
        return np.asarray(layers.rgba(dtype)[layer][None])

    def __getstate__(self) -> dict[str, Any]:
        # on its way to another process of a dask cluster
        return self.__dict__ | {"_lock": None, "_kept": None, "source": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._kept, self._lock = ContentCache(KEPT_FRAMES), threading.Lock()
