"""Features from Hugging Face models (extra ``hub``): backbones and panoptic models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import FloatArray
from ..devices import import_torch
from ..numerics.operators import planes
from ..run import SILENT, Run

if TYPE_CHECKING:
    import torch


# Models that give a mask for each of some queries.
_PANOPTIC = ("mask2former", "maskformer", "eomt", "eomt_dinov3")
_USE = (
    "use a backbone of patches such as DINOv2 or DINOv3, or a panoptic model such as "
    "Mask2Former"
)
_QUERIES = 64
_LONG_SIDE = 518
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def hub_features(
    picture: FloatArray, name: str, device: torch.device, run: Run = SILENT
) -> FloatArray:
    """Features of a picture from a model of the Hugging Face hub.

    A backbone of patches (DINOv2, DINOv3, ViT) gives the vectors of its last layer. A
    panoptic model (Mask2Former, MaskFormer, EoMT) gives one channel a query: the
    probability that the pixel is in the query's mask, times the probability that the
    query shows anything. Two things of one kind have two queries, so these features
    tell them apart, which class features do not.

    ``picture`` ``(H, W, 3)``. ``name``: name on the hub, downloaded on first use (with
    progress on the console), or a folder with ``config.json``, which is used without
    network. Returns ``(h, w, D)`` float32. Raises RuntimeError if transformers is not
    installed; ValueError if the model cannot be loaded (no such model, no network), or
    it is of a kind that gives no map of features.
    """
    run.step(0.0, f"Loading {name}")
    model, mean, std = _load(name)
    torch = import_torch()
    model = model.to(device).eval()
    run.step(0.3, f"Features of {name}")
    patch = _patch_size(model.config)
    scale = _LONG_SIDE / max(picture.shape[:2])
    size = tuple(
        max(1, round(side * scale / patch)) * patch for side in picture.shape[:2]
    )
    with torch.inference_mode():
        values = torch.nn.functional.interpolate(
            planes(picture)[None],
            size,
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        shift, spread = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))
        values = ((values - shift) / spread).to(device)
        try:
            output = model(pixel_values=values)
        except (TypeError, ValueError, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise ValueError(
                f"the model {name!r} takes no pictures ({_first_line(error)}); {_USE}"
            ) from error
        if model.config.model_type in _PANOPTIC:
            found = _query_masks(output)
        else:
            found = _patch_vectors(output, size, patch, name)
        result: FloatArray = found.float().permute(1, 2, 0).cpu().numpy()
    run.step(1.0, f"Features of {name}")
    return np.ascontiguousarray(result)


def _load(name: str) -> tuple[Any, tuple[float, ...], tuple[float, ...]]:
    """The model and the mean and spread that its pictures are normalised by."""
    try:
        import transformers
    except ImportError as error:
        raise RuntimeError(
            "features from the hub need the package transformers: "
            "pip install 'napari-softlayers[hub]'"
        ) from error
    folder = Path(name).expanduser()
    local = folder.is_dir()
    where = str(folder) if local else name
    try:
        config = transformers.AutoConfig.from_pretrained(where, local_files_only=local)
        panoptic = config.model_type in _PANOPTIC
        kind = "AutoModelForUniversalSegmentation" if panoptic else "AutoModel"
        model = getattr(transformers, kind).from_pretrained(
            where, local_files_only=local, use_safetensors=True
        )
        mean, std = _normalisation(transformers, where, local)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"the model {name!r} could not be loaded: {_first_line(error)}. Give the "
            "name of a model on the Hugging Face hub (a download needs a network, once) "
            "or a folder with config.json and model.safetensors"
        ) from error
    return model, mean, std


def _normalisation(transformers: Any, where: str, local: bool) -> tuple[Any, Any]:
    """Mean and spread from the model's preprocessor; ImageNet's if it has none."""
    processors = transformers.image_processing_base.ImageProcessingMixin
    try:
        about = processors.get_image_processor_dict(where, local_files_only=local)[0]
    except OSError:
        return _MEAN, _STD
    return tuple(about.get("image_mean", _MEAN)), tuple(about.get("image_std", _STD))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _patch_size(config: Any) -> int:
    size = getattr(config, "patch_size", None)
    return int(size) if isinstance(size, int) else 32


def _query_masks(output: Any) -> Any:
    """``(queries, h, w)``: how much each pixel belongs to what each query shows."""
    masks = output.masks_queries_logits[0].sigmoid()
    shows = 1 - output.class_queries_logits[0].softmax(-1)[:, -1]
    weight = shows * masks.mean((1, 2)).sqrt()
    kept = weight.topk(min(_QUERIES, len(weight))).indices
    return masks[kept] * shows[kept, None, None]


def _patch_vectors(output: Any, size: tuple[int, ...], patch: int, name: str) -> Any:
    """``(D, h, w)`` from the last layer; class and register tokens come first."""
    rows, columns = size[0] // patch, size[1] // patch
    values = getattr(output, "last_hidden_state", None)
    if values is not None and values.ndim == 4:  # a convolutional backbone
        return values[0]
    if values is None or values.shape[1] < rows * columns:
        raise ValueError(
            f"{name!r} gives no vector for each of {rows} x {columns} patches; {_USE}"
        )
    tokens = values[0, -rows * columns :]
    unit = tokens / tokens.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    return unit.T.reshape(-1, rows, columns)
