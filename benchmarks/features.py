"""How well features tell segments apart, how large the network is, and how fast.

Needs a data set in COCO's panoptic format; with ``--teachers`` also measures the networks
that the bundled one was distilled from.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from report import processor
from skimage.color import rgb2lab

from napari_softlayers._core.networks.weights import describe_weights, find_weights
from napari_softlayers._core.segments.features import feature_map, semantic_features
from napari_softlayers._training.feature_data import pick
from napari_softlayers._training.panoptic import PanopticSet, separation

ROWS = {
    "RGB": "distance of colours",
    "Lab": "L2 / 100",
    "Lab and position": "Lab / 100, .5 xy / long side",
    "bundled, network": "mean of two sizes and their mirror images",
    "bundled, grouping": "after the guided filter, 10 components, one scale",
    "bundled, grouping, Lab, position": "the same beside .5 Lab / 100, .3 xy",
    "bundled, affinity": "3 components, each scaled to [0, 1]",
    "teachers": "roots of class probabilities, temperature 2, side by side",
}


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="panoptic data set")
    parser.add_argument("--split", default="val2017")
    parser.add_argument("--teachers", type=Path, help="folder of TFLite networks")
    parser.add_argument("--source", default="bundled", help="features to measure")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument("--repeat", type=int, default=7, help="timed calls")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/features.md"))
    options = parser.parse_args()
    pictures = list(PanopticSet(options.data, options.split))[: options.limit]
    teachers = load_teachers(options.teachers)
    figures: dict[str, list[tuple[float, float]]] = {}
    for index, entry in enumerate(pictures):
        picture, ids = entry.read()
        for name, distance in distances(picture, teachers, options.source).items():
            figures.setdefault(name, []).append(separation(ids, distance, index))
        print(f"{index + 1}/{len(pictures)}", end="\r", flush=True)
    text = report(figures, measure_time(options.source, options.repeat), options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)
    print(text)


def load_teachers(folder: Path | None) -> list:
    """The teachers, or none where they or the package to run them are missing."""
    if folder is None:
        return []
    try:
        import ai_edge_litert  # noqa: F401
    except ImportError:
        print("ai-edge-litert is not installed: teachers are left out")
        return []
    from napari_softlayers._training.teachers import TfliteTeacher

    return [TfliteTeacher(path) for path in sorted(folder.glob("*.tflite"))]


def distances(picture: np.ndarray, teachers: list, source: str) -> dict[str, Callable]:
    """Distance functions between pixels of a picture, by the name of the features."""
    values = (picture / 255).astype(np.float32)
    lab = (rgb2lab(values) / 100).astype(np.float32)
    rows, columns = np.mgrid[: len(values), : values.shape[1]] / max(values.shape[:2])
    place = np.stack([rows, columns], -1).astype(np.float32)
    found = semantic_features(values, source)
    joined = np.concatenate([found.grouping, 0.5 * lab, 0.3 * place], -1)
    maps = {
        "RGB": values,
        "Lab": lab,
        "Lab and position": np.concatenate([lab, 0.5 * place], -1),
        "bundled, network": feature_map(values, source),
        "bundled, grouping": found.grouping,
        "bundled, grouping, Lab, position": joined,
        "bundled, affinity": found.affinity,
    }
    if teachers:
        from napari_softlayers._training.teachers import joint_features

        maps["teachers"] = joint_features(picture, teachers, size=129)
    return {name: distance_of(values, picture.shape) for name, values in maps.items()}


def distance_of(values: np.ndarray, shape: tuple) -> Callable:
    """Squared L2 between bilinear samples of a map of any size."""
    planes = torch.from_numpy(np.ascontiguousarray(values)).permute(2, 0, 1)

    def distance(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        gap = pick(planes, p, shape) - pick(planes, q, shape)
        return gap.square().sum(1).numpy()

    return distance


def measure_time(source: str, repeat: int) -> tuple[float, float, float]:
    """Median seconds at 640x480: network, all of it, and importing all that is needed."""
    from skimage import data
    from skimage.transform import resize

    picture = resize(data.astronaut(), (480, 640), anti_aliasing=True)
    picture = picture.astype(np.float32)
    begin = time.perf_counter()
    semantic_features(picture, source)
    first = time.perf_counter() - begin
    network, whole = [], []
    for _ in range(repeat):
        begin = time.perf_counter()
        feature_map(picture, source)
        network.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        semantic_features(picture, source)
        whole.append(time.perf_counter() - begin)
    return float(np.median(network)), float(np.median(whole)), first


def report(figures: dict, times: tuple, options: argparse.Namespace) -> str:
    """The page."""
    count = len(next(iter(figures.values())))
    lines = [
        "# Semantic features",
        "",
        f'Area under the ROC curve of "same segment?", mean over {count} pictures of '
        f"{options.split}:",
        "4000 random pairs of pixels (all) and 8000 pairs closer than 10 % of the long "
        "side (near) a",
        "picture; distance is the squared L2 distance of the features.",
        "",
        "| features | how compared | all | near |",
        "|---|---|---|---|",
    ]
    for name, how in ROWS.items():
        if name in figures:
            everywhere, near = np.nanmean(np.array(figures[name]), 0)
            lines.append(f"| {name} | {how} | {everywhere:.3f} | {near:.3f} |")
    weights = find_weights(
        "features" if options.source == "bundled" else options.source
    )
    config = describe_weights(weights)["config"]
    dims = config["dims"] + 2 * config.get("axes", 0)
    lines += [
        "",
        f"Weights: {weights.stat().st_size / 1e6:.2f} MB, {dims} dimensions "
        f"at stride {config['output_stride']}.",
        "",
        "| 640x480 | seconds (median) |",
        "|---|---|",
        f"| network | {times[0]:.2f} |",
        f"| all: network, components, guided filter | {times[1]:.2f} |",
        f"| first call | {times[2]:.2f} |",
        "",
        f"{processor()}, {torch.get_num_threads()} threads; Python "
        f"{platform.python_version()}, PyTorch {torch.__version__}, NumPy "
        f"{np.__version__}.",
        "",
        f"`python benchmarks/features.py --data DIR --split {options.split}"
        + (" --teachers DIR`" if options.teachers else "`"),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
