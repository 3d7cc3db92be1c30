"""Between napari layers and arrays: pictures and labels in, soft layers out.

Nothing here needs Qt, and napari itself is only imported where a layer is made; layers
are known by what they offer, not by their class.
"""

from .pictures import Picture as Picture
from .pictures import grid_of as grid_of
from .pictures import picture_of as picture_of
from .places import Grid as Grid
from .places import identity_of as identity_of
from .places import is_layer as is_layer
from .places import place_in_space as place_in_space
from .places import step_of as step_of
from .places import viewer_of as viewer_of
from .record import is_own as is_own
from .record import is_result as is_result
from .record import record_of as record_of
from .results import clear_results as clear_results
from .results import layers_from_napari as layers_from_napari
from .results import result_sets as result_sets
from .results import results_for as results_for
from .results import source_of as source_of
from .show import show as show
from .trimaps import Marks as Marks
from .trimaps import Over as Over
from .trimaps import features_of as features_of
from .trimaps import labels_of as labels_of
from .trimaps import mask_of as mask_of
from .trimaps import over as over
from .trimaps import trimap_of as trimap_of
