"""From a trimap with several channels to one value a pixel."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

Mask = NDArray[np.bool_]


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
        UserWarning,
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
        UserWarning,
        stacklevel=4,
    )
    return np.select([background, foreground], [0, 255], 128).astype(np.uint8)


def _coloured(values: NDArray[Any]) -> ValueError:
    return ValueError(
        f"The trimap has shape {values.shape} with colours in its channels; only red "
        "(background) and green (foreground) on grey (unknown) can be read. "
        + GREY_ADVICE
    )
