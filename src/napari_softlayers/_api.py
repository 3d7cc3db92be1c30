"""The console's functions: the core's methods for napari layers and arrays alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._bridge import Picture, features_of, is_layer, labels_of, picture_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from ._core.layers.soft_layers import SoftLayers
    from ._core.palette.stack import PaletteStack
    from ._core.picture import FloatArray
    from ._core.run import Run


def matte(
    image: Any,
    trimap: Any,
    method: str = "closed_form",
    *,
    channels: tuple[int, ...] | None = None,
    device: str | torch.device = "auto",
    run: Run | None = None,
    labels: bool | None = None,
    **options: Any,
) -> SoftLayers:
    """Take a picture apart along a trimap.

    Parameters
    ----------
    image : napari Image layer or array_like
        Any dtype; grey, RGB, RGBA, multi-channel with ``channels``; of a stack, the
        frame that the viewer shows.
    trimap : napari Labels or Image layer, or array_like ``(H, W)`` or ``(H, W, C)``
        0 unknown, 1..K layers (1 background, 2 foreground); or a grey picture: black
        background, white foreground, grey and transparent unknown. What is guessed is
        said in a warning.
    method : str
        A key of `napari_softlayers._core.matting.METHODS`.
    channels : tuple of int, optional
        Up to three channels of a multi-channel image as red, green, blue.
    device : {"auto", "cpu", "cuda", "mps"}
    run : Run, optional
        Progress and cancelling.
    labels : bool, optional
        Whether the trimap is a label image or a grey picture. A Labels or Image layer
        tells; of an array, the values do, unless it is given.
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
    """
    from ._core.matting import matte as core_matte

    picture = picture_of(image, channels=channels)
    if labels is None and is_layer(trimap):
        labels = hasattr(trimap, "selected_label")
    layers = core_matte(
        picture.data,
        _labels_of(trimap, picture.shape),
        method,
        device=str(device),
        run=run,
        labels=labels,
        **options,
    )
    return _from_source(layers, picture, {"trimap": _name_of(trimap)})


def soft_segments(
    image: Any,
    n_segments: int | str = "auto",
    features: Any = "bundled",
    *,
    superpixels: Any = None,
    channels: tuple[int, ...] | None = None,
    device: str | torch.device = "auto",
    run: Run | None = None,
    **options: Any,
) -> SoftLayers:
    """Take a picture apart into soft layers that follow its objects, by itself.

    Parameters
    ----------
    image : napari Image layer or array_like
        Any dtype; see `matte`.
    n_segments : "auto" or int from 2 to 15
    features : str, napari layer, array_like ``(H, W, D)`` or None
        "bundled", "hub:<model or folder>", features of your own, or None for spectral
        matting.
    superpixels : napari Labels layer or array_like ``(H, W)``, optional
        Regions of your own instead of SLIC superpixels.
    channels, device, run
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

    picture = picture_of(image, channels=channels)
    layers = core_soft_segments(
        picture.data,
        n_segments,
        features_of(features),
        superpixels=_labels_of(superpixels),
        device=device,
        run=run,
        **options,
    )
    inputs = {"features": _name_of(features), "superpixels": _name_of(superpixels)}
    return _from_source(layers, picture, inputs)


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
        See `napari_softlayers._core.segments.cut`: ``nodes``, ``grouping``, ...

    Returns
    -------
    SoftLayers
    """
    from ._core.segments import cut as core_cut

    other = core_cut(layers, n_segments, **options)
    other.source = layers.source
    return other


class Segmenter:
    """Cut objects out of a picture by clicks: slow steps once, then milliseconds.

    Parameters
    ----------
    image : napari Image layer or array_like
        Any dtype; see `matte`.
    features, superpixels, channels, device, run
        See `soft_segments`; what it computed for the picture before is used again.
    **options
        Further parameters of the slow steps, such as ``seed=1``.

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
        device: str | torch.device = "auto",
        run: Run | None = None,
        **options: Any,
    ) -> None:
        from ._core.segments.segmenter import Segmenter as CoreSegmenter

        self.picture = picture_of(image, channels=channels)
        self.core = CoreSegmenter(
            self.picture.data,
            features_of(features),
            superpixels=_labels_of(superpixels),
            device=device,
            run=run,
            **options,
        )
        self._inputs = {
            "features": _name_of(features),
            "superpixels": _name_of(superpixels),
        }

    def click(
        self, points: Any, labels: Any, levels: Sequence[int] | None = None
    ) -> SoftLayers:
        """Answer all clicks so far with a preview.

        Parameters
        ----------
        points : napari Points layer or array_like, ``(n, 2)``
            Row and column of each click, in pixels of the picture; the layer "prompts"
            of the click mode has them.
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
        places = points.data if is_layer(points) else points
        return self.core.click(places, labels, levels)

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
        return _from_source(self.core.refine(run), self.picture, self._inputs)

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
    device: str | torch.device = "auto",
    run: Run | None = None,
    **options: Any,
) -> SoftLayers:
    """Take a picture apart into soft layers of nearly one colour each.

    Parameters
    ----------
    image : napari Image layer or array_like
        Any dtype; see `matte`.
    palette : int from 2 to 12, "auto" or array_like ``(K, 3)`` in [0, 1]
        Number of colours, or the colours themselves.
    method : {"mixture", "lookup", "network"}
    channels, device, run
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

    picture = picture_of(image, channels=channels)
    layers = core_palette_layers(
        picture.data, palette, method, device=device, run=run, **options
    )
    return _from_source(layers, picture, {})


def palette_stack(stack: Any, palette: Any = 6, **options: Any) -> PaletteStack:
    """Palette layers of a colour stack or video, with one palette for all frames.

    Parameters
    ----------
    stack : napari Image layer or array_like, ``(T, H, W, 3)`` or ``(T, H, W, 4)``
        NumPy, dask or zarr; a frame is read when it is looked at.
    palette : int from 2 to 12, "auto" or array_like ``(K, 3)`` in [0, 1]
    **options
        See `palette_layers`.

    Returns
    -------
    PaletteStack
        ``.to_napari(viewer)`` shows lazy layers, ``.frame(t)`` gives one frame's
        SoftLayers, ``.alphas()`` and ``.rgba()`` dask arrays.
    """
    from ._bridge.stacks import stack_of
    from ._core.palette.stack import PaletteStack

    layers = PaletteStack(stack_of(stack), palette, **options)
    layers.source = stack if is_layer(stack) else None
    return layers


def _from_source(
    layers: SoftLayers, picture: Picture, inputs: dict[str, Any]
) -> SoftLayers:
    """Note where the layers came from, so that they can be shown there and made again."""
    layers.source = picture if picture.layer is not None else None
    layers.parameters |= picture.parameters
    layers.parameters |= {
        key: value for key, value in inputs.items() if value is not None
    }
    return layers


def _labels_of(source: Any, shape: tuple[int, int] | None = None) -> Any:
    """Cut labels from a layer; an array is for the core to read."""
    return labels_of(source, shape=shape) if is_layer(source) else source


def _name_of(thing: Any) -> str | None:
    return str(thing.name) if is_layer(thing) else None
