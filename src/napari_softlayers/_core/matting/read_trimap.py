from __future__ import annotations

from typing import Any

import numpy as np

from .trimap import as_trimap


def read_trimap(array: Any, shape: Any = None, *, labels: bool | None = None) -> Any:
    return as_trimap(array, shape)


def read_labels(array: Any, shape: Any = None) -> Any:
    return np.asarray(array).astype(np.int32)
