"""Pictures -> alphas and residues for one palette: stages two and three.

Residues are layer colours near the palette that add up to the picture. Given the
alphas, the colours that minimise ``sum_i a_i |u_i - p_i|^2`` (Eq. 8, squared) subject
to ``sum_i a_i u_i = c`` (Eq. 1) and ``0 <= u_i <= 1`` (Eq. 3) are ``u_i = clip(p_i + t,
0, 1)`` with one scalar t a pixel and channel, which `colors.project_exact` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..arrays import FloatArray
from ..checks import number, one_of
from ..devices import with_cpu_fallback
from ..layers.alphas import simplex
from ..layers.colors import as_tensor, project_exact
from ..layers.soft_layers import SoftLayers
from ..numerics.mixture import LookupTable, Mixture
from ..run import SILENT, Run
from ..threads import for_bands
from .names import hex_name
from .processing import apply_masks, refine, smooth

Processing = Callable[[FloatArray], FloatArray]

METHODS = ("mixture", "lookup", "network")


class Decomposer:
    """One palette and one choice of method, for any number of pictures.

    Computes with the colours in an order of its own, so that the order of the palette
    changes nothing but the order of the layers.

    ``palette`` float32 ``(K, 3)``: distinct colours in [0, 1]. ``noted``: what else the
    layers' parameters say. See `palette_layers` for the others.
    """

    def __init__(
        self,
        palette: FloatArray,
        method: str,
        device: torch.device,
        *,
        smoothing: float = 1.0,
        processing: Processing | None = None,
        weights: str | Path | None = None,
        **noted: Any,
    ) -> None:
        one_of(method, "method", METHODS)
        if processing is not None and not callable(processing):
            raise TypeError(
                f"processing={processing!r} came; a function of the alphas is needed."
            )
        self.method = method
        self.device = device
        self.smoothing = number(smoothing, "smoothing", 0)
        self.processing = processing
        self.weights = weights
        self.parameters = {
            "palette": palette.tolist(),
            "method": method,
            "smoothing": self.smoothing,
            "weights": None if weights is None else str(weights),
            **noted,
        }
        if processing is not None:
            self.parameters["by_user"] = True  # functions are not kept
        self.given = palette
        self.order = np.lexsort(palette.T[::-1])
        self.places = np.argsort(self.order)
        self.palette = np.ascontiguousarray(palette[self.order])
        self._tables: dict[torch.device, Mixture | LookupTable] = {}

    def __call__(
        self, picture: FloatArray, masks: FloatArray | None, run: Run, **noted: Any
    ) -> SoftLayers:
        """Palette layers of a picture ``(H, W, 3)``."""

        def compute(device: torch.device) -> tuple[FloatArray, FloatArray]:
            planes = as_tensor(picture.transpose(2, 0, 1)).to(device)
            stack = self._raw(planes, run.part(0, 0.4))
            stack = self._processed(planes, stack, masks, run.part(0.4, 0.8))
            base, places = self._colors(device), self.order.tolist()
            colors = exact_residues(planes, stack, base, run.part(0.8, 1), places)
            return self._given_order(stack), colors

        alphas, colors = with_cpu_fallback(compute, self.device)
        return SoftLayers(
            alphas,
            colors,
            [hex_name(color) for color in self.given],
            "palette",
            self.parameters | noted,
            {"palette": self.given.copy()},
            picture,
        )

    def alphas(self, picture: FloatArray, run: Run) -> FloatArray:
        """Alphas ``(K, H, W)`` before any processing."""
        planes = as_tensor(picture.transpose(2, 0, 1)).to(self.device)
        return self._given_order(self._raw(planes, run))

    def _raw(self, planes: torch.Tensor, run: Run) -> torch.Tensor:
        if self.method == "network":
            from ..networks.palette import network_alphas

            return network_alphas(planes, self.palette, self.weights, run)
        device = planes.device
        if device not in self._tables:
            kind = Mixture if self.method == "mixture" else LookupTable
            self._tables[device] = kind(self.palette, device)
        return self._tables[device].alphas(planes, run)

    def _processed(
        self,
        planes: torch.Tensor,
        alphas: torch.Tensor,
        masks: FloatArray | None,
        run: Run,
    ) -> torch.Tensor:
        palette = self._colors(planes.device)
        alphas = smooth(planes, alphas, self.smoothing, run.part(0, 0.7))
        alphas = refine(planes, alphas, palette, run.part(0.7, 1))
        if masks is not None:
            allowed = torch.from_numpy(masks[self.order]).to(planes.device)
            alphas = apply_masks(planes, alphas, allowed, palette)
        if self.processing is not None:
            changed = np.asarray(self.processing(self._given_order(alphas)), np.float32)
            if changed.shape != alphas.shape:
                raise ValueError(
                    f"processing gave an array of shape {changed.shape}; alphas of shape "
                    f"{tuple(alphas.shape)} came in and must come out."
                )
            changed = simplex(changed)
            alphas = torch.from_numpy(changed[self.order]).to(planes.device)
        return alphas

    def _colors(self, device: torch.device) -> torch.Tensor:
        return torch.from_numpy(self.palette).to(device)

    def _given_order(self, stack: torch.Tensor) -> FloatArray:
        return stack[torch.from_numpy(self.places).to(stack.device)].cpu().numpy()


def exact_residues(
    picture: torch.Tensor,
    alphas: torch.Tensor,
    palette: torch.Tensor,
    run: Run = SILENT,
    places: Sequence[int] | None = None,
) -> FloatArray:
    """Colours of palette layers with an exact sum.

    ``picture`` ``(3, H, W)``, in [0, 1]. ``alphas`` ``(K, H, W)``, summing to 1.
    ``palette`` ``(K, 3)``, in [0, 1]. ``places`` sequence of int: where each layer goes
    in the result. Returns float32 ``(K, H, W, 3)``, in [0, 1]:
    ``sum_k alphas[k] * colors[k] == picture``; a layer without alpha has its palette
    colour.
    """
    count, height, width = alphas.shape
    result = torch.empty(count, height, width, 3)
    where = list(range(count)) if places is None else list(places)
    base = palette[:, :, None, None]

    def work(rows: slice) -> None:
        colors = project_exact(picture[:, rows], alphas[:, rows], base)
        for layer, place in zip(colors, where, strict=True):
            result[place, rows] = layer.permute(1, 2, 0).cpu()

    size = 8 * count * width
    for_bands(work, height, size, alphas.device, run, "Exact residues")
    return result.numpy()
