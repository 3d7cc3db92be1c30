"""The single steps of semantic soft segments."""

from operator import itemgetter

import numpy as np
import pytest
from scipy import sparse

from napari_softlayers._core.numerics.eigenvectors import Eigenpairs, exact_eigenpairs
from napari_softlayers._core.numerics.kmeans import (
    MOST_POINTS,
    clusters,
    kmeans,
    nearest,
)
from napari_softlayers._core.numerics.matting_laplacian import matting_laplacian
from napari_softlayers._core.run import Cancelled, Run
from napari_softlayers._core.segments.constrained_sparsification import (
    SparsityOptions,
    constrained_sparsification,
)
from napari_softlayers._core.segments.finishing import (
    enlarged_columns,
    guided_upsampling,
)
from napari_softlayers._core.segments.graphs import (
    derivative_kernels,
    gradient_magnitude,
    sparsity_exponents,
)
from napari_softlayers._core.segments.merge_tree import (
    MergeTree,
    layer_means,
    merge_tree,
)
from napari_softlayers._core.segments.relaxed_sparsification import (
    RelaxedOptions,
    relaxed_sparsification,
    rounded_layers,
    unit_sum,
)


def three_bands(side=18):
    """A picture of three flat bands and the label of each pixel."""
    labels = np.repeat(np.arange(3), side * side // 3).reshape(side, side)
    colors = np.array([[0.1, 0.2, 0.8], [0.9, 0.7, 0.1], [0.2, 0.9, 0.3]])
    return colors[labels].astype(np.float32), labels


# gradients


def test_kernels_are_the_published_five_taps():
    prefilter, derivative = derivative_kernels(5)
    np.testing.assert_allclose(
        prefilter, [0.037659, 0.249153, 0.426375, 0.249153, 0.037659], atol=1e-4
    )
    np.testing.assert_allclose(
        derivative, [-0.109604, -0.276691, 0, 0.276691, 0.109604], atol=1e-4
    )


def test_gradient_of_a_ramp_has_its_slope_in_every_direction():
    rows, columns = np.indices((48, 48))
    for angle in (0.0, 0.4, 1.1):
        ramp = 0.01 * (np.cos(angle) * rows + np.sin(angle) * columns)
        picture = np.repeat(ramp[..., None], 3, axis=-1).astype(np.float32)
        middle = gradient_magnitude(picture)[10:-10, 10:-10]
        np.testing.assert_allclose(middle, 0.01 * np.sqrt(3), rtol=1e-3)


def test_exponents_lie_between_09_and_1():
    picture, _ = three_bands()
    exponents = sparsity_exponents(picture)
    assert exponents.min() == pytest.approx(0.9, abs=1e-3)
    assert exponents.max() == 1


@pytest.mark.parametrize("taps", [2, 4, 1])
def test_kernel_length_must_be_odd(taps):
    with pytest.raises(ValueError, match="odd"):
        derivative_kernels(taps)


# k-means


@pytest.mark.parametrize("options", [{}, {"draws": 4, "tolerance": 1e-5}])
def test_kmeans_finds_separate_clusters(rng, options):
    centers = np.array([[0, 0], [5, 0], [0, 5], [5, 5]], float)
    points = np.repeat(centers, 50, axis=0) + rng.normal(0, 0.1, (200, 2))
    found, cost = min(
        (kmeans(points, 4, rng, **options) for _ in range(4)), key=itemgetter(1)
    )
    labels, distances = nearest(points, found)
    for k in range(4):
        assert len(set(labels[50 * k : 50 * (k + 1)])) == 1
    order = np.lexsort(found.round().T)
    np.testing.assert_allclose(found[order], centers[np.lexsort(centers.T)], atol=0.1)
    assert cost == pytest.approx((distances**2).sum())


@pytest.mark.parametrize("dims", [1, 3, 8])
def test_kmeans_stops_at_means_of_its_clusters(rng, dims):
    points = rng.random((300, dims))
    centers, _ = kmeans(points, 5, rng, iterations=1000)
    labels, _ = nearest(points, centers)
    means = [points[labels == k].mean(axis=0) for k in range(5)]
    np.testing.assert_allclose(centers, means, atol=1e-12)


def test_fixed_centres_of_kmeans_come_first_and_stay(rng):
    points = rng.random((100, 3))
    fixed = np.array([[9.0, 9, 9], [0.5, 0.5, 0.5]])  # the first is near no point
    centers, _ = kmeans(points, 5, rng, fixed=fixed)
    assert len(centers) == 5
    np.testing.assert_array_equal(centers[:2], fixed)


@pytest.mark.parametrize("dims", [2, 7])
def test_kmeans_gives_fewer_clusters_for_fewer_points(rng, dims):
    points = np.repeat(rng.random((2, dims)), 10, axis=0)
    assert len(kmeans(points, 7, rng)[0]) == 2
    assert len(kmeans(points, 7, rng, same=10.0)[0]) == 1
    assert len(set(clusters(points, 7))) == 2


def test_clusters_of_many_points_come_from_a_sample(rng):
    points = np.repeat([[0.0, 1.0], [2.0, 3.0]], 2 * MOST_POINTS, axis=0)
    labels = clusters(points + rng.normal(0, 0.1, points.shape), 2)
    assert len(set(labels[: len(labels) // 2])) == 1
    assert labels[0] != labels[-1]


def test_layers_are_grouped_by_their_features():
    alphas = np.eye(4, dtype=np.float32).reshape(4, 2, 2)
    features = np.array([[0, 0.1], [0.9, 1]], np.float32)[..., None]
    means = layer_means(alphas, features)
    np.testing.assert_allclose(means[:, 0], [0, 0.1, 0.9, 1], rtol=1e-6)
    groups = clusters(means, 2, starts=8)
    assert groups[0] == groups[1] != groups[2] == groups[3]


# constrained sparsification


def test_sparse_layers_lie_in_the_span_and_sum_to_one():
    picture, labels = three_bands(24)
    pairs = exact_eigenpairs(sparse.csr_array(matting_laplacian(picture)), 12)
    layers = constrained_sparsification(pairs, labels.ravel())
    basis = pairs.vectors
    np.testing.assert_allclose(basis @ (basis.T @ layers.T), layers.T, atol=1e-4)
    np.testing.assert_allclose(layers.sum(axis=0), 1, atol=1e-3)
    np.testing.assert_array_equal(layers.argmax(axis=0), labels.ravel())
    assert np.abs(layers - layers.round()).mean() < 0.02


def test_one_step_minimises_the_quadratic_energy(rng):
    """The multiplier form against a dense solution of the same constrained problem."""
    vectors, _ = np.linalg.qr(rng.normal(size=(60, 5)))
    vectors[:, 0] = 1 / np.sqrt(60)
    vectors, _ = np.linalg.qr(vectors)
    pairs = Eigenpairs(np.linspace(0, 0.01, 5), vectors.astype(np.float32))
    labels = np.repeat([0, 1, 2], 20)
    options = SparsityOptions(iterations=1, drop=0.0)
    layers = constrained_sparsification(pairs, labels, options)

    onehot = np.eye(3)[labels]
    start = vectors @ (vectors.T @ onehot)
    scale = 0.3**0.8
    u = scale * np.maximum(np.abs(start), 1e-3) ** -1.2
    v = scale * np.maximum(np.abs(1 - start), 1e-3) ** -1.2
    size = 15
    system = np.zeros((size + 5, size + 5))
    right = np.zeros(size + 5)
    for i in range(3):
        at = slice(5 * i, 5 * i + 5)
        weights = (u[:, i] + v[:, i])[:, None]
        system[at, at] = vectors.T @ (weights * vectors) + np.diag(pairs.values)
        system[at, size:] = -np.eye(5)
        system[size:, at] = np.eye(5)
        right[at] = vectors.T @ v[:, i]
    right[size:] = vectors.T @ np.ones(60)
    y = np.linalg.solve(system, right)[:size].reshape(3, 5)
    np.testing.assert_allclose(layers, y @ vectors.T, atol=1e-4)


def test_empty_layers_are_dropped():
    picture, labels = three_bands(24)
    pairs = exact_eigenpairs(sparse.csr_array(matting_laplacian(picture)), 12)
    crowded = labels.ravel().copy()
    crowded[0] = 3  # one pixel cannot hold a layer of its own
    assert len(constrained_sparsification(pairs, crowded)) == 3


# relaxed sparsification


def test_relaxed_solution_solves_equation_17():
    """Converged, without reweighting: the last solve against a dense one."""
    picture, labels = three_bands(12)
    laplacian = matting_laplacian(picture)
    start = np.eye(3, dtype=np.float32)[labels].transpose(2, 0, 1).copy()
    start += np.random.default_rng(0).normal(0, 0.05, start.shape).astype(np.float32)
    options = RelaxedOptions(iterations=0, last_steps=300)
    found = relaxed_sparsification(
        start, laplacian, sparsity_exponents(picture), options
    )
    count = labels.size
    one = laplacian.toarray() + np.eye(count)
    system = np.kron(np.eye(3), one) + 100 * np.kron(np.ones((3, 3)), np.eye(count))
    right = start.reshape(-1) + 100
    expected = np.linalg.solve(system, right).reshape(start.shape)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_relaxation_sharpens_washed_out_layers():
    picture, labels = three_bands(24)
    truth = np.eye(3, dtype=np.float32)[labels].transpose(2, 0, 1)
    washed = 0.6 * truth + 0.4 / 3
    found = relaxed_sparsification(
        washed, matting_laplacian(picture), sparsity_exponents(picture)
    )
    assert np.abs(found - truth).mean() < 0.55 * np.abs(washed - truth).mean()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=0.01)


def test_relaxation_does_not_change_its_input_and_can_be_cancelled():
    picture, labels = three_bands(24)
    start = np.eye(3, dtype=np.float32)[labels].transpose(2, 0, 1).copy()
    kept = start.copy()
    laplacian, exponents = matting_laplacian(picture), sparsity_exponents(picture)
    relaxed_sparsification(start, laplacian, exponents)
    np.testing.assert_array_equal(start, kept)
    with pytest.raises(Cancelled):
        relaxed_sparsification(
            start, laplacian, exponents, run=Run(cancelled=lambda: True)
        )


def test_rounding_keeps_the_sum_even_where_nothing_is_left():
    alphas = np.array([[0.05, 0.95, 0.5], [0.08, 0.05, 0.3]], np.float32)[:, None]
    rounded = rounded_layers(alphas)
    np.testing.assert_allclose(rounded[:, 0], [[0, 1, 0.625], [1, 0, 0.375]], rtol=1e-6)


def test_unit_sum_clamps_and_keeps_the_winner():
    alphas = np.array([[-0.2, 1.2, -0.1], [0.5, -0.1, -0.3]], np.float32)[:, None]
    np.testing.assert_allclose(unit_sum(alphas)[:, 0], [[0, 1, 1], [1, 0, 0]])


# enlarging


def test_constant_columns_stay_constant():
    large = enlarged_columns(np.ones((12, 2), np.float32), (3, 4), 2, (5, 8))
    np.testing.assert_allclose(large, np.ones((40, 2)), rtol=1e-6)


def test_guided_upsampling_follows_the_edge_of_the_picture():
    picture = np.zeros((40, 40, 3), np.float32)
    picture[:, 17:] = [0.9, 0.6, 0.2]  # not at a border of two small pixels
    guide = picture.reshape(20, 2, 20, 2, 3).mean(axis=(1, 3))
    layer = (np.arange(20) >= 9).astype(np.float32) * np.ones((20, 1), np.float32)
    layer[:, 8] = 0.5
    both = np.stack([layer, 1 - layer]).astype(np.float32)
    large = guided_upsampling(both, guide, picture, 2)
    np.testing.assert_allclose(large[0, 5:-5, :16], 0, atol=0.02)
    np.testing.assert_allclose(large[0, 5:-5, 18:], 1, atol=0.02)
    np.testing.assert_allclose(large.sum(axis=0), 1, atol=1e-3)


# merge tree


@pytest.fixture
def tree():
    """Four strips: two alike in feature, one a little different, one far away."""
    strips = np.repeat(np.arange(4), 10)[None].repeat(30, axis=0)
    alphas = (strips[None] == np.arange(4)[:, None, None]).astype(np.float32)
    features = np.array([0.0, 0.01, 0.3, 1.0], np.float32)[strips][..., None]
    lab = np.array([20.0, 21.0, 30.0, 90.0])[strips][..., None] * [1.0, 0, 0]
    return merge_tree(alphas, alphas, features, lab.astype(np.float32))


def test_the_most_alike_are_joined_first(tree):
    assert [set(pair) for pair in tree.merges.tolist()] == [{0, 1}, {2, 4}, {3, 5}]
    assert tree.costs[0] < tree.costs[1] < tree.costs[2]


def test_tree_relations(tree):
    assert list(tree.nodes) == list(range(7))
    assert tree.root == 6
    assert set(tree.children(4)) == {0, 1}
    assert tree.children(2) is None
    assert tree.parent(4) == 5
    assert tree.parent(6) is None
    assert tree.leaves(5) == [0, 1, 2]
    assert tree.path(3, 12) == [1, 4, 5, 6]
    np.testing.assert_allclose(tree.alphas(6), 1)
    with pytest.raises(ValueError, match="not in the tree"):
        tree.alphas(7)


def test_cuts_are_nested_and_cover_the_picture(tree):
    for count in range(1, 5):
        nodes = tree.cut(count)
        assert len(nodes) == count
        assert sorted(sum((tree.leaves(n) for n in nodes), [])) == [0, 1, 2, 3]
        for node in nodes:
            fewest, most = tree.level(node)
            assert fewest <= count <= most
    assert len(tree.cut(9)) == 4
    assert tree.cut("auto") == tree.cut(3)


def test_cost_is_the_documented_formula():
    alphas = np.zeros((2, 6, 20), np.float32)
    alphas[0, :, :5] = 1
    alphas[1, :, 5:] = 1
    features = (alphas[1] * 0.4)[..., None]
    lab = np.zeros((6, 20, 3), np.float32)
    lab[:, 5:, 0] = 50
    found = merge_tree(alphas, alphas, features, lab)
    columns = np.arange(20) / 20 * 0.3
    apart = columns[5:].mean() - columns[:5].mean()
    distance = 0.4**2 + (0.5 * 0.5) ** 2 + apart**2
    beside = 6 * 3 / (6 * 5)  # the boundary, three pixels wide, and the smaller area
    cost = distance * np.sqrt(0.25 * 0.75) * (0.5 + 0.05) * (beside + 0.05) ** -0.1
    assert found.costs[0] == pytest.approx(cost, rel=1e-3)


def test_a_single_layer_is_a_tree():
    one = np.ones((1, 5, 5), np.float32)
    found = merge_tree(one, one, None, np.zeros((5, 5, 3), np.float32))
    assert isinstance(found, MergeTree)
    assert found.cut("auto") == [0] == [found.root]
