"""What soft layers can do beyond their data: be shown, saved, recoloured, crossed.

The module of the data knows no viewer, no file and no method; here they are put
together. Loaded with every public name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import DTypeLike

from ._core.layers.soft_layers import Edit, SoftLayers
from ._core.run import Run
from ._recipes import recipe_of


def recolor(self: SoftLayers, palette: Any) -> SoftLayers:
    """Give every layer a new colour, keeping its shading.

    Parameters
    ----------
    palette : array_like, ``(K, 3)`` in [0, 1]
        One colour a layer.

    Returns
    -------
    SoftLayers
        Their sum, ``image``, is the recoloured picture.
    """
    from ._core.palette.recolor import recolored_layers

    return recolored_layers(self, palette)


def intersect(
    self: SoftLayers, palette: SoftLayers, run: Run | None = None
) -> SoftLayers:
    """Cut these layers up by palette layers of the same picture.

    Parameters
    ----------
    palette : SoftLayers
        From `palette_layers`, of the same picture.
    run : Run, optional
        Progress and cancelling.

    Returns
    -------
    SoftLayers
        One layer for every colour of every layer; empty ones are left out.
    """
    from ._core.palette.intersect import intersect as core_intersect

    crossed = core_intersect(self, palette, run=run)
    recipe = recipe_of(self)
    if recipe is None:
        crossed.recipe = None
        return crossed
    return crossed.edited(Edit("split_by", {"segments": recipe.plain()}))


def to_napari(
    self: SoftLayers, viewer: Any, like: Any = None, dtype: DTypeLike | None = None
) -> list[Any]:
    """Show the layers in a napari viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    like : napari layer, optional
        The source: its place in space and dtype are taken over, it is hidden. By
        default the layer that the picture came from.
    dtype : dtype, optional
        uint8, uint16 or float32; the source's by default.

    Returns
    -------
    list of napari.layers.Image
        Additive RGBA layers, the bottom one first.

    Warns
    -----
    UserWarning
        When the source holds another picture by now; when images below it are hidden.
    """
    from ._bridge import Picture, show
    from ._bridge.pictures import warn_if_changed
    from ._bridge.places import check_viewer, is_layer
    from ._bridge.show import warn_of_hidden

    check_viewer(viewer)
    if like is not None and not is_layer(like) and not isinstance(like, Picture):
        raise TypeError(
            f"like= is a {type(like).__name__}; a napari layer is needed, such as "
            "viewer.layers['photo']."
        )
    own = self.source
    if isinstance(own, Picture) and (like is None or like is own.layer):
        warn_if_changed(own)
    like = own if like is None else like
    return warn_of_hidden(show(viewer, self, like=like, dtype=dtype))


def save(self: SoftLayers, path: str | Path) -> Path:
    """Write ``.ora``, ``.psd``, ``.tif`` or a folder of PNGs; see `save_layers`."""
    from ._io import save_layers

    return save_layers(self, path)


for method in (intersect, recolor, save, to_napari):
    setattr(SoftLayers, method.__name__, method)
