"""Palette layers against the published networks of "Fast Soft Color Segmentation".

    python benchmarks/palette.py --data DIR [--part PART] [--out FILE.md]

DIR holds ``fscs_reference`` (the authors' checkpoints, apple.jpg and its layers) and
``kodak``. All methods get the same k-means palettes in one run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import report
import torch
from palette_metrics import palette_metrics
from PIL import Image
from published_palette import published_layers

from napari_softlayers._core.devices import choose_device
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.networks.palette_import import import_checkpoints
from napari_softlayers._core.palette import palette_layers
from napari_softlayers._core.palette.decomposer import Decomposer
from napari_softlayers._core.palette.recolor import Recolorer
from napari_softlayers._core.palette.selection import select_palette
from napari_softlayers._core.run import Run

APPLE_PALETTE = [
    (253, 253, 254),
    (203, 194, 170),
    (83, 17, 22),
    (205, 118, 4),
    (220, 222, 11),
    (155, 24, 10),
    (171, 75, 67),
]
COLUMNS = {
    "PSNR": "PSNR dB",
    "SSIM": "SSIM",
    "sparsity": "sparsity (Eq. 10)",
    "color variance": "colour variance",
    "flat PSNR": "PSNR without residues",
    "variation": "total variation",
}


def main() -> None:
    """Run the parts that were asked for and write Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--part", action="append", choices=list(PARTS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="Markdown file; printed otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reference = options.data / "fscs_reference"
        options.weights = import_checkpoints(
            reference / "mask_generator.pth",
            reference / "residue_predictor.pth",
            Path(folder) / "published.safetensors",
        )
        parts = [PARTS[name](options) for name in options.part or PARTS]
    about = f"{report.machine()}{torch.get_num_threads()} threads."
    text = "\n\n".join([about, *parts]) + "\n"
    if options.out is None:
        print(text)
    else:
        options.out.write_text(text, encoding="utf-8")


def four_pictures(data: Path) -> dict[str, np.ndarray]:
    """Apple and three pictures of scikit-image, cropped to multiples of 8."""
    import skimage.data

    with Image.open(data / "fscs_reference" / "apple.jpg") as opened:
        pictures = {"apple": np.asarray(opened.convert("RGB"))}
    for name in ("astronaut", "coffee", "chelsea"):
        pictures[name] = getattr(skimage.data, name)()
    return {name: unit(picture) for name, picture in pictures.items()}


def kodak_pictures(data: Path) -> dict[str, np.ndarray]:
    """The Kodak photographs."""
    pictures = {}
    for path in sorted((data / "kodak").glob("*.png")):
        with Image.open(path) as opened:
            pictures[path.stem] = unit(np.asarray(opened.convert("RGB")))
    return pictures


def unit(picture: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1], cropped to multiples of 8 (the published network)."""
    height, width = (size // 8 * 8 for size in picture.shape[:2])
    return (picture[:height, :width] / 255).astype(np.float32)


def published(picture: np.ndarray, palette: np.ndarray, weights: Path) -> SoftLayers:
    """The authors' pipeline; its sum is not exact."""
    alphas, colors = published_layers(picture, palette, weights)
    extras = {"palette": palette}
    return SoftLayers(alphas, colors, kind="palette", extras=extras, image=picture)


def quality(options: argparse.Namespace) -> str:
    """Means of all figures over two sets of pictures."""
    methods: dict[str, Callable[..., SoftLayers]] = {
        "published networks": lambda x, p: published(x, p, options.weights),
        "mixture (default)": palette_layers,
        "mixture, no smoothing": lambda x, p: palette_layers(x, p, smoothing=0),
        "lookup (while dragging)": lambda x, p: palette_layers(x, p, "lookup"),
        "network": lambda x, p: palette_layers(x, p, "network"),
        "network, no smoothing": lambda x, p: palette_layers(
            x, p, "network", smoothing=0
        ),
    }
    parts = ["## Quality, seven colours"]
    sets = {
        "apple, astronaut, coffee, chelsea": four_pictures(options.data),
        "Kodak": kodak_pictures(options.data),
    }
    for title, pictures in sets.items():
        rows = []
        palettes = {n: select_palette(x, 7) for n, x in pictures.items()}
        for name, method in methods.items():
            found = [
                palette_metrics(method(x, palettes[n])) for n, x in pictures.items()
            ]
            means = {key: np.mean([f[key] for f in found]) for key in COLUMNS}
            if max(f["error"] for f in found) < 1e-5:
                means |= {"PSNR": "exact"}
            rows.append([name, *means.values()])
        parts.append(f"Means over {title} ({len(pictures)} pictures).")
        parts.append(table(["", *COLUMNS.values()], rows))
    parts += ["Without residues, before any processing of the alphas:", raw(sets)]
    parts += [
        "PSNR over four palette orders (coffee, chelsea):",
        orders(sets, options.weights),
    ]
    return "\n\n".join(parts)


def raw(sets: dict[str, dict[str, np.ndarray]]) -> str:
    """Without-residue PSNR of the bare alphas."""
    rows = []
    for method in ("mixture", "lookup", "network"):
        row: list[Any] = [method]
        for pictures in sets.values():
            found = []
            for picture in pictures.values():
                palette = select_palette(picture, 7)
                decompose = Decomposer(palette, method, choose_device())
                alphas = decompose.alphas(picture, Run())
                flat = np.einsum("khw,kc->hwc", alphas, palette)
                found.append(-10 * np.log10(((flat - picture) ** 2).mean()))
            row.append(np.mean(found))
        rows.append(row)
    return table(["", *(f"{name} dB" for name in sets)], rows)


def orders(sets: dict[str, dict[str, np.ndarray]], weights: Path) -> str:
    """Spread of PSNR (published) and of without-residue PSNR over four orders."""
    rng = np.random.default_rng(0)
    spread: dict[str, list[float]] = {"published networks": [], "network": []}
    for name in ("coffee", "chelsea"):
        picture = next(iter(sets.values()))[name]
        palette = select_palette(picture, 7)
        shuffles = [palette[rng.permutation(7)] for _ in range(4)]
        outside = [palette_metrics(published(picture, p, weights)) for p in shuffles]
        own = [palette_metrics(palette_layers(picture, p, "network")) for p in shuffles]
        spread["published networks"].append(np.ptp([f["PSNR"] for f in outside]))
        spread["network"].append(np.ptp([f["flat PSNR"] for f in own]))
    rows = [[name, max(values), np.mean(values)] for name, values in spread.items()]
    return table(["", "largest spread dB", "mean spread dB"], rows)


def timing(options: argparse.Namespace) -> str:
    """Times at 1080p, methods in turn: median wall, best wall and median CPU."""
    picture = large_picture(options.data)
    rng = np.random.default_rng(0)
    rows = []
    for count in (2, 4, 7, 12):
        live = Recolorer(palette_layers(picture, count))
        methods: dict[str, Callable[[], Any]] = {
            "palette": lambda k=count: select_palette(picture / np.float32(255), k),
            "mixture": lambda k=count: palette_layers(picture, k),
            "lookup": lambda k=count: palette_layers(picture, k, "lookup"),
            "recolouring": lambda live=live: live(rng.random(live.palette.shape)),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
        for _ in range(options.repeats):
            for name, method in methods.items():
                for _ in range(5 if name == "recolouring" else 1):
                    found[name].append(stopwatch(method))
        rows.append([str(count), *(times(found[name]) for name in methods)])
        print(rows[-1], flush=True)
    head = ["colours", "palette alone", "mixture", "lookup", "recolouring"]
    return "\n\n".join(
        [
            "## Time at 1920 x 1080",
            "Median wall / best wall / median CPU time of all cores, in milliseconds. "
            "Mixture and lookup are whole decompositions: palette selection, alphas, "
            "smoothing, residues. Recolouring changes all colours and gives 8-bit "
            "pixels.",
            table(head, rows),
        ]
    )


def timing_networks(options: argparse.Namespace) -> str:
    """The networks at 1080p, seven given colours, in turn with the mixture."""
    picture = large_picture(options.data)
    palette = select_palette(picture / np.float32(255), 7)
    methods: dict[str, Callable[[], Any]] = {
        "mixture": lambda: palette_layers(picture, palette),
        "published networks": lambda: published(
            unit(picture), palette, options.weights
        ),
        "network": lambda: palette_layers(picture, palette, "network"),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for _ in range(2):
        for name, method in methods.items():
            found[name].append(stopwatch(method))
            print(name, found[name][-1], flush=True)
    rows = [[name, times(values)] for name, values in found.items()]
    return "\n\n".join(
        [
            "### Against the published networks, seven given colours",
            table(["", "median wall / best wall / CPU, ms"], rows),
        ]
    )


def times(found: list[tuple[float, float]]) -> str:
    """Median wall, best wall and median CPU time in milliseconds."""
    walls, cpus = zip(*found, strict=True)
    values = (median(walls), min(walls), median(cpus))
    return " / ".join(f"{1000 * value:.0f}" for value in values)


def stopwatch(method: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    method()
    return time.perf_counter() - wall, time.process_time() - cpu


def large_picture(data: Path) -> np.ndarray:
    """Six Kodak photographs side by side, scaled to 1080p (uint8)."""
    pictures = [
        (x * 255 + 0.5).astype(np.uint8)
        for x in kodak_pictures(data).values()
        if x.shape[:2] == (512, 768)
    ][:6]
    rows = [np.concatenate(pictures[n : n + 3], axis=1) for n in (0, 3)]
    whole = Image.fromarray(np.concatenate(rows)[:, :1820])
    return np.asarray(whole.resize((1920, 1080), Image.Resampling.BICUBIC))


def importer(options: argparse.Namespace) -> str:
    """How near the imported networks come to the published layers of apple.jpg."""
    folder = options.data / "fscs_reference"
    with Image.open(folder / "apple.jpg") as opened:
        picture = np.asarray(opened.convert("RGB")) / np.float32(255)
    palette = np.array(APPLE_PALETTE, np.float32) / 255
    alphas, colors = published_layers(picture, palette, options.weights)
    rows = []
    for layer in range(7):
        with Image.open(folder / f"layer-0{layer}.png") as opened:
            known = np.asarray(opened).astype(int)
        alpha = np.rint(np.clip(alphas[layer], 0, 1) * 255) - known[..., 3]
        color = np.rint(colors[layer] * 255) - known[..., :3]
        rows.append(
            [
                str(layer),
                *(f"{np.abs(d).mean():.3f}" for d in (alpha, color)),
                *(f"{(np.abs(d) <= 1).mean():.2%}" for d in (alpha, color)),
            ]
        )
    head = ["layer", "alpha", "colour", "alpha within 1", "colour within 1"]
    return "\n\n".join(
        [
            "## The published layers of apple.jpg, from the imported checkpoints",
            "Mean difference and share of equal values, in steps of 8 bits:",
            table(head, rows),
            "The rest is the JPEG decoder: the authors' one (libjpeg 9) doubles the "
            "chroma planes by a larger inverse DCT, Pillow's interpolates. With the "
            "former imitated, 99.5 % of the alphas and 99.8 % of the colours are within "
            "one step (tests/core/test_palette_networks.py).",
        ]
    )


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; floats with four digits."""

    def cell(value: Any) -> str:
        if isinstance(value, str):
            return value
        return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"

    return report.table(head, [[cell(v) for v in row] for row in rows]).rstrip()


PARTS = {
    "quality": quality,
    "time": timing,
    "networks": timing_networks,
    "import": importer,
}

if __name__ == "__main__":
    main()
