"""The cache of what the teachers say about pictures.

It keeps, for every view of every picture, the view itself and the features of all
teachers side by side (see :func:`.teachers.joint_features`), as integers.
"""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .teachers import TfliteTeacher, joint_features

#: Features, between 0 and 1, are kept as multiples of 1 / SCALE.
SCALE = 255


def take_view(path: Path, view: int, seed: int) -> npt.NDArray[np.uint8]:
    """View 0 is the whole picture; others are random crops of a quarter to .7 of it."""
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    if view:
        random = np.random.default_rng(
            [seed, view, len(path.name), *path.name.encode()]
        )
        scale = np.sqrt(random.uniform(0.25, 0.7))
        width, height = (max(16, round(side * scale)) for side in picture.size)
        left = random.integers(0, max(1, picture.width - width + 1))
        top = random.integers(0, max(1, picture.height - height + 1))
        picture = picture.crop((left, top, left + width, top + height))
    return np.asarray(picture)


@dataclass(frozen=True)
class CacheJob:
    """What :func:`build_cache` makes: pictures x views, by which teachers."""

    pictures: tuple[Path, ...]
    teachers: tuple[Path, ...]
    folder: Path
    views: tuple[int, ...] = (0, 1)
    target_size: int = 65
    picture_size: int = 320
    seed: int = 0

    @property
    def rows(self) -> list[tuple[Path, int]]:
        """Every (picture, view), view by view."""
        return [(path, view) for view in self.views for path in self.pictures]


def build_cache(job: CacheJob, workers: int = 2) -> Path:
    """Run the teachers over all views and keep views and targets.

    Writes ``pictures.npy`` (N, S, S, 3) uint8, ``targets.npy`` (N, s, s, D) uint8 and
    ``cache.json`` to ``job.folder``. A cache that is complete is left as it is.

    Parameters
    ----------
    job : CacheJob
    workers : int
        Processes that share the work.

    Returns
    -------
    Path
        ``job.folder``.
    """
    if (job.folder / "cache.json").exists():
        return job.folder
    job.folder.mkdir(parents=True, exist_ok=True)
    rows = job.rows
    classes = [TfliteTeacher(path).classes for path in job.teachers]
    side, size = job.picture_size, job.target_size
    shapes = {
        "pictures": (len(rows), side, side, 3),
        "targets": (len(rows), size, size, sum(classes)),
    }
    for name, shape in shapes.items():
        path = job.folder / f"{name}.npy"
        np.lib.format.open_memmap(path, "w+", dtype=np.uint8, shape=shape)
    context = multiprocessing.get_context("spawn")
    parts = [(job, worker, workers) for worker in range(workers)]
    with context.Pool(workers) as pool:
        aspects: dict[int, float] = {}
        for part in pool.imap_unordered(_fill_cache, parts):
            aspects.update(part)
    about = {
        "views": [[path.name, view] for path, view in rows],
        "aspects": [aspects[index] for index in range(len(rows))],
        "teachers": [path.name for path in job.teachers],
        "classes": classes,
    }
    (job.folder / "cache.json").write_text(json.dumps(about))
    return job.folder


def _fill_cache(part: tuple[CacheJob, int, int]) -> dict[int, float]:
    from PIL import Image
    from tqdm import tqdm

    job, worker, workers = part
    teachers = [TfliteTeacher(path) for path in job.teachers]
    pictures = np.load(job.folder / "pictures.npy", mmap_mode="r+")
    targets = np.load(job.folder / "targets.npy", mmap_mode="r+")
    rows = job.rows
    mine = range(worker, len(rows), workers)
    aspects = {}
    for index in tqdm(mine, desc="teachers", mininterval=5, disable=worker > 0):
        path, view = rows[index]
        picture = take_view(path, view, job.seed)
        features = joint_features(picture, teachers, job.target_size, flip=view == 0)
        targets[index] = np.rint(features * SCALE).astype(np.uint8)
        side = (job.picture_size, job.picture_size)
        small = Image.fromarray(picture).resize(side, Image.Resampling.LANCZOS)
        pictures[index] = np.asarray(small)
        aspects[index] = picture.shape[1] / picture.shape[0]
    return aspects


class TeacherCache:
    """Views and targets that :func:`build_cache` kept in a folder.

    ``classes`` holds the number of classes of every teacher.
    """

    def __init__(self, folder: str | Path) -> None:
        root = Path(folder)
        if not (root / "cache.json").exists():
            raise ValueError(f"{root} holds no finished cache of teacher features")
        about = json.loads((root / "cache.json").read_text())
        if "classes" not in about:
            raise ValueError(
                f"{root} holds teacher features of an older version; delete it, and it "
                "is made anew"
            )
        self._pictures = np.load(root / "pictures.npy", mmap_mode="r")
        self._targets = np.load(root / "targets.npy", mmap_mode="r")
        self._aspects = about["aspects"]
        self.classes: tuple[int, ...] = tuple(about["classes"])

    def __len__(self) -> int:
        return len(self._aspects)

    def view(
        self, index: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], float]:
        """Picture (S, S, 3), target (s, s, D), width / height of the view."""
        target = self._targets[index].astype(np.float32) / SCALE
        return self._pictures[index], target, self._aspects[index]
