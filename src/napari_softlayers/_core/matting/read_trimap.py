"""The one reader of trimaps: label images and grey pictures of any encoding.

They look alike, so what was guessed is said in a warning, and what cannot be known is
refused.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..label_images import TrimapArray, as_int32, distinct, is_whole, plain_array
from .trimap_colors import BLACK, GREY_ADVICE, WHITE, one_value_a_pixel, white_of

#: Labels up to here are recognised without being told that they are labels.
MOST_LABELS = 64
#: What to do with a selection that came in the place of a trimap.
SELECTION_ADVICE = (
    "If it marks an object, make a trimap of it first: 'Trimap from selection' in the "
    "matte dock, nsl.trimap_from_mask(mask) in the console."
)


def read_trimap(
    array: ArrayLike,
    shape: tuple[int, int] | None = None,
    *,
    labels: bool | None = None,
) -> TrimapArray:
    """Read a trimap: a label image or a grey picture, in any encoding.

    Parameters
    ----------
    array : array_like (H, W) or (H, W, C)
        Labels: 0 unknown, 1..K, in integers or whole floats. Or a grey picture that
        spans most of its range: its lowest 5 % are background, its highest 5 %
        foreground, all between is unknown. A grey picture may be RGB, and red, green
        and grey are read as background, foreground and unknown. Transparent and masked
        pixels are unknown.
    shape : (H, W), optional
        Size of the picture that it belongs to.
    labels : bool, optional
        True where it comes from a label image, whose values stay (but the classic 0, 128,
        255 are read as grey); False where it comes from a grey picture. Decided by the
        values when not given.

    Returns
    -------
    int32 array (H, W)
        0 unknown, 1 background, 2 foreground; or the labels as they came, whose numbers
        may be skipped.

    Raises
    ------
    TypeError
        When the values are not numbers, or are bool.
    ValueError
        When size or values do not make a trimap, or could mean two things.

    Warns
    -----
    UserWarning
        What was taken as what, where that was guessed.
    """
    values, hidden = plain_array(array, "trimap", shape)
    if values.dtype.kind == "b":
        raise TypeError(
            "The trimap has dtype bool, as masks have; numbers are needed: 0 unknown, 1 "
            f"background, 2 foreground. {SELECTION_ADVICE}"
        )
    if values.ndim == 3:
        values, hidden = one_value_a_pixel(values, hidden)
    if hidden is None:
        return _read(values, labels)
    trimap = np.zeros(values.shape, np.int32)
    trimap[~hidden] = _read(values[~hidden], labels)
    return trimap


def grey_or_labels(
    values: NDArray[Any], what: str, labels: bool | None = None
) -> float | None:
    """Decide what numbers from 0 are.

    ``what``: their name in messages. ``labels``: see `read_trimap`. Returns float or
    None: white, where it is a grey picture; None for labels.
    """
    whole = is_whole(values)
    white = None if labels else white_of(values)
    if white is None:
        if whole and (labels or values.max() <= MOST_LABELS):
            return None
        raise _neither(values, what, bool(labels))
    if white > 1 and whole and _are_both(values, white):
        raise ValueError(
            f"The {what} has the values {_listed(distinct(values))}, which may be labels "
            "or greys. Where they are labels, give a Labels layer or labels=True; where "
            "they are greys, give black, grey and white alone."
        )
    return white


def say_grey(values: NDArray[Any], white: float, what: str, between: str) -> None:
    """Warn what the values of a grey picture were taken as."""
    low, high = BLACK * white, WHITE * white
    background, foreground = (values <= low).mean(), (values >= high).mean()
    if white > 1 and is_whole(values):
        low, high = math.floor(low), math.ceil(high)
    warnings.warn(
        f"The {what} is taken as a grey picture: values up to {low:g} are background "
        f"({background:.1%} of the pixels), from {high:g} on foreground "
        f"({foreground:.1%}), those between {between} "
        f"({max(0, 1 - background - foreground):.1%}).",
        UserWarning,
        stacklevel=4,
    )


def _read(values: NDArray[Any], labels: bool | None) -> TrimapArray:
    """Labels of the pixels that say something."""
    white = grey_or_labels(values, "trimap", labels)
    if white is None and labels and _is_classic(values):
        white = 255
        say_grey(values, white, "label image", "unknown")
    elif white is not None and not _is_plain(values, white):
        say_grey(values, white, "trimap", "unknown")
    if white is None:
        if labels is False:
            _say_labels(values)
        return as_int32(values, "trimap")
    found = np.zeros(values.shape, np.int32)
    found[values <= BLACK * white] = 1
    found[values >= WHITE * white] = 2
    return found


def _is_classic(values: NDArray[Any]) -> bool:
    """Tell 0, 127 or 128, 255 from other labels."""
    if values.max() != 255:
        return False
    present = set(distinct(values).tolist())
    return bool(present & {127, 128}) and present <= {0, 127, 128, 255}


def _is_plain(values: NDArray[Any], white: float) -> bool:
    """Tell a grey picture of black, middle grey and white alone: nothing is guessed."""
    plain = (values == 0) | (values == white)
    for middle in _middles(white):
        plain |= values == middle
    return bool(plain.all())


def _middles(white: float) -> tuple[float, ...]:
    """Values that are the middle grey."""
    half = white / 2
    return (half,) if white == 1 else (half, half - 0.5, half + 0.5)


def _are_both(values: NDArray[Any], white: float) -> bool:
    """Tell small labels beside a large one, such as 255 for "ignore", from greys."""
    present = distinct(values)
    small = present[present <= MOST_LABELS]
    large = present[present > MOST_LABELS][:-1]
    if 1 not in small or not np.isin(large, _middles(white)).all():
        return False
    return len(large) == 0 or 2 in small


def _say_labels(values: NDArray[Any]) -> None:
    """Warn that a grey picture was taken as labels, and how many pixels each has."""
    present = distinct(values)
    shares = [f"{label:g} ({(values == label).mean():.1%})" for label in present[:8]]
    more = f" and {len(present) - 8} more" if len(present) > 8 else ""
    warnings.warn(
        "The picture is too dark for a grey trimap and is taken as a label image: "
        f"{', '.join(shares)}{more}; 0 is unknown.",
        UserWarning,
        stacklevel=4,
    )


def _neither(values: NDArray[Any], what: str, labels: bool) -> ValueError:
    """Error for values that are no labels, or neither labels nor greys."""
    came = f"The {what} has the values {_listed(np.unique(values))}; "
    if labels:
        return ValueError(
            came + "labels are whole numbers: 0 unknown, 1 background, 2 foreground."
        )
    if what == "mask":
        return ValueError(came + "labels, 0 and 1, or an alpha from 0 to 1 are needed.")
    return ValueError(
        came + f"that is neither a label image (whole numbers up to {MOST_LABELS}, 0 "
        "unknown) nor a grey trimap (from black to white: 0 to 255, 0 to 65535 or 0 to "
        f"1). {GREY_ADVICE} A Labels layer, or an array with labels=True, may have any "
        "numbers; of a matte or a mask, nsl.trimap_from_mask makes a trimap."
    )


def _listed(present: NDArray[Any]) -> str:
    """Name a few values."""
    if len(present) <= 6:
        return ", ".join(f"{value:g}" for value in present)
    first = ", ".join(f"{value:g}" for value in present[:3])
    return f"{first}, ... {present[-1]:g} ({len(present)} different ones)"
