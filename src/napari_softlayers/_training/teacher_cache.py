"""The cache of what the teachers say about pictures.

It keeps, for every view of every picture, the view itself and the joint feature map of
all teachers: each teacher's vectors scaled to length 1, concatenated, centred, projected
on their first principal components over the whole set, scaled to a mean variance of 1.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .teachers import TfliteTeacher, joint_features

FloatArray = npt.NDArray[np.float32]

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}


@dataclass(frozen=True)
class Projection:
    """The affine map from joint teacher features to training targets.

    ``target = (features - mean) @ matrix``, with mean variance 1 over the set.
    """

    mean: FloatArray
    matrix: FloatArray

    @classmethod
    def fit(cls, samples: FloatArray, dims: int) -> Projection:
        """Principal components of ``samples`` ``(N, D)``, the first ``dims``."""
        mean = samples.mean(0, dtype=np.float64)
        centred = samples - mean.astype(np.float32)
        covariance = (centred.T @ centred).astype(np.float64) / len(samples)
        values, vectors = np.linalg.eigh(covariance)
        values, vectors = values[::-1][:dims], vectors[:, ::-1][:, :dims]
        vectors = vectors / np.sqrt(values.mean())
        return cls(mean.astype(np.float32), vectors.astype(np.float32))

    def __call__(self, features: FloatArray) -> FloatArray:
        """Project ``(..., D)`` features to ``(..., dims)``."""
        return np.asarray((features - self.mean) @ self.matrix, np.float32)

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        from safetensors.numpy import save_file

        arrays = {"mean": self.mean, "matrix": np.ascontiguousarray(self.matrix)}
        save_file(arrays, str(path))

    @classmethod
    def load(cls, path: Path) -> Projection:
        """Read what :meth:`save` wrote."""
        from safetensors.numpy import load_file

        arrays = load_file(str(path))
        return cls(arrays["mean"], arrays["matrix"])


def find_pictures(folders: Sequence[str | Path]) -> list[Path]:
    """All pictures in the folders, in a fixed order."""
    found: list[Path] = []
    for folder in folders:
        root = Path(folder)
        if not root.is_dir():
            raise ValueError(f"{root} is not a folder of pictures")
        found += sorted(
            p for p in root.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES
        )
    if not found:
        names = ", ".join(str(f) for f in folders)
        raise ValueError(f"no pictures in {names}")
    return found


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
    dims: int = 64
    target_size: int = 65
    picture_size: int = 320
    fit_pictures: int = 120
    seed: int = 0

    @property
    def rows(self) -> list[tuple[Path, int]]:
        """Every (picture, view), view by view."""
        return [(path, view) for view in self.views for path in self.pictures]


def build_cache(job: CacheJob, workers: int = 2) -> Path:
    """Run the teachers over all views and keep views and targets.

    Writes ``pictures.npy`` (N, S, S, 3) uint8, ``targets.npy`` (N, s, s, dims)
    float16, ``projection.safetensors`` and ``cache.json`` to ``job.folder``. A cache
    that is complete is left as it is.

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
    _fit_projection(job).save(job.folder / "projection.safetensors")
    side, size = job.picture_size, job.target_size
    shapes = {
        "pictures": ((len(rows), side, side, 3), np.uint8),
        "targets": ((len(rows), size, size, job.dims), np.float16),
    }
    for name, (shape, dtype) in shapes.items():
        path = job.folder / f"{name}.npy"
        np.lib.format.open_memmap(path, "w+", dtype=dtype, shape=shape)
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
    }
    (job.folder / "cache.json").write_text(json.dumps(about))
    return job.folder


def _fit_projection(job: CacheJob) -> Projection:
    from tqdm import tqdm

    teachers = [TfliteTeacher(path, threads=2) for path in job.teachers]
    random = np.random.default_rng(job.seed)
    count = min(job.fit_pictures, len(job.pictures))
    chosen = random.choice(len(job.pictures), count, replace=False)
    samples = []
    for index in tqdm(chosen, desc="principal components", mininterval=5):
        picture = take_view(job.pictures[index], 0, job.seed)
        features = joint_features(picture, teachers, job.target_size)
        samples.append(features.reshape(-1, features.shape[-1])[::3])
    return Projection.fit(np.concatenate(samples), job.dims)


def _fill_cache(part: tuple[CacheJob, int, int]) -> dict[int, float]:
    from PIL import Image
    from tqdm import tqdm

    job, worker, workers = part
    teachers = [TfliteTeacher(path) for path in job.teachers]
    projection = Projection.load(job.folder / "projection.safetensors")
    pictures = np.load(job.folder / "pictures.npy", mmap_mode="r+")
    targets = np.load(job.folder / "targets.npy", mmap_mode="r+")
    rows = job.rows
    mine = range(worker, len(rows), workers)
    aspects = {}
    for index in tqdm(mine, desc="teachers", mininterval=5, disable=worker > 0):
        path, view = rows[index]
        picture = take_view(path, view, job.seed)
        features = joint_features(picture, teachers, job.target_size, flip=view == 0)
        targets[index] = projection(features).astype(np.float16)
        side = (job.picture_size, job.picture_size)
        small = Image.fromarray(picture).resize(side, Image.Resampling.LANCZOS)
        pictures[index] = np.asarray(small)
        aspects[index] = picture.shape[1] / picture.shape[0]
    return aspects


class TeacherCache:
    """Views and targets that :func:`build_cache` kept, in one or several folders."""

    def __init__(self, folders: Sequence[str | Path]) -> None:
        self.parts = []
        for folder in folders:
            root = Path(folder)
            if not (root / "cache.json").exists():
                raise ValueError(f"{root} holds no finished cache of teacher features")
            about = json.loads((root / "cache.json").read_text())
            pictures = np.load(root / "pictures.npy", mmap_mode="r")
            targets = np.load(root / "targets.npy", mmap_mode="r")
            self.parts.append((pictures, targets, about["aspects"]))
        self.dims = int(self.parts[0][1].shape[-1])

    def __len__(self) -> int:
        return sum(len(part[2]) for part in self.parts)

    def view(self, index: int) -> tuple[npt.NDArray, npt.NDArray, float]:
        """Picture (S, S, 3) uint8, target (s, s, D) float16, width / height."""
        for pictures, targets, aspects in self.parts:
            if index < len(aspects):
                return pictures[index], targets[index], aspects[index]
            index -= len(aspects)
        raise IndexError(index)
