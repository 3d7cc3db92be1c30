"""Make a result again from the parameters that its layers carry."""

from __future__ import annotations

import sys
from typing import Any

from ._api import Segmenter, cut, matte, palette_layers, soft_segments
from ._bridge import Picture, picture_of, record_of, source_of
from ._bridge.stored import as_stored
from ._core.layers.edit import reordered
from ._core.layers.soft_layers import SoftLayers

_FRAME = ("step", "channels", "level", "limits")


def rerun(layer: Any, viewer: Any = None) -> SoftLayers:
    """Compute the result again that a layer in the viewer belongs to.

    The image and the trimap, features or superpixels that it was made from must still be
    in the viewer under their names. On the same device and from the same inputs the
    layers are the same to the last bit.

    Parameters
    ----------
    layer : napari Image layer
        Any layer of a result.
    viewer : napari.Viewer, optional
        The current one by default.

    Returns
    -------
    SoftLayers

    Raises
    ------
    ValueError
        When the layer is no result, or something that it was made from is gone or was
        changed, or it came from the live mode, which builds on all strokes before.
    """
    record = record_of(layer)
    if record is None or record["kind"] not in _RECIPES:
        raise ValueError(
            f"'{getattr(layer, 'name', layer)}' does not say how it was made; choose a "
            f"layer of a result ({', '.join(_RECIPES)})."
        )
    viewer = viewer if viewer is not None else _current_viewer()
    source = source_of(viewer, layer)
    if source is None:
        raise ValueError(
            f"The image '{record.get('source')}' that '{layer.name}' was made from is no "
            "longer in the viewer; open it again and compute anew."
        )
    parameters = dict(record["params"])
    frame = {key: parameters.pop(key) for key in _FRAME if key in parameters}
    picture = picture_of(
        source,
        channels=_tuple(frame.get("channels")),
        step=_tuple(frame.get("step")),
        level=frame.get("level"),
    )
    return _RECIPES[record["kind"]](picture, parameters, viewer)


def _current_viewer() -> Any:
    napari = sys.modules.get("napari")
    viewer = napari.current_viewer() if napari is not None else None
    if viewer is None:
        raise ValueError("No viewer is open; give one with viewer=.")
    return viewer


def _tuple(values: Any) -> tuple[int, ...] | None:
    return None if values is None else tuple(int(value) for value in values)


def _layer_named(viewer: Any, name: Any, what: str) -> Any:
    """Find an input of the result by its name."""
    if name not in viewer.layers:
        raise ValueError(
            f"The {what} '{name}' is not in the viewer; open it, or give a layer its "
            "name again."
        )
    return viewer.layers[name]


def _matte(picture: Picture, parameters: dict[str, Any], viewer: Any) -> SoftLayers:
    if parameters.get("live"):
        raise ValueError(
            "This matte came from the live mode: it was improved stroke by stroke, and "
            "the strokes are not kept, so it cannot be made again to the last bit. Press "
            "Solve (or call nsl.matte) for a matte that can be."
        )
    trimap = _layer_named(viewer, parameters.pop("trimap", None), "trimap")
    return matte(picture, trimap, **parameters)


def _segments(picture: Picture, parameters: dict[str, Any], viewer: Any) -> SoftLayers:
    nodes = parameters.pop("nodes", None)
    merged = parameters.pop("merged", None)
    features, superpixels = _inputs(parameters, viewer)
    count = parameters.pop("n_segments", None) or "auto"
    grouping = parameters.pop("grouping", "tree")
    layers = soft_segments(
        picture,
        count,
        features,
        superpixels=superpixels,
        grouping=grouping,
        **parameters,
    )
    if nodes is not None:
        layers = cut(layers, nodes=nodes)
    if merged:
        at = list(layers.extras["nodes"]).index
        layers = layers.merge([[at(node) for node in group] for group in merged])
    return layers


def _clicks(picture: Picture, parameters: dict[str, Any], viewer: Any) -> SoftLayers:
    features, superpixels = _inputs(parameters, viewer)
    clicks = {name: parameters.pop(name) for name in ("points", "labels", "levels")}
    segmenter = Segmenter(picture, features, superpixels=superpixels, **parameters)
    segmenter.click(**clicks)
    return segmenter.refine()


def _inputs(parameters: dict[str, Any], viewer: Any) -> tuple[Any, Any]:
    """Take features and superpixels, layers found by their names, out of parameters."""
    features = parameters.pop("features", None)
    if features == "array":
        raise ValueError(
            "This result was made with an array of features that is not kept; compute it "
            "with the array again."
        )
    if features in viewer.layers:
        features = viewer.layers[features]
    superpixels = parameters.pop("superpixels", None)
    if superpixels is not None:
        superpixels = _layer_named(viewer, superpixels, "superpixels")
    return features, superpixels


def _palette(picture: Picture, parameters: dict[str, Any], viewer: Any) -> SoftLayers:
    colors = parameters.pop("recolored", None)
    if "segments" in parameters:
        layers = _split(picture, parameters, viewer)
    else:
        layers = palette_layers(picture, **parameters)
    return layers if colors is None else layers.recolor(colors)


def _split(picture: Picture, parameters: dict[str, Any], viewer: Any) -> SoftLayers:
    """Palette layers cut up along segments."""
    inner = [
        {k: v for k, v in parameters[kind].items() if k not in _FRAME}
        for kind in ("segments", "palette")
    ]
    note = inner[0].pop("stored", None)
    segments = _segments(picture, inner[0], viewer)
    if note is not None:
        segments = as_stored(segments, note)
    layers = segments.intersect(_palette(picture, inner[1], viewer))
    order = parameters.get("order")
    return layers if order is None else reordered(layers, order)


_RECIPES = {
    "matte": _matte,
    "segments": _segments,
    "clicks": _clicks,
    "palette": _palette,
}
