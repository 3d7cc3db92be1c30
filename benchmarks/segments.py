"""Semantic soft segments: agreement with the published code, usefulness, time, memory.

    python benchmarks/segments.py --data DIR                 # everything
    python benchmarks/segments.py --data DIR --part useful   # one part

Writes ``docs/benchmarks/segments.md``; the table of each part is kept in the folder
``.benchmarks``, so that parts can be run again one by one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from coco_truth import Truth, blurred_ids, boundary_score, pictures, scores
from report import machine, table
from simple_segments import kmeans_labels, masks, pixel_descriptors, slic_merged

PARTS = ("reference", "useful", "time")
SIZES = ((240, 320), (480, 640), (960, 1280), (1632, 2448))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--features", default="bundled")
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--parts", type=Path, default=Path(".benchmarks"))
    parser.add_argument(
        "--shard",
        default="0/1",
        help="i/n: of the pictures that have no scores yet, only every n-th from i",
    )
    parser.add_argument("--one-size", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.one_size:
        print(json.dumps(measure(options)))
        return
    runs = {"reference": reference, "useful": useful, "time": times}
    for part in options.part or PARTS:
        tables = runs[part](options)
        options.parts.mkdir(exist_ok=True)
        (options.parts / f"segments-{part}.md").write_text(tables)
    parts = [options.parts / f"segments-{part}.md" for part in PARTS]
    text = "\n".join(path.read_text() for path in parts if path.exists())
    (options.output / "segments.md").write_text(f"# Semantic soft segments\n\n{text}")


# Agreement with the published code.


def reference(options: argparse.Namespace) -> str:
    """Compare every stage with the published code's results on its own sample."""
    from napari_softlayers._core.numerics.eigenvectors import exact_eigenpairs
    from napari_softlayers._core.numerics.superpixels import block_means
    from napari_softlayers._core.run import Run
    from napari_softlayers._core.segments import graphs, pipeline, prepare_segments
    from napari_softlayers._core.segments import relaxed_sparsification as relaxed
    from napari_softlayers._core.segments.finishing import final_alphas
    from napari_softlayers._core.segments.graphs import sparsity_exponents
    from napari_softlayers._core.segments.state import SegmentOptions

    given = dict(np.load(options.data / "sss_reference/docia_320_reference.npz"))
    picture, final = given["image"], given["final"]
    grouped = given["grouped"].astype(np.float32)
    exact = SegmentOptions(quality="exact")
    regions = pipeline.numbered_regions(given["superpixels"])
    semantic = pipeline.SemanticFeatures(given["features"], given["features"])
    edges = graphs.affinity_edges(picture, regions, semantic, exact)
    with ThreadPoolExecutor(1) as beside:
        levels = graphs.begin_matting(picture, True, beside, Run())
        (matrix,) = graphs.working_laplacians(levels, regions, edges, False, Run())
    values = np.sort(given["eigenvalues"].ravel())
    error = np.abs(exact_eigenpairs(matrix, 100).values - values)
    real = np.abs(values) > 1e-12
    start = relaxed.rounded_layers(grouped)
    alone = relaxed.relaxed_sparsification(start, matrix, sparsity_exponents(picture))
    rows = [
        ["100 eigenvalues, exact path: largest error, share of the largest eigenvalue",
         f"{error.max() / values.max():.2e}"],
        ["the same: largest relative error of any that is not zero",
         f"{(error[real] / np.abs(values[real])).max():.2e}"],
        ["relaxed sparsification alone: mean absolute alpha difference",
         f"{np.abs(alone - final).mean():.5f}"],
    ]  # fmt: skip
    clipped = np.clip(picture, 0, 1)
    for normalised in (False, True):
        for seed in range(5):
            settings = SegmentOptions(seed=seed, normalised=normalised)
            state = prepare_segments(
                clipped, given["features"], settings, given["superpixels"], "cpu"
            )
            small = block_means(grouped.transpose(1, 2, 0), state.scale)
            shared = np.einsum(
                "khw,hwg->kg", np.clip(state.layers, 0, 1), np.clip(small, 0, 1)
            )
            joined = shared.argmax(axis=1)
            groups = [np.nonzero(joined == g)[0].tolist() for g in range(5)]
            found = final_alphas(state, groups, "cpu")
            other = (found.argmax(axis=0) != final.argmax(axis=0)).mean()
            kind = "normalised" if normalised else "plain"
            rows.append([
                f"{kind} Laplacian, seed {seed}: {len(state.layers)} layers joined and "
                "relaxed: mean absolute alpha difference, pixels with another winner",
                f"{np.abs(found - final).mean():.4f}, {other:.2%}",
            ])  # fmt: skip
    return (
        "## Agreement with the published code\n\n"
        "The authors' sample at 320x320 with their features and the superpixels of the "
        "reference run.\n\n" + table(["what", "difference"], rows)
    )


# Usefulness for selecting real objects.


def useful(options: argparse.Namespace) -> str:
    """Score layers, and simpler ways to layers, against true segments."""
    results: dict[str, list[list[float]]] = {}
    folder = options.parts / "useful"
    folder.mkdir(parents=True, exist_ok=True)
    number, shards = (int(n) for n in options.shard.split("/"))
    truths = pictures(options.data / "coco_panoptic", most=options.pictures)
    for i, truth in enumerate(truths):
        file = folder / f"{truth.name}.json"
        if not file.exists() and i % shards == number:
            file.write_text(json.dumps(_scores_of(truth, options.features)))
        if file.exists():
            for name, values in json.loads(file.read_text()).items():
                results.setdefault(name, []).append(values)
    done = len(next(iter(results.values())))
    head = ["layers", "single IoU", "union IoU", "boundary F", "layers a picture"]
    rows = []
    for name, values in results.items():
        means = np.nanmean(np.array(values), axis=0)
        cells = [f"{v:.3f}" if np.isfinite(v) else "" for v in means[:3]]
        rows.append([name, *cells, f"{means[3]:.1f}"])
    return (
        "## Usefulness for selecting real objects\n\n"
        f"{done} COCO validation pictures, long side 320, segments above 2 % "
        "of the picture. Single: best IoU of one layer (alpha > 0.5) with a segment; "
        "union: of a greedy union of layers; boundary F within 2 pixels. Means over the "
        "segments of a picture, then over pictures. Layers before the relaxed "
        "sparsification, as the aims were set on; final: after it, as users get "
        "them. The merge tree's weights of place, contrast and boundary, the cost at "
        "which the automatic number stops and the sizes at which the feature network "
        "sees a picture were chosen on these pictures.\n\n" + table(head, rows)
    )


def _scores_of(truth: Truth, features: str) -> dict[str, list[float]]:
    from napari_softlayers._core.segments import CACHE, prepare_segments
    from napari_softlayers._core.segments.finishing import final_alphas

    CACHE.clear()
    found: dict[str, list[float]] = {}

    def add(name: str, masks: np.ndarray, labels: np.ndarray | None = None) -> None:
        border = np.nan if labels is None else boundary_score(truth, labels)
        found[name] = [*scores(truth, masks), border, float(len(masks))]

    sources = {
        "soft segments": features,
        "spectral matting (no features)": None,
        "oracle (true segments as features)": blurred_ids(truth),
    }
    for name, source in sources.items():
        state = prepare_segments(truth.picture, source, device="cpu")
        large = _enlarged(state)
        for count in ("auto", 5, 8) if source is features else ("auto", 5):
            groups = [state.tree.leaves(node) for node in state.tree.cut(count)]
            alphas = np.stack([large[group].sum(axis=0) for group in groups])
            add(f"{name}, {count}", alphas > 0.5, alphas.argmax(axis=0))
            if source is features:
                alphas = final_alphas(state, groups, "cpu")
                add(f"{name}, {count}, final", alphas > 0.5, alphas.argmax(axis=0))
        if source is features:
            add("its tree, best node up to 15 layers", _nodes(state.tree, large))
            means = pixel_descriptors(state)
    labels = kmeans_labels(means, 5)
    add("k-means on the same features, 5", masks(labels), labels)
    labels = slic_merged(truth.picture, 5)
    add("SLIC and merging (scikit-image), 5", masks(labels), labels)
    return found


def _enlarged(state) -> np.ndarray:
    """Initial layers at the picture's size."""
    from napari_softlayers._core.segments.finishing import guided_upsampling

    if state.scale == 1:
        return state.layers
    return guided_upsampling(state.layers, state.guide, state.picture, state.scale)


def _nodes(tree, layers: np.ndarray) -> np.ndarray:
    """Masks of all nodes of the cuts with up to 15 layers."""
    counts = range(1, min(15, tree.leaf_count) + 1)
    nodes = sorted({node for count in counts for node in tree.cut(count)})
    return np.stack([layers[tree.leaves(node)].sum(axis=0) > 0.5 for node in nodes])


# Time and memory.


def times(options: argparse.Namespace) -> str:
    """Measure each size in a process of its own."""
    rows, stages = [], []
    for height, width in SIZES:
        command = [sys.executable, __file__, "--data", str(options.data)]
        command += ["--features", options.features, "--one-size", f"{height}x{width}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(output.stdout.splitlines()[-1])
        rows.append([
            f"{width}x{height}", f"{found['first']:.2f}", f"{found['cpu']:.2f}",
            f"{found['again']:.3f}", f"{found['cut']:.2f}", f"{found['memory']:.2f}",
        ])  # fmt: skip
        stages.append(found["stages"])
        print(rows[-1], file=sys.stderr, flush=True)
    head = ["picture", "s", "CPU s", "again, s", "other level, s", "peak memory, GB"]
    names = list(dict.fromkeys(name for stage in stages for name in stage))
    split = [[n, *(f"{stage.get(n, 0):.2f}" for stage in stages)] for n in names]
    return (
        "## Time and memory\n\n"
        f"From array to layers at the automatic number, features included. {machine()}\n"
        + table(head, rows)
        + "\nSeconds by stage:\n\n"
        + table(["stage", *(f"{w}x{h}" for h, w in SIZES)], split)
    )


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Segment one picture of a given size; time, stages and peak memory."""
    import resource

    from PIL import Image
    from skimage import data

    from napari_softlayers._core.run import Run
    from napari_softlayers._core.segments import CACHE, cut, soft_segments

    height, width = (int(side) for side in options.one_size.split("x"))
    photo = Image.fromarray(data.astronaut()).crop((0, 40, 512, 424))
    picture = np.asarray(photo.resize((width, height), Image.Resampling.LANCZOS))
    soft_segments(picture[:96, :128], features=options.features, device="cpu")
    CACHE.clear()
    stages: dict[str, float] = {}
    state = {"name": "start", "since": time.perf_counter()}

    def progress(_fraction: float, message: str) -> None:
        now = time.perf_counter()
        stages[state["name"]] = stages.get(state["name"], 0) + now - state["since"]
        state.update(name=message, since=now)

    began, cpu = time.perf_counter(), time.process_time()
    layers = soft_segments(
        picture, features=options.features, device="cpu", run=Run(progress)
    )
    first, cpu = time.perf_counter() - began, time.process_time() - cpu
    progress(1, "end")
    began = time.perf_counter()
    soft_segments(picture, features=options.features, device="cpu")
    again = time.perf_counter() - began
    began = time.perf_counter()
    cut(layers, 5 if len(layers) != 5 else 6, device="cpu")
    other = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    stages.pop("start", None)
    return {"first": first, "cpu": cpu, "again": again, "cut": other, "memory": peak,
            "stages": stages}  # fmt: skip


if __name__ == "__main__":
    main()
