"""Conjugate gradients, the two-level preconditioner and the operators."""

import time

import numpy as np
import pytest
import torch
from scipy import sparse

from napari_softlayers._core.numerics import operators
from napari_softlayers._core.numerics.live_two_level import LiveTwoLevel
from napari_softlayers._core.numerics.matting_laplacian import matting_laplacian
from napari_softlayers._core.numerics.operators import (
    SparseOperator,
    interruptible,
    on_device,
    to_numpy,
)
from napari_softlayers._core.numerics.pcg import pcg
from napari_softlayers._core.numerics.two_level import TwoLevel, block_basis
from napari_softlayers._core.run import Cancelled, Run

CPU = torch.device("cpu")


@pytest.fixture
def problem(astronaut):
    """Laplacian of a small picture with some pixels held, its pieces and solution."""
    picture = (astronaut[30:70, 40:85] / 255).astype(np.float32)
    unknown = np.ones(picture.shape[:2], bool)
    unknown[:3], unknown[-4:, 10:30], unknown[20:24, 20:24] = False, False, False
    free = np.flatnonzero(unknown.ravel())
    matrix = matting_laplacian(picture)[free][:, free].astype(np.float32).tocsr()
    right = np.random.default_rng(0).normal(size=(len(free), 3)).astype(np.float32)
    right -= right.mean()
    candidates = np.concatenate(
        [np.ones((len(free), 1), np.float32), picture.reshape(-1, 3)[free]], axis=1
    )
    blocks = np.argwhere(unknown) // 6
    expected = np.linalg.solve(matrix.toarray().astype(float), right)
    return matrix, right, blocks, candidates, expected


@pytest.mark.parametrize("device", [None, CPU])
def test_two_level_cg_equals_a_dense_solve(problem, device):
    matrix, right, blocks, candidates, expected = problem
    preconditioner = TwoLevel(matrix, blocks, candidates, device=device)
    found = pcg(
        SparseOperator(matrix, device).multiply,
        on_device(right, device),
        preconditioner,
        tolerance=1e-6,
    )
    assert found.converged
    assert found.residual <= 1e-6
    scale = np.abs(expected).max()
    assert np.abs(to_numpy(found.solution) - expected).max() < 2e-3 * scale


def test_torch_and_scipy_forms_agree(problem):
    matrix, right, blocks, candidates, _ = problem
    by_scipy = TwoLevel(matrix, blocks, candidates)
    by_torch = TwoLevel(matrix, blocks, candidates, device=CPU)
    there = torch.as_tensor(right)
    np.testing.assert_allclose(
        to_numpy(by_torch(there)), by_scipy(right), rtol=1e-3, atol=1e-4
    )
    first, second = SparseOperator(matrix), SparseOperator(matrix, CPU)
    assert first.shape == second.shape == matrix.shape
    for name in ("multiply", "multiply_transposed"):
        np.testing.assert_allclose(
            to_numpy(getattr(second, name)(there)),
            getattr(first, name)(right),
            atol=1e-4,
        )


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(problem):
    matrix, right, blocks, candidates, _ = problem
    solutions = []
    for device in (None, torch.device("cuda")):
        preconditioner = TwoLevel(matrix, blocks, candidates, device=device)
        found = pcg(
            SparseOperator(matrix, device).multiply,
            on_device(right, device),
            preconditioner,
            tolerance=1e-5,
        )
        solutions.append(to_numpy(found.solution))
    scale = np.abs(solutions[0]).max()
    assert np.abs(solutions[0] - solutions[1]).max() < 1e-2 * scale


def test_the_coarse_space_is_solved_exactly(problem):
    # What the basis can represent comes out of the coarse solve alone.
    matrix, _, blocks, candidates, _ = problem
    preconditioner = TwoLevel(matrix, blocks, candidates, precision=np.float64)
    wanted = candidates.astype(float) @ [[0.3], [1.0], [-2.0], [0.5]]
    found = preconditioner.coarse_solve(matrix.astype(np.float64) @ wanted)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    single = TwoLevel(matrix, blocks, candidates, precision=np.float32)
    rough = single.coarse_solve(matrix.astype(np.float64) @ wanted)
    assert rough.dtype == np.float64
    np.testing.assert_allclose(rough, wanted, atol=0.05)


def test_the_preconditioner_saves_iterations(problem):
    matrix, right, blocks, candidates, _ = problem
    inverse = 1 / matrix.diagonal()[:, None]
    two_level = TwoLevel(matrix, blocks, candidates)
    fast = pcg(lambda x: matrix @ x, right, two_level)
    plain = pcg(lambda x: matrix @ x, right, lambda r: inverse * r)
    assert fast.iterations < plain.iterations / 3


def test_basis_is_orthonormal_and_drops_flat_candidates(rng):
    rank = np.repeat([0, 1, 2], [20, 30, 3])
    candidates = np.concatenate([np.ones((53, 1)), rng.random((53, 3))], axis=1)
    candidates[rank == 1, 1:] = 0.25  # a block of one colour
    basis = block_basis(rank, 3, candidates)
    for block, expected in ((0, [1, 1, 1, 1]), (1, [1, 0, 0, 0]), (2, [1, 1, 1, 0])):
        part = basis[rank == block]
        np.testing.assert_allclose(part.T @ part, np.diag(expected), atol=1e-9)


def test_live_preconditioner_follows_changes(rng, astronaut):
    picture = (astronaut[:40, :45] / 255).astype(np.float32)
    matrix = matting_laplacian(picture, dtype=np.float32)
    y, x = np.indices((40, 45)).reshape(2, -1)
    rank, grid = y // 7 * 7 + x // 7, (6, 7)
    candidates = np.concatenate(
        [np.ones((1800, 1), np.float32), picture.reshape(-1, 3)], axis=1
    )
    live = LiveTwoLevel(matrix, rank, grid, candidates)
    free = np.ones(1800, bool)
    free[rng.integers(0, 1800, 200)] = False
    live.set_free(free)
    free[(y < 12) & (x > 30)] = False
    free[(y > 30) & (x < 9)] = True
    live.set_free(free)
    fresh = LiveTwoLevel(matrix, rank, grid, candidates)
    fresh.set_free(free)
    residual = rng.normal(size=(1800, 2)).astype(np.float32) * free[:, None]
    np.testing.assert_allclose(live(residual), fresh(residual), rtol=1e-3, atol=1e-4)
    assert np.abs(live(residual)[~free]).max() == 0
    index = np.flatnonzero(free)
    general = TwoLevel(
        matrix[index][:, index].tocsr(),
        np.stack([y // 7, x // 7], axis=1)[index],
        candidates[index],
        damping=0.8,
    )
    np.testing.assert_allclose(
        live(residual)[index], general(residual[index]), rtol=1e-2, atol=1e-3
    )


@pytest.mark.parametrize("as_tensor", [False, True])
def test_every_right_side_is_solved_on_its_own(as_tensor):
    values = np.linspace(1, 30, 40)
    matrix = sparse.diags(values).tocsr()
    right = np.random.default_rng(0).normal(size=(40, 3))
    right[:, 1] = 0
    device = CPU if as_tensor else None
    found = pcg(
        SparseOperator(matrix, device).multiply,
        on_device(right, device),
        lambda r: r,
        tolerance=1e-10,
    )
    expected = right / values[:, None]
    np.testing.assert_allclose(to_numpy(found.solution), expected, atol=1e-8)


def test_a_good_start_needs_no_iteration():
    matrix = sparse.diags(np.arange(1.0, 9)).tocsr()
    start = np.ones((8, 1))
    found = pcg(lambda x: matrix @ x, matrix @ start, lambda r: r, start)
    assert found.iterations == 0
    assert found.converged
    np.testing.assert_array_equal(found.solution, start)


def test_an_early_stop_warns_and_gives_the_best(problem):
    matrix, right, _, _, expected = problem
    energies = []
    for iterations in (1, 3, 6):
        with pytest.warns(RuntimeWarning, match=f"stopped after {iterations} iter"):
            found = pcg(
                lambda x: matrix @ x, right, lambda r: r, max_iterations=iterations
            )
        assert not found.converged
        error = found.solution - expected
        energies.append((error * (matrix @ error)).sum(axis=0))
    assert (np.diff(energies, axis=0) < 0).all()


def test_a_rising_residual_is_no_reason_to_stop():
    # A start with a small residual and a large error, in a badly scaled system.
    values = np.logspace(-5, 0, 400)
    matrix = sparse.diags(values).tocsr()
    right = np.ones((400, 1))
    start = np.where(values[:, None] < 1e-3, 0, right / values[:, None])
    found = pcg(lambda x: matrix @ x, right, lambda r: r, start, max_iterations=5000)
    assert found.converged
    assert np.linalg.norm(right - matrix @ found.solution) <= 2e-3


def test_cancel_is_seen_within_an_iteration(problem):
    matrix, right, *_ = problem
    asked = []

    def cancelled():
        asked.append(None)
        return len(asked) > 5

    with pytest.raises(Cancelled):
        pcg(lambda x: matrix @ x, right, lambda r: r, run=Run(cancelled=cancelled))
    assert len(asked) == 6


def test_waiting_for_a_thread_can_be_cancelled():
    begin = time.monotonic()
    with pytest.raises(Cancelled):
        interruptible(lambda: time.sleep(1.5), Run(cancelled=lambda: True))
    assert time.monotonic() - begin < 1.0
    assert interruptible(lambda: 7, Run()) == 7
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 / 0, Run())


def test_progress_rises(problem):
    matrix, right, blocks, candidates, _ = problem
    seen = []
    run = Run(progress=lambda fraction, message: seen.append(fraction))
    TwoLevel(matrix, blocks, candidates, run=run)
    assert seen == sorted(seen)
    assert len(seen) > 1


@pytest.mark.parametrize("columns", [1, 3])
def test_block_products_in_pieces_are_the_plain_product(rng, monkeypatch, columns):
    monkeypatch.setattr(operators, "PIECE", 7)
    dense = rng.standard_normal((50, 50)) * (rng.random((50, 50)) < 0.2)
    dense[10:20] = 0  # pieces without any value
    matrix = sparse.csr_matrix(dense.astype(np.float32))
    block = rng.standard_normal((50, columns)).astype(np.float32)
    before = rng.standard_normal((50, columns)).astype(np.float32)
    product = operators.BlockProduct(matrix, torch.device("cpu"))
    expected = matrix.toarray() @ block
    np.testing.assert_allclose(product(torch.from_numpy(block)), expected, atol=1e-5)
    less = product(torch.from_numpy(block), torch.from_numpy(before.copy()))
    np.testing.assert_allclose(less, expected - before, atol=1e-5)
