"""Objects by clicks: a robot user against scikit-image's random walker.

    python benchmarks/clicks.py --data DIR
    python benchmarks/clicks.py --data DIR --shard 0/2   # half of it

The robot clicks at the deepest point of what is wrong, on true objects of the COCO
validation pictures. The random walker gets the same clicks. Writes
``docs/benchmarks/clicks.md``; the scores of each picture are kept in ``.benchmarks``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from coco_truth import Truth, pictures
from report import machine, table

COUNTS = (1, 2, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", default="bundled")
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--parts", type=Path, default=Path(".benchmarks"))
    parser.add_argument(
        "--shard",
        default="0/1",
        help="i/n: of the pictures that have no scores yet, only every n-th from i",
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found = scored(options)
    ours = [ious for entry in found for ious in entry["ours"]]
    walker = [ious for entry in found for ious in entry["walker"]]
    rows = [
        ["soft segments", *(f"{value:.3f}" for value in np.mean(ours, axis=0))],
        ["random walker", *(f"{value:.3f}" for value in np.mean(walker, axis=0))],
    ]
    head = ["mean IoU after", *(f"{n} click" + "s" * (n > 1) for n in COUNTS)]
    text = (
        f"# Clicks\n\n{len(ours)} objects of {len(found)} COCO validation pictures "
        "(above 2 % of the picture, long side 320). Each next click is at the deepest "
        "point of what is wrong after the one before, on our own answers; the random "
        "walker gets the same clicks, and without a click on the rest it can only "
        "answer with the whole picture.\n\n"
        + table(head, rows)
        + f"\n## Time at 640x480\n\n{machine()}\n"
        + table(["answer", "median ms", "CPU ms"], timings(options.features))
    )
    (options.output / "clicks.md").write_text(text)


def scored(options: argparse.Namespace) -> list[dict[str, list]]:
    """Score the pictures of the shard; give all that have scores, of earlier runs too.

    Those of each picture are kept in a file, so that a run can be continued; remove the
    folder ``.benchmarks/clicks`` after the method has changed.
    """
    folder = options.parts / "clicks"
    folder.mkdir(parents=True, exist_ok=True)
    number, shards = (int(n) for n in options.shard.split("/"))
    truths = pictures(options.data / "coco_panoptic", most=options.pictures)
    found = []
    for i, truth in enumerate(truths):
        file = folder / f"{truth.name}.json"
        if not file.exists() and i % shards == number:
            scores: dict[str, list] = {"ours": [], "walker": []}
            for target, clicks, ious in robot(truth, options.features):
                scores["ours"].append(ious)
                scores["walker"].append(walk(truth, target, clicks))
            file.write_text(json.dumps(scores))
            print(truth.name, np.mean(scores["ours"] or 0, axis=0), file=sys.stderr)
        if file.exists():
            found.append(json.loads(file.read_text()))
    return found


def robot(truth: Truth, features: str) -> list[tuple[int, list, list[float]]]:
    """Click on each object; clicks ``(row, column, label)`` and IoU at each count."""
    from napari_softlayers._core.segments import CACHE
    from napari_softlayers._core.segments.finishing import guided_upsampling
    from napari_softlayers._core.segments.segmenter import Segmenter

    CACHE.clear()
    segmenter = Segmenter(truth.picture, features, device="cpu")
    state, known = segmenter.state, truth.ids > 0
    found = []
    for target in truth.targets:
        wanted = truth.ids == target
        answer = np.zeros_like(wanted)
        clicks: list[tuple[int, int, int]] = []
        ious: dict[int, float] = {}
        for count in range(1, max(COUNTS) + 1):
            click = next_click(wanted, answer, known)
            if click is None:
                break
            clicks.append(click)
            points = [click[:2] for click in clicks]
            labels = [click[2] for click in clicks]
            alphas = segmenter.click(points, labels).alphas[1:]
            if state.scale > 1:
                alphas = guided_upsampling(
                    alphas, state.guide, state.picture, state.scale
                )
            answer = alphas[0] > 0.5
            ious[count] = iou(answer, wanted, known)
        for count in range(1, max(COUNTS) + 1):
            ious.setdefault(count, ious.get(count - 1, 1.0))
        found.append((target, clicks, [ious[count] for count in COUNTS]))
    return found


def next_click(
    wanted: np.ndarray, answer: np.ndarray, known: np.ndarray
) -> tuple[int, int, int] | None:
    """Give the deepest point of the larger kind of error, and its label."""
    from scipy.ndimage import distance_transform_edt

    best, depth = None, 0.0
    for error, label in ((wanted & ~answer, 1), (answer & ~wanted & known, 0)):
        inside = distance_transform_edt(np.pad(error, 1))[1:-1, 1:-1]
        place = np.unravel_index(int(inside.argmax()), inside.shape)
        if inside[place] > depth:
            best, depth = (int(place[0]), int(place[1]), label), float(inside[place])
    return best


def iou(answer: np.ndarray, wanted: np.ndarray, known: np.ndarray) -> float:
    either = ((answer | wanted) & known).sum()
    return float((answer & wanted & known).sum() / max(either, 1))


def walk(truth: Truth, target: int, clicks: list) -> list[float]:
    """Answer the same clicks with the random walker."""
    from skimage.segmentation import random_walker

    wanted, known = truth.ids == target, truth.ids > 0
    found: list[float] = []
    for count in COUNTS:
        used = clicks[:count]
        if len({label for *_, label in used}) < 2:
            answer = np.ones_like(wanted)
        elif found and count > len(clicks) and len(clicks) <= COUNTS[len(found) - 1]:
            found.append(found[-1])
            continue
        else:
            seeds = np.zeros(wanted.shape, dtype=np.int64)
            for row, column, label in used:
                seeds[row, column] = 1 if label else 2
            answer = random_walker(
                truth.picture, seeds, beta=130, mode="cg_j", channel_axis=-1
            )
            answer = answer == 1
        found.append(iou(answer, wanted, known))
    return found


def timings(features: str) -> list[list[str]]:
    """Time previews and fine mattes of a 640x480 picture."""
    from PIL import Image
    from skimage import data

    from napari_softlayers._core.segments.segmenter import Segmenter

    photo = Image.fromarray(data.astronaut()).crop((0, 40, 512, 424))
    picture = np.asarray(photo.resize((640, 480), Image.Resampling.LANCZOS))
    segmenter = Segmenter(picture, features, device="cpu")
    points = [(200, 280), (60, 500), (400, 300), (100, 60), (300, 150), (450, 560)]
    labels = [1, 0, 1, 0, 1, 0]
    segmenter.click(points[:1], [1])
    rows = []
    for count in (1, 2, 4, 6):
        rows.append(
            [f"preview after {count}", *_timed(
                lambda n=count: segmenter.click(points[:n], labels[:n])
            )]
        )  # fmt: skip
    segmenter.refine()
    rows.append(["fine matte with colours", *_timed(segmenter.refine, 5)])
    return rows


def _timed(call, repeats: int = 9) -> list[str]:
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return [f"{1000 * np.median(walls):.0f}", f"{1000 * np.median(cpus):.0f}"]


if __name__ == "__main__":
    main()
