"""The command line: the console's functions on files.

Every command writes a folder of PNGs with ``layers.json``, or the file type that the
output's name asks for: ``.ora``, ``.psd``, ``.tif``; of a matte also ``.png``, the cut-out.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ._cli_jobs import (
    NONE_DONE,
    Job,
    computed,
    explained,
    partner,
    pictures_in,
    plan,
    read_pair,
    read_picture,
    run_all,
    save,
    save_trimap,
    say,
)
from ._cli_options import Models, add_options, given_options
from ._recipes import MATTES, options_of
from ._training.cli import add_train_commands

SEGMENTS: Models = {"": options_of("segments")}
PALETTE: Models = {"": options_of("palette")}
IMAGES_HELP = "pictures, or folders of pictures"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Gives 0 when all was done, 1 when some of several pictures failed, 2 when nothing was
    done (the input was wrong), 130 when it was stopped.
    """
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as done:  # --help, or a call that argparse has explained
        return done.code if isinstance(done.code, int) else NONE_DONE
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may hold any byte
        sys.stdout.reconfigure(errors="backslashreplace")
    warnings.showwarning = _print_warning
    try:
        return options.run(options) or 0
    except Exception as error:  # noqa: BLE001  # in words: users are no programmers
        say(explained(error))
        return NONE_DONE
    except KeyboardInterrupt:
        say("stopped")
        return 130


def _print_warning(message: Any, category: Any, *_: Any, **__: Any) -> None:
    if issubclass(category, UserWarning | RuntimeWarning):
        say(str(message))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-softlayers",
        description="Take pictures apart into soft layers that add up to them again.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    segments = commands.add_parser(
        "segments",
        help="layers that follow the picture's objects, by themselves",
        description="Semantic soft segments.",
    )
    segments.add_argument("images", type=Path, nargs="+", help=IMAGES_HELP)
    segments.add_argument(
        "-n", "--segments", default="auto", help="number of layers, 2 to 15, or auto"
    )
    segments.add_argument(
        "--features",
        default="bundled",
        help="bundled, hub:<model or folder>, or none for spectral matting",
    )
    _add_common(segments, _segments, SEGMENTS)
    _add_matte(commands)
    palette = commands.add_parser(
        "palette",
        help="layers of nearly one colour each",
        description="Palette colour layers.",
    )
    palette.add_argument("images", type=Path, nargs="+", help=IMAGES_HELP)
    palette.add_argument(
        "-k",
        "--colors",
        default="6",
        help="number of colours, 2 to 12, auto, or colours such as #d94f2a,#ffffff",
    )
    _add_common(palette, _palette, PALETTE, {"method": "-m"})
    demo = commands.add_parser("demo", help="the main jobs on a sample picture")
    demo.add_argument("-o", "--output", type=Path, default=Path("demo"))
    demo.set_defaults(run=_demo)
    add_train_commands(commands)
    return parser


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
    about = "; ".join(f"{name}: {str(m.__doc__).lower()}" for name, m in MATTES.items())
    parser.add_argument(
        "-m",
        "--method",
        default="closed_form",
        choices=list(MATTES),
        metavar="METHOD",
        help=f"{about}. A repaired trimap is saved beside the layers",
    )
    parser.add_argument(
        "--stored-pixels",
        action="store_true",
        help="use pictures as they are stored, not turned upright as their EXIF data say: "
        "for trimaps that were painted in napari, which shows the stored pixels",
    )
    _add_common(parser, _matte, MATTES)


def _add_common(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], int],
    models: Models,
    short: Mapping[str, str] | None = None,
) -> None:
    """Add the options of the method's models, and those that every method has."""
    add_options(parser, models, short)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        help="a folder for PNGs and layers.json (a new one with a dot in its name ends "
        "with /), or a file .ora, .psd, .tif; of a matte also .png: the last layer alone, "
        "cut out",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.set_defaults(run=run)


def _matte(options: argparse.Namespace) -> int:
    from ._api import matte

    trimaps, given = options.trimap, given_options(options, MATTES, options.method)
    if not trimaps.exists():
        raise ValueError(
            f"{trimaps} does not exist; name a trimap or a folder of them."
        )
    keep = pictures_in(trimaps) if trimaps.is_dir() else [trimaps]

    given |= {"method": options.method, "device": options.device}

    def work(job: Job) -> None:
        painted = partner(job.picture, trimaps)
        picture, trimap = read_pair(job.picture, painted, options.stored_pixels)
        layers = computed(partial(matte, trimap=trimap.pixels, **given), picture)
        save(layers, job)
        if "trimap" in layers.extras:
            save_trimap(layers.extras["trimap"], job.trimap)

    return run_all(plan([options.image], options.output, keep=keep, cut_out=True), work)


def _segments(options: argparse.Namespace) -> int:
    features = None if options.features == "none" else options.features
    count = _count(options.segments, "--segments")
    given: dict[str, Any] = {"n_segments": count, "features": features}
    return _each(options, "soft_segments", given | given_options(options, SEGMENTS))


def _palette(options: argparse.Namespace) -> int:
    given = {"palette": _colors(options.colors)} | given_options(options, PALETTE)
    return _each(options, "palette_layers", given)


def _each(options: argparse.Namespace, function: str, given: dict[str, Any]) -> int:
    """Take every picture apart on its own."""
    from . import _api

    compute = partial(getattr(_api, function), device=options.device, **given)

    def work(job: Job) -> None:
        save(computed(compute, read_picture(job.picture)), job)

    return run_all(plan(options.images, options.output), work)


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
        numbers = [bytes.fromhex(c.strip().removeprefix("#")) for c in text.split(",")]
    except ValueError:
        numbers = [b""]
    if any(len(number) != 3 for number in numbers):
        raise ValueError(f"--colors {text} came; colours such as #d94f2a are needed.")
    return [[value / 255 for value in number] for number in numbers]


def _demo(options: argparse.Namespace) -> None:
    from ._demo import demo

    demo(options.output)


if __name__ == "__main__":
    sys.exit(main())
