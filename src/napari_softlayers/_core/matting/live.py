"""Closed-form mattes while a trimap is being painted."""

from __future__ import annotations

import threading
import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from ..arrays import Floats
from ..numerics.live_two_level import LiveTwoLevel
from ..numerics.matting_laplacian import EPSILON, NEIGHBOURS, laplacian_stencil
from ..numerics.pcg import pcg
from ..picture import as_image
from ..run import SILENT, Run
from .methods.closed_form import color_candidates, two_level
from .read_trimap import read_trimap
from .system import Labels, assemble, one_hot, spread
from .trimap import layer_labels

#: About so many blocks are factorised anew after every stroke.
_BLOCKS = 2400


class LiveMatte:
    """A picture whose trimap is being painted.

    Making one takes about a second for half a megapixel and costs about 800 bytes a
    pixel; from then on only what a stroke has changed is computed again. Safe to be
    called from several threads; calls wait for each other.

    ``image``: see `as_image`. ``solver_tolerance``: of `solve`; see `closed_form`.
    """

    def __init__(
        self, image: ArrayLike, *, solver_tolerance: float = 1e-4, run: Run = SILENT
    ) -> None:
        picture = as_image(image)
        self._shape = picture.shape[:2]
        self._margin = [(0, max(0, 3 - side)) for side in self._shape]
        picture = np.pad(picture, [*self._margin, (0, 0)], mode="edge")
        self._picture = picture
        size = picture.shape[:2]
        self._solver_tolerance = solver_tolerance
        everywhere = np.ones(size, bool)
        stencil = laplacian_stencil(picture, everywhere, EPSILON, run=run.part(0, 0.5))
        self._matrix = _whole_matrix(stencil, size)
        side = max(4, round(np.sqrt(stencil.shape[1] / _BLOCKS)))
        grid = (-(-size[0] // side), -(-size[1] // side))
        rows, columns = np.indices(size).reshape(2, -1)
        self._preconditioner = LiveTwoLevel(
            self._matrix,
            rows // side * grid[1] + columns // side,
            grid,
            color_candidates(picture.reshape(-1, 3)),
            run=run.part(0.5, 1),
        )
        self._alphas: Floats | None = None
        self._present: list[int] = []
        self._lock = threading.Lock()

    def preview(
        self, trimap: ArrayLike, run: Run = SILENT, *, labels: bool | None = None
    ) -> Floats:
        """Give a matte at once: the last one with a coarse correction.

        ``trimap`` ``(H, W)``: Labels, or a grey picture; see `read_trimap`. ``run``:
        cancel. ``labels``: what the trimap is; see `read_trimap`. Returns float32
        ``(K, H, W)``: in [0, 1], summing to 1, and right where the trimap is known.
        Raises ValueError when the trimap does not fit or has fewer than two labels.
        """
        with self._lock:
            numbered = self._checked(trimap, labels)
            return self._finished(self._corrected(numbered, run), numbered)

    def solve(
        self, trimap: ArrayLike, run: Run = SILENT, *, labels: bool | None = None
    ) -> Floats:
        """Give the final matte, from the last one on; parameters as in `preview`."""
        with self._lock:
            numbered = self._checked(trimap, labels)
            alphas = self._corrected(numbered, run)
            free = self._preconditioner.free
            self._alphas = alphas.copy()
            self._alphas[free] = self._solved(alphas, numbered, run)
            return self._finished(self._alphas, numbered)

    def _solved(self, alphas: Floats, labels: Labels, run: Run) -> Floats:
        """Solution at the unknown pixels; of few, by a smaller system of their own."""
        free = self._preconditioner.free
        if np.count_nonzero(free) >= len(free) / 2:
            inside = free[:, None]
            found = pcg(
                lambda vectors: (self._matrix @ vectors) * inside,
                -(self._matrix @ np.where(inside, 0, alphas)) * inside,
                self._preconditioner,
                alphas * inside,
                tolerance=self._solver_tolerance,
                run=run,
            )
            return np.asarray(found.solution[free])
        if not free.any():
            return alphas[free]
        rows = self._matrix.data.reshape(-1, 25)[free].T
        system = assemble([(0, rows)], labels)
        found = pcg(
            system.matrix.dot,
            system.right,
            two_level(self._picture, system, run=run.part(0, 0.5)),
            alphas[free],
            tolerance=self._solver_tolerance,
            run=run.part(0.5, 1),
        )
        return np.asarray(found.solution)

    def _checked(self, trimap: ArrayLike, kind: bool | None) -> Labels:
        """Labels 1..K of a trimap of the picture's size; forgets what does not fit."""
        labels, present = layer_labels(read_trimap(trimap, self._shape, labels=kind))
        if present != self._present:
            self._alphas, self._present = None, present
        return np.pad(labels, self._margin, mode="edge")

    def _corrected(self, labels: Labels, run: Run) -> Floats:
        """The last alphas (n, K - 1) with the trimap imposed, coarsely corrected."""
        flat = labels.ravel()
        self._preconditioner.set_free(flat == 0, run)
        known = one_hot(labels, len(self._present))[:-1].reshape(-1, flat.size).T
        last = 0 if self._alphas is None else self._alphas
        free = self._preconditioner.free[:, None]
        alphas = np.where(free, last, known).astype(np.float64)
        residual = -(self._matrix @ alphas) * free
        self._alphas = alphas + self._preconditioner.coarse_solve(residual)
        return self._alphas

    def _finished(self, alphas: Floats, labels: Labels) -> Floats:
        unknown = labels == 0
        if not unknown.any():
            warnings.warn(
                "The trimap has no unknown pixels, so the layers are its labels.",
                stacklevel=3,
            )
        layers = spread(alphas[unknown.ravel()], unknown, labels)
        return np.ascontiguousarray(layers[:, : self._shape[0], : self._shape[1]])


def _whole_matrix(stencil: Floats, size: tuple[int, int]) -> sparse.csr_matrix:
    """Sparse matrix with twenty-five entries in every row, zeros among them."""
    count = size[0] * size[1]
    own = np.arange(count, dtype=np.int32)
    offsets = np.array([dy * size[1] + dx for dy, dx in NEIGHBOURS], np.int32)
    columns = own[:, None] + offsets
    np.clip(columns, 0, count - 1, out=columns)
    pointers = np.arange(0, 25 * count + 1, 25, dtype=np.int32)
    values = np.ascontiguousarray(stencil.T)
    return sparse.csr_matrix(
        (values.ravel(), columns.ravel(), pointers), shape=(count, count)
    )
