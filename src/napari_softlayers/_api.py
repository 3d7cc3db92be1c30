"""The console's functions: the core's methods for napari layers and arrays alike.

Every entrance (array, layer, file, dock, command line, rerun) goes through them: they
read with the one reader, cover what is transparent, and note the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _methods  # noqa: F401  # gives SoftLayers its methods
from ._bridge import (
    Marks,
    Picture,
    features_of,
    is_layer,
    labels_of,
    picture_of,
    trimap_of,
)
from ._core.checks import wholes
from ._core.layers.soft_layers import Edit, SoftLayers
from ._core.run import as_run
from ._recipes import MATTES, Input, Preparation, Recipe, checked, options_of

if TYPE_CHECKING:
    import torch

    from ._core.arrays import FloatArray
    from ._core.run import Run
    from ._stack_api import PaletteStack

BY_USER = ("mask", "processing")
"""Options of palettes that are arrays and functions: no recipe holds them."""


def matte(
    image: Any,
    trimap: Any,
    method: str = "closed_form",
    *,
    channels: tuple[int, ...] | None = None,
    step: Sequence[int] | None = None,
    level: int | None = None,
    nan: str = "refuse",
    labels: bool | None = None,
    device: str | torch.device = "auto",
    run: Run | None = None,
    **options: Any,
) -> SoftLayers:
    """Take a picture apart along a trimap.

    Parameters
    ----------
    image : napari Image layer or array_like
        Any dtype; grey, RGB, RGBA (its alpha stays the picture's), multi-channel with
        ``channels``. Of a layer, what the screen shows: contrast limits, gamma and
        colormap are in the picture; of a stack, the frame that its viewer shows.
    trimap : napari Labels layer or array_like, ``(H, W)``
        0 unknown, 1..K layers (1 background, 2 foreground), or a grey trimap: dark is
        background, light foreground, between unknown. A layer is read where it lies over
        the image in the world.
    method : str
        A key of `napari_softlayers.METHODS`.
    channels : tuple of int, optional
        Up to three channels of a multi-channel image as red, green, blue.
    step : sequence of int, optional
        Another frame of a stack: one index for each axis before the picture's own.
    level : int, optional
        Level of a multiscale layer; 0, the full one, by default.
    nan : {"refuse", "fill"}
        NaN and infinite values are an error, or transparent pixels.
    labels : bool, optional
        Whether the trimap is a label image or a grey picture. A layer tells; of an
        array, the values do, unless it is given.
    device : {"auto", "cpu", "cuda", "mps"}
    run : Run, optional
        Progress and cancelling.
    **options
        Further options of the method.

    Returns
    -------
    SoftLayers
        K layers whose sum is the picture; ``.to_napari(viewer)`` shows them.

    Raises
    ------
    ValueError, TypeError
        When the picture or the trimap does not fit; the message says what to do.

    Warns
    -----
    UserWarning
        When something had to be guessed; it says what was taken as what.
    """
    from ._core.matting import matte as core_matte

    if isinstance(method, str) and method in MATTES:
        what = f"method={method!r}"
        options = checked(MATTES[method], options, what, ("initial",))
    if labels not in (None, True, False):
        raise TypeError(f"labels={labels!r} came; use True, False or None.")
    picture = picture_of(image, channels=channels, step=step, level=level, nan=nan)
    marks = trimap_of(trimap, picture, labels)
    layers = core_matte(
        picture.data,
        marks.values,
        method,
        device=str(device),
        run=as_run(run),
        labels=True,
        **options,
    )
    return from_picture(layers, picture, {"trimap": marks}, str(device))


def soft_segments(
    image: Any,
    n_segments: int | str = "auto",
    features: Any = "bundled",
    *,
    superpixels: Any = None,
    channels: tuple[int, ...] | None = None,
    step: Sequence[int] | None = None,
    level: int | None = None,
    nan: str = "refuse",
    device: str | torch.device = "auto",
    run: Run | None = None,
    **options: Any,
) -> SoftLayers:
    """Take a picture apart into soft layers that follow its objects, by itself.

    Parameters
    ----------
    image : napari Image layer or array_like
        See `matte`.
    n_segments : "auto" or int from 2 to 15
    features : str, napari layer, array_like ``(H, W, D)`` or None
        "bundled", "hub:<model or folder>", features of your own, or None for spectral
        matting.
    superpixels : napari Labels layer or array_like ``(H, W)``, optional
        Regions of your own instead of SLIC superpixels.
    channels, step, level, nan, device, run
        See `matte`.
    **options
        Further parameters of `napari_softlayers._core.segments.soft_segments`, such as
        ``quality="exact"`` or ``seed=1``.

    Returns
    -------
    SoftLayers
        ``extras["tree"]`` is the merge tree; `cut` gives other levels of it at once.

    Raises
    ------
    ValueError, TypeError
        When the picture or a parameter does not fit; the message says what to do.
    """
    from ._core.segments import soft_segments as core_soft_segments

    options = checked(options_of("segments"), options, "soft_segments")
    picture = picture_of(image, channels=channels, step=step, level=level, nan=nan)
    inputs = _segment_inputs(features, superpixels, picture)
    layers = core_soft_segments(
        picture.data,
        n_segments,
        inputs["features"].values,
        superpixels=inputs["superpixels"].values if "superpixels" in inputs else None,
        device=device,
        run=as_run(run),
        **options,
    )
    return from_picture(layers, picture, inputs, str(device))


def cut(
    layers: SoftLayers, n_segments: int | str = "auto", **options: Any
) -> SoftLayers:
    """Take another level of the merge tree; nothing slow is repeated.

    Parameters
    ----------
    layers : SoftLayers
        From `soft_segments`.
    n_segments : "auto" or int from 2 to 15
    **options
        See `napari_softlayers._core.segments.cut`: ``nodes``, ``grouping``, ... The
        device is by default the one that the layers were computed on.

    Returns
    -------
    SoftLayers
        Earlier merges and names are left behind: it starts from the tree.
    """
    from ._core.segments import cut as core_cut

    unknown = set(options) - {"nodes", "grouping", "device", "run"}
    if unknown:
        raise TypeError(
            f"cut has no parameter {', '.join(sorted(unknown))}; it has nodes, grouping, "
            "device, run."
        )
    if not isinstance(layers, SoftLayers):
        raise TypeError(
            f"A {type(layers).__name__} came; SoftLayers from soft_segments are needed."
        )
    if layers.recipe is not None:
        options.setdefault("device", layers.recipe.device)
    options["run"] = as_run(options.get("run"))
    noted: dict[str, Any] = {"n_segments": n_segments}
    if options.get("nodes") is not None:
        options["nodes"] = wholes(options["nodes"], "nodes")
        noted = {"nodes": options["nodes"]}
    if "grouping" in options:
        noted["grouping"] = options["grouping"]
    other = core_cut(layers, n_segments, **options)
    return replace(
        other.covered(layers.alpha),
        source=layers.source,
        profile=layers.profile,
        recipe=layers.recipe,
        edits=(Edit("cut", noted),),
    )


class Segmenter:
    """Cut objects out of a picture by clicks: slow steps once, then milliseconds.

    Parameters
    ----------
    image : napari Image layer or array_like
        See `matte`.
    features, superpixels, channels, step, level, nan, device, run
        See `soft_segments`; what it computed for the picture before is used again.
    **options
        Further parameters of the slow steps, such as ``seed=1``.

    Attributes
    ----------
    picture : Picture
        What the clicks are on.
    recipe : Recipe
        How it was prepared, without clicks.

    Examples
    --------
    >>> segmenter = Segmenter(viewer.layers["photo"])
    >>> preview = segmenter.click([(120, 80), (30, 200)], [1, 0])
    >>> segmenter.refine().to_napari(viewer)
    """

    def __init__(
        self,
        image: Any,
        features: Any = "bundled",
        *,
        superpixels: Any = None,
        channels: tuple[int, ...] | None = None,
        step: Sequence[int] | None = None,
        level: int | None = None,
        nan: str = "refuse",
        device: str | torch.device = "auto",
        run: Run | None = None,
        **options: Any,
    ) -> None:
        from ._core.segments.segmenter import Segmenter as CoreSegmenter

        options = checked(Preparation, options, "Segmenter")
        self.picture = picture_of(
            image, channels=channels, step=step, level=level, nan=nan
        )
        self._inputs = _segment_inputs(features, superpixels, self.picture)
        self._device = str(device)
        regions = self._inputs.get("superpixels")
        self.core = CoreSegmenter(
            self.picture.data,
            self._inputs["features"].values,
            superpixels=None if regions is None else regions.values,
            device=device,
            run=as_run(run),
            **options,
        )
        self.recipe = Recipe(
            kind="clicks",
            device=self._device,
            options=asdict(self.core.state.options),
            inputs=_noted(self.picture, self._inputs),
            frame=self.picture.frame,
        )

    def click(
        self, points: Any, labels: Any, levels: Sequence[int] | None = None
    ) -> SoftLayers:
        """Answer all clicks so far with a preview.

        Parameters
        ----------
        points : napari Points layer or array_like, ``(n, 2)``
            Row and column of each click, in pixels of the picture. The points of a layer
            are taken where they lie over the image in the world.
        labels : array_like of int, ``(n,)``
            1, 2, ... for the objects, 0 for what belongs to none.
        levels : sequence of int, optional
            For each object, steps along the merge tree that the segment below its first
            click is grown by (below 0: shrunk).

        Returns
        -------
        SoftLayers
            The rest at the bottom, then the objects; smaller than a large picture.

        Raises
        ------
        ValueError
            When a click lies outside of the picture, two on one pixel contradict each
            other, or none adds to an object.
        """
        places = self._pixels_of(points) if is_layer(points) else points
        return self.core.click(places, labels, levels)

    def _pixels_of(self, points: Any) -> Any:
        """Rows and columns of a Points layer's points in the picture."""
        if not hasattr(points, "symbol"):
            raise TypeError(
                f"'{points.name}' is a {type(points).__name__} layer; a Points layer, or "
                "rows and columns, are needed."
            )
        grid = self.picture.grid
        if grid is None or len(points.data) == 0:
            return points.data
        world = np.array([points.data_to_world(tuple(p)) for p in points.data])
        away = np.flatnonzero(~grid.on_plane(world))
        if len(away):
            raise ValueError(
                f"Point {away[0]} of '{points.name}' lies on another plane than the "
                "picture; give the points of this plane alone."
            )
        return grid.pixels_of(world)

    def undo(self) -> SoftLayers | None:
        """Go back to the answer before the last one; None when there was none."""
        return self.core.undo()

    def refine(self, run: Run | None = None) -> SoftLayers:
        """Give the last answer at the picture's size.

        Raises
        ------
        RuntimeError
            Before the first click.
        """
        layers = self.core.refine(as_run(run))
        return from_picture(layers, self.picture, self._inputs, self._device)

    def levels_at(self, point: Any) -> tuple[int, int]:
        """How many steps the segment at a point shrinks (0 or less) and grows."""
        return self.core.levels_at(point)

    def segment_at(self, point: Any, level: int = 0) -> FloatArray:
        """Alphas of the automatic segment at a point, at the working size ``(h, w)``."""
        return self.core.segment_at(point, level)


def palette_layers(
    image: Any,
    palette: Any = 6,
    method: str = "mixture",
    *,
    channels: tuple[int, ...] | None = None,
    step: Sequence[int] | None = None,
    level: int | None = None,
    nan: str = "refuse",
    device: str | torch.device = "auto",
    run: Run | None = None,
    **options: Any,
) -> SoftLayers:
    """Take a picture apart into soft layers of nearly one colour each.

    Parameters
    ----------
    image : napari Image layer or array_like
        See `matte`.
    palette : int from 2 to 12, "auto" or array_like ``(K, 3)`` in [0, 1]
        Number of colours, or the colours themselves. Colours that are hidden below an
        alpha of 0 are not among them.
    method : {"mixture", "lookup", "network"}
    channels, step, level, nan, device, run
        See `matte`.
    **options
        Further parameters of `napari_softlayers._core.palette.palette_layers`, such as
        ``smoothing=0`` or ``selection="hull"``.

    Returns
    -------
    SoftLayers
        ``recolor(palette)`` gives the picture in other colours.

    Raises
    ------
    ValueError, TypeError
        When the picture or a parameter does not fit; the message says what to do.
    """
    from ._core.palette import palette_layers as core_palette_layers

    options = checked(
        options_of("palette"), options, "palette_layers", ("locked", *BY_USER)
    )
    picture = picture_of(image, channels=channels, step=step, level=level, nan=nan)
    visible = None if picture.alpha is None else picture.alpha > 0
    layers = core_palette_layers(
        picture.data,
        palette,
        method,
        visible=visible,
        device=device,
        run=as_run(run),
        **options,
    )
    return from_picture(layers, picture, {}, str(device))


def palette_stack(
    stack: Any,
    palette: Any = 6,
    *,
    nan: str = "refuse",
    device: str | torch.device = "auto",
    **options: Any,
) -> PaletteStack:
    """Palette layers of a colour stack or video, with one palette for all frames.

    Parameters
    ----------
    stack : napari Image layer or array_like, ``(T, H, W, 3)`` or ``(T, H, W, 4)``
        NumPy, dask or zarr; a frame is read when it is looked at, as `palette_layers`
        reads it. White is the same in all frames.
    palette : int from 2 to 12, "auto" or array_like ``(K, 3)`` in [0, 1]
    nan, device
        See `matte`.
    **options
        See `palette_layers`.

    Returns
    -------
    PaletteStack
        ``.to_napari(viewer)`` shows lazy layers, ``.frame(t)`` gives one frame's
        SoftLayers, ``.alphas()`` and ``.rgba()`` dask arrays.
    """
    from ._bridge.palette_stacks import ShownFrames, frames_of
    from ._stack_api import PaletteStack

    options = checked(
        options_of("palette"), options, "palette_stack", ("locked", "processing")
    )
    frames = frames_of(stack, nan)
    layers = PaletteStack(frames, palette, device=device, **options)
    if isinstance(frames, ShownFrames):
        layers.source = frames.layer
        if "by_user" not in layers.parameters:
            layers.recipe = Recipe(
                kind="palette",
                device=str(device),
                options=layers.parameters,
                inputs={"image": frames.input},
                frame=frames.frame,
            )
    return layers


def _segment_inputs(
    features: Any, superpixels: Any, picture: Picture
) -> dict[str, Marks]:
    """What segments and clicks are computed from, beside the picture."""
    inputs = {"features": features_of(features, picture)}
    if superpixels is not None:
        inputs["superpixels"] = labels_of(superpixels, picture)
    return inputs


def _noted(picture: Picture, inputs: dict[str, Marks]) -> dict[str, Input]:
    """The inputs of a recipe."""
    return {"image": picture.input} | {name: m.input for name, m in inputs.items()}


def from_picture(
    layers: SoftLayers,
    picture: Picture,
    inputs: dict[str, Marks],
    device: str = "auto",
    live: bool = False,
) -> SoftLayers:
    """Give layers the picture's alpha, and note where they came from and how."""
    options = dict(layers.parameters)
    method = str(options.pop("method", "")) if layers.kind == "matte" else ""
    options.pop("device", None)
    options.pop("features", None)
    by_user = options.pop("by_user", False)
    edits: tuple[Edit, ...] = ()
    if options.get("nodes") is not None:
        edits = (Edit("cut", {"nodes": options["nodes"]}),)
    options.pop("nodes", None)
    recipe = Recipe(
        kind=layers.kind,
        method=method,
        device=device,
        options=options,
        inputs=_noted(picture, inputs),
        frame=picture.frame,
        live=live,
    )
    noted = copy(
        layers.covered(picture.alpha)
    )  # `replace` would check all values again
    noted.source = picture if picture.layer is not None else None
    noted.recipe = None if by_user else recipe
    noted.edits = edits
    return noted
