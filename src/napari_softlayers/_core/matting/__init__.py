"""Trimap matting: layers from a picture and a trimap."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, to_numpy
from ..devices import choose_device
from ..picture import as_image
from ..run import SILENT, Run
from .read_trimap import read_trimap
from .trimap import layer_labels, trimap_from_mask, trimap_tolerance

if TYPE_CHECKING:
    from ..layers.soft_layers import SoftLayers

__all__ = [
    "METHODS",
    "matte",
    "read_trimap",
    "solve_alphas",
    "trimap_from_mask",
    "trimap_tolerance",
]

#: Methods that look for mistakes in the trimap, and can do without any label.
REPAIRING = ("auto", "adamatting")
#: All: Levin 2008, Chen 2013, Aksoy 2017, the repair, networks of Cai 2019, Wang 2018.
METHODS = ("closed_form", "knn", "information_flow", *REPAIRING, "deep_propagation")


def matte(
    image: ArrayLike,
    trimap: ArrayLike,
    method: str = "closed_form",
    *,
    device: str = "auto",
    run: Run = SILENT,
    initial: ArrayLike | None = None,
    labels: bool | None = None,
    **options: Any,
) -> SoftLayers:
    """Layers of a picture from a trimap: `napari_softlayers.matte` for arrays.

    ``image``: see `as_image`. ``trimap``, ``labels``: see `read_trimap`. ``initial``
    ``(K, H, W)``: a matte to start from; the result is the same, sooner. ``**options``:
    of the method; see the function of its name. Returns SoftLayers of kind "matte";
    alphas ``(K, H, W)`` that sum to 1 and are exactly 0 or 1 where the trimap is known.
    Methods "auto" and "adamatting" keep the trimap that they repaired in
    ``extras["trimap"]``, with the labels of the one given.
    """
    from ..layers.soft_layers import SoftLayers

    picture = as_image(image)
    alphas, extras, present = _solve(
        picture,
        trimap,
        method,
        device=device,
        run=run.part(0, 0.8),
        initial=initial,
        labels=labels,
        **options,
    )
    return SoftLayers.from_alphas(
        picture,
        alphas,
        names=layer_names(present),
        kind="matte",
        parameters={"method": method, "device": device, **_filled_in(method, options)},
        extras=extras,
        device=device,
        run=run.part(0.8, 1.0),
    )


def solve_alphas(
    image: ArrayLike, trimap: ArrayLike, method: str = "closed_form", **given: Any
) -> FloatArray:
    """Only the alphas (K, H, W) of `matte`, without colours; same parameters."""
    return _solve(as_image(image), trimap, method, **given)[0]


def layer_names(present: list[int]) -> list[str]:
    """Names of the layers for the labels of a trimap."""
    if present == [1, 2]:
        return ["background", "foreground"]
    return [f"label {label}" for label in present]


def _solve(
    picture: FloatArray,
    trimap: ArrayLike,
    method: str,
    *,
    device: str = "auto",
    run: Run = SILENT,
    initial: ArrayLike | None = None,
    labels: bool | None = None,
    **options: Any,
) -> tuple[FloatArray, dict[str, Any], list[int]]:
    """Alphas, extras and the labels of the layers; parameters as for `matte`."""
    from .system import one_hot

    size = picture.shape[:2]
    marks = read_trimap(trimap, size, labels=labels)
    present = [1, 2]
    if method not in REPAIRING or marks.any():  # else a network can guess
        marks, present = layer_labels(marks)
    solver = _method(method)
    options = _filled_in(method, options)
    choose_device(device)
    numbers = np.array([0, *present], np.int32)
    if not (marks == 0).any():
        warnings.warn(
            "The trimap has no unknown pixels, so the layers are its labels; leave 0 "
            "where the matte is to be found.",
            stacklevel=3,
        )
        extras = {"trimap": numbers[marks]} if method in REPAIRING else {}
        return one_hot(marks, len(present)), extras, present
    run.check()
    # A window needs three pixels each way; smaller pictures get their border repeated.
    margin = [(0, max(0, 3 - side)) for side in size]
    picture = np.pad(picture, [*margin, (0, 0)], mode="edge")
    marks = np.pad(marks, margin, mode="edge")
    if initial is not None:
        initial = _checked_initial(initial, (len(present), *size))
        initial = np.pad(initial, [(0, 0), *margin], mode="edge")
    found = solver(picture, marks, device=device, run=run, initial=initial, **options)
    alphas, extras = found if isinstance(found, tuple) else (found, {})
    inside = np.s_[: size[0], : size[1]]
    if "trimap" in extras:
        extras["trimap"] = numbers[extras["trimap"][inside]]
    return np.ascontiguousarray(alphas[(..., *inside)]), extras, present


def _method(name: str) -> Callable[..., Any]:
    """The function of a method, in the module of its name.

    It gives alphas, or alphas and a dict of pictures.
    """
    if name not in METHODS:
        raise ValueError(
            f"method={name!r} is not known; use one of {', '.join(METHODS)}."
        )
    found: Callable[..., Any] = getattr(
        import_module(f".methods.{name}", __package__), name
    )
    return found


def _filled_in(method: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options of a method with its defaults."""
    parameters = inspect.signature(_method(method)).parameters.values()
    defaults = {
        p.name: p.default
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.name not in ("device", "run", "initial")
    }
    unknown = sorted(set(options) - set(defaults))
    if unknown:
        raise TypeError(
            f"method={method!r} has no parameter {', '.join(unknown)}; it has "
            f"{', '.join(defaults)}."
        )
    return {**defaults, **options}


def _checked_initial(initial: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    first = to_numpy(initial, "first guess (initial)").astype(np.float32)
    if first.shape != shape or not np.isfinite(first).all():
        raise ValueError(
            f"initial has shape {first.shape}; alphas of shape {shape} with finite "
            "values are needed."
        )
    return first
