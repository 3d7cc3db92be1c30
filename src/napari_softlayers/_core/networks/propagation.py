"""Matte propagation as a differentiable layer: one sparse solve each way.

With affinities W of neighbouring pixels, ``L = D - W``, and C the diagonal matrix that is
c on known pixels and 0 elsewhere, the matte (Eq. 3 of [1]_) solves
``A alpha = C alpha*`` with ``A = L + C``.

A loss with gradient g at alpha has, by implicit differentiation, the gradient
``-(m_i - m_j) (alpha_i - alpha_j)`` at the affinity of pixels i and j, where
``A m = g``: one more system with the same symmetric matrix. This is Eq. 4 of [1]_,
``d alpha / d W_ij = A^-1 J_ij A^-1 C alpha*``, added up over the four entries of A that
an affinity is part of (the two of W and, which the paper leaves out, those of D).

References
----------
.. [1] Y. Wang, Y. Niu, P. Duan, J. Lin, Y. Zheng, "Deep Propagation Based Image
   Matting", IJCAI 2018. doi:10.24963/ijcai.2018/139
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg
from torch import Tensor

from ..arrays import DoubleArray, Floats, Mask
from ..numerics.operators import SparseOperator
from ..numerics.pcg import pcg
from ..numerics.two_level import TwoLevel
from ..run import SILENT, Run

#: Up to so many pixels a factorisation is quicker than iterations, and exact.
_DIRECT = 60_000


class PropagationSystem:
    """The matrix ``A = L + C`` of one picture, ready to be solved.

    ``across`` ``(H, W - 1)``, ``down`` ``(H - 1, W)``: affinities of pixels side by side
    and one above the other, positive. ``known`` ``(H, W)``: not all False. ``weight``:
    the value c of known pixels. ``tolerance``: relative residual of iterative solutions
    (large pictures only).
    """

    def __init__(
        self,
        across: Floats,
        down: Floats,
        known: Mask,
        weight: float = 0.8,
        tolerance: float = 1e-4,
        run: Run = SILENT,
    ) -> None:
        if not known.any():
            raise ValueError(
                "The trimap has no known pixel; nothing can be propagated. Paint a few "
                "strokes on each layer."
            )
        self.known, self.weight, self.tolerance = known, weight, tolerance
        self.shape = known.shape
        direct = known.size <= _DIRECT
        dtype = np.float64 if direct else np.float32
        self.matrix = _matrix(across, down, weight * known, dtype)
        self._factors = self._precondition = None
        if direct:
            self._factors = linalg.splu(
                self.matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0
            )
        else:
            pixels = np.stack(np.divmod(np.arange(known.size), known.shape[1]), axis=1)
            self._precondition = TwoLevel(
                self.matrix, pixels // 6, np.ones((known.size, 1), np.float32), run=run
            )

    def propagate(self, given: Floats, run: Run = SILENT) -> NDArray[Any]:
        """Solve ``A alpha = C alpha*`` for layers (K, H, W) of known values."""
        right = (self.weight * self.known * given).reshape(len(given), -1).T
        return self.solve(right, run).T.reshape(given.shape)

    def solve(self, right: Floats, run: Run = SILENT) -> NDArray[Any]:
        """Solve ``A x = b`` for columns (H * W, K)."""
        if self._factors is not None:
            right = np.ascontiguousarray(right, np.float64)
            return np.asarray(self._factors.solve(right))
        found = pcg(
            SparseOperator(self.matrix).multiply,
            np.ascontiguousarray(right, dtype=np.float32),
            self._precondition,  # type: ignore[arg-type]
            tolerance=self.tolerance,
            max_iterations=2000,
            run=run,
        )
        return np.asarray(found.solution)


class _Propagate(torch.autograd.Function):
    """Affinities to a matte, differentiated implicitly."""

    @staticmethod
    def forward(
        ctx: Any, across: Tensor, down: Tensor, known: Tensor, given: Tensor, c: float
    ) -> Tensor:
        system = PropagationSystem(
            _array(across), _array(down), known.cpu().numpy(), c, tolerance=1e-6
        )
        alpha = system.propagate(_array(given)[None])[0]
        ctx.system, ctx.alpha = system, alpha
        ctx.like = across
        return across.new_tensor(alpha)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        back = _array(gradient).reshape(-1, 1)
        m = ctx.system.solve(back).reshape(ctx.alpha.shape)
        a = ctx.alpha
        across = -(m[:, :-1] - m[:, 1:]) * (a[:, :-1] - a[:, 1:])
        down = -(m[:-1] - m[1:]) * (a[:-1] - a[1:])
        new = ctx.like.new_tensor
        return new(across), new(down), None, None, None


def propagate(
    across: Tensor, down: Tensor, known: Tensor, given: Tensor, weight: float = 0.8
) -> Tensor:
    """Matte of one picture from affinities (Eq. 3), differentiable in them.

    ``across``, ``down``, ``known``, ``weight``: see `PropagationSystem`. ``given``
    ``(H, W)``: alpha of the known pixels; any value elsewhere. Returns the matte
    ``(H, W)``, within the range of the known values. Raises ValueError when no pixel is
    known.
    """
    result: Tensor = _Propagate.apply(across, down, known, given, weight)  # type: ignore[no-untyped-call]
    return result


def _array(values: Tensor) -> DoubleArray:
    return values.detach().cpu().double().numpy()


def _matrix(
    across: Floats, down: Floats, extra: Floats, dtype: Any
) -> sparse.csr_matrix:
    """``D - W + diag(extra)`` on the grid of pixels."""
    height, width = extra.shape
    diagonal = extra.astype(np.float64)
    diagonal[:, :-1] += across
    diagonal[:, 1:] += across
    diagonal[:-1] += down
    diagonal[1:] += down
    beside = np.zeros((height, width))
    beside[:, :-1] = -across
    below = -np.asarray(down, np.float64).ravel()
    flat = beside.ravel()[:-1]
    return sparse.diags_array(
        [diagonal.ravel(), flat, flat, below, below],
        offsets=[0, 1, -1, width, -width],
        format="csr",
        dtype=dtype,
    )
