"""Layered files: OpenRaster, Photoshop, TIFF and folders of PNGs."""

from __future__ import annotations

import os
from pathlib import Path

from napari_softlayers._core.layers.soft_layers import SoftLayers

from ._document import Document
from ._files import as_path
from ._png import save_png
from ._soft_document import (
    for_linear_light,
    from_soft_layers,
    to_soft_layers,
    without_linear_light,
)
from .openraster import read_openraster, write_openraster
from .photoshop import read_photoshop, write_photoshop
from .png_folder import INDEX, read_png_folder, write_png_folder
from .tiff import read_float_tiff, read_tiff, write_float_tiff, write_tiff

SUFFIXES = (".ora", ".psd", ".tif", ".tiff")


def save_layers(
    layers: SoftLayers,
    path: str | Path,
    *,
    bits: int = 8,
    additive: bool | None = None,
    form: str = "masks",
    linear_light: bool = False,
) -> Path:
    """Write soft layers to a file that other programs open, or to a folder.

    Parameters
    ----------
    layers : SoftLayers
    path : str or Path
        ``.ora`` (OpenRaster: Krita, GIMP, MyPaint), ``.psd`` (Photoshop; needs the extra
        ``psd``), ``.tif`` or ``.tiff`` (one page a layer), ``.png`` (one picture, with
        what the layers leave transparent). Without an ending, with a slash at its end or
        where a folder is already: a folder of PNGs with ``layers.json``.
    bits : {8, 16, 32}
        Bits a channel. ``.psd`` holds 8; 32 (float, lossless) is for ``.tif`` alone.
    additive : bool, optional
        True writes the alphas as they are (they add up); False turns them into those of
        an ordinary stack, which every program shows as the picture. By default ``.ora``
        and ``.psd`` get the ordinary stack, the others additive alphas.
    form : {"masks", "transparency"}
        How ``.psd`` holds alphas: as layer masks, with the colours kept everywhere, or
        as the layers' own transparency.
    linear_light : bool
        For ``.ora`` and GIMP 2.10 or later, which blends such files in linear light: the
        colours of partly transparent pixels are adapted so that it shows the picture.
        Krita, MyPaint and older programs need False; ``.psd`` looks the same in all.

    Returns
    -------
    Path
        Where they were written.

    Raises
    ------
    ValueError
        When the options do not fit the kind of file.
    OSError
        When it cannot be written; what was there before is untouched.
    """
    if not isinstance(layers, SoftLayers):
        raise TypeError(f"A {type(layers).__name__} came; SoftLayers are needed.")
    for name, value in (("additive", additive), ("linear_light", linear_light)):
        if not (isinstance(value, bool) or value is None):
            raise TypeError(f"{name}={value!r} came; use True or False.")
    path, suffix = as_path(path), ending_of(path)
    if not path.name:
        raise ValueError(f"'{path}' is a folder; name a new file or folder in it.")
    if suffix and suffix not in (*SUFFIXES, ".png"):
        raise ValueError(
            f"'{path.name}' ends with '{path.suffix}'; use {', '.join(SUFFIXES)}, .png, or "
            "no ending for a folder of PNGs."
        )
    depths = {".psd": (8,), ".tif": (8, 16, 32), ".tiff": (8, 16, 32)}
    allowed = depths.get(suffix, (8, 16))
    if bits not in allowed:
        raise ValueError(
            f"bits={bits} does not fit '{path.name}'; {' or '.join(map(str, allowed))} "
            "can be written there."
        )
    if form not in ("masks", "transparency"):
        raise ValueError(f"form={form!r} came; use 'masks' or 'transparency'.")
    if additive is None:
        additive = suffix not in (".ora", ".psd")
    if additive and suffix == ".psd":
        raise ValueError(
            "Photoshop has no blending that adds layers up exactly; write '.psd' with "
            "additive=False, or use '.ora'."
        )
    if linear_light and (suffix != ".ora" or additive):
        raise ValueError(
            "linear_light=True is for normal stacks in '.ora' files, which GIMP blends "
            "in linear light; leave it away here."
        )
    if bits == 32:
        write_float_tiff(layers, path)
    elif suffix == ".png":  # all layers together, with colours everywhere
        joined = layers.merge([list(range(len(layers)))])
        save_png(path, joined.rgba(f"uint{bits}")[0], layers.profile)
    elif linear_light:
        adapted = for_linear_light(layers)
        write_document(from_soft_layers(adapted, bits, False, "linear"), path)
    elif suffix:
        write_document(from_soft_layers(layers, bits, additive), path, form)
    else:
        write_png_folder(from_soft_layers(layers, bits, additive), path)
    return path


def ending_of(path: str | Path) -> str:
    """What kind of file a path asks for; "" for a folder.

    A folder is there already, ends with a slash, or has no ending.
    """
    separators = tuple(filter(None, ("/", os.sep, os.altsep)))
    if str(path).endswith(separators) or Path(path).expanduser().is_dir():
        return ""
    return Path(path).suffix.lower()


def write_document(document: Document, path: Path, form: str = "masks") -> None:
    """Write a document to a file: ``.ora``, ``.psd`` or else TIFF."""
    suffix = path.suffix.lower()
    if suffix == ".ora":
        write_openraster(document, path)
    elif suffix == ".psd":
        write_photoshop(document, path, form)
    else:
        write_tiff(document, path)


def read_document(path: Path) -> Document:
    """Read a layered file or folder; what was written for linear light is turned back.

    Raises ValueError when it is of another kind, damaged, hostile or too large; OSError
    when it cannot be read.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder '{path}'.")
    suffix = path.suffix.lower()
    if path.is_dir() or path.name == INDEX:
        return read_png_folder(path if path.is_dir() else path.parent)
    if suffix == ".ora":
        return without_linear_light(read_openraster(path), f"'{path.name}'")
    if suffix == ".psd":
        return read_photoshop(path)
    if suffix in (".tif", ".tiff"):
        return read_tiff(path)
    raise ValueError(
        f"'{path.name}' ends with '{path.suffix}'; {', '.join(SUFFIXES)} and folders "
        "with layers.json can be opened."
    )


def open_layers(path: str | Path) -> SoftLayers:
    """Open soft layers from a file or folder.

    Files written by `save_layers` give the same alphas and colours, rounded to the bits
    they were written with, and the same parameters. Stacks of other programs open as what
    each visible layer contributes to the picture; where they leave it transparent, the
    alphas sum to less than one.

    Parameters
    ----------
    path : str or Path
        ``.ora``, ``.psd``, ``.tif``, ``.tiff`` or a folder with ``layers.json``.

    Returns
    -------
    SoftLayers

    Raises
    ------
    ValueError
        When it is of another kind, damaged, hostile or too large.
    OSError
        When it cannot be read.
    """
    path = as_path(path)
    if path.suffix.lower() in (".tif", ".tiff") and path.is_file():
        exact = read_float_tiff(path)
        if exact is not None:
            return exact
    return to_soft_layers(read_document(path), f"'{path.name}'")
