"""Ways to look at a result: on black, white or a checkerboard, its alpha, the original.

A preview is one temporary layer. On white, say, it holds white where the object is not:
added to the object's own light, that is the object composited on white.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.picture import from_dtype, to_dtype
from napari_softlayers._recipes.record import HelperRecord

from .places import set_visible, spatial_of
from .record import helper_for, remove_helpers, show_helper
from .results import results_for, stored_frame

PREVIEW = "preview"
COMPOSITE = HelperRecord(kind=PREVIEW)
"""The preview over everything."""
VIEWS = ("result", "on black", "on white", "on checkerboard", "alpha", "original")
CHECK = 16
LIGHT, DARK = 204, 128


def set_view(viewer: Any, source: Any, kind: str, view: str) -> None:
    """Show the results of some kind that came from an image in one of the `VIEWS`.

    All layers but the bottom one are the object.
    """
    if view not in VIEWS:
        raise ValueError(f"view={view!r} is not known; use one of {', '.join(VIEWS)}.")
    results = results_for(viewer, source, kind)
    if not results:
        return
    chosen = set(range(1, len(results))) or {0}
    previewed = view in ("on white", "on checkerboard", "alpha")
    if not previewed:
        remove_preview(viewer, source)
    for index, layer in enumerate(results):
        on = view == "result" or (view.startswith("on ") and index in chosen)
        set_visible(layer, on)
    set_visible(source, view == "original")
    if previewed:
        alphas = [stored_frame(results[index])[..., 3] for index in sorted(chosen)]
        total = np.asarray(sum(from_dtype(alpha) for alpha in alphas))
        picture = preview_rgba(np.clip(total, 0, 1), view)
        show_preview(viewer, source, results, picture)


def preview_rgba(alpha: NDArray[Any], view: str) -> NDArray[np.uint8]:
    """Draw the temporary layer of a view, uint8 ``(H, W, 4)``, for additive blending."""
    result = np.empty((*alpha.shape, 4), np.uint8)
    level = np.rint(alpha * 255).astype(np.uint8)
    if view == "alpha":
        result[..., :3] = level[..., None]
        result[..., 3] = 255
        return result
    result[..., :3] = 255
    if view == "on checkerboard":
        rows, columns = np.ogrid[: alpha.shape[0], : alpha.shape[1]]
        light = (rows // CHECK + columns // CHECK) % 2 == 0
        result[..., :3] = np.where(light, LIGHT, DARK)[..., None]
    result[..., 3] = 255 - level
    return result


def remove_preview(viewer: Any, source: Any) -> None:
    """Take the temporary layer of an image away."""
    remove_helpers(viewer, helper_for(PREVIEW, source))


def show_preview(
    viewer: Any, source: Any, results: list[Any], data: NDArray[np.uint8]
) -> None:
    """Add the temporary layer below a result set, the bottom one first, or update it."""
    show_helper(
        viewer,
        helper_for(PREVIEW, source),
        data,
        spatial_of(results[0]),
        above=results[0],
        name=f"{source.name} · preview",
        blending="additive",
    )


def put_preview(viewer: Any, picture: NDArray[Any], like: Any) -> Any:
    """Show a picture, float in [0, 1], over everything, in the place of a layer."""
    return show_helper(
        viewer,
        COMPOSITE,
        to_dtype(picture, np.uint8),
        spatial_of(like),
        name="preview",
        blending="translucent_no_depth",
    )
