"""SoftLayers: alphas and colours that add up to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..arrays import FloatArray, to_numpy
from ..checks import row
from ..picture import fill_hidden, from_dtype, layer_dtype, read_picture, to_dtype
from ..run import SILENT, Run
from . import edit
from .alphas import (
    check_alphas,
    check_ranges,
    coverage_of,
    round_jointly,
    settle_rounding,
    simplex,
)
from .compositing import behind
from .edit import Edit

if TYPE_CHECKING:
    import torch

__all__ = ["Edit", "SoftLayers"]


@dataclass
class SoftLayers:
    """Soft layers of a picture: ``sum_k alphas[k] * colors[k] == alpha * image``.

    Parameters
    ----------
    alphas : ndarray of float32, ``(K, H, W)``
        In [0, 1], summing to the picture's own alpha at every pixel: to one where it is
        opaque. Layer 0 is the bottom of the stack.
    colors : ndarray of float32, ``(K, H, W, 3)``
        Straight (not premultiplied) colours in [0, 1], sRGB values as stored.
    names : list of str, optional
        One a layer; "layer 1", "layer 2", ... otherwise.
    kind : str
        The method's family: "matte", "segments", "palette", "clicks", ...
    parameters : dict
        What the method was called with; enough to compute the layers again.
    extras : dict
        By-products of the method, such as a merge tree or an adapted trimap.
    image : ndarray of float32, ``(H, W, 3)``, optional
        The picture, straight; the composite otherwise.
    source : optional
        Where the picture came from, such as a napari layer: `to_napari` shows the
        layers in its place.
    alpha : ndarray of float32, ``(H, W)``, optional
        The picture's own alpha; None where it is opaque.
    profile : bytes, optional
        ICC profile of the picture's file, kept for the files that are written.
    recipe : optional
        How the layers were computed, before the edits.
    edits : tuple of Edit
        What was done to them since.

    Raises
    ------
    ValueError
        When shapes do not fit together, or a value is NaN or infinite.
    """

    alphas: FloatArray
    colors: FloatArray
    names: list[str] = field(default_factory=list)
    kind: str = "layers"
    parameters: dict[str, Any] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)
    image: FloatArray = None  # type: ignore[assignment]  # set in __post_init__
    source: Any = None
    alpha: FloatArray | None = None
    profile: bytes | None = None
    recipe: Any = None
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        alphas, colors = (
            to_numpy(self.alphas, "alphas"),
            to_numpy(self.colors, "colors"),
        )
        self.alphas = np.ascontiguousarray(alphas, dtype=np.float32)
        self.colors = np.ascontiguousarray(colors, dtype=np.float32)
        check_alphas(self.alphas)
        if self.colors.shape != (*self.alphas.shape, 3):
            raise ValueError(
                f"Colours have shape {self.colors.shape}; with alphas of shape "
                f"{self.alphas.shape}, {(*self.alphas.shape, 3)} is needed."
            )
        self.names = [str(name) for name in row(self.names, "names", "texts")]
        if not self.names:
            self.names = [f"layer {i + 1}" for i in range(len(self.alphas))]
        if len(self.names) != len(self.alphas):
            raise ValueError(
                f"{len(self.names)} names came for {len(self.alphas)} layers; give one "
                "name a layer."
            )
        check_ranges(self.alphas, self.colors)
        if self.image is None:
            self.image = _straight(self.composite(), self.alpha)

    @classmethod
    def from_alphas(
        cls,
        image: Any,
        alphas: NDArray[Any],
        *,
        names: Sequence[str] | None = None,
        kind: str = "layers",
        parameters: dict[str, Any] | None = None,
        extras: dict[str, Any] | None = None,
        device: str | torch.device = "cpu",
        run: Run | None = None,
    ) -> SoftLayers:
        """Make layers from alphas: estimate their colours so that the sum is exact.

        Parameters
        ----------
        image : array_like, ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``
        alphas : ndarray, ``(K, H, W)``
            Clipped to [0, 1] and divided by their sum; a pixel without any alpha goes to
            the bottom layer. Values above 2 are refused: they were meant otherwise.
        names, kind, parameters, extras
            See `SoftLayers`.
        device : str or torch.device
        run : Run, optional

        Raises
        ------
        ValueError
            When the alphas do not have the picture's size or hold NaN.
        """
        from .colors import estimate_colors

        picture, alpha = read_picture(image)
        alphas = simplex(np.array(to_numpy(alphas, "alphas"), dtype=np.float32))
        if alphas.shape[1:] != picture.shape[:2]:
            raise ValueError(
                f"Alphas have shape {alphas.shape}, the picture is "
                f"{picture.shape[0]}x{picture.shape[1]}; both need the same height and "
                "width."
            )
        colors = estimate_colors(picture, alphas, device=device, run=run or SILENT)
        opaque = cls(
            alphas,
            colors,
            [] if names is None else list(row(names, "names", "texts")),
            kind,
            dict(parameters or {}),
            dict(extras or {}),
            picture,
        )
        return opaque.covered(alpha)

    def __len__(self) -> int:
        return len(self.alphas)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.alphas.shape[1], self.alphas.shape[2]

    @property
    def coverage(self) -> FloatArray:
        """Share of the picture that each layer covers, ``(K,)``, summing to one."""
        return self.alphas.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)

    def composite(self, background: Any = None) -> FloatArray:
        """Add the layers up.

        Parameters
        ----------
        background : grey or colour ``(3,)`` in [0, 1], or picture, optional
            What is seen where the alphas do not sum to one (after `subset`). A picture
            ``(H, W, 3)`` of any dtype, of the layers' size.

        Returns
        -------
        ndarray of float32, ``(H, W, 3)``
        """
        total = np.zeros((*self.shape, 3), np.float32)
        for alpha, color in zip(self.alphas, self.colors, strict=True):
            total += alpha[..., None] * color
        if background is not None:
            rest = (1 - self.alphas.sum(axis=0))[..., None]
            total += rest * behind(background, self.shape)
        return total

    @property
    def light(self) -> FloatArray:
        """What the layers add up to, ``(H, W, 3)``: ``alpha * image``."""
        return self.image if self.alpha is None else self.alpha[..., None] * self.image

    @property
    def recomposition_error(self) -> float:
        """Largest difference between the sum of the layers and the picture's light."""
        return float(np.abs(self.composite() - self.light).max())

    def covered(self, alpha: FloatArray | None) -> SoftLayers:
        """The layers of an opaque picture for one that has this alpha ``(H, W)``."""
        if alpha is None:
            return self
        alpha = to_numpy(alpha, "alpha").astype(np.float32)
        if alpha.shape != self.shape or not (0 <= alpha.min() <= alpha.max() <= 1):
            raise ValueError(
                f"An alpha of shape {alpha.shape} came; {self.shape} with values in "
                "[0, 1] is needed."
            )
        return replace(self, alphas=self.alphas * alpha, alpha=alpha)

    def locked(self) -> SoftLayers:
        """These layers, with arrays that cannot be written: for caches."""
        for array in (self.alphas, self.colors, self.image):
            array.setflags(write=False)
        return self

    def whole(self) -> FloatArray:
        """Alphas ``(K, H, W)`` that sum to one, whatever the picture's own alpha.

        Hidden pixels get those of the nearest visible ones.
        """
        if self.alpha is None:
            return self.alphas
        filled = _divided(np.moveaxis(self.alphas, 0, -1), self.alpha)
        return np.ascontiguousarray(np.moveaxis(filled, -1, 0))

    def stored(self, dtype: DTypeLike = np.uint8) -> SoftLayers:
        """The layers as a viewer or a file of this dtype holds them, rounded."""
        values = from_dtype(self.rgba(dtype))
        return self.edited(
            Edit("stored", {"dtype": str(np.dtype(dtype))}),
            alphas=values[..., 3],
            colors=values[..., :3],
            alpha=coverage_of(values[..., 3]),
            image=None,
            extras={},
        )

    def rgba(self, dtype: DTypeLike = np.uint8) -> NDArray[Any]:
        """Straight RGBA layers for additive blending, ``(K, H, W, 4)``.

        Integer alphas are rounded jointly: at every pixel they sum to the dtype's largest
        value (255 for uint8) when the alphas sum to one. Colours are rounded so that
        the rounded layers add up to the picture to a step.
        """
        target = layer_dtype(dtype)
        result = np.empty((*self.alphas.shape, 4), target)
        result[..., 3] = round_jointly(self.alphas, target)
        for layer, color in zip(result, self.colors, strict=True):
            layer[..., :3] = to_dtype(color, target)
        changed = any(edit.name == "adjust" for edit in self.edits)
        if target.kind != "f" and not changed:  # adjusted, they add up to nothing known
            settle_rounding(result, self.alphas, self.colors)
        return result

    def normal_stack(self) -> FloatArray:
        """Alphas for ordinary "over" blending, bottom layer first, ``(K, H, W)``.

        ``b_k = alpha_k / (1 - sum_{j > k} alpha_j)``: painted over each other from the
        bottom, layers with these alphas show the same picture. The bottom one is
        opaque wherever the alphas sum to one.
        """
        above = np.cumsum(self.alphas[::-1], axis=0, dtype=np.float64)[::-1]
        rest = 1 - above + self.alphas
        stack = np.divide(self.alphas, rest, out=np.zeros_like(rest), where=rest > 1e-7)
        stack[0][above[0] > 1 - 1e-6] = 1.0
        return np.clip(stack, 0, 1).astype(np.float32)

    adjust = edit.adjust
    duplicate = edit.duplicate
    feather = edit.feather
    merge = edit.merge
    renamed = edit.renamed
    reordered = edit.reordered
    subset = edit.subset

    if TYPE_CHECKING:  # put in by `napari_softlayers._methods`, which knows how

        def recolor(self, palette: Any) -> SoftLayers: ...
        def intersect(
            self, palette: SoftLayers, run: Run | None = None
        ) -> SoftLayers: ...
        def to_napari(
            self, viewer: Any, like: Any = None, dtype: DTypeLike | None = None
        ) -> list[Any]: ...
        def save(self, path: str | Path) -> Path: ...

    def index(self, layer: int | str) -> int:
        """Position of a layer given by index or name."""
        if isinstance(layer, bool) or not isinstance(layer, (int, np.integer, str)):
            raise TypeError(
                f"{layer!r} came for a layer; its number or its name is needed."
            )
        if isinstance(layer, str):
            if layer not in self.names:
                raise ValueError(
                    f"No layer is named {layer!r}; there are {self.names}."
                )
            return self.names.index(layer)
        if not -len(self) <= layer < len(self):
            raise ValueError(
                f"Layer {layer} was asked for; there are {len(self)}, numbered from 0."
            )
        return int(layer) % len(self)

    def edited(self, edit: Edit, **changes: Any) -> SoftLayers:
        """These layers with some fields changed, and a note of what was done."""
        return replace(self, edits=(*self.edits, edit), **changes)

    def __repr__(self) -> str:
        height, width = self.shape
        return (
            f"SoftLayers({len(self)} {self.kind} layers, {height}x{width}, "
            f"recomposition error {self.recomposition_error:.1e}: "
            f"{', '.join(self.names)})"
        )


def _straight(light: FloatArray, alpha: FloatArray | None) -> FloatArray:
    """The picture ``(H, W, 3)`` whose light ``alpha * image`` is given."""
    return light if alpha is None else np.clip(_divided(light, alpha), 0, 1)


def _divided(values: FloatArray, alpha: FloatArray) -> FloatArray:
    """Values ``(H, W, C)`` by the alpha; those of the nearest visible pixel where 0."""
    seen = alpha > 0
    divided = values / np.where(seen, alpha, 1)[..., None]
    return fill_hidden(divided.astype(np.float32), seen)
