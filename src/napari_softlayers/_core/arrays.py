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

    ``what``: its name in messages. Raises TypeError when it is no such array.
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
    if array.dtype.kind not in "uifb":
        raise TypeError(
            f"The {what} is a {name} of dtype {array.dtype}, not of numbers; an array of "
            "integers, floats or bool is needed."
        )
    return array


def as_numbers(source: Any, what: str) -> tuple[NDArray[Any], Mask | None]:
    """Read any array of numbers with something in it, and where it is masked.

    What is masked becomes 0. Raises TypeError, ValueError.
    """
    mask = None
    if isinstance(source, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(source) if np.ma.is_masked(source) else None
        source = source.data if mask is None else source.filled(0)
    array = to_numpy(source, what)
    if array.size == 0:
        raise ValueError(
            f"The {what} has shape {array.shape}: there is nothing in it; at least one "
            "pixel is needed."
        )
    return array, mask
