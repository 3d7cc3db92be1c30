"""Mattes of all methods: exact cases, independent references, bad input."""

import time
import warnings

import numpy as np
import pytest

from napari_softlayers._core.matting import matte, solve_alphas
from napari_softlayers._core.matting.methods.graph import (
    mixture_weights,
    nearest,
    pin_islands,
)
from napari_softlayers._core.matting.methods.information_flow import (
    known_to_unknown,
    looks_transparent,
    trimmed,
)
from napari_softlayers._core.matting.system import laplacian_system
from napari_softlayers._core.numerics.matting_laplacian import matting_laplacian
from napari_softlayers._core.run import Cancelled, Run

METHODS = ("closed_form", "knn", "information_flow")
COLORS = np.array([[0.1, 0.2, 0.7], [0.9, 0.7, 0.2]], np.float32)


@pytest.fixture
def soft_disk():
    """Two slightly varying colours mixed by a known alpha: picture, trimap, alpha."""
    y, x = np.mgrid[:48, :56].astype(np.float32)
    alpha = np.clip((20 - np.hypot(y - 24, x - 28)) / 10 + 0.5, 0, 1)
    shade = 0.05 * np.sin(x / 9)[..., None]
    picture = (1 - alpha[..., None]) * (COLORS[0] + shade)
    picture = picture + alpha[..., None] * (COLORS[1] - shade)
    trimap = np.where(alpha <= 0, 1, np.where(alpha >= 1, 2, 0))
    return picture.clip(0, 1).astype(np.float32), trimap, alpha


@pytest.fixture
def three_parts(rng):
    """A textured picture with three labels along its left, right and bottom."""
    picture = rng.random((22, 26, 3)).astype(np.float32)
    trimap = np.zeros((22, 26), int)
    trimap[:15, :6], trimap[:15, -5:], trimap[-4:] = 1, 2, 3
    return picture, trimap


@pytest.mark.parametrize("method", METHODS)
def test_soft_edge_of_two_colours(soft_disk, method):
    picture, trimap, alpha = soft_disk
    alphas = solve_alphas(picture, trimap, method)
    assert alphas.dtype == np.float32
    assert np.abs(alphas[1] - alpha)[trimap == 0].mean() < 0.05
    assert (alphas[1][trimap == 2] == 1).all()
    assert (alphas[0][trimap == 1] == 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_layers_add_up(three_parts, method):
    picture, trimap = three_parts
    layers = matte(picture, trimap, method)
    assert layers.alphas.shape == (3, 22, 26)
    np.testing.assert_allclose(layers.alphas.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(layers.composite(), picture, atol=1e-5)
    assert layers.kind == "matte"
    assert layers.names == ["label 1", "label 2", "label 3"]
    assert layers.parameters["method"] == method
    assert layers.parameters["solver_tolerance"] > 0
    assert layers.parameters["device"] == "auto"


@pytest.mark.parametrize("method", METHODS)
def test_numbers_of_the_labels_do_not_matter(three_parts, method):
    picture, trimap = three_parts
    alphas = solve_alphas(picture, trimap, method, solver_tolerance=1e-6)
    swapped = np.array([0, 3, 1, 2])[trimap]
    again = solve_alphas(picture, swapped, method, solver_tolerance=1e-6)
    np.testing.assert_allclose(again[[2, 0, 1]], alphas, atol=5e-3)


@pytest.mark.parametrize("method", METHODS)
def test_is_deterministic(three_parts, method):
    first = solve_alphas(*three_parts, method)
    np.testing.assert_array_equal(solve_alphas(*three_parts, method), first)


def test_closed_form_equals_a_dense_solve(astronaut):
    picture = (astronaut[20:50, 50:85] / 255).astype(np.float32)
    trimap = np.zeros((30, 35), int)
    trimap[:4], trimap[-5:, :20], trimap[10:14, 10:16] = 1, 2, 3
    laplacian = matting_laplacian(picture).toarray()
    unknown = trimap.ravel() == 0
    known = np.eye(4)[trimap.ravel()][:, 1:]
    exact = known.copy()
    exact[unknown] = -np.linalg.solve(
        laplacian[np.ix_(unknown, unknown)], laplacian[unknown] @ known
    )
    exact = exact.clip(0, 1)
    exact = (exact / exact.sum(axis=1, keepdims=True)).T.reshape(3, 30, 35)
    found = solve_alphas(picture, trimap, solver_tolerance=1e-6)
    np.testing.assert_allclose(found, exact, atol=5e-3)
    assert np.abs(found - exact).mean() < 5e-4


def test_closed_form_is_right_where_single_precision_is_not(rng):
    # In large smooth areas the slowest modes cost next to nothing.
    from scipy.sparse.linalg import spsolve

    y, x = np.mgrid[:90, :260] / 260
    picture = np.stack([0.3 + 0.4 * x, 0.5 + 0.2 * y, 0.6 - 0.3 * x * y], axis=-1)
    picture += rng.normal(0, 0.7 / 255, picture.shape)
    picture = picture.astype(np.float32)
    trimap = np.zeros((90, 260), int)
    trimap[:, :3], trimap[:, -3:] = 1, 2
    laplacian = matting_laplacian(picture)
    unknown = np.flatnonzero(trimap.ravel() == 0)
    known = (trimap.ravel() == 2).astype(float)
    right = -(laplacian[unknown] @ known)
    exact = spsolve(laplacian[unknown][:, unknown].tocsc(), right).clip(0, 1)
    found = solve_alphas(picture, trimap)[1].ravel()[unknown]
    assert np.abs(found - exact).mean() < 3e-3


def test_two_layers_of_three_are_two_of_two(soft_disk):
    # Splitting the background's label does not change the foreground.
    picture, trimap, _ = soft_disk
    split = np.where((trimap == 1) & (np.arange(56) < 28), 3, trimap)
    two = solve_alphas(picture, trimap, solver_tolerance=1e-6)
    three = solve_alphas(picture, split, solver_tolerance=1e-6)
    np.testing.assert_allclose(three[1], two[1], atol=5e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("crop", [48, 12])
def test_the_torch_path_agrees(soft_disk, monkeypatch, method, crop):
    # What runs on CUDA, with tensors on the CPU.
    import importlib

    import torch

    name = f"napari_softlayers._core.matting.methods.{method}"
    module = importlib.import_module(name)
    picture, trimap, _ = soft_disk
    picture, trimap = picture[:crop], trimap[:crop]
    expected = solve_alphas(picture, trimap, method)
    monkeypatch.setattr(module, "solver_device", lambda device: torch.device("cpu"))
    found = solve_alphas(picture, trimap, method)
    np.testing.assert_allclose(found, expected, atol=5e-3)
    again = solve_alphas(picture, trimap, method, initial=expected)
    np.testing.assert_allclose(again, expected, atol=5e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
def test_cuda_agrees(soft_disk, method):
    picture, trimap, _ = soft_disk
    here = solve_alphas(picture, trimap, method, device="cpu")
    there = solve_alphas(picture, trimap, method, device="cuda")
    assert np.abs(here - there).max() < 1e-2


def test_a_start_saves_work_and_changes_nothing(astronaut):
    trimap = np.zeros((128, 128), int)
    trimap[:10], trimap[60:100, 30:80] = 1, 2
    cold = solve_alphas(astronaut, trimap, solver_tolerance=1e-5)
    warm = solve_alphas(astronaut, trimap, solver_tolerance=1e-5, initial=cold)
    assert np.abs(warm - cold).mean() < 1e-3
    with pytest.raises(ValueError, match="initial has shape"):
        solve_alphas(astronaut, trimap, initial=cold[:, :5])


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_of_one_colour(method):
    trimap = np.zeros((16, 30), int)
    trimap[:, :5], trimap[:, -5:] = 1, 2
    alphas = solve_alphas(np.full((16, 30, 3), 0.4), trimap, method)
    assert np.isfinite(alphas).all()
    assert alphas[0, 8, 5] > 0.5 > alphas[0, 8, 24]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 9), (2, 7), (9, 1), (3, 3)])
def test_tiny_pictures(rng, method, shape):
    trimap = np.zeros(shape, int)
    trimap.flat[0], trimap.flat[-1] = 1, 2
    alphas = solve_alphas(rng.random((*shape, 3)), trimap, method)
    assert alphas.shape == (2, *shape)
    np.testing.assert_allclose(alphas.sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_grey_and_8_bit_pictures(soft_disk, method):
    picture, trimap, _ = soft_disk
    grey = (picture.mean(axis=2) * 255).astype(np.uint8)
    alphas = solve_alphas(grey, trimap.astype(np.uint8), method)
    assert np.isfinite(alphas).all()


def test_classic_trimaps_give_the_same(soft_disk):
    picture, trimap, _ = soft_disk
    classic = np.array([128, 0, 255], np.uint8)[trimap]
    layers = matte(picture, classic)
    assert layers.names == ["background", "foreground"]
    np.testing.assert_array_equal(layers.alphas, matte(picture, trimap).alphas)


def test_without_unknown_pixels_the_labels_come_back(three_parts):
    picture, trimap = three_parts
    trimap = np.where(trimap == 0, 2, trimap)
    with pytest.warns(UserWarning, match="no unknown pixels"):
        alphas = solve_alphas(picture, trimap)
    np.testing.assert_array_equal(alphas.argmax(axis=0) + 1, trimap)
    assert set(np.unique(alphas)) == {0, 1}


@pytest.mark.parametrize(
    ("picture", "trimap", "error", "words"),
    [
        (np.zeros((1, 1, 3)), np.zeros((1, 1), int), ValueError, "no label at all"),
        (np.zeros((9, 9, 3)), np.eye(9, dtype=int), ValueError, "only label 1"),
        (np.zeros((9, 9, 3)), np.zeros((9, 9), int), ValueError, "no label at all"),
        (np.zeros((9, 9, 3)), np.eye(8, dtype=int), ValueError, "8x8 .* 9x9"),
        (np.zeros((9, 9, 3)), -np.eye(9, dtype=int), ValueError, "negative"),
        (np.full((9, 9, 3), np.nan), np.eye(9, dtype=int), ValueError, "NaN"),
        (np.full((9, 9, 3), np.inf), np.eye(9, dtype=int), ValueError, "infinite|inf"),
    ],
)
def test_bad_input_is_refused(picture, trimap, error, words):
    with pytest.raises(error, match=words):
        matte(picture, trimap)


def test_bad_parameters_are_refused(three_parts):
    with pytest.raises(ValueError, match=r"'fast' .*closed_form"):
        matte(*three_parts, "fast")
    with pytest.raises(TypeError, match="no parameter epsilon; it has eps"):
        matte(*three_parts, epsilon=1)
    with pytest.raises(ValueError, match="transparent='yes'"):
        matte(*three_parts, "information_flow", transparent="yes")
    with pytest.raises(ValueError, match="neighbours"):
        matte(*three_parts, "knn", neighbours=(10,))
    with pytest.raises(ValueError, match="'gpu' is not known"):
        matte(*three_parts, device="gpu")


def test_absent_cuda_is_told(three_parts):
    import torch

    if torch.cuda.is_available():
        pytest.skip("CUDA is there")
    with pytest.raises(ValueError, match="no CUDA device"):
        matte(*three_parts, device="cuda")


@pytest.mark.parametrize("method", METHODS)
def test_cancel_in_the_middle(astronaut, method):
    astronaut = astronaut[:80, :80]
    trimap = np.zeros((80, 80), int)
    trimap[:30], trimap[60:80, 30:60] = 1, 2
    late = []
    run = Run(progress=lambda fraction, _: late.append(fraction) or None)
    solve_alphas(astronaut, trimap, method, run=run)
    assert late == sorted(late)
    half = late[len(late) // 2]
    seen = []
    stop = []

    def progress(fraction, _):
        seen.append(fraction)
        if fraction >= half:
            stop.append(time.monotonic())

    with pytest.raises(Cancelled):
        solve_alphas(
            astronaut, trimap, method, run=Run(progress, cancelled=lambda: bool(stop))
        )
    assert max(seen) <= max(late)
    assert len(stop) == 1


@pytest.mark.parametrize("method", METHODS)
def test_early_stop_still_gives_layers(astronaut, method):
    astronaut = astronaut[:80, :80]
    trimap = np.zeros((80, 80), int)
    trimap[:30], trimap[60:80, 30:60] = 1, 2
    with pytest.warns(RuntimeWarning, match="stopped after 2 iterations"):
        alphas = solve_alphas(astronaut, trimap, method, max_iterations=2)
    np.testing.assert_allclose(alphas.sum(axis=0), 1, atol=1e-6)


def test_islands_get_equal_shares():
    from scipy import sparse

    chain = sparse.csr_matrix(
        [[1.0, -1, 0, 0], [-1, 2, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]]
    )
    right = np.array([[0.0, 0], [1, 0], [0, 0], [0, 0]], np.float32)
    tied = np.array([False, True, False, False])
    with pytest.warns(RuntimeWarning, match="2 unknown pixels"):
        matrix, pinned = pin_islands(chain, right, tied)
    found = np.linalg.solve(matrix.toarray(), pinned)
    np.testing.assert_allclose(found, [[1, 0], [1, 0], [1 / 3] * 2, [1 / 3] * 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same, _ = pin_islands(chain, right, np.array([0, 1, 0, 1], bool))
    assert same is chain


def test_knn_with_islands_of_colour():
    # Two unknown patches of their own colour, far from everything: no neighbours known.
    picture = np.zeros((40, 40, 3), np.float32)
    picture[:, 20:] = 0.5
    trimap = np.ones((40, 40), int)
    trimap[:, 30:] = 2
    picture[5:20, 5:15], trimap[5:20, 5:15] = [1, 0, 0], 0
    with pytest.warns(RuntimeWarning, match="connected to no known pixel"):
        alphas = solve_alphas(
            picture, trimap, "knn", neighbours=(5,), position_weights=(0.1,)
        )
    assert np.isfinite(alphas).all()
    np.testing.assert_allclose(alphas[:, 8, 8], 0.5, atol=1e-3)


def test_mixture_weights_mix_the_colour(rng):
    neighbours = rng.random((50, 12, 3))
    share = rng.dirichlet(np.ones(12), 50)
    colors = np.einsum("nk,nkc->nc", share, neighbours)
    weights = mixture_weights(colors, neighbours, ridge=1e-8)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    mixed = np.einsum("nk,nkc->nc", weights, neighbours)
    np.testing.assert_allclose(mixed, colors, atol=1e-5)
    # The same by its definition, densely.
    difference = neighbours[0] - colors[0]
    gram = difference @ difference.T
    gram += np.eye(12) * (1e-3 * np.trace(gram) + 1e-9)
    expected = np.linalg.solve(gram, np.ones(12))
    found = mixture_weights(colors[:1], neighbours[:1], 1e-3)[0]
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6)


def test_nearest_equals_brute_force(rng):
    features = rng.random((300, 5)).astype(np.float32)
    queries = rng.random((40, 5)).astype(np.float32)
    distances, indices = nearest(features, queries, 4, Run())
    table = np.linalg.norm(queries[:, None] - features, axis=2)
    np.testing.assert_array_equal(indices, table.argsort(axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(table, axis=1)[:, :4], rtol=1e-5)
    # With too few features the nearest one is repeated.
    _, few = nearest(features[:2], queries, 4, Run())
    assert (few[:, 2] == few[:, 0]).all()


def test_known_to_unknown_finds_the_mixture(soft_disk):
    picture, trimap, alpha = soft_disk
    estimate, confidence = known_to_unknown(picture, trimap)
    np.testing.assert_allclose(estimate.sum(axis=1), 1, rtol=1e-5)
    assert np.abs(estimate[:, 1] - alpha[trimap == 0]).mean() < 0.05
    expected = np.square(COLORS[1] - COLORS[0]).sum() / 3
    assert np.median(confidence) == pytest.approx(expected, rel=0.3)


def test_trimming_takes_like_neighbours_only():
    picture = np.zeros((20, 60, 3), np.float32)
    picture[:, 30:] = 1
    trimap = np.zeros((20, 60), int)
    trimap[:, :15], trimap[:, 45:] = 1, 2
    label = np.zeros_like(trimap)
    label[trimap == 0] = trimmed(picture, trimap)
    assert (label[:, 15:22] == 1).all()
    assert (label[:, 38:45] == 2).all()
    assert (label[:, 25:35] == 0).all()


def test_transparent_layers_are_noticed(soft_disk):
    picture, trimap, alpha = soft_disk
    assert not looks_transparent(picture, laplacian_system(picture, trimap))
    y, x = np.mgrid[:60, :60].astype(np.float32)
    texture = 0.3 + 0.2 * np.sin(x / 2) * np.cos(y / 3)
    back = np.stack([texture, texture / 2, 0.6 - texture], axis=-1)
    veil = np.where((x > 10) & (x < 50) & (y > 10), 0.5, 0.0)
    veil[55:] = 1
    glass = back * (1 - veil[..., None]) + 0.9 * veil[..., None]
    trimap = np.where(veil == 0.5, 0, np.where(veil == 0, 1, 2))
    system = laplacian_system(glass.astype(np.float32), trimap)
    assert looks_transparent(glass.astype(np.float32), system)


def test_real_pictures_stay_as_good(shared_data):
    # Quality on one photograph at half size; a tenth of drift is allowed.
    from skimage import io

    folder = shared_data / "alphamatting"
    picture = io.imread(folder / "image" / "GT05.png")[::2, ::2, :3]
    trimap = io.imread(folder / "trimap1" / "GT05.png")
    truth = io.imread(folder / "alpha" / "GT05.png")
    trimap = (trimap[..., 0] if trimap.ndim == 3 else trimap)[::2, ::2]
    truth = (truth[..., 0] if truth.ndim == 3 else truth)[::2, ::2] / 255
    unknown = (trimap != 0) & (trimap != 255)
    errors = {
        method: np.abs(solve_alphas(picture, trimap, method)[1] - truth)[unknown].mean()
        for method in METHODS
    }
    assert errors["closed_form"] < 0.055
    assert errors["knn"] < 0.07
    assert errors["information_flow"] < 0.05
