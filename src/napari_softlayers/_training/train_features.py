"""``napari-softlayers train features``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from .cli import schedule, train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments beside the common ones."""
    add = parser.add_argument
    add("--data", type=Path, help="data set in COCO's panoptic format")
    add("--split", default="train2017", help="its pictures to learn from")
    add("--held-out", default="val2017", help="its pictures for the figures")
    add("--photos", type=Path, nargs="*", default=[], help="photographs without labels")
    add("--teachers", type=Path, help="folder of TFLite networks to distil from")
    add("--cache", type=Path, help="where the teachers' answers are kept (out/cache)")
    add(
        "--pretrained",
        action="store_true",
        help="start the base network from EfficientNet-Lite2, trained on ImageNet",
    )
    add(
        "--views",
        type=int,
        default=2,
        help="views of every photograph for the teachers",
    )


def run(options: argparse.Namespace) -> None:
    """Build what is missing of the cache, then train."""
    from napari_softlayers._core.networks.features import PRESETS

    from .feature_data import load_labelled
    from .features_task import (
        PAPER_SCHEDULE,
        PAPER_TRAINING,
        PRETRAINED_RATE,
        FeatureTask,
    )
    from .features_task import FeatureTraining as Training
    from .pretrained import pretrained_weights, start_from_efficientnet
    from .teacher_cache import TeacherCache

    if options.data is None and options.teachers is None:
        raise ValueError("give --data, --teachers with --photos, or both")
    if options.pretrained and options.start is not None:
        raise ValueError("--pretrained and --start exclude each other; give one")
    labelled = load_labelled(options.data, options.split) if options.data else []
    held_out = load_labelled(options.data, options.held_out) if options.data else []
    config = PRESETS[options.preset]
    cache = None
    if options.teachers is not None:
        cache = TeacherCache(_cache(options))
    paper = options.preset == "paper" and cache is None
    training = PAPER_TRAINING if paper else Training()
    if not paper and (options.pretrained or options.start is not None):
        training = replace(training, base_rate=PRETRAINED_RATE)
    task = FeatureTask(config, training, cache, labelled, held_out, options.seed)
    if options.pretrained:
        start_from_efficientnet(task.features, pretrained_weights())
    values: dict[str, Any] = dict(PAPER_SCHEDULE) if paper else {"minutes": 60.0}
    about = {
        "pictures": len(cache) if cache else 0,
        "labelled": len(labelled),
        "teachers": _names(options.teachers),
        "pretrained": options.pretrained,
    }
    train(task, options, schedule(options, **values), "features", about)


def _names(folder: Path | None) -> list[str]:
    return sorted(path.name for path in folder.glob("*.tflite")) if folder else []


def _cache(options: argparse.Namespace) -> Path:
    """The folder of the teachers' answers, made if it is not there."""
    from .pictures import find_pictures
    from .teacher_cache import CacheJob, build_cache

    teachers = tuple(sorted(options.teachers.glob("*.tflite")))
    if not teachers:
        raise ValueError(f"no .tflite networks in {options.teachers}")
    folders = [*options.photos]
    if options.data is not None:
        folders.append(options.data / "images" / options.split)
    if not folders:
        raise ValueError("teachers need pictures: give --photos, --data or both")
    job = CacheJob(
        tuple(find_pictures(*folders)),
        teachers,
        options.cache or options.out / "cache",
        views=tuple(range(options.views)),
        seed=options.seed,
    )
    return build_cache(job, workers=max(1, options.threads or 2))
