"""What layered files keep: flattened pictures, alphas, colours, sizes, times.

    python benchmarks/files.py --data DIR

DIR holds ``alphamatting`` (``image`` and ``alpha``) and ``kodak``. Every file is flattened
by another program's code (Pillow's compositing, psd-tools, pyora where it is installed) and
by a plain simulation of blending in linear light. Writes docs/benchmarks/files.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from report import processor

import napari_softlayers as nsl
from napari_softlayers._io.openraster import read_openraster

ROOT = Path(__file__).resolve().parents[1]
CASES = [
    ("ora", ".ora", {}),
    ("ora, 16 bit", ".ora", {"bits": 16}),
    ("ora, linear light", ".ora", {"linear_light": True}),
    ("psd, masks", ".psd", {}),
    ("psd, transparency", ".psd", {"form": "transparency"}),
    ("tif", ".tif", {}),
    ("tif, float", ".tif", {"bits": 32}),
    ("folder", "", {}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mattes", type=int, default=4)
    parser.add_argument("--palettes", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    samples = list(mattes(options.data, options.mattes))
    samples += list(palettes(options.data, options.palettes))
    rows = [measure(case, samples) for case in CASES]
    write(rows, samples)


def mattes(data: Path, count: int) -> Iterator[nsl.SoftLayers]:
    """Two layers a photograph, from its true alpha."""
    folder = data / "alphamatting"
    for path in sorted((folder / "image").iterdir())[:count]:
        picture = np.asarray(Image.open(path).convert("RGB"))
        alpha = np.asarray(Image.open(folder / "alpha" / path.name).convert("L")) / 255
        yield nsl.SoftLayers.from_alphas(
            picture,
            np.stack([1 - alpha, alpha]),
            names=["rest", "object"],
            kind="matte",
        )


def palettes(data: Path, count: int) -> Iterator[nsl.SoftLayers]:
    """One layer a palette colour."""
    for path in sorted((data / "kodak").glob("*.png"))[:count]:
        yield nsl.palette_layers(np.asarray(Image.open(path).convert("RGB")))


def measure(case: tuple[str, str, dict], samples: list[nsl.SoftLayers]) -> dict:
    """Write, flatten and open all samples in one form; means over them, largest errors."""
    name, suffix, options = case
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for layers in samples:
            path = Path(folder) / f"layers{suffix}"
            start = time.perf_counter()
            nsl.save_layers(layers, path, **options)
            saved = time.perf_counter()
            back = nsl.open_layers(path)
            opened = time.perf_counter()
            megapixels = layers.alphas.size / 1e6
            values = {
                "save": (saved - start) / megapixels,
                "open": (opened - saved) / megapixels,
                "size": size_of(path) / layers.alphas.size,
                "alpha": 255 * float(np.abs(back.alphas - layers.alphas).max()),
                "color": 255 * float(np.abs(back.colors - layers.colors).max()),
                "sum": 255 * float(np.abs(back.composite() - layers.image).mean()),
            }
            for by, seen in flattened(path, suffix, options):
                values[by] = 255 * float(np.abs(seen - layers.image).mean())
            for key, value in values.items():
                found.setdefault(key, []).append(value)
    largest = ("alpha", "color")
    summary = {
        key: max(values) if key in largest else statistics.mean(values)
        for key, values in found.items()
    }
    return {"name": name, "worst": worst(found), **summary}


def worst(found: dict[str, list[float]]) -> float:
    """The largest mean error of any sample under any program that fits the file."""
    keys = [
        key for key in found if key in ("Pillow", "psd-tools", "pyora", "own", "linear")
    ]
    return max((max(found[key]) for key in keys), default=float("nan"))


def size_of(path: Path) -> int:
    if path.is_dir():
        return sum(item.stat().st_size for item in path.iterdir())
    return path.stat().st_size


def flattened(
    path: Path, suffix: str, options: dict
) -> Iterator[tuple[str, np.ndarray]]:
    """The picture as other programs flatten the file."""
    if suffix == ".ora":
        stack = [layer.pixels for layer in read_openraster(path).layers()]
        if options.get("linear_light"):
            yield "linear", over(stack, linear=True)
        elif options.get("bits") == 16:
            yield "own", over(stack, linear=False)
        else:
            yield "Pillow", with_pillow(stack)
            yield from with_pyora(path)
    elif suffix == ".psd":
        import psd_tools

        psd = psd_tools.PSDImage.open(path)
        yield "psd-tools", np.asarray(psd.composite(force=True).convert("RGB")) / 255


def with_pillow(stack: list[np.ndarray]) -> np.ndarray:
    base = Image.fromarray(stack[0])
    for pixels in stack[1:]:
        base = Image.alpha_composite(base, Image.fromarray(pixels))
    return np.asarray(base.convert("RGB")) / 255


def with_pyora(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        import pyora
    except ImportError:
        return
    project = pyora.Project.load(str(path))
    image = project.get_image_data(use_original=False)
    yield "pyora", np.asarray(image.convert("RGB")) / 255


def over(stack: list[np.ndarray], linear: bool) -> np.ndarray:
    """ "Over" in floats, as stored or in linear light."""
    total = np.zeros((*stack[0].shape[:2], 3))
    for pixels in stack:
        top = np.iinfo(pixels.dtype).max
        alpha, color = pixels[..., 3:] / top, pixels[..., :3] / top
        if linear:
            high = ((color + 0.055) / 1.055) ** 2.4
            color = np.where(color <= 0.04045, color / 12.92, high)
        total = total * (1 - alpha) + alpha * color
    if not linear:
        return total
    curve = 1.055 * np.maximum(total, 1e-12) ** (1 / 2.4) - 0.055
    return np.where(total <= 0.0031308, total * 12.92, curve)


def write(rows: list[dict], samples: list[nsl.SoftLayers]) -> None:
    """Write the table."""
    plain = [measure_plain_in_linear_light(layers) for layers in samples]
    pixels = sum(layers.alphas.size for layers in samples) / 1e6
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("numpy", "pillow", "psd-tools", "tifffile")
    )
    head = "| file | flattened by | mean error | worst picture | alpha | colour | sum |"
    lines = [
        "# Layered files",
        "",
        "`python benchmarks/files.py --data DIR`",
        "",
        f"{len(samples)} photographs with {pixels:.1f} million layer pixels: true mattes "
        "of alphamatting.com (two layers) and palette layers of Kodak photographs. Errors "
        "are in steps of 1/255. *Mean error*: the file flattened by other code than ours, "
        "against the photograph. *Alpha*, *colour*: largest difference after opening it "
        "again (alphas are rounded jointly, so that they sum to 255 at every pixel; each "
        "moves by less than one step; for linear light, colours of nearly transparent "
        "pixels are adapted and come back changed). *Sum*: mean difference of the opened "
        "layers' sum and the photograph.",
        "",
        f"{head} save s/MP | open s/MP | byte/px |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        used = [
            k for k in ("Pillow", "pyora", "psd-tools", "own", "linear") if k in row
        ]
        label = {"own": "plain arithmetic", "linear": "blending in linear light"}
        by = ", ".join(label.get(key, key) for key in used) or "(adds up)"
        error = " / ".join(f"{row[key]:.3f}" for key in used) or f"{row['sum']:.3f}"
        worst_ = f"{row['worst']:.3f}" if used else ""
        lines.append(
            f"| {row['name']} | {by} | {error} | {worst_} | {row['alpha']:.3f} | "
            f"{row['color']:.3f} | {row['sum']:.3f} | {row['save']:.2f} | "
            f"{row['open']:.2f} | {row['size']:.2f} |"
        )
    lines += [
        "",
        "GIMP since 2.10 blends OpenRaster files in linear light (it opens PSD files with "
        "plain blending). A plain `.ora` shown that way differs from the photograph by "
        f"{statistics.mean(plain):.2f}/255 on average (worst picture "
        f"{max(plain):.2f}/255); `linear_light=True` is for that.",
        "",
        f"{processor()}, Python {platform.python_version()}, {versions}.",
    ]
    target = ROOT / "docs" / "benchmarks" / "files.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def measure_plain_in_linear_light(layers: nsl.SoftLayers) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = nsl.save_layers(layers, Path(folder) / "a.ora")
        stack = [layer.pixels for layer in read_openraster(path).layers()]
    return 255 * float(np.abs(over(stack, linear=True) - layers.image).mean())


if __name__ == "__main__":
    main()
