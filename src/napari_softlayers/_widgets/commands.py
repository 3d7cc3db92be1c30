"""Menu commands: trimaps for and from layers, alpha as a layer, recompose, merge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_softlayers._bridge import (
    is_result,
    layers_from_napari,
    mask_of,
    picture_of,
    place_in_space,
    record_of,
    show,
    source_of,
    step_of,
)
from napari_softlayers._bridge.places import frame_shape
from napari_softlayers._bridge.results import KEY, identity_of

from .parts.combos import is_picture

if TYPE_CHECKING:
    import napari

LABEL_COLORS = {
    1: (0.90, 0.20, 0.18, 1.0),
    2: (0.18, 0.75, 0.30, 1.0),
    3: (0.20, 0.45, 0.95, 1.0),
    4: (0.95, 0.75, 0.15, 1.0),
    5: (0.70, 0.30, 0.85, 1.0),
    6: (0.15, 0.80, 0.85, 1.0),
    7: (0.95, 0.50, 0.15, 1.0),
    8: (0.95, 0.45, 0.70, 1.0),
}
OTHER_COLOR = (0.60, 0.60, 0.60, 1.0)
TRIMAP_OPACITY = 0.5
REPAIRED_CONTOUR = 2


def label_color(label: int) -> tuple[float, float, float, float]:
    """Colour of a trimap's label: 1 red, 2 green, others their own, 0 clear."""
    return (0.0, 0.0, 0.0, 0.0) if label == 0 else LABEL_COLORS.get(label, OTHER_COLOR)


def trimap_colormap() -> Any:
    """Colour map of a trimap layer."""
    from napari.utils.colormaps import DirectLabelColormap

    colors: dict[int | None, Any] = {0: label_color(0), None: OTHER_COLOR}
    return DirectLabelColormap(color_dict=colors | LABEL_COLORS)


def add_trimap(
    viewer: Any, image: Any, labels: Any = None, shape: tuple[int, int] | None = None
) -> Any:
    """Add a trimap layer over an image, ready to be painted on.

    Parameters
    ----------
    viewer : napari.Viewer
    image : napari Image layer
    labels : ndarray, ``(H, W)``, optional
        0 unknown, 1 background, 2 foreground, ...; all unknown by default.
    shape : (int, int), optional
        Size without labels; the image's own frame by default.

    Returns
    -------
    napari.layers.Labels
        Selected, in paint mode with label 2, with the image's place in space.
    """
    from napari.layers import Labels

    size = shape or frame_shape(image)
    data = np.zeros(size, np.uint8) if labels is None else np.asarray(labels)
    if data.max(initial=0) < 256:
        data = data.astype(np.uint8)
    layer = Labels(
        data,
        name=f"{image.name} · trimap",
        opacity=TRIMAP_OPACITY,
        colormap=trimap_colormap(),
        **place_in_space(image, data.shape[:2]),
    )
    layer.brush_size = max(4, round(max(size) / 40))
    layer.selected_label = 2
    viewer.layers.append(layer)
    viewer.layers.selection.active = layer
    layer.mode = "paint"
    return layer


def show_repaired_trimap(viewer: Any, image: Any, labels: Any) -> Any:
    """Show the trimap that a method made of the painted one, as contours.

    It is a Labels layer like any other trimap: it can be corrected, chosen and solved
    again. A later one takes its place.
    """
    from napari.layers import Labels

    record = {"kind": "trimap", "source_id": identity_of(image)}
    data = np.asarray(labels).astype(np.uint8)
    for layer in viewer.layers:
        if record_of(layer) == record and layer.data.shape == data.shape:
            layer.data = data
            return layer
    active = viewer.layers.selection.active
    made = Labels(
        data,
        name=f"{image.name} · repaired trimap",
        colormap=trimap_colormap(),
        metadata={KEY: record},
        **place_in_space(image, data.shape[:2]),
    )
    made.contour = REPAIRED_CONTOUR
    viewer.layers.append(made)
    if active is not None:
        viewer.layers.selection.active = active
    return made


def image_for(viewer: Any, layer: Any) -> Any:
    """Find the image that a layer belongs to: its source, or one of its size."""
    found = source_of(viewer, layer)
    if found is not None:
        return found
    images = [
        other for other in viewer.layers if is_picture(other) and other is not layer
    ]
    if hasattr(layer, "to_labels"):
        return images[-1] if images else None
    shape = frame_shape(layer)
    same = [other for other in images if frame_shape(other) == shape]
    return same[-1] if same else None


def trimap_from_layer(
    viewer: Any, layer: Any, image: Any = None, band: int | None = None
) -> Any:
    """Add a trimap made from labels, shapes, an alpha or a mask.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari layer
        What marks the object.
    image : napari Image layer, optional
        The image it belongs to; found by size by default.
    band : int, optional
        Half width of the unknown band in pixels; adaptive by default.
    """
    from napari_softlayers._core.matting import read_trimap, trimap_from_mask

    image = image_for(viewer, layer) if image is None else image
    if image is None:
        raise ValueError(
            f"No image has the size of '{layer.name}'; open the image that it belongs "
            "to first."
        )
    mask = mask_of(layer, image, step=step_of(viewer, layer))
    if is_classic_trimap(mask) and band is None:
        grey = np.rint(mask * 255).astype(np.uint8) if mask.dtype.kind == "f" else mask
        return add_trimap(viewer, image, read_trimap(grey))
    picture = picture_of(image, step=step_of(viewer, image)).data
    if mask.shape != picture.shape[:2]:
        raise ValueError(
            f"'{layer.name}' is {mask.shape[0]}x{mask.shape[1]}, '{image.name}' is "
            f"{picture.shape[0]}x{picture.shape[1]}; both need the same size."
        )
    labels = True if mask.dtype.kind in "ui" else None
    trimap = trimap_from_mask(mask, band, picture=picture, labels=labels)
    return add_trimap(viewer, image, trimap)


def is_classic_trimap(mask: Any) -> bool:
    """Tell a classic 0/128/255 trimap from a mask."""
    values = np.unique(np.rint(mask * 255) if mask.dtype.kind == "f" else mask)
    return (
        len(values) == 3
        and values[0] == 0
        and values[2] == 255
        and (values[1] in (127, 128))
    )


# ---- menu entries: napari hands in the viewer and the active layer ---------------------


def _tell(message: str, error: bool = False) -> None:
    from napari.utils.notifications import show_info, show_warning

    (show_warning if error else show_info)(message)


def new_trimap(viewer: napari.viewer.Viewer) -> None:
    """Add an empty trimap for the active image (or the topmost one)."""
    active = viewer.layers.selection.active
    images = [layer for layer in viewer.layers if is_picture(layer)]
    if not images:
        _tell("There is no image to make a trimap for; open one first.", error=True)
        return
    add_trimap(viewer, active if active in images else images[-1])


def trimap_from_active(viewer: napari.viewer.Viewer) -> None:
    """Make a trimap from the active Labels, Shapes or RGBA layer."""
    active = viewer.layers.selection.active
    if active is None:
        _tell("No layer is selected; select one that marks the object.", error=True)
        return
    try:
        trimap_from_layer(viewer, active)
    except (TypeError, ValueError) as error:
        _tell(str(error), error=True)


def alpha_to_image(viewer: napari.viewer.Viewer) -> None:
    """Add the alpha of the active RGBA layer as a grey image."""
    active = viewer.layers.selection.active
    if (
        active is None
        or not getattr(active, "rgb", False)
        or active.data.shape[-1] != 4
    ):
        _tell("Select an RGBA layer first; its alpha becomes a grey image.", error=True)
        return
    alpha = np.asarray(active.data)[..., 3]
    top = 1.0 if alpha.dtype.kind == "f" else float(np.iinfo(alpha.dtype).max)
    place = {
        key: getattr(active, key) for key in ("scale", "translate", "rotate", "shear")
    }
    place |= {key: getattr(active, key) for key in ("affine", "units", "axis_labels")}
    viewer.add_image(
        alpha, name=f"{active.name} · alpha", contrast_limits=(0, top), **place
    )


def alpha_to_labels(viewer: napari.viewer.Viewer) -> None:
    """Add a Labels layer with the strongest layer of a result at every pixel, 1..K."""
    chosen = _selected_results(viewer)
    if not chosen:
        _tell("Select a layer of a result first.", error=True)
        return
    layers = layers_from_napari(chosen)
    winner = layers.alphas.argmax(axis=0).astype(np.uint8) + 1
    source = (record_of(chosen[0]) or {}).get("source", "")
    viewer.add_labels(winner, name=f"{source} · labels", **place_in_space(chosen[0]))


def recompose_visible(viewer: napari.viewer.Viewer) -> None:
    """Add the sum of the visible result layers as one RGB image."""
    chosen = [layer for layer in viewer.layers if is_result(layer) and layer.visible]
    if not chosen:
        _tell("No result layer is visible; there is nothing to add up.", error=True)
        return
    first = chosen[0]
    same = [layer for layer in chosen if layer.data.shape == first.data.shape]
    top = 1.0 if first.data.dtype.kind == "f" else float(np.iinfo(first.data.dtype).max)
    total = np.zeros(first.data.shape[:2] + (3,), np.float64)
    for layer in same:
        rgba = np.asarray(layer.data) / top
        total += layer.opacity * rgba[..., 3:] * rgba[..., :3]
    data = np.clip(total, 0, 1) * top
    data = np.rint(data) if first.data.dtype.kind != "f" else data
    name = f"{(record_of(first) or {}).get('source', '')} · recomposed"
    viewer.add_image(
        data.astype(first.data.dtype),
        rgb=True,
        name=name,
        contrast_limits=(0, top),
        visible=False,
        **place_in_space(first),
    )


def merge_selected(viewer: napari.viewer.Viewer) -> None:
    """Join the selected layers of one result into one."""
    selected = [layer for layer in viewer.layers.selection if is_result(layer)]
    family = _selected_results(viewer)
    chosen = [layer for layer in family if layer in selected]
    if len(chosen) < 2:
        _tell("Select two or more layers of one result to merge them.", error=True)
        return
    layers = layers_from_napari(family)
    merged = layers.merge([[family.index(layer) for layer in chosen]])
    show(viewer, merged, like=source_of(viewer, chosen[0]), dtype=chosen[0].data.dtype)


def _selected_results(viewer: Any) -> list[Any]:
    """All layers of the result that the active (or a selected) layer belongs to."""
    candidates = [viewer.layers.selection.active, *viewer.layers.selection]
    chosen = next((layer for layer in candidates if layer and is_result(layer)), None)
    if chosen is None:
        return []
    run = (record_of(chosen) or {}).get("run")
    family = [x for x in viewer.layers if (record_of(x) or {}).get("run") == run]
    return sorted(family, key=lambda layer: layer.metadata[KEY]["index"])
