"""What every command does with files: plan all outputs first, then one after another."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ._core.layers.soft_layers import SoftLayers
from ._core.matting.read_trimap import white_of
from ._core.run import Run
from ._io import SUFFIXES, ending_of, save_layers
from ._io._png import save_png
from ._io.photoshop import psd_tools
from ._io.picture_files import PictureFile, read_picture_file
from ._io.png_folder import check_replaceable

ENDINGS = (*SUFFIXES, ".png")
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
ALL_DONE, SOME_FAILED, NONE_DONE = 0, 1, 2


@dataclass(frozen=True)
class Job:
    """One picture and where its layers go: into a folder, or a file of a known ending."""

    picture: Path
    output: Path
    folder: bool

    @property
    def trimap(self) -> Path:
        """Where a repaired trimap goes: beside the layers."""
        stem = self.output.name if self.folder else self.output.stem
        return self.output.with_name(f"{stem}.trimap.png")


def plan(
    inputs: Sequence[Path],
    output: str,
    *,
    keep: Sequence[Path] = (),
    cut_out: bool = False,
) -> list[Job]:
    """Pair every picture with an output of its own; refuse what cannot be written.

    ``inputs``: pictures, and folders of pictures. ``output``: a file for one picture; a
    folder for one or several. ``keep``: further files that must not be overwritten.
    ``cut_out``: whether one picture ``.png`` can be written. Raises ValueError,
    OSError, ImportError: saying what to do instead; nothing was computed or written.
    """
    pictures = list(dict.fromkeys(p.absolute() for i in inputs for p in _found(i)))
    if not output.strip():
        raise ValueError("-o is empty; name a file, or a folder, for the layers.")
    path = Path(output).expanduser()
    path = path if path.name not in ("", "..") else path.resolve()
    if not path.name:
        raise ValueError(f"-o {output} is no name; name a file or a folder there.")
    suffix = ending_of(output)
    if len(pictures) == 1 and not inputs[0].is_dir():
        jobs = [Job(pictures[0], path, folder=not suffix)]
        _check_ending(path, suffix, cut_out)
    elif suffix in ENDINGS:
        raise ValueError(
            f"{len(pictures)} pictures came and one output file, {path}; give a "
            "folder with -o."
        )
    else:
        names = zip(pictures, _distinct_names(pictures), strict=True)
        jobs = [Job(picture, path / name, True) for picture, name in names]
    for job in jobs:
        _check_output(job, [*pictures, *(p.absolute() for p in keep)])
    return jobs


def _found(path: Path) -> list[Path]:
    """The picture itself, or the pictures of a folder in order."""
    if not path.exists():
        raise ValueError(f"{path} does not exist; name a picture or a folder.")
    if not path.is_dir():
        return [path]
    found = pictures_in(path)
    if not found:
        raise ValueError(f"{path} holds no pictures ({', '.join(PICTURES)}).")
    return found


def pictures_in(folder: Path) -> list[Path]:
    """Files of a folder that are called like pictures."""
    return sorted(
        p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.is_dir()
    )


def _distinct_names(pictures: Sequence[Path]) -> list[str]:
    """A folder name for each picture: its stem, with more of its path where two agree."""
    choices = []
    for p in pictures:
        full = f"{p.stem}_{p.suffix[1:]}"
        choices.append((p.stem, full, f"{p.parent.name}_{full}"))
    columns = [Counter(map(str.casefold, x)) for x in zip(*choices, strict=True)]
    taken: set[str] = set()
    chosen = []
    for names in choices:
        counted = zip(names, columns, strict=True)
        unique = [name for name, column in counted if column[name.casefold()] == 1]
        name, number = (unique or names[-1:])[0], 2
        while name.casefold() in taken:
            name, number = f"{names[-1]}_{number}", number + 1
        taken.add(name.casefold())
        chosen.append(name)
    return chosen


def _check_ending(path: Path, suffix: str, cut_out: bool) -> None:
    if suffix and suffix not in ENDINGS:
        raise ValueError(
            f"-o {path} ends with '{path.suffix}'; use {', '.join(ENDINGS)}, or end the "
            "name of a new folder with '/'."
        )
    if suffix == ".png" and not cut_out:
        raise ValueError(
            f"-o {path} is one picture, and these layers together are the picture that "
            "came; give a folder for one PNG a layer, or .ora, .psd or .tif."
        )


def _check_output(job: Job, inputs: Sequence[Path]) -> None:
    """Refuse what would overwrite an input or other files, or cannot be written."""
    output = job.output.resolve()
    for path in inputs:
        inside = job.folder and path.resolve().parent == output
        if inside or path.resolve() in (output, job.trimap.resolve()):
            raise ValueError(
                f"{job.output} would overwrite the input {path}; choose another -o."
            )
    if job.folder:
        check_replaceable(job.output)
    elif job.output.suffix.lower() == ".psd":
        psd_tools()
    above = next(p for p in job.output.absolute().parents if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ValueError(
            f"{job.output} cannot be written: {above} is no folder that you may write to."
        )


def partner(picture: Path, trimaps: Path) -> Path:
    """The trimap that belongs to a picture."""
    if not trimaps.is_dir():
        return trimaps
    found = [p for p in pictures_in(trimaps) if p.stem == picture.stem]
    same = [p for p in found if p.name == picture.name]
    if len(found) > 1 and not same:
        raise ValueError(
            f"{trimaps} holds {' and '.join(p.name for p in found)}; leave one of them, "
            f"or call the right one {picture.name}."
        )
    if not found:
        raise ValueError(f"{trimaps} holds no trimap named {picture.stem}.*.")
    return (same or found)[0]


def read_pair(
    image: Path, trimap: Path, stored_pixels: bool
) -> tuple[PictureFile, PictureFile]:
    """A picture and its trimap, both upright or both as they are stored.

    Trimaps carry no EXIF data: one that was painted on the stored pixels (as napari shows
    them) fits these and not the upright picture.
    """
    picture = read_picture(image, stored_pixels=stored_pixels)
    labels = read_picture(trimap, labels=True, stored_pixels=stored_pixels)
    numbers = np.atleast_3d(labels.pixels)[..., :3]
    grey = (numbers == numbers[..., :1]).all()
    if labels.lossy and grey and white_of(numbers) is None:
        raise ValueError(
            f"{trimap.name} is compressed with loss, which changes labels, and it is too "
            f"dark for a grey trimap (its highest value is {numbers.max()} of 255). Save "
            "it as PNG, or in black, grey and white."
        )
    if not picture.turned or labels.turned:
        return picture, labels
    upright, size = picture.pixels.shape[:2], labels.pixels.shape[:2]
    if size == picture.stored_shape != upright:
        say(
            f"{image.name} is stored turned; its trimap fits the stored pixels, so these "
            "are used and the layers are not upright."
        )
        return read_picture_file(image, stored_pixels=True), labels
    if size == picture.stored_shape:
        say(
            f"{image.name} is stored turned and was put upright; its trimap is taken as "
            "painted on the upright picture. If it was painted on the stored pixels (as "
            "napari shows them), add --stored-pixels."
        )
    return picture, labels


def read_picture(path: Path, **how: bool) -> PictureFile:
    """A picture or trimap from its file, saying what was guessed."""
    picture = read_picture_file(path, **how)
    for note in picture.notes:
        say(f"{path.name}: {note}.")
    return picture


def computed(compute: Callable[..., SoftLayers], picture: PictureFile) -> SoftLayers:
    """Compute with a progress bar."""
    from tqdm import tqdm

    style = "{desc} {percentage:3.0f}%|{bar}|"
    with tqdm(total=100, leave=False, disable=None, bar_format=style) as bar:

        def progress(fraction: float, message: str) -> None:
            bar.set_description_str(message, refresh=False)
            bar.n = round(100 * fraction)
            bar.refresh()

        layers = compute(picture.pixels, run=Run(progress))
    layers.profile = picture.profile
    return layers


def save(layers: SoftLayers, job: Job) -> None:
    """Write layers (``.png``: the last one, cut out) and say what came out."""
    job.output.parent.mkdir(parents=True, exist_ok=True)
    if not job.folder and job.output.suffix.lower() == ".png":
        layers = layers.subset([len(layers) - 1])
    save_layers(layers, f"{job.output}{os.sep}" if job.folder else job.output)
    print(f"{job.output}: {layers!r}")


def save_trimap(trimap: Any, path: Path) -> None:
    """Write a repaired trimap."""
    save_png(path, np.asarray(trimap).astype(np.uint8))
    print(f"{path}: the repaired trimap")


def run_all(jobs: Sequence[Job], work: Callable[[Job], None]) -> int:
    """Do one job after another; what fails is told at once and again at the end."""
    failed: list[str] = []
    for job in jobs:
        try:
            work(job)
        except Exception as error:  # noqa: BLE001  # the other pictures are still done
            reason = explained(error)
            named = job.picture.name in reason
            failed.append(reason if named else f"{job.picture.name}: {reason}")
            say(failed[-1])
    if not failed:
        return ALL_DONE
    if len(jobs) > 1:
        say("\n  ".join([f"{len(failed)} of {len(jobs)} pictures failed:", *failed]))
    return SOME_FAILED if len(failed) < len(jobs) else NONE_DONE


def explained(error: Exception) -> str:
    """An error in words; its kind, too, where it was not foreseen."""
    if isinstance(error, MemoryError):
        return "there is not enough memory; use a smaller picture."
    if isinstance(error, (ValueError, TypeError, OSError, RuntimeError, ImportError)):
        return str(error) or type(error).__name__
    return f"unexpected {type(error).__name__}: {error}; please report it."


def say(message: str) -> None:
    """Tell the user something beside the results."""
    print(f"napari-softlayers: {message}", file=sys.stderr)
