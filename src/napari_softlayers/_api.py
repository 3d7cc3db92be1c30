"""The console's functions: the core's methods for napari layers and arrays alike.

Every entrance (array, layer, file, dock, command line, rerun) goes through them: they
read with the one reader, cover what is transparent, and note the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import _methods  # noqa: F401  # gives SoftLayers its methods
from ._bridge import Marks, Picture, features_of, labels_of, picture_of, trimap_of
from ._core.checks import wholes
from ._core.layers.soft_layers import Edit, SoftLayers
from ._core.run import as_run
from ._recipes import MATTES, Recipe, checked, options_of

if TYPE_CHECKING:
    import torch

    from ._core.run import Run
    from ._stack_api import PaletteStack


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
    options |= {"labels": True, "device": str(device), "run": as_run(run)}
    layers = core_matte(picture.data, marks.values, method, **options)
    if options.get("initial") is not None:
        layers.parameters["by_user"] = True  # arrays are not kept
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
    inputs = segment_inputs(features, superpixels, picture)
    values = {name: marks.values for name, marks in inputs.items()}
    layers = core_soft_segments(
        picture.data, n_segments, device=device, run=as_run(run), **values, **options
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

    model, besides = options_of("palette"), ("locked", "mask", "processing")
    options = checked(model, options, "palette_layers", besides)
    picture = picture_of(image, channels=channels, step=step, level=level, nan=nan)
    options["visible"] = None if picture.alpha is None else picture.alpha > 0
    layers = core_palette_layers(
        picture.data, palette, method, device=device, run=as_run(run), **options
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

    model, besides = options_of("palette"), ("locked", "processing")
    options = checked(model, options, "palette_stack", besides)
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


def segment_inputs(
    features: Any, superpixels: Any, picture: Picture
) -> dict[str, Marks]:
    """What segments and clicks are computed from, beside the picture."""
    inputs = {"features": features_of(features, picture)}
    if superpixels is not None:
        inputs["superpixels"] = labels_of(superpixels, picture)
    return inputs


def noted(picture: Picture, inputs: dict[str, Marks], **recipe: Any) -> Recipe:
    """A recipe that names the picture and the inputs."""
    named = {"image": picture.input} | {name: m.input for name, m in inputs.items()}
    return Recipe(inputs=named, frame=picture.frame, **recipe)


def from_picture(
    layers: SoftLayers,
    picture: Picture,
    inputs: dict[str, Marks],
    device: str = "auto",
    live: bool = False,
) -> SoftLayers:
    """Give layers the picture's alpha, and note where they came from and how."""
    beside = ("device", "features", "nodes", "by_user")
    options = {k: v for k, v in layers.parameters.items() if k not in beside}
    recipe = noted(
        picture,
        inputs,
        kind=layers.kind,
        method=options.pop("method", "") if layers.kind == "matte" else "",
        device=device,
        options=options,
        live=live,
    )
    shown = copy(
        layers.covered(picture.alpha)
    )  # `replace` would check all values again
    shown.source = None if picture.layer is None else picture
    shown.recipe = None if "by_user" in layers.parameters else recipe
    return shown
