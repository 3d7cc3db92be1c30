"""Edits of soft layers, which are their methods.

All are pure: new layers come out, the given ones stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..checks import number, row, wholes
from ..run import Run, as_run
from .alphas import coverage_of

if TYPE_CHECKING:
    from .soft_layers import SoftLayers

LUMA = np.array([0.299, 0.587, 0.114])
CHROMA = np.array([[0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
TRUNCATE = 3.0
NEIGHBOUR_SHARE = 1e-3
MOST_PIXELS = 10_000.0
"""Of a radius; more has no effect and takes memory."""
RANGES = {
    "exposure": (-100.0, 100.0),
    "saturation": (-1.0, 1e6),
    "hue": (-np.inf, np.inf),
    "blur": (0.0, MOST_PIXELS),
}
"""What adjustments may be; -1 is grey."""


@dataclass(frozen=True)
class Edit:
    """One change of layers after they had been computed, as the call that made it.

    ``layers.<name>(**arguments)`` does it again; the arguments are plain values.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Adjustment:
    """Changes of a layer's colours; its alpha stays.

    ``exposure``: in stops: 1 doubles the light, -1 halves it. ``saturation``: -1 is
    grey, 0 unchanged, 1 twice as colourful. ``hue``: turn of all hues in degrees;
    brightness stays. ``blur``: standard deviation in pixels. Colours are averaged with
    the layer's alpha as weight, so that nothing of its neighbours comes in.
    """

    exposure: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    blur: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            object.__setattr__(self, name, number(value, name, *RANGES[name]))

    @property
    def is_neutral(self) -> bool:
        """Whether nothing is changed."""
        return self == Adjustment()

    def apply(self, colors: FloatArray, alpha: FloatArray) -> FloatArray:
        """Adjust colours ``(H, W, 3)`` of a layer with alpha ``(H, W)``, both in [0, 1]."""
        if self.blur > 0:
            colors = _blur_within(colors, alpha, self.blur)
        if self.exposure:
            light = to_linear(colors) * np.float32(2.0**self.exposure)
            colors = from_linear(np.clip(light, 0, 1))
        if self.hue or self.saturation:
            colors = colors @ _color_matrix(self.hue, self.saturation).T
        return np.clip(colors, 0, 1).astype(np.float32)


def adjust(
    layers: SoftLayers,
    index: int | str,
    exposure: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
    blur: float = 0.0,
) -> SoftLayers:
    """Change one layer's colours: exposure in stops, saturation, hue in degrees, blur.

    See `Adjustment` for what the numbers mean. The picture of what comes out is the new
    sum of the layers.
    """
    place = layers.index(index)
    change = Adjustment(exposure, saturation, hue, blur)
    colors = layers.colors.copy()
    colors[place] = change.apply(colors[place], layers.alphas[place])
    edit = Edit("adjust", {"index": place} | asdict(change))
    return layers.edited(edit, colors=colors, image=None)


def feather(
    layers: SoftLayers, index: int | str, radius: float, run: Run | None = None
) -> SoftLayers:
    """Soften the edge of one layer; the others give and take what it takes and gives.

    The layer's alpha is smoothed with a Gaussian; what is left of each pixel is shared
    among the others in their own proportions there (where the layer covered everything,
    in those of the neighbourhood). Colours then move by as little as possible so that
    the sum is the picture again.

    Parameters
    ----------
    layers : SoftLayers
        Two or more.
    index : int or str
    radius : float
        Standard deviation in pixels.
    run : Run, optional
        Progress and cancelling.

    Raises
    ------
    ValueError
        When the radius is negative or there is only one layer.
    """
    from .colors import exact_colors

    place = layers.index(index)
    radius = number(radius, "radius", 0, MOST_PIXELS)
    run = as_run(run)
    if len(layers) < 2:
        raise ValueError("One layer has no edge to feather; two or more are needed.")
    if radius == 0:
        return replace(layers)
    edit = Edit("feather", {"index": place, "radius": radius})
    alphas = _feathered(layers.whole(), place, radius)
    colors = exact_colors(layers.image, alphas, layers.colors, run)
    cover = 1 if layers.alpha is None else layers.alpha
    return layers.edited(edit, alphas=alphas * cover, colors=colors, extras={})


def _feathered(alphas: FloatArray, number: int, radius: float) -> FloatArray:
    """Alphas with one of them smoothed, summing to one again, ``(K, H, W)``."""
    total = alphas.sum(axis=0)
    soft = np.clip(smooth(alphas[number], radius), 0, 1) * (total > 0)
    result = np.zeros_like(alphas)
    shares = np.zeros_like(soft)
    for k, alpha in enumerate(alphas):
        if k != number:
            nearby = alphas[number] * smooth(alpha, radius)
            result[k] = alpha + NEIGHBOUR_SHARE * nearby
            shares += result[k]
    soft = np.where(shares > 1e-12, soft, total)
    scale = np.divide(
        total - soft, shares, out=np.zeros_like(soft), where=shares > 1e-12
    )
    result *= np.clip(scale, 0, None)
    result[number] = np.minimum(soft, total)
    return np.clip(result, 0, 1)


def duplicate(layers: SoftLayers, index: int | str) -> SoftLayers:
    """Split a layer into two equal ones, one above the other.

    Each has the colours and half of the alpha, so that the sum stays the picture.
    """
    number = layers.index(index)
    order = sorted([*range(len(layers)), number])
    alphas, names = layers.alphas[order], [layers.names[i] for i in order]
    alphas[[number, number + 1]] /= 2
    names[number + 1] = _free_name(f"{names[number]} copy", layers.names)
    return layers.edited(
        Edit("duplicate", {"index": number}),
        alphas=alphas,
        colors=layers.colors[order],
        names=names,
        extras={},
    )


def _free_name(name: str, taken: Sequence[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free


def smooth(values: FloatArray, radius: float) -> FloatArray:
    """Gaussian mean along the first two axes, ``radius`` in pixels; the border goes on."""
    from scipy.ndimage import gaussian_filter

    reach = (radius, radius, 0)[: values.ndim]
    return gaussian_filter(values, reach, mode="nearest", truncate=TRUNCATE)


def _blur_within(colors: FloatArray, alpha: FloatArray, radius: float) -> FloatArray:
    """Gaussian mean of the colours, weighted with alpha (a trace of it everywhere)."""
    weight = alpha + np.float32(1e-4)
    return (
        smooth(weight[..., None] * colors, radius) / smooth(weight, radius)[..., None]
    )


def _color_matrix(hue: float, saturation: float) -> FloatArray:
    """Turn and stretch colours around the grey axis in YIQ, ``(3, 3)``."""
    cos, sin = np.cos(np.deg2rad(hue)), np.sin(np.deg2rad(hue))
    turn = (1 + saturation) * np.array([[cos, -sin], [sin, cos]])
    forward = np.vstack([LUMA, CHROMA - CHROMA.sum(axis=1, keepdims=True) * LUMA])
    change = np.eye(3)
    change[1:, 1:] = turn
    return (np.linalg.inv(forward) @ change @ forward).astype(np.float32)


def to_linear(colors: FloatArray) -> FloatArray:
    """The sRGB curve undone."""
    low = colors / np.float32(12.92)
    high = ((colors + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(colors <= 0.04045, low, high)


def from_linear(light: FloatArray) -> FloatArray:
    """The sRGB curve."""
    high = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= 0.0031308, light * np.float32(12.92), high)


def reordered(layers: SoftLayers, order: Sequence[int]) -> SoftLayers:
    """Give the same layers in another order, the bottom one first.

    ``order`` sequence of int: each layer's index once. Raises ValueError when a layer
    is missing or named twice.
    """
    chosen = wholes(order, "order")
    if sorted(chosen) != list(range(len(layers))):
        raise ValueError(
            f"The order {chosen} does not name each of the {len(layers)} layers once."
        )
    extras = dict(layers.extras)
    for name in ("palette", "pairs"):  # what belongs to the single layers
        if name in extras:
            extras[name] = np.asarray(extras[name])[chosen]
    return layers.edited(
        Edit("reordered", {"order": chosen}),
        alphas=layers.alphas[chosen],
        colors=layers.colors[chosen],
        names=[layers.names[index] for index in chosen],
        extras=extras,
    )


def merge(layers: SoftLayers, groups: Sequence[Sequence[int | str]]) -> SoftLayers:
    """Join layers; those not named in ``groups`` stay alone.

    Parameters
    ----------
    groups : sequence of sequences of int or str
        Indices or names of the layers to be joined, one sequence a new layer.

    Returns
    -------
    SoftLayers
        In the order of each group's lowest layer. The sum is unchanged.
    """
    needed = "lists of layers, such as [[0, 1], [2, 3]],"
    wanted = [
        sorted({layers.index(item) for item in row(group, "groups", needed)})
        for group in row(groups, "groups", needed)
    ]
    taken = [i for group in wanted for i in group]
    if len(taken) != len(set(taken)):
        raise ValueError(f"A layer is named in two groups: {groups}; name it once.")
    if any(not group for group in wanted):
        raise ValueError("A group without layers came; name at least one layer.")
    wanted += [[i] for i in range(len(layers)) if i not in taken]
    wanted.sort(key=lambda group: group[0])
    alphas = np.stack([layers.alphas[group].sum(axis=0) for group in wanted])
    colors = np.stack([_joint_color(layers, group) for group in wanted])
    names = [" + ".join(layers.names[i] for i in group) for group in wanted]
    return layers.edited(
        Edit("merge", {"groups": [group for group in wanted if len(group) > 1]}),
        alphas=np.clip(alphas, 0, 1),
        colors=colors,
        names=names,
        extras={},
    )


def _joint_color(layers: SoftLayers, group: list[int]) -> FloatArray:
    """Alpha-weighted mean colour of some layers; plain mean where all are empty."""
    weights = layers.alphas[group][..., None]
    total = weights.sum(axis=0)
    weighted = (weights * layers.colors[group]).sum(axis=0)
    plain = layers.colors[group].mean(axis=0)
    joint = np.divide(weighted, total, out=plain, where=total > 0)
    return np.clip(joint, 0, 1)


def renamed(layers: SoftLayers, names: Sequence[str]) -> SoftLayers:
    """The same layers with other names, one a layer."""
    changed = [str(name) for name in row(names, "names", "texts, one a layer,")]
    if len(changed) != len(layers):
        raise ValueError(
            f"{len(changed)} names came for {len(layers)} layers; give one name a layer."
        )
    return layers.edited(Edit("renamed", {"names": changed}), names=changed)


def subset(soft: SoftLayers, layers: Sequence[int | str]) -> SoftLayers:
    """Keep only the named layers (indices or names), in the given order.

    Of a true subset the rest is transparent: ``alpha`` is what the alphas sum to.
    """
    named = row(layers, "layers", "numbers or names of layers in a row")
    if not named:
        raise ValueError("No layers were named; name at least one.")
    chosen = [soft.index(item) for item in named]
    if len(chosen) != len(set(chosen)):
        raise ValueError(f"A layer is named twice in {named}; name it once.")
    alphas = soft.alphas[chosen]
    return soft.edited(
        Edit("subset", {"layers": chosen}),
        alphas=alphas,
        colors=soft.colors[chosen],
        names=[soft.names[i] for i in chosen],
        extras={},
        alpha=coverage_of(alphas),
        image=None,
    )
