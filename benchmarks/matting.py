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
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matting_scenes import enlarged, pictures, scribbles
from matting_tables import markdown

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
        RESULTS.with_suffix(".md").write_text(markdown(results))


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

    from napari_softlayers._core.matting.live import LiveMatte

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


def errors_of(matte: Any, truth: Any, unknown: Any) -> dict[str, float]:
    from matte_metrics import matte_errors

    return matte_errors(matte, truth, unknown)


if __name__ == "__main__":
    main()
