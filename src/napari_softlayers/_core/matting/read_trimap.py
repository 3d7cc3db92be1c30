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
from scipy import ndimage

from ..arrays import Mask
from ..label_images import TrimapArray, as_int32, distinct, is_whole, plain_array

#: Labels up to here are recognised without being told that they are labels.
MOST_LABELS = 64
#: What to do with a selection that came in the place of a trimap.
SELECTION_ADVICE = (
    "If it marks an object, make a trimap of it first: 'Trimap from selection' in the "
    "matte dock, nsl.trimap_from_mask(mask) in the console."
)
#: Shares of white: up to the first is black, from the second on is white.
BLACK, WHITE = 0.05, 0.95
_WHITES = (255, 1023, 4095, 16383, 32767, 65535)
#: Chroma that compression leaves in greys, and the least one of a colour that is meant.
_NOISE, _STRONG = 0.06, 0.4
#: Shares of pixels that may have another colour, or lie between the colours.
_STRAY, _BETWEEN = 0.02, 0.25
GREY_ADVICE = (
    "Save it in grey (black background, grey unknown, white foreground), or as labels "
    "(0 unknown, 1 background, 2 foreground)."
)


def read_trimap(
    array: ArrayLike,
    shape: tuple[int, int] | None = None,
    *,
    labels: bool | None = None,
) -> TrimapArray:
    """Read a trimap: a label image or a grey picture, in any encoding.

    ``array`` ``(H, W)`` or ``(H, W, C)``: labels, 0 unknown, 1..K, in integers or whole
    floats. Or a grey picture that spans most of its range: its lowest 5 % are
    background, its highest 5 % foreground, all between is unknown. A grey picture may
    be RGB, and red, green and grey are read as background, foreground and unknown.
    Transparent and masked pixels are unknown. ``shape`` ``(H, W)``: size of the picture
    that it belongs to. ``labels``: True where it comes from a label image, whose values
    stay (but the classic 0, 128, 255 are read as grey); False where it comes from a
    grey picture. Decided by the values when not given.

    Returns int32 ``(H, W)``: 0 unknown, 1 background, 2 foreground; or the labels as
    they came, whose numbers may be skipped. Raises TypeError when the values are not
    numbers, or are bool; ValueError when size or values do not make a trimap, or could
    mean two things. Warns UserWarning what was taken as what, where that was guessed.
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
        trimap = _read(values, labels)
    else:
        trimap = np.zeros(values.shape, np.int32)
        trimap[~hidden] = _read(values[~hidden], labels)
    if not labels and trimap.max() > 2:
        _check_speckle(trimap)
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


def _check_speckle(trimap: TrimapArray) -> None:
    """Refuse the steps of a lossy grey picture: no regions, but specks in between."""
    low, high = ndimage.minimum_filter(trimap, 3), ndimage.maximum_filter(trimap, 3)
    between = np.nonzero((low < trimap) & (trimap < high))
    around = np.pad(trimap, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3))[between]
    found = trimap[between]
    specks = found[(windows == found[:, None, None]).sum((1, 2)) < 3]
    count = np.bincount(trimap.ravel())[1:]
    speckled = (np.bincount(specks, minlength=len(count) + 1)[1:] > 0.3 * count).sum()
    if speckled >= max(3, 0.4 * np.count_nonzero(count)):
        raise ValueError(
            f"The trimap has the values {_listed(distinct(trimap))}; {speckled} of them "
            "are specks between lower and higher ones, as in a dark grey picture that "
            f"was compressed with loss (JPEG). {GREY_ADVICE} If they are labels, give a "
            "Labels layer or labels=True."
        )


def _is_classic(values: NDArray[Any]) -> bool:
    """Tell 0, 127 or 128, 255 from other labels."""
    if values.max() != 255:
        return False
    present = set(distinct(values).tolist())
    return bool(present & {127, 128}) and present <= {0, 127, 128, 255}


def _is_plain(values: NDArray[Any], white: float) -> bool:
    """Tell a grey picture of black, middle grey and white alone: nothing is guessed."""
    return bool(np.isin(values, (0, white, *_middles(white))).all())


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


def white_of(values: NDArray[Any]) -> float | None:
    """White of a grey picture that spans most of its range; None for other values."""
    white = _range_of(values)
    return white if values.max() >= WHITE * white else None


def _range_of(values: NDArray[Any]) -> float:
    """1 for floats up to 1, otherwise the smallest of what 8 to 16 bits hold."""
    high = float(values.max())
    if values.dtype.kind == "f" and high <= 1 + 1e-4:
        return 1
    return next((white for white in _WHITES if high <= white), np.inf)


def one_value_a_pixel(
    values: NDArray[Any], hidden: Mask | None
) -> tuple[NDArray[Any], Mask | None]:
    """Bring grey, grey with alpha, RGB or RGBA to one channel.

    ``values`` ``(H, W, C)``: C from 1 to 4. ``hidden`` bool ``(H, W)`` or None: pixels
    that say nothing. Returns ``values`` ``(H, W)``: red, green and grey become 0, 255
    and 128. ``hidden`` bool ``(H, W)`` or None: with those added that are transparent.
    """
    if values.shape[2] in (2, 4):
        hidden = _transparent(values, hidden)
        values = values[..., :-1]
    seen = values if hidden is None else values[~hidden]
    seen = seen.reshape(-1, values.shape[2])
    if seen.shape[1] == 1 or (seen == seen[:, :1]).all():
        return values[..., 0], hidden
    white = _range_of(seen)
    if white == np.inf:
        raise _coloured(values)
    chroma = np.ptp(seen.astype(np.float32), axis=1).max() / white
    if chroma <= _NOISE and white_of(seen) is not None:
        return values.mean(axis=2, dtype=np.float32), hidden
    return _from_colors(values.astype(np.float32) / np.float32(white), hidden), hidden


def _transparent(values: NDArray[Any], hidden: Mask | None) -> Mask | None:
    """Pixels that are not opaque, besides the hidden ones."""
    alpha, white = values[..., -1], white_of(values)
    clear = alpha < (np.inf if white is None else WHITE * white)
    none = clear if hidden is None else clear | hidden
    if none.all():
        raise ValueError(
            f"The trimap is transparent everywhere: its last channel is {alpha.max():g} "
            "at most. Give it without, trimap[..., :-1], or paint opaque colours."
        )
    if not clear.any():
        return hidden
    warnings.warn(
        f"The trimap's transparent pixels ({clear.mean():.1%}) are taken as unknown.",
        stacklevel=4,
    )
    return none


def _from_colors(colors: NDArray[np.float32], hidden: Mask | None) -> NDArray[np.uint8]:
    """Read red as background, green as foreground, what lies between as unknown."""
    seen = np.ones(colors.shape[:2], bool) if hidden is None else ~hidden
    red, green, blue = np.moveaxis(colors, -1, 0)
    chroma = np.ptp(colors, axis=2)
    second = np.median(colors, axis=2) - colors.min(axis=2)
    pure = (chroma >= _STRONG) & (second <= 0.35 * chroma)
    background = pure & (red >= colors.max(axis=2)) & seen
    foreground = pure & (green >= colors.max(axis=2)) & seen
    grey = chroma <= 2 * _NOISE
    # What mixes red, green, black, grey and white: along the edges.
    mixed = (blue <= np.minimum(red, green) + 0.1) & (red + green - 2 * blue <= 1.15)
    between = mixed & ~background & ~foreground & ~grey
    count = np.count_nonzero(seen)
    stray = np.count_nonzero(seen & ~(background | foreground | grey | mixed)) / count
    edges = np.count_nonzero(seen & between) / count
    if (
        not (background.any() and foreground.any())
        or stray > _STRAY
        or edges > _BETWEEN
    ):
        raise _coloured(colors)
    shares = [float(part.mean()) for part in (background, foreground)]
    warnings.warn(
        f"The trimap is in colours and is taken as: red background ({shares[0]:.1%} of "
        f"the pixels), green foreground ({shares[1]:.1%}), all else unknown "
        f"({1 - sum(shares):.1%}). If that is wrong: {GREY_ADVICE}",
        stacklevel=4,
    )
    return np.select([background, foreground], [0, 255], 128).astype(np.uint8)


def _coloured(values: NDArray[Any]) -> ValueError:
    return ValueError(
        f"The trimap has shape {values.shape} with colours in its channels; only red "
        "(background) and green (foreground) on grey (unknown) can be read. "
        + GREY_ADVICE
    )
