"""Semantic features of a picture: where they come from and how they are prepared.

Supplement, section 1.1: clip, guided filter of every channel with the picture as guide,
principal components, and scaling to [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray
from ..devices import choose_device, import_torch, with_cpu_fallback
from ..numerics.operators import planes, resized
from ..run import SILENT, Run
from ..threads import one_thread

if TYPE_CHECKING:
    import torch


# Clipping of raw features, in standard deviations from the mean of their channel.
_CLIP = 10.0


@dataclass(frozen=True)
class SemanticFeatures:
    """Features of every pixel, in the two forms that the method needs.

    ``affinity`` ``(H, W, 3)``: first three principal components, each scaled to [0, 1]:
    for the semantic affinity (Eq. 5). ``grouping`` ``(H, W, D)`` float32, D <= 10: more
    components on one common scale, the range of the first: for the k-means that starts
    the sparsification and for comparing layers with each other. ``source``: what the
    features were asked from.
    """

    affinity: FloatArray
    grouping: FloatArray
    source: str = "array"


def semantic_features(
    picture: FloatArray,
    source: str | Path | ArrayLike | None = "bundled",
    dims: int = 10,
    device: str | torch.device = "auto",
    run: Run = SILENT,
    *,
    radius: int | None = None,
    eps: float = 1e-3,
) -> SemanticFeatures | None:
    """Semantic features of a picture; None for ``source=None`` (spectral matting).

    ``picture`` float32 ``(H, W, 3)``. ``source``: see `feature_map`, or an array
    ``(H, W, D)``, features from elsewhere. Up to three channels are taken as ready for
    use (only scaled to [0, 1] if they leave it); more are filtered and reduced as the
    network's are. ``dims``: components kept for grouping, 3 to 10 (fewer if the source
    has fewer). ``radius``: of the guided filter; an eightieth of the long side if not
    given. ``eps``: of the guided filter. Raises ValueError if an array has another size
    than the picture, or is not finite; if there are no such weights or no such model;
    if ``dims`` is out of range.
    """
    if not 3 <= dims <= 10:
        raise ValueError(f"dims must be between 3 and 10, not {dims}")
    if source is None:
        return None
    run.step(0.0, "Semantic features")
    label = source if isinstance(source, str) else "array"
    ready = False
    if isinstance(source, (str, Path)):
        label = str(source)
        raw = feature_map(picture, source, device, run.part(0.0, 0.6))
    else:
        raw = _check_array(source, picture.shape[:2])
        ready = raw.shape[2] <= 3
    if np.ptp(picture, axis=(0, 1)).max() == 0 and not ready:
        raw = np.zeros((1, 1, dims), np.float32)  # nothing but the network's borders
    run.step(0.6, "Aligning features with the picture")
    if ready:
        return _from_ready(raw, label)
    with one_thread("blas"):
        components = _project(raw, dims)
    components = _enlarge(components, picture.shape[:2])
    radius = radius or max(2, round(max(picture.shape[:2]) / 80))
    components = _aligned(components, picture, radius, eps, run.part(0.65, 0.95))
    with one_thread("blas"):
        components = _project(components, dims)
    return SemanticFeatures(
        _unit_range(components[..., :3]), _common(components), label
    )


def _aligned(
    values: FloatArray, picture: FloatArray, radius: int, eps: float, run: Run
) -> FloatArray:
    """Every channel of values ``(H, W, D)`` after the guided filter."""
    import_torch()
    from ..numerics.guided_filter import GuidedFilter

    follow = GuidedFilter(planes(picture).contiguous(), radius, eps)
    channels = planes(values).contiguous()
    for index in range(len(channels)):  # one by one, of bounded memory
        run.step(index / len(channels), "Aligning features with the picture")
        channels[index] = follow(channels[index, None])[0]
    return np.ascontiguousarray(channels.permute(1, 2, 0).numpy())


def feature_map(
    picture: FloatArray,
    source: str | Path = "bundled",
    device: str | torch.device = "auto",
    run: Run = SILENT,
) -> FloatArray:
    """A network's features of a picture, as they leave the network.

    ``picture`` ``(H, W, 3)``. ``source``: ``"bundled"``, the network that comes with
    the package; the path of a ``.safetensors`` file, trained by the user; or
    ``"hub:<name or folder>"``, a Hugging Face model, see `hub_features`. ``device``
    {"auto", "cpu", "cuda", ...}. Returns ``(h, w, D)`` float32: at the network's own
    resolution. The bundled network: the long side is 160, and vectors are means of
    vectors of length 1.
    """
    chosen = choose_device(device)
    name = str(source)
    if name.startswith("hub:"):
        from .hub import hub_features

        model = name.removeprefix("hub:")
        return with_cpu_fallback(
            lambda where: hub_features(picture, model, where, run), chosen
        )
    if name != "bundled" and not name.endswith(".safetensors"):
        raise ValueError(
            f"features={name!r} is not known; use 'bundled', the path of a "
            ".safetensors file, 'hub:<name or folder>', an array (H, W, D) or None"
        )
    weights = "features" if name == "bundled" else source

    def compute(where: torch.device) -> FloatArray:
        from ..networks.features import describe_picture
        from ..networks.weights import load_network

        network = load_network(weights, where, kind="features")
        values = planes(picture).to(where)
        with import_torch().inference_mode():
            found = describe_picture(network, values, check=run.check)
        return np.ascontiguousarray(found.permute(1, 2, 0).cpu().numpy(), np.float32)

    return with_cpu_fallback(compute, chosen)


def _check_array(source: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Features given by the user, checked against the picture."""
    given = np.asarray(source)
    if given.ndim == 2:
        given = given[..., None]
    if given.ndim != 3 or given.dtype.kind not in "fiub":
        raise ValueError(
            "features must be an array of numbers (H, W, D), but they have shape "
            f"{np.shape(source)} and type {given.dtype}"
        )
    if given.shape[:2] != tuple(shape):
        raise ValueError(
            f"features of {given.shape[0]} x {given.shape[1]} pixels do not fit a "
            f"picture of {shape[0]} x {shape[1]}; resize them to the picture, for "
            "instance with skimage.transform.resize"
        )
    if given.shape[2] == 0:
        raise ValueError("features have no channels; at least one is needed")
    if not np.isfinite(given).all():
        raise ValueError("features hold NaN or infinite values; replace them first")
    return given.astype(np.float32)


def _from_ready(raw: FloatArray, label: str) -> SemanticFeatures:
    """Up to three channels that need no more than a scale."""
    low, high = float(raw.min()), float(raw.max())
    scaled = raw if low >= 0 and high <= 1 else _unit_range(raw)
    return SemanticFeatures(_three(scaled), _common(raw - raw.mean((0, 1))), label)


def _project(raw: FloatArray, dims: int) -> FloatArray:
    """Principal components ``(h, w, min(D, dims))``, outliers clipped, centred.

    The sign of each is fixed: its largest weight is positive.
    """
    flat = raw.reshape(-1, raw.shape[2])
    flat = flat - flat.mean(0, dtype=np.float64).astype(np.float32)
    spread = np.sqrt(np.einsum("nd,nd->d", flat, flat) / len(flat))
    np.clip(flat, -_CLIP * spread, _CLIP * spread, out=flat)
    flat -= flat.mean(0, dtype=np.float64).astype(np.float32)
    covariance = (flat.T @ flat).astype(np.float64) / len(flat)
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :dims]
    largest = np.abs(vectors).argmax(0)
    signs = np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1, 1)
    components = flat @ (vectors * signs).astype(np.float32)
    return np.asarray(components.reshape(*raw.shape[:2], -1))


def _enlarge(values: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """Bilinear interpolation of ``(h, w, D)`` to the picture's size."""
    return values if values.shape[:2] == size else resized(values, size=size)


def _unit_range(values: FloatArray) -> FloatArray:
    """Each channel scaled to [0, 1] (a constant one to 0), three channels."""
    low, high = _ranges(values)
    span = high - low
    flat = span <= 1e-6 * np.maximum(np.abs(high), np.abs(low))
    scaled = (values - low) / np.where(flat, 1, span)
    return _three(np.clip(np.where(flat, 0, scaled), 0, 1).astype(np.float32))


def _common(values: FloatArray) -> FloatArray:
    """All channels divided by the largest range of one (the first component's)."""
    low, high = _ranges(values)
    span = float((high - low).max())
    return np.asarray(values / span if span > 1e-6 else values * 0, np.float32)


def _ranges(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and largest value of every channel (one by one: several times faster)."""
    channels = [values[..., index] for index in range(values.shape[2])]
    return np.array([c.min() for c in channels]), np.array([c.max() for c in channels])


def _three(values: FloatArray) -> FloatArray:
    """Zeros for channels that are not there."""
    missing = 3 - values.shape[2]
    if missing <= 0:
        return np.ascontiguousarray(values[..., :3], np.float32)
    return np.pad(values, ((0, 0), (0, 0), (0, missing))).astype(np.float32)
