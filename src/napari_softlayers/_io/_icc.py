"""What a picture's numbers mean as colours: ICC profiles and palettes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_softlayers._core.layers.edit import from_linear

MAX_PROFILE_BYTES = 1 << 20
# Bradford adaptation to D65, then the primaries of sRGB (ICC's own numbers)
XYZ_D50_TO_LINEAR = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)


def profile_name(profile: bytes) -> str:
    """The name that a profile gives itself, such as "Display P3"."""
    read = _opened(profile)
    if read is None:
        return "unreadable profile"
    return str(read.profile.profile_description or "").strip()


def space_of(profile: bytes) -> str:
    """Colour space of a profile's numbers: "RGB", "CMYK", "GRAY", ...; "" if damaged."""
    read = _opened(profile)
    return "" if read is None else str(read.profile.xcolor_space).strip()


def rgb_profile(profile: Any) -> bytes | None:
    """The profile if it can be written beside RGB layers (and read again), else None."""
    if not isinstance(profile, bytes) or not 128 <= len(profile) <= MAX_PROFILE_BYTES:
        return None
    return profile if space_of(profile) == "RGB" else None


def cmyk_to_rgb(
    ink: NDArray[Any], profile: bytes | None, top: int = 255
) -> NDArray[Any]:
    """Ink ``(H, W, 4)`` as sRGB, through its profile (8 bits) or ``(1 - k) (1 - ink)``.

    ``top``: what means full ink, and full light of the result.
    """
    from PIL import Image, ImageCms

    if profile is not None and space_of(profile) == "CMYK":
        shallow = np.rint(ink * (255 / top)).astype(np.uint8)
        shown = ImageCms.profileToProfile(
            Image.fromarray(shallow, "CMYK"),
            _opened(profile),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return np.rint(np.asarray(shown) * (top / 255)).astype(ink.dtype)
    paper = 1 - ink / np.float32(top)
    return np.rint(paper[..., :3] * paper[..., 3:] * top).astype(ink.dtype)


def lab_to_rgb(lab: NDArray[np.floating]) -> NDArray[np.float32]:
    """CIELab of the print world (white D50, L to 100) as sRGB in [0, 1]."""
    from skimage.color import lab2xyz

    linear = lab2xyz(lab, illuminant="D50") @ np.asarray(XYZ_D50_TO_LINEAR).T
    return from_linear(np.clip(linear, 0, 1).astype(np.float32))


def _opened(profile: bytes) -> Any:
    """A profile as Pillow has it; None if damaged."""
    from PIL import ImageCms

    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError):
        return None


def index_or_grey(
    indices: NDArray[Any], colours: NDArray[Any], notes: list[str]
) -> NDArray[Any]:
    """The indices of an indexed picture; greys where they but number distinct ones."""
    greys = colours[..., 0]
    step = 257 if greys.dtype == np.uint16 else 1  # TIFF has palettes of 16 bits
    if (
        (colours[..., :3] != greys[..., None]).any()
        or (greys // step == indices).all()
        or len(np.unique(greys)) < len(np.unique(indices))
    ):
        return indices
    notes.append("its colours are grey: these were read, not its indices")
    return greys
