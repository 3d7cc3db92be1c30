"""Eigenpairs against a dense decomposition."""

import numpy as np
import pytest
from scipy import sparse

from napari_softlayers._core.numerics.eigenvectors import (
    exact_eigenpairs,
    filtered_eigenpairs,
)
from napari_softlayers._core.run import Cancelled, Run


def grid_laplacian(side, rng):
    """A weighted grid graph with a few negative edges, as the method's graphs have."""
    count = side * side
    index = np.arange(count).reshape(side, side)
    pairs = np.concatenate(
        [
            np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()]),
            np.stack([index[:-1].ravel(), index[1:].ravel()]),
        ],
        axis=1,
    )
    weights = rng.random(pairs.shape[1]) ** 3
    weights[rng.random(len(weights)) < 0.02] = -0.01
    half = sparse.csr_array((weights, pairs), shape=(count, count))
    both = half + half.T
    return sparse.csr_array(sparse.diags_array(both.sum(axis=1)) - both)


def lost(vectors, reference):
    """Share of the reference subspace that the vectors do not span."""
    overlap = vectors.T @ reference
    return 1 - (overlap**2).sum() / reference.shape[1]


def test_exact_equals_dense(rng):
    matrix = grid_laplacian(40, rng)  # 1600 rows: factorised, not decomposed
    values, vectors = np.linalg.eigh(matrix.toarray())
    found = exact_eigenpairs(matrix, 12)
    np.testing.assert_allclose(found.values, values[:12], atol=1e-10)
    assert lost(found.vectors, vectors[:, :12]) < 1e-6


def test_small_matrix_is_decomposed_directly(rng):
    matrix = grid_laplacian(8, rng)
    found = exact_eigenpairs(matrix, 100)
    assert found.vectors.shape == (64, 64)
    np.testing.assert_allclose(
        found.values, np.linalg.eigvalsh(matrix.toarray()), atol=1e-12
    )


def test_filtered_spans_the_lowest_vectors(rng):
    matrix = grid_laplacian(40, rng)
    values, vectors = np.linalg.eigh(matrix.toarray())
    found = filtered_eigenpairs([matrix], [], 20, tolerance=1e-6)
    assert found.vectors.dtype == np.float32
    assert np.all(np.diff(found.values) >= 0)
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(20), atol=1e-4)
    np.testing.assert_allclose(found.values[:12], values[:12], atol=1e-4)
    assert lost(found.vectors, vectors[:, :12]) < 1e-3


def test_strongly_negative_eigenvalues_lose_no_columns(rng):
    matrix = grid_laplacian(40, rng).tolil()
    matrix[7, 900] = matrix[900, 7] = 2.0
    matrix[7, 7] -= 2.0
    matrix[900, 900] -= 2.0
    matrix = sparse.csr_array(matrix.tocsr())
    values = np.linalg.eigvalsh(matrix.toarray())
    assert values[0] < -0.5
    found = filtered_eigenpairs([matrix], [], 20, tolerance=1e-6)
    assert found.vectors.shape[1] == 20
    np.testing.assert_allclose(found.values[:8], values[:8], atol=1e-3)


def test_coarse_start_reaches_the_fine_problem(rng):
    coarse_side, side = 20, 40
    fine = grid_laplacian(side, rng)
    coarse = grid_laplacian(coarse_side, rng)

    def enlarge(columns):
        image = columns.reshape(coarse_side, coarse_side, -1)
        large = image.repeat(2, axis=0).repeat(2, axis=1)
        return large.reshape(side * side, -1)

    found = filtered_eigenpairs([coarse, fine], [enlarge], 10, refinements=12)
    values = np.linalg.eigvalsh(fine.toarray())
    np.testing.assert_allclose(found.values[:6], values[:6], atol=1e-3)


def test_same_seed_same_vectors(rng):
    matrix = grid_laplacian(40, rng)
    one = filtered_eigenpairs([matrix], [], 15, seed=3)
    two = filtered_eigenpairs([matrix], [], 15, seed=3)
    np.testing.assert_array_equal(one.vectors, two.vectors)


@pytest.mark.parametrize("compute", [exact_eigenpairs, None])
def test_cancel(rng, compute):
    matrix = grid_laplacian(40, rng)
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > 3

    with pytest.raises(Cancelled):
        if compute is None:
            filtered_eigenpairs([matrix], [], 20, run=Run(cancelled=cancelled))
        else:
            compute(matrix, 20, run=Run(cancelled=cancelled))
    assert len(calls) == 4


@pytest.mark.gpu
def test_gpu_equals_cpu(rng):
    matrix = grid_laplacian(40, rng)
    cpu = filtered_eigenpairs([matrix], [], 20, device="cpu")
    gpu = filtered_eigenpairs([matrix], [], 20, device="cuda")
    np.testing.assert_allclose(cpu.values[:12], gpu.values[:12], atol=1e-4)
