"""Between napari layers and arrays: pictures and labels in, soft layers out.

Nothing here needs Qt, and napari itself is only imported where a layer is made; layers
are known by what they offer, not by their class.
"""

from .pictures import Picture, grid_of, identity_of, picture_of
from .places import Grid, is_layer, place_in_space, step_of, viewer_of
from .record import is_own, is_result, record_of
from .results import (
    clear_results,
    layers_from_napari,
    result_sets,
    results_for,
    source_of,
)
from .show import show
from .trimaps import Marks, Over, features_of, labels_of, mask_of, over, trimap_of

__all__ = [
    "Grid",
    "Marks",
    "Over",
    "Picture",
    "clear_results",
    "features_of",
    "grid_of",
    "identity_of",
    "is_layer",
    "is_own",
    "is_result",
    "labels_of",
    "layers_from_napari",
    "mask_of",
    "over",
    "picture_of",
    "place_in_space",
    "record_of",
    "result_sets",
    "results_for",
    "show",
    "source_of",
    "step_of",
    "trimap_of",
    "viewer_of",
]
