"""Mattes against pymatting: errors, times, scaling and live painting.

    python benchmarks/matting.py --data DIR [--part NAME ...] [--threads 1|all]

DIR holds ``image``, ``alpha``, ``trimap1`` and ``trimap2`` as alphamatting.com has them.
Every part adds its rows to docs/benchmarks/matting.json, from which
docs/benchmarks/matting.md is written; run the parts one by one on a busy machine.
Both libraries are timed in the same process, by turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "benchmarks" / "matting.json"
PARTS = ("trimap1", "trimap2", "others1", "others2", "scale2", "scale8", "wide", "live")


def _clock() -> float:
    """Seconds: of the processor with one thread (steady on a busy machine), else wall."""
    one = os.environ.get("OMP_NUM_THREADS") == "1"
    return time.process_time() if one else time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", default="1", choices=("1", "all"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--ours-only", action="store_true", help="leave out pymatting's slow knn"
    )
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads == "1":  # before NumPy is loaded
        for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
            os.environ[f"{library}_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")
    if options.peak:
        print(json.dumps(peak_of_large(options.data)))
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in options.part:
        key = part if options.threads == "1" else f"{part} (all threads)"
        results[key] = run_part(part, options)
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        write_markdown(results)


def run_part(part: str, options: argparse.Namespace) -> Any:
    if part in ("trimap1", "trimap2"):
        return closed_forms(options.data, part, options.repeats)
    if part in ("others1", "others2"):
        return other_methods(options.data, f"trimap{part[-1]}", options.ours_only)
    if part == "scale2":
        return two_megapixels(options.data)
    if part == "scale8":
        command = [sys.executable, __file__, "--data", str(options.data)]
        command += ["--peak", "8", "--threads", options.threads]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout.splitlines()[-1])
    if part == "wide":
        return wide_unknown(options.data, options.repeats)
    return live_painting(options.data, options.repeats)


def closed_forms(data: Path, trimap: str, repeats: int) -> list[dict[str, Any]]:
    """Closed-form mattes of both, timed by turns; medians."""
    import numpy as np
    import pymatting

    from napari_softlayers._core.matting import solve_alphas

    rows = []
    for name, picture, classic, truth in pictures(data, trimap):
        unknown = (classic != 0) & (classic != 255)
        scaled, guide = picture.astype(float), classic / 255.0
        calls: dict[str, Callable[[], Any]] = {
            "ours": lambda p=picture, t=classic: solve_alphas(p, t, device="cpu")[1],
            "pymatting": lambda p=scaled, t=guide: pymatting.estimate_alpha_cf(p, t),
        }
        if not rows:  # compiled and loaded before anything is timed
            for call in calls.values():
                call()
        seconds: dict[str, list[float]] = {label: [] for label in calls}
        mattes = {}
        for _ in range(repeats):
            for label, call in calls.items():
                begin = _clock()
                mattes[label] = call()
                seconds[label].append(_clock() - begin)
        row: dict[str, Any] = {"name": name, "unknown": float(unknown.mean())}
        for label, matte in mattes.items():
            row[label] = {
                "seconds": float(np.median(seconds[label])),
                **errors_of(matte, truth, unknown),
            }
        difference = np.abs(mattes["ours"] - mattes["pymatting"])[unknown]
        row["difference"] = float(difference.mean())
        rows.append(row)
        print(trimap, name, row["ours"]["seconds"], row["pymatting"]["seconds"])
    return rows


def other_methods(data: Path, trimap: str, ours_only: bool) -> list[dict[str, Any]]:
    """The other methods of both, one run each."""
    import pymatting

    from napari_softlayers._core.matting import solve_alphas

    rows = []
    for name, picture, classic, truth in pictures(data, trimap):
        unknown = (classic != 0) & (classic != 255)
        scaled, guide = picture.astype(float), classic / 255.0
        row: dict[str, Any] = {"name": name}
        labels = ("knn", "information_flow", "pymatting knn")
        for label in labels[:2] if ours_only else labels:
            begin = _clock()
            if label.startswith("pymatting"):
                matte = pymatting.estimate_alpha_knn(scaled, guide)
            else:
                matte = solve_alphas(picture, classic, label, device="cpu")[1]
            seconds = _clock() - begin
            row[label] = {"seconds": seconds, **errors_of(matte, truth, unknown)}
        rows.append(row)
        print(trimap, name, {k: v["seconds"] for k, v in row.items() if k != "name"})
    return rows


def two_megapixels(data: Path) -> dict[str, float]:
    """A picture of 2 MP with 40 % unknown, both."""
    import numpy as np
    import pymatting

    from napari_softlayers._core.matting import solve_alphas

    picture, trimap = enlarged(data, 2e6, 0.4)
    unknown = trimap == 0
    begin = _clock()
    ours = solve_alphas(picture, trimap, device="cpu")[1]
    middle = _clock()
    guide = np.array([0.5, 0.0, 1.0])[trimap]
    theirs = pymatting.estimate_alpha_cf(picture.astype(float), guide)
    end = _clock()
    return {
        "megapixels": unknown.size / 1e6,
        "unknown": float(unknown.mean()),
        "ours": middle - begin,
        "pymatting": end - middle,
        "difference": float(np.abs(ours - theirs)[unknown].mean()),
    }


def peak_of_large(data: Path) -> dict[str, float]:
    """A picture of 8 MP with 40 % unknown, in a process of its own."""
    from napari_softlayers._core.matting import solve_alphas

    picture, trimap = enlarged(data, 8e6, 0.4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    begin = _clock()
    solve_alphas(picture, trimap, device="cpu")
    return {
        "megapixels": trimap.size / 1e6,
        "unknown": float((trimap == 0).mean()),
        "ours": _clock() - begin,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
        "before_gb": before,
    }


def wide_unknown(data: Path, repeats: int) -> dict[str, float]:
    """Scribbles only: 97 % unknown."""
    import numpy as np

    from napari_softlayers._core.matting import solve_alphas

    _, picture, _, truth = next(pictures(data, "trimap1"))
    trimap = scribbles(truth, 0.03)
    seconds = []
    for _ in range(repeats):
        begin = _clock()
        solve_alphas(picture, trimap, device="cpu")
        seconds.append(_clock() - begin)
    return {
        "megapixels": trimap.size / 1e6,
        "unknown": float((trimap == 0).mean()),
        "ours": float(np.median(seconds)),
    }


def live_painting(data: Path, repeats: int) -> dict[str, Any]:
    """Times of the preview and of the final matte after a stroke."""
    import numpy as np

    from napari_softlayers._core.matting import LiveMatte

    name, picture, classic, truth = next(pictures(data, "trimap1"))
    trimaps = {
        "photograph's trimap": np.where(
            classic == 255, 2, np.where(classic == 0, 1, 0)
        ),
        "scribbles": scribbles(truth, 0.03),
    }
    begin = _clock()
    live = LiveMatte(picture)
    result: dict[str, Any] = {"name": name, "megapixels": truth.size / 1e6}
    result["prepare"] = _clock() - begin
    generator = np.random.default_rng(1)
    for kind, trimap in trimaps.items():
        live.solve(trimap)
        times = []
        for _ in range(max(5, repeats)):
            places = np.argwhere((trimap == 0) & ((truth < 0.02) | (truth > 0.98)))
            y, x = places[generator.integers(len(places))]
            stroke = np.zeros(trimap.shape, bool)
            stroke[max(0, y - 5) : y + 5, max(0, x - 20) : x + 20] = True
            label = 2 if truth[y, x] > 0.5 else 1
            fits = (truth > 0.98) if label == 2 else (truth < 0.02)
            trimap[stroke & fits] = label
            first = _clock()
            rough = live.preview(trimap)
            second = _clock()
            final = live.solve(trimap)
            third = _clock()
            error = np.abs(rough - final)[1][trimap == 0].mean()
            times.append([second - first, third - second, error])
        preview, solve, error = np.median(times, axis=0)
        result[kind] = {
            "preview": preview,
            "preview_max": np.max(times, axis=0)[0],
            "final": solve,
            "final_max": np.max(times, axis=0)[1],
            "preview_error": error,
        }
    return result


def pictures(data: Path, trimap: str) -> Iterator[tuple[str, Any, Any, Any]]:
    """Names, pictures in [0, 1], classic trimaps and true mattes."""
    import numpy as np
    from PIL import Image

    def grey(folder: str, name: str) -> Any:
        return np.asarray(Image.open(data / folder / name).convert("L"))

    for path in sorted((data / "image").glob("*.png")):
        picture = np.asarray(Image.open(path).convert("RGB")) / np.float32(255)
        guide = grey(trimap, path.name)
        classic = np.where(guide < 25, 0, np.where(guide > 230, 255, 128))
        truth = grey("alpha", path.name) / 255.0
        yield path.stem, picture, classic.astype(np.uint8), truth


def enlarged(data: Path, pixels: float, unknown: float) -> tuple[Any, Any]:
    """The first picture, enlarged with some noise, its unknown band widened."""
    import numpy as np
    from PIL import Image
    from scipy import ndimage

    _, picture, classic, _ = next(pictures(data, "trimap2"))
    scale = np.sqrt(pixels / classic.size)
    size = tuple(int(round(side * scale)) for side in classic.shape[::-1])
    large = Image.fromarray((picture * 255 + 0.5).astype(np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    colors = np.asarray(large, np.float32) / 255
    generator = np.random.default_rng(0)
    colors += generator.normal(0, 0.7 / 255, colors.shape).astype(np.float32)
    labels = np.asarray(Image.fromarray(classic).resize(size, Image.Resampling.NEAREST))
    distance = ndimage.distance_transform_edt((labels == 0) | (labels == 255))
    widest = np.quantile(distance, unknown)
    trimap = np.where(labels == 255, 2, 1)
    trimap[distance <= widest] = 0
    return colors.clip(0, 1), trimap


def scribbles(truth: Any, share: float) -> Any:
    """Random strokes well inside of the background and the foreground."""
    import numpy as np
    from scipy import ndimage

    generator = np.random.default_rng(0)
    sure = {
        1: ndimage.binary_erosion(truth < 0.02, iterations=6, border_value=1),
        2: ndimage.binary_erosion(truth > 0.98, iterations=6),
    }
    trimap = np.zeros(truth.shape, int)
    while (trimap > 0).mean() < share:
        label = int(generator.integers(1, 3))
        places = np.argwhere(sure[label])
        y, x = places[generator.integers(len(places))]
        angle, length = generator.random() * np.pi, generator.integers(20, 80)
        for t in range(length):
            cy, cx = int(y + t * np.sin(angle)), int(x + t * np.cos(angle))
            window = np.s_[max(cy - 4, 0) : cy + 5, max(cx - 4, 0) : cx + 5]
            trimap[window][sure[label][window]] = label
    return trimap


def errors_of(matte: Any, truth: Any, unknown: Any) -> dict[str, float]:
    from napari_softlayers._core.metrics import matte_errors

    return matte_errors(matte, truth, unknown)


def write_markdown(results: dict[str, Any]) -> None:
    """docs/benchmarks/matting.md from all results there are."""
    lines = ["# Mattes", "", *machine(), ""]
    for suffix in ("", " (all threads)"):
        for trimap in ("trimap1", "trimap2"):
            if trimap + suffix in results:
                others = results.get(f"others{trimap[-1]}{suffix}", [])
                lines += quality_table(
                    trimap + suffix, results[trimap + suffix], others
                )
    lines += scaling_table(results)
    lines += live_table(results)
    (RESULTS.with_suffix(".md")).write_text("\n".join(lines) + "\n")


def machine() -> list[str]:
    import numpy
    import pymatting
    import scipy
    import torch

    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
    return [
        f"Machine: {model}, {os.cpu_count()} cores. Python {platform.python_version()},"
        f" NumPy {numpy.__version__}, SciPy {scipy.__version__}, PyTorch "
        f"{torch.__version__}, pymatting {pymatting.__version__}.",
        "",
        "Photographs, trimaps and true mattes of alphamatting.com (those in the data "
        "folder). Seconds are medians for the alphas: processor time with one thread, "
        "wall-clock where all threads are said; errors are means over the unknown "
        "region as that site defines them (SAD, Grad, Conn in thousands). "
        "Made by `benchmarks/matting.py`.",
    ]


def quality_table(
    title: str, rows: list[dict[str, Any]], others: list[dict[str, Any]]
) -> list[str]:
    """Means of every method, and closed form picture by picture."""
    import numpy as np

    lines = [f"## {title}, {len(rows)} photographs", ""]
    lines += [
        "| method | SAD | MSE | Grad | Conn | seconds |",
        "|---|---|---|---|---|---|",
    ]
    entries = [("closed_form", rows, "ours"), ("pymatting cf", rows, "pymatting")]
    for label in ("knn", "pymatting knn", "information_flow"):
        if others and label in others[0]:
            entries.append((label, others, label))
    for label, source, key in entries:
        mean = {k: np.mean([row[key][k] for row in source]) for k in source[0][key]}
        lines.append(
            f"| {label} | {mean['SAD']:.3f} | {mean['MSE']:.4f} | {mean['Grad']:.2f} | "
            f"{mean['Conn']:.3f} | {mean['seconds']:.3f} |"
        )
    ours = np.array([row["ours"]["seconds"] for row in rows])
    theirs = np.array([row["pymatting"]["seconds"] for row in rows])
    sad = [np.mean([row[k]["SAD"] for row in rows]) for k in ("ours", "pymatting")]
    lines += [
        "",
        f"closed_form against pymatting cf: {theirs.mean() / ours.mean():.1f} times "
        f"faster in the mean time ({np.mean(theirs / ours):.1f} in the mean of the "
        f"ratios, {np.min(theirs / ours):.1f} to {np.max(theirs / ours):.1f}); SAD "
        f"{100 * (sad[0] / sad[1] - 1):+.2f} %; mean difference of the mattes "
        f"{np.mean([row['difference'] for row in rows]):.1e}.",
    ]
    if others:
        flow = np.array([row["information_flow"]["SAD"] for row in others])
        grad = [row["information_flow"]["Grad"] for row in others]
        base = np.array([row["ours"]["SAD"] for row in rows])
        base_grad = np.mean([row["ours"]["Grad"] for row in rows])
        lines += [
            "",
            f"information_flow against closed_form: SAD {flow.mean() / base.mean():.3f}"
            f", Grad {np.mean(grad) / base_grad:.3f}, worst picture "
            f"{(flow / base).max():.2f} (SAD).",
        ]
    lines += ["", "| picture | unknown | closed_form s | pymatting s | SAD | SAD |"]
    lines += ["|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row['name']} | {100 * row['unknown']:.0f} % | "
            f"{row['ours']['seconds']:.3f} | {row['pymatting']['seconds']:.3f} | "
            f"{row['ours']['SAD']:.3f} | {row['pymatting']['SAD']:.3f} |"
        )
    return [*lines, ""]


def scaling_table(results: dict[str, Any]) -> list[str]:
    lines = ["## Large pictures and scribbles (closed_form)", ""]
    lines += [
        "| case | unknown | seconds | pymatting | peak |",
        "|---|---|---|---|---|",
    ]
    for key, row in results.items():
        if key.partition(" ")[0] not in ("scale2", "scale8", "wide"):
            continue
        theirs = "-"
        if "pymatting" in row:
            ratio = row["pymatting"] / row["ours"]
            theirs = f"{row['pymatting']:.1f} s ({ratio:.1f} times)"
        peak = f"{row['peak_gb']:.2f} GB" if "peak_gb" in row else "-"
        case = f"{row['megapixels']:.2f} MP" + key.partition(" ")[1:][1]
        lines.append(
            f"| {case} | {100 * row['unknown']:.0f} % | {row['ours']:.2f} | {theirs} | "
            f"{peak} |"
        )
    lines.append("")
    lines.append("The peak is that of the whole process, with its libraries.")
    return [*lines, ""]


def live_table(results: dict[str, Any]) -> list[str]:
    if "live" not in results:
        return []
    live = results["live"]
    lines = [f"## Live painting ({live['megapixels']:.2f} MP)", ""]
    lines += [f"Once for a picture: {live['prepare']:.2f} s. After a stroke:", ""]
    lines += ["| trimap | preview ms (worst) | its error | final ms (worst) |"]
    lines += ["|---|---|---|---|"]
    for kind, row in live.items():
        if isinstance(row, dict):
            lines.append(
                f"| {kind} | {1000 * row['preview']:.0f} "
                f"({1000 * row['preview_max']:.0f}) | {row['preview_error']:.4f} | "
                f"{1000 * row['final']:.0f} ({1000 * row['final_max']:.0f}) |"
            )
    return [*lines, ""]


if __name__ == "__main__":
    main()
