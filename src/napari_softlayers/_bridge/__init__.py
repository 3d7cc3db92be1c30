"""Between napari layers and arrays: pictures and labels in, soft layers out.

Nothing here needs Qt, and napari itself is only imported where a layer is made; layers
are known by what they offer, not by their class.
"""

from .features import features_of
from .read import Picture, labels_of, mask_of, picture_of, step_of
from .results import (
    clear_results,
    is_result,
    layers_from_napari,
    record_of,
    result_sets,
    source_of,
)
from .show import show
from .space import is_layer, place_in_space

__all__ = [
    "Picture",
    "clear_results",
    "features_of",
    "is_layer",
    "is_result",
    "labels_of",
    "layers_from_napari",
    "mask_of",
    "picture_of",
    "place_in_space",
    "record_of",
    "result_sets",
    "show",
    "source_of",
    "step_of",
]
