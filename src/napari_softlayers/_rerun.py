"""Make a result again from the recipe that its layers carry."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._api import cut, matte, palette_layers, palette_stack, soft_segments
from ._bridge import (
    Marks,
    Picture,
    features_of,
    labels_of,
    record_of,
    trimap_of,
    viewer_of,
)
from ._bridge.pictures import picture_again
from ._bridge.places import check_viewer
from ._bridge.results import as_shown, digest_of, layer_with_id, recipe_as_shown
from ._core.checks import wholes
from ._core.layers.edit import Edit
from ._core.layers.soft_layers import SoftLayers
from ._recipes import Input, Recipe, read_recipe
from ._recipes.recipe import check_edit
from ._segmenter import Segmenter

if TYPE_CHECKING:
    from ._stack_api import PaletteStack


def rerun(layer: Any, viewer: Any = None) -> SoftLayers | PaletteStack:
    """Compute the result again that a layer in the viewer belongs to.

    The image and the trimap, features or superpixels that it was made from must still be
    in the viewer, unchanged; edits (levels, merges, colours, names) are made again. On
    the same device and from the same inputs the layers are the same to the last bit.

    Parameters
    ----------
    layer : napari Image layer
        Any layer of a result.
    viewer : napari.Viewer, optional
        The one that holds the layer by default.

    Returns
    -------
    SoftLayers
        A `PaletteStack` where the result is one of all frames.

    Raises
    ------
    ValueError
        When the layer is no result, or something that it was made from is gone or was
        changed, or it came from the live mode, which builds on all strokes before.

    Warns
    -----
    UserWarning
        When what came out differs from what the viewer shows.
    """
    record = record_of(layer)
    if record is None or record.recipe is None:
        raise ValueError(
            f"'{getattr(layer, 'name', layer)}' does not say how it was made; choose a "
            "layer of a result that was computed here."
        )
    if viewer is not None:
        check_viewer(viewer)
    elif (viewer := viewer_of(layer)) is None:
        raise ValueError(f"No viewer holds '{layer.name}'; give one with viewer=.")
    if record.recipe.frame.every:
        return _stack_again(record.recipe, viewer)
    records = [(x, record_of(x)) for x in viewer.layers]
    own = [(r.index, x) for x, r in records if r is not None and r.run == record.run]
    family = [x for _, x in sorted(own, key=lambda pair: pair[0])]
    recipe = recipe_as_shown(family) if family else record.recipe
    if recipe is None:
        warnings.warn(
            "The layers were painted on or changed by hand after they had been "
            "computed; what was computed is made again.",
            UserWarning,
            stacklevel=2,
        )
        return made_again(record.recipe, viewer)
    layers = made_again(recipe, viewer)
    unedited = recipe.edits == record.recipe.edits and as_shown(family, record)
    if unedited and digest_of(list(layers.rgba(family[0].data.dtype))) != record.digest:
        warnings.warn(
            "The result differs from the layers in the viewer: they were computed on "
            "another device, with other threads, or by another version.",
            UserWarning,
            stacklevel=2,
        )
    return layers


def made_again(recipe: Recipe, viewer: Any) -> SoftLayers:
    """Compute what a recipe says from the layers of a viewer, unchanged since."""
    if recipe.live:
        raise ValueError(
            "This matte came from the live mode: it was improved stroke by stroke, and "
            "the strokes are not kept, so it cannot be made again to the last bit. Press "
            "Solve (or call nsl.matte) for a matte that can be."
        )
    if recipe.kind == "matte":
        recipe.input("trimap")
    source = _layer_of(recipe.input("image"), viewer, "image")
    picture = picture_again(source, recipe.frame)
    _check_same(recipe.inputs["image"], picture.input, "image")
    inputs = {
        name: _marks_of(name, given, picture, viewer)
        for name, given in recipe.inputs.items()
        if name != "image"
    }
    layers = _computed(recipe, picture, recipe.model_options().model_dump() | inputs)
    for edit in recipe.edits:
        layers = _edited(layers, edit, viewer)
    return layers


def _computed(recipe: Recipe, picture: Picture, given: dict[str, Any]) -> SoftLayers:
    """The result before its edits, from options and inputs."""
    given["device"] = recipe.device
    if recipe.kind == "matte":
        return matte(picture, method=recipe.method, **given)
    if recipe.kind == "palette":
        return palette_layers(picture, **given)
    if recipe.kind == "segments":
        return soft_segments(picture, **given)
    clicks = {name: given.pop(name) for name in ("points", "labels", "levels")}
    segmenter = Segmenter(picture, **given)
    segmenter.click(**clicks)
    return segmenter.refine()


def _stack_again(recipe: Recipe, viewer: Any) -> PaletteStack:
    """All frames of a stack; it is told from others by some of its frames."""
    from ._bridge.palette_stacks import ShownFrames, frames_of

    source = _layer_of(recipe.input("image"), viewer, "image")
    frames = frames_of(source, frame=recipe.frame)
    if isinstance(frames, ShownFrames):
        _check_same(recipe.inputs["image"], frames.input, "image")
    options = recipe.model_options().model_dump()
    return palette_stack(frames, device=recipe.device, **options)


def _layer_of(given: Input, viewer: Any, what: str) -> Any:
    """Find an input: by its id, else by its name."""
    if given.name is None and given.id is None:
        raise ValueError(
            f"This result was made with an array as {what} that is not kept; compute it "
            "with the array again."
        )
    found = None if given.id is None else layer_with_id(viewer, given.id)
    if found is None and given.name in viewer.layers:
        found = viewer.layers[given.name]
    if found is None:
        raise ValueError(
            f"The {what} '{given.name}' is no longer in the viewer; open it, or give a "
            "layer its name again, or compute anew."
        )
    return found


def _check_same(before: Input, now: Input, what: str) -> None:
    if before.digest is not None and before.digest != now.digest:
        raise ValueError(
            f"The {what} '{now.name}' was changed after the result had been computed, "
            "so it cannot be made again; compute anew."
        )


def _marks_of(name: str, given: Input, picture: Picture, viewer: Any) -> Marks:
    """A trimap, features or superpixels, the same as they were."""
    if name == "features" and given.name is None and given.value != "array":
        found = given.value
        if isinstance(found, str) and given.id is None and found in viewer.layers:
            found = viewer.layers[found] if found != "bundled" else found
        return features_of(found, picture)
    source = _layer_of(given, viewer, name)
    read = {"trimap": trimap_of, "features": features_of, "superpixels": labels_of}
    marks: Marks = read[name](source, picture)
    _check_same(given, marks.input, name)
    return marks


def _edited(layers: SoftLayers, edit: Edit, viewer: Any) -> SoftLayers:
    """Make one edit again."""
    check_edit(edit)
    if edit.name == "cut":
        return cut(layers, **edit.arguments)
    if edit.name == "merge_nodes":  # version 0.1 noted nodes of the tree
        nodes = list(layers.extras.get("nodes") or [])
        groups = [wholes(group, "groups") for group in edit.arguments["groups"]]
        if not {node for group in groups for node in group} <= set(nodes):
            raise ValueError(
                f"The recipe joins the nodes {groups} of the tree; the layers have {nodes}."
                " Compute anew."
            )
        return layers.merge([[nodes.index(node) for node in group] for group in groups])
    if edit.name == "split_by":
        segments = read_recipe(edit.arguments["segments"])
        if segments is None:
            raise ValueError(
                "The recipe of the segments cannot be read; split by segments anew."
            )
        return made_again(segments, viewer).intersect(layers)
    change: Callable[..., SoftLayers] = getattr(layers, edit.name)
    return change(**edit.arguments)
