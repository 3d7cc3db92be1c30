"""The command line: the console's functions on files.

Every command writes a folder of PNGs with ``layers.json``, or the file type that the
output's name asks for (``.ora``, ``.psd``, ``.tif``).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._training.cli import add_train_commands

if TYPE_CHECKING:
    from ._core.layers.soft_layers import SoftLayers

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 2 when the input was wrong."""
    options = _parser().parse_args(arguments)
    warnings.showwarning = _print_warning
    try:
        options.run(options)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"napari-softlayers: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("napari-softlayers: stopped", file=sys.stderr)
        return 130
    return 0


def _print_warning(message: Any, category: Any, *_: Any, **__: Any) -> None:
    if issubclass(category, UserWarning | RuntimeWarning):
        print(f"napari-softlayers: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-softlayers",
        description="Take pictures apart into soft layers that add up to them again.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_segments(commands)
    _add_matte(commands)
    _add_palette(commands)
    _add_demo(commands)
    add_train_commands(commands)
    return parser


def _add_segments(commands: Any) -> None:
    parser = commands.add_parser(
        "segments",
        help="layers that follow the picture's objects, by themselves",
        description="Semantic soft segments.",
    )
    _add_inputs(parser)
    parser.add_argument(
        "-n", "--segments", default="auto", help="number of layers, 2 to 15, or auto"
    )
    parser.add_argument(
        "--features",
        default="bundled",
        help="bundled, hub:<model or folder>, or none for spectral matting",
    )
    parser.add_argument("--quality", default="fast", choices=["fast", "exact"])
    parser.add_argument("--seed", type=int, default=0)
    _add_common(parser)
    parser.set_defaults(run=_segments)


def _add_palette(commands: Any) -> None:
    parser = commands.add_parser(
        "palette",
        help="layers of nearly one colour each",
        description="Palette colour layers.",
    )
    _add_inputs(parser)
    parser.add_argument(
        "-k",
        "--colors",
        default="6",
        help="number of colours, 2 to 12, auto, or colours such as #d94f2a,#ffffff",
    )
    parser.add_argument("-m", "--method", default="mixture")
    parser.add_argument("--smoothing", type=float, default=1.0)
    parser.add_argument("--selection", default="kmeans", choices=["kmeans", "hull"])
    parser.add_argument("--seed", type=int, default=0)
    _add_common(parser)
    parser.set_defaults(run=_palette)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "images", type=Path, nargs="+", help="pictures, or folders of pictures"
    )


def _add_matte(commands: Any) -> None:
    parser = commands.add_parser(
        "matte",
        help="layers from a picture and its trimap",
        description="Solve a trimap: 0 unknown, 1 background, 2 foreground (or more "
        "labels, one a layer), or a classic one with 0, 128, 255.",
    )
    parser.add_argument("image", type=Path, help="a picture, or a folder of pictures")
    parser.add_argument(
        "trimap", type=Path, help="its trimap, or a folder of trimaps of the same names"
    )
    parser.add_argument(
        "-m",
        "--method",
        default="closed_form",
        help="closed_form, knn, information_flow, adamatting, deep_propagation, or auto, "
        "which forgives a sloppy trimap; a repaired trimap is saved beside the layers",
    )
    parser.add_argument(
        "--trimap-tolerance",
        type=int,
        default=0,
        metavar="PIXELS",
        help="how far painted boundaries may be off (method auto)",
    )
    _add_common(parser)
    parser.set_defaults(run=_matte)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser("demo", help="the main jobs on a sample picture")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"))
    parser.set_defaults(run=_demo)


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that every method has."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="a folder for PNGs and layers.json, or a file .ora, .psd, .tif",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")


def _matte(options: argparse.Namespace) -> None:
    from ._api import matte

    tolerance = options.trimap_tolerance
    if tolerance and options.method != "auto":
        raise ValueError(
            f"--trimap-tolerance {tolerance} came with the method {options.method}; it "
            "belongs to --method auto."
        )
    for image, output in _jobs([options.image], options.output):
        trimap = _partner(image, options.trimap)
        compute = partial(
            matte,
            read_picture(image),
            read_picture(trimap, labels=True),
            options.method,
            device=options.device,
            **({"tolerance": tolerance} if tolerance else {}),
        )
        layers = _work(output, compute)
        if "trimap" in layers.extras:
            _save_trimap(layers.extras["trimap"], output)


def _save_trimap(trimap: Any, output: Path) -> None:
    """Write a repaired trimap: into the folder of layers, or beside their file."""
    import numpy as np
    from PIL import Image

    path = (
        output / "trimap.png" if output.is_dir() else output.with_suffix(".trimap.png")
    )
    Image.fromarray(np.asarray(trimap).astype(np.uint8)).save(path)
    print(f"{path}: the repaired trimap")


def _segments(options: argparse.Namespace) -> None:
    from ._api import soft_segments

    features = None if options.features == "none" else options.features
    for image, output in _jobs(options.images, options.output):
        compute = partial(
            soft_segments,
            read_picture(image),
            _count(options.segments, "--segments"),
            features,
            quality=options.quality,
            seed=options.seed,
            device=options.device,
        )
        _work(output, compute)


def _palette(options: argparse.Namespace) -> None:
    from ._api import palette_layers

    for image, output in _jobs(options.images, options.output):
        compute = partial(
            palette_layers,
            read_picture(image),
            _colors(options.colors),
            options.method,
            smoothing=options.smoothing,
            selection=options.selection,
            seed=options.seed,
            device=options.device,
        )
        _work(output, compute)


def _count(text: str, option: str) -> int | str:
    """Read a number or "auto"."""
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{option} {text} came; a number or auto is needed.") from None


def _colors(text: str) -> Any:
    """Read a number of colours, "auto", or colours written as ``#rrggbb,...``."""
    if "#" not in text:
        return _count(text, "--colors")
    try:
        numbers = [
            bytes.fromhex(color.strip().removeprefix("#")) for color in text.split(",")
        ]
    except ValueError:
        numbers = [b""]
    if any(len(number) != 3 for number in numbers):
        raise ValueError(f"--colors {text} came; colours such as #d94f2a are needed.")
    return [[value / 255 for value in number] for number in numbers]


def _demo(options: argparse.Namespace) -> None:
    from ._demo import demo

    demo(options.output)


def _jobs(inputs: Sequence[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    """Pair every input picture with its own output path."""
    pictures = [picture for path in inputs for picture in _pictures(path)]
    if len(pictures) == 1 and not inputs[0].is_dir():
        yield pictures[0], output
        return
    if output.suffix:
        raise ValueError(
            f"{len(pictures)} pictures came and one output file, {output}; give a "
            "folder with -o."
        )
    for picture in pictures:
        yield picture, output / picture.stem


def _pictures(path: Path) -> list[Path]:
    """List the picture itself, or the pictures of a folder in order."""
    if not path.exists():
        raise ValueError(f"{path} does not exist; name a picture or a folder.")
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
    if not found:
        raise ValueError(f"{path} holds no pictures ({', '.join(PICTURES)}).")
    return found


def _partner(image: Path, trimaps: Path) -> Path:
    """Find the trimap that belongs to a picture."""
    if not trimaps.is_dir():
        return trimaps
    found = sorted(p for p in trimaps.iterdir() if p.stem == image.stem)
    if not found:
        raise ValueError(f"{trimaps} holds no trimap named {image.stem}.*.")
    return found[0]


def read_picture(path: Path, labels: bool = False) -> Any:
    """Read a picture file with its own dtype, upright as its EXIF data says.

    Parameters
    ----------
    path : Path
    labels : bool
        Read a palette image as its indices turned into grey, the way trimaps are kept.
    """
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    if path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        return tifffile.imread(path)
    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file)
            if upright.mode == "P":
                upright = upright.convert("L" if labels else "RGB")
            elif upright.mode not in ("1", "L", "I", "I;16", "F", "RGB", "RGBA"):
                upright = upright.convert("RGB")
            array = np.asarray(upright)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is not a picture that can be read.") from error
    return array.astype(np.uint16) if array.dtype == np.int32 else array


def _work(output: Path, compute: Callable[..., SoftLayers]) -> SoftLayers:
    """Compute with a progress bar, save, and say what came out."""
    from tqdm import tqdm

    from ._core.run import Run

    style = "{desc} {percentage:3.0f}%|{bar}|"
    with tqdm(total=100, leave=False, disable=None, bar_format=style) as bar:

        def progress(fraction: float, message: str) -> None:
            bar.set_description_str(message, refresh=False)
            bar.n = round(100 * fraction)
            bar.refresh()

        layers = compute(run=Run(progress))
    output.parent.mkdir(parents=True, exist_ok=True)
    print(f"{layers.save(output)}: {layers!r}")
    return layers


if __name__ == "__main__":
    sys.exit(main())
