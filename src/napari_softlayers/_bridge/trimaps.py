"""The one reader of labels, masks and features: any layer or array, on a picture's grid."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.arrays import as_numbers
from napari_softlayers._core.cache import content_key
from napari_softlayers._core.label_images import read_labels
from napari_softlayers._core.matting.read_trimap import read_trimap
from napari_softlayers._core.picture import fill_hidden, from_dtype
from napari_softlayers._recipes import Input

from .pictures import Picture
from .places import Grid, identity_of, is_layer, levels_of, not_a, resampled

FEWEST_OUTSIDE = 0.001
LEAST_FEATURES = 0.5
"""Features that cover less of a picture were meant for another one."""
"""A smaller part of a picture outside of a layer is not worth a word."""


@dataclass(frozen=True)
class Marks:
    """Labels or features on the grid of a picture, and where they came from.

    ``values`` ``(H, W)`` or ``(H, W, D)``; or what the method takes instead. ``input``:
    for the recipe.
    """

    values: Any
    input: Input


@dataclass(frozen=True)
class Over:
    """What lies of a layer over a picture: a copy, which later strokes do not reach.

    ``values`` ``(H, W)`` or ``(H, W, C)``. ``inside`` bool ``(H, W)``: where the layer
    reaches. ``labels``: whether it is a Labels layer. ``name``, ``id``: of the layer.
    ``image``: name of the picture.
    """

    values: NDArray[Any]
    inside: NDArray[np.bool_]
    labels: bool
    name: str
    id: str
    image: str = "the picture"

    def check(self) -> None:
        """Say what part of the picture the layer does not reach.

        Raises ValueError when the layer lies nowhere over the picture.
        """
        share = float(self.inside.mean())
        if share == 0:
            raise ValueError(
                f"'{self.name}' does not lie over '{self.image}' (compare their "
                "translate and scale, and the plane that the viewer shows); move it "
                "there, or make one for this image."
            )
        if share < 1 - FEWEST_OUTSIDE:
            warnings.warn(
                f"'{self.name}' covers {share:.1%} of '{self.image}'; nothing is marked "
                "outside of it.",
                UserWarning,
                stacklevel=3,
            )

    def marks(self, read: Callable[[], NDArray[Any]]) -> Marks:
        """What ``read`` makes of the values, after `check`; errors name the layer."""
        self.check()
        try:
            found = np.where(self.inside, read(), 0).astype(np.int32)
        except (TypeError, ValueError) as error:
            raise type(error)(f"'{self.name}': {error}") from error
        given = Input(name=self.name, id=self.id, digest=content_key(found))
        return Marks(found, given)


def over(layer: Any, picture: Picture | Grid) -> Over:
    """Copy what lies of a layer over a picture.

    Raises TypeError when the layer holds no numbers; ValueError when it is turned out
    of the picture's plane.
    """
    if not (hasattr(layer, "selected_label") or hasattr(layer, "rgb")):
        raise not_a("a Labels layer or a grey image", layer)
    grid = picture.grid if isinstance(picture, Picture) else picture
    image = {} if grid is None else {"image": str(grid.layer.name)}
    if grid is not None:
        values, inside = resampled(layer, grid)
    else:
        values, inside = levels_of(layer)[0], np.ones(picture.shape, bool)
        if values.shape[:2] != picture.shape:
            height, width = picture.shape
            raise ValueError(
                f"'{layer.name}' has shape {values.shape}, the picture is "
                f"{height}x{width}; both need the same height and width."
            )
    labels, name = hasattr(layer, "selected_label"), str(layer.name)
    return Over(np.array(values), inside, labels, name, identity_of(layer), **image)


def trimap_of(
    source: Any, picture: Picture | Grid, labels: bool | None = None
) -> Marks:
    """Read a trimap, as `matte` takes it, on the grid of a picture; see `read_trimap`.

    Outside of a layer, nothing is known; an array must have the picture's size.
    ``labels``: whether an array is a label image or a grey picture; its values tell
    otherwise. Raises TypeError, ValueError when it makes no trimap, or does not lie
    over the picture.
    """
    return _marks(
        source, picture, labels, lambda x, shape, own: read_trimap(x, shape, labels=own)
    )


def labels_of(source: Any, picture: Picture | Grid) -> Marks:
    """Read a label image, such as superpixels, as `trimap_of` reads a trimap."""
    return _marks(source, picture, None, lambda x, shape, _: read_labels(x, shape))


def _marks(
    source: Any,
    picture: Picture | Grid,
    labels: bool | None,
    read: Callable[[Any, tuple[int, int], bool | None], NDArray[Any]],
) -> Marks:
    if isinstance(source, Marks):
        return source
    if not (is_layer(source) or isinstance(source, Over)):
        return Marks(read(source, picture.shape, labels), Input(value="array"))
    found = source if isinstance(source, Over) else over(source, picture)
    return found.marks(lambda: read(found.values, picture.shape, found.labels))


def features_of(source: Any, picture: Picture | Grid) -> Marks:
    """Read features ``(H, W, D)`` or ``(H, W)`` for a picture.

    Of a layer, the colours of an RGB picture, or features along the third-last axis as
    napari shows channels, ``(D, H, W)``; it is brought onto the picture through the
    world. A name, and None, are kept as they are.
    """
    if isinstance(source, Marks):
        return source
    if source is None or isinstance(source, str):
        return Marks(source, Input(value=source))
    if not is_layer(source):
        return Marks(as_numbers(source, "features")[0], Input(value="array"))
    if not hasattr(source, "rgb"):
        raise TypeError(
            f"'{source.name}' is a {type(source).__name__} layer; features come from an "
            "Image layer."
        )
    array = levels_of(source)[0]
    channels = int(not source.rgb and array.ndim > 2)
    grid = picture.grid if isinstance(picture, Picture) else picture
    if grid is None:
        values = np.asarray(array)
        values = np.moveaxis(values, -3, -1) if channels else values
    else:
        values, inside = resampled(source, grid, channels)
        share = float(inside.mean())
        words = f"'{source.name}' covers {share:.1%} of '{grid.layer.name}'; "
        if share < LEAST_FEATURES:
            raise ValueError(
                f"{words}features are needed for all of it. Compare their size, translate "
                "and scale."
            )
        if share < 1 - FEWEST_OUTSIDE:
            words += "beside it, the nearest features are taken."
            warnings.warn(words, UserWarning, stacklevel=3)
        values = fill_hidden(values, inside)
    name, digest = str(source.name), content_key(values)
    return Marks(values, Input(name=name, id=identity_of(source), digest=digest))


def mask_of(source: Any, grid: Grid) -> NDArray[Any]:
    """Read what marks a region over an image from any layer.

    ``source``: Labels; Shapes (each shape becomes a label); an RGBA image (its alpha);
    a grey or bool image. It is brought onto the image through the world. ``grid``: of
    the image that the mask belongs to. Returns ``(H, W)``: integer labels or float
    alpha in [0, 1].
    """
    if hasattr(source, "to_labels"):
        return _shapes_to_labels(source, grid)
    found = over(source, grid)
    if found.labels:
        return np.asarray(found.marks(lambda: read_labels(found.values)).values)
    found.check()
    if not source.rgb:
        low, high = (float(v) for v in source.contrast_limits)
        grey = np.clip((found.values.astype(np.float64) - low) / (high - low), 0, 1)
        return np.where(found.inside, grey, 0).astype(np.float32)
    if found.values.shape[-1] != 4:
        raise ValueError(
            f"'{source.name}' is an RGB image without alpha; choose a Labels, Shapes, "
            "grey or RGBA layer to make a trimap from."
        )
    return from_dtype(found.values[..., 3])


def _shapes_to_labels(shapes: Any, grid: Grid) -> NDArray[Any]:
    """Draw the shapes of a layer on an image's pixel grid, one label a shape."""
    from napari.layers import Shapes

    if len(shapes.data) == 0:
        raise ValueError(
            f"'{shapes.name}' has no shapes; draw one around the object first."
        )
    places = [
        np.array([shapes.data_to_world(tuple(c)) for c in np.asarray(corners)])
        for corners in shapes.data
    ]
    here = [k for k, world in enumerate(places) if grid.on_plane(world).all()]
    if not here:
        raise ValueError(
            f"No shape of '{shapes.name}' lies on the plane of '{grid.layer.name}' that "
            "the viewer shows; draw one there."
        )
    moved = [grid.pixels_of(places[k]) for k in here]
    drawn = Shapes(moved, shape_type=[shapes.shape_type[k] for k in here])
    return np.asarray(drawn.to_labels(labels_shape=grid.shape))
