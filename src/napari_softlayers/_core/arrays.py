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


def to_numpy(source: Any, what: str) -> NDArray[Any]:
    """Read anything like an array of real numbers: lists, tensors, dask, zarr.

    Parameters
    ----------
    source : array_like
    what : str
        Its name in messages.

    Raises
    ------
    TypeError
        When it is no array of real numbers.
    """
    name = type(source).__name__
    if np.ma.is_masked(source):
        raise TypeError(
            f"The {what} has masked values; fill them first, with filled(0) for example."
        )
    try:
        if hasattr(source, "detach"):  # a torch tensor
            source = source.detach().cpu()
            if str(source.dtype) == "torch.bfloat16":  # NumPy has none
                source = source.float()
            source = source.numpy()
        array = np.asarray(source)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise TypeError(
            f"The {what} is a {name} that is no array of numbers, or its rows differ in "
            "length; an array of integers, floats or bool is needed."
        ) from error
    if array.dtype.kind == "O":
        raise TypeError(
            f"The {what} is a {name} of objects (dtype object), not of numbers; an array "
            "of integers, floats or bool is needed."
        )
    if array.dtype.kind not in "uifb":
        raise TypeError(
            f"The {what} has dtype {array.dtype}; integers, floats or bool are needed."
        )
    return array
