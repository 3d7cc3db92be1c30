"""Names for the kinds of arrays that the core's functions take and give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
"""Pictures, alphas and colours, mostly in [0, 1]."""
DoubleArray = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
"""Of either precision."""
Mask = NDArray[np.bool_]
