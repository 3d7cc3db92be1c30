"""Stacks and video: every frame with the same palette, computed when it is looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..arrays import FloatArray
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

    Parameters
    ----------
    stack : Frames or array_like, ``(T, H, W, 3)`` or ``(T, H, W, 4)``
        NumPy, dask or any array that gives frames by ``stack[t]``.
    palette, method, selection, smoothing, processing, locked, weights, seed, device
        See `palette_layers`. A palette to be chosen is chosen from eight frames.

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

    Raises
    ------
    ValueError
        When the stack has another shape or the palette does not fit.
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
            pixels[None],
            palette,
            selection=selection,
            locked=locked,
            seed=seed,
        )
        self.names = [hex_name(color) for color in self.palette]
        self._decompose = Decomposer(
            self.palette,
            method,
            choose_device(device),
            smoothing=smoothing,
            processing=processing,
            weights=weights,
        )
        self.parameters = self._decompose.noted(self.palette, selection, seed)
        if processing is not None:
            self.parameters["by_user"] = True  # functions are not kept
        self._frames: OrderedDict[int, SoftLayers] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def frame(self, frame: int, run: Run | None = None) -> SoftLayers:
        """Decompose one frame; the last four are remembered."""
        if not 0 <= whole(frame, "frame") < len(self):
            raise ValueError(f"Frame {frame} was asked for; there are {len(self)}.")
        with self._lock:
            if frame in self._frames:
                self._frames.move_to_end(frame)
                return self._frames[frame]
            picture, alpha = self.frames.read(frame)
            alphas, colors = self._decompose(picture, None, run or SILENT)
            parameters = {**self.parameters, "frame": frame}
            extras = {"palette": self.palette.copy()}
            layers = SoftLayers(
                alphas, colors, list(self.names), "palette", parameters, extras, picture
            )
            layers = layers.covered(alpha).locked()
            self._frames[frame] = layers
            while len(self._frames) > KEPT_FRAMES:
                self._frames.popitem(last=False)
            return layers

    def alphas(self) -> Any:
        """All alphas as a dask array of float32, ``(T, K, H, W)``, a frame a block."""
        import dask.array as da

        count, height, width = len(self.palette), *self.shape[1:]
        return da.map_blocks(
            self._alpha_block,
            chunks=((1,) * len(self), count, height, width),
            dtype=np.float32,
            meta=np.empty((0, 0, 0, 0), np.float32),
        )

    def rgba(self, dtype: DTypeLike = np.uint8) -> list[Any]:
        """Layers for additive blending: K dask arrays ``(T, H, W, 4)``.

        All layers of a frame are computed together when the first of them is looked at.
        """
        import dask.array as da

        kind = layer_dtype(dtype)
        return [
            da.map_blocks(
                self._rgba_block,
                layer,
                kind,
                chunks=((1,) * len(self), *self.shape[1:], 4),
                dtype=kind,
                meta=np.empty((0, 0, 0, 0), kind),
            )
            for layer in range(len(self.palette))
        ]

    def _alpha_block(self, block_info: Any = None) -> FloatArray:
        return self.frame(block_info[None]["chunk-location"][0]).alphas[None]

    def _rgba_block(
        self, layer: int, dtype: np.dtype[Any], block_info: Any = None
    ) -> NDArray[Any]:
        layers = self.frame(block_info[None]["chunk-location"][0])
        return np.asarray(layers.rgba(dtype)[layer][None])

    def __getstate__(self) -> dict[str, Any]:
        # on its way to another process of a dask cluster
        return self.__dict__ | {"_lock": None, "_frames": None, "source": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._frames, self._lock = OrderedDict(), threading.Lock()
