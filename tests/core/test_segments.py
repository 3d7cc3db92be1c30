"""Semantic soft segments from picture to layers."""

import numpy as np
import pytest

from napari_softlayers._core import segments
from napari_softlayers._core.run import Cancelled, Run
from napari_softlayers._core.segments import (
    cut,
    pipeline,
    prepare_segments,
    soft_segments,
)
from napari_softlayers._core.segments.state import SegmentOptions


@pytest.fixture(autouse=True)
def empty_cache():
    segments.CACHE.clear()


@pytest.fixture(scope="module")
def scene():
    """A disc and a square on two backgrounds, their features, and their labels."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((72, 96))
    labels = (columns > 50).astype(int)
    labels[(rows - 30) ** 2 + (columns - 25) ** 2 < 200] = 2
    labels[40:62, 62:88] = 3
    colors = np.array([[0.2, 0.3, 0.7], [0.3, 0.6, 0.2], [0.9, 0.5, 0.1], [0.8] * 3])
    picture = colors[labels] + rng.normal(0, 0.02, (72, 96, 3))
    kinds = np.array([[0, 0, 0.1], [1, 0, 0.2], [0, 1, 0.9], [1, 1, 0.5]])
    return np.clip(picture, 0, 1).astype(np.float32), kinds[labels], labels


@pytest.fixture(scope="module")
def layers(scene):
    picture, features, _ = scene
    return soft_segments(picture, 4, features)


FEW = {"n_eigenvectors": 24, "n_clusters": 10}
"""Smaller subspace problems, for tests that run the steps often."""


def overlap(layers, labels):
    """Mean over the regions of the best layer's IoU."""
    found = []
    for k in np.unique(labels):
        ious = [
            ((a > 0.5) & (labels == k)).sum() / ((a > 0.5) | (labels == k)).sum()
            for a in layers.alphas
        ]
        found.append(max(ious))
    return np.mean(found)


def test_objects_come_apart(layers, scene):
    assert len(layers) == 4
    assert overlap(layers, scene[2]) > 0.93


def test_layers_are_exact(layers):
    assert layers.kind == "segments"
    assert layers.alphas.min() >= 0
    assert layers.alphas.max() <= 1
    np.testing.assert_allclose(layers.alphas.sum(axis=0), 1, atol=1e-5)
    assert layers.recomposition_error < 1e-5
    assert np.all(np.diff(layers.coverage) <= 0)


def test_everything_on_the_way_is_in_the_extras(layers):
    state, tree = layers.extras["state"], layers.extras["tree"]
    assert sorted(layers.extras["nodes"]) == tree.cut(4)
    assert state.superpixels.labels.shape == (72, 96)
    assert state.features.affinity.shape == (72, 96, 3)
    assert state.eigenpairs.vectors.shape[0] == state.guide[..., 0].size
    assert layers.parameters["n_segments"] == 4
    assert layers.parameters["features"] == "array"


def test_a_cut_repeats_nothing(layers, monkeypatch):
    def fail(*_args, **_kwargs):
        raise AssertionError("the slow steps ran again")

    monkeypatch.setattr(pipeline, "compute_state", fail)
    three = cut(layers, 3)
    assert len(three) == 3
    assert three.recomposition_error < 1e-5
    assert cut(three, 4).alphas is layers.alphas  # the first result was kept


def test_nodes_of_the_tree_become_layers(layers):
    tree = layers.extras["tree"]
    node = max(tree.cut(4), key=lambda n: tree.alphas(n).sum())
    two = cut(layers, nodes=[node])
    assert set(two.extras["nodes"]) == {node, None}
    first, second = tree.children(tree.root)
    assert len(cut(layers, nodes=[first, second])) == 2
    with pytest.raises(ValueError, match="below another"):
        cut(layers, nodes=[tree.root, first])


def test_same_seed_same_layers(scene):
    picture, features, _ = scene
    one = soft_segments(picture, 4, features, seed=5, **FEW)
    segments.CACHE.clear()
    two = soft_segments(picture, 4, features, seed=5, **FEW)
    np.testing.assert_array_equal(one.alphas, two.alphas)
    np.testing.assert_array_equal(one.colors, two.colors)


def test_second_run_comes_from_the_cache(scene, monkeypatch):
    picture, features, _ = scene
    one = soft_segments(picture, 4, features)
    monkeypatch.setattr(pipeline, "compute_state", None)
    two = soft_segments(picture.copy(), 4, features.copy())
    np.testing.assert_array_equal(one.alphas, two.alphas)
    with pytest.raises(TypeError):
        soft_segments(picture, 4, features + 0.01)


@pytest.mark.parametrize(
    "options",
    [
        {"color_affinity": False},
        {"semantic_affinity": False},
        {"normalised": True},
        {"grouping": "kmeans"},
        {"quality": "exact"},
        {"n_clusters": 40},
    ],
    ids=lambda o: next(iter(o)),
)
def test_switches(scene, options):
    picture, features, labels = scene
    part = np.s_[::2, ::2]
    found = soft_segments(picture[part], 4, features[part], **{**FEW, **options})
    assert len(found) == 4
    assert overlap(found, labels[part]) > 0.8
    assert found.recomposition_error < 1e-5


def test_switches_change_the_graph(scene):
    picture, features, _ = scene
    part = np.s_[::2, ::2]
    edges = {}
    for color in (True, False):
        for semantic in (True, False):
            options = SegmentOptions(
                color_affinity=color, semantic_affinity=semantic, **FEW
            )
            state = prepare_segments(picture[part], features[part], options)
            edges[color, semantic] = 0 if state.edges is None else state.edges.nnz
    assert edges[False, False] == 0
    assert 0 < edges[False, True] < edges[True, True]
    assert 0 < edges[True, False] <= edges[True, True]


def test_without_features_it_is_spectral_matting(scene):
    picture, _, _ = scene
    found = soft_segments(picture[::2, ::2], 3, features=None, **FEW)
    assert len(found) == 3
    assert found.extras["state"].features is None
    assert found.parameters["features"] is None


def test_grey_picture(scene):
    picture, features, labels = scene
    grey = picture.mean(axis=-1)
    found = soft_segments(grey[::2, ::2], 4, features[::2, ::2], **FEW)
    assert overlap(found, labels[::2, ::2]) > 0.8


def test_superpixels_of_the_user(scene):
    picture, features, _ = scene
    rows, columns = np.indices(picture.shape[:2])
    labels = rows // 6 * 100 + columns // 6
    found = soft_segments(picture, 4, features, superpixels=labels, **FEW)
    assert found.extras["state"].superpixels.count == 12 * 16
    for wrong in (labels[:-1], np.dstack([labels] * 3), labels - 5, labels + 0.5):
        with pytest.raises(ValueError, match="The label image"):
            soft_segments(picture, 4, features, superpixels=wrong)


def test_large_pictures_are_reduced_for_the_slow_steps(scene, monkeypatch):
    picture, features, labels = scene
    monkeypatch.setattr("napari_softlayers._core.segments.pipeline.BASE_PIXELS", 2000)
    monkeypatch.setattr(
        "napari_softlayers._core.segments.graphs.BAND_PIXELS", 72 * 96 // 2
    )
    monkeypatch.setattr("napari_softlayers._core.segments.finishing.OVERLAP", 8)
    found = soft_segments(picture, 4, features, superpixels=labels, **FEW)
    state = found.extras["state"]
    assert state.scale > 1
    assert state.base.shape[0] < 72
    assert found.shape == (72, 96)
    assert overlap(found, labels) > 0.9


# bad input


@pytest.mark.parametrize("count", [1, 16, 0, -3, 2.5, "many", None, True])
def test_bad_number_of_segments(scene, count):
    with pytest.raises(ValueError, match="n_segments"):
        soft_segments(scene[0], count, scene[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": "best"}, "quality"),
        ({"grouping": "magic"}, "grouping"),
        ({"n_eigenvectors": 1}, "n_eigenvectors"),
        ({"n_clusters": 0}, "n_clusters"),
        ({"affinity_weight": 5.0}, "affinity_weight"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_bad_options(scene, options, message):
    with pytest.raises(ValueError, match=message):
        soft_segments(scene[0], 4, scene[1], **options)


def test_features_of_another_size(scene):
    with pytest.raises(ValueError, match="do not fit"):
        soft_segments(scene[0], 4, scene[1][:-2])


def test_nan(scene):
    picture = scene[0].copy()
    picture[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        soft_segments(picture, 4, scene[1])
    features = scene[1].copy()
    features[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        soft_segments(scene[0], 4, features)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (2, 50), (1, 1)])
def test_too_thin(shape):
    with pytest.raises(ValueError, match="at least 3 pixels"):
        soft_segments(np.zeros((*shape, 3), np.float32), features=None)


@pytest.mark.parametrize("shape", [(3, 3), (5, 9), (20, 31), (64, 3)])
@pytest.mark.filterwarnings("ignore:15 segments were asked")
def test_small_pictures_work(shape, rng):
    picture = rng.random((*shape, 3)).astype(np.float32)
    found = soft_segments(picture, 15, picture, **FEW)
    assert found.shape == shape
    assert 1 <= len(found) <= 15
    assert found.recomposition_error < 1e-5


def test_constant_picture():
    picture = np.full((40, 50, 3), 0.5, np.float32)
    with pytest.warns(UserWarning, match="one colour"):
        found = soft_segments(picture, 5, features=None, **FEW)
    assert len(found) == 1
    np.testing.assert_array_equal(found.alphas, 1)
    assert found.recomposition_error < 1e-6


def test_more_segments_than_there_are(scene):
    picture = np.zeros((16, 16, 3), np.float32)
    picture[:, 8:] = 1
    with pytest.warns(UserWarning, match="only 2"):
        found = soft_segments(picture, 9, picture)
    assert len(found) == 2


def test_constant_features_leave_the_colours(scene):
    picture = scene[0][::2, ::2]
    with pytest.warns(UserWarning, match="same everywhere"):
        found = soft_segments(picture, 3, np.full_like(picture, 0.3), **FEW)
    assert len(found) == 3
    assert found.extras["state"].features is None


def test_layers_of_another_method_cannot_be_cut(layers):
    other = layers.merge([[0, 1]])
    with pytest.raises(TypeError, match="soft_segments"):
        cut(other, 3)


def test_cancel_at_every_stage(scene):
    picture, features, _ = scene
    picture, features = picture[::2, ::2], features[::2, ::2]
    messages = []
    soft_segments(picture, 4, features, run=Run(lambda _, m: messages.append(m)), **FEW)
    stages = list(dict.fromkeys(messages))
    assert len(stages) >= 7
    for stage in stages:
        segments.CACHE.clear()
        seen = []
        run = Run(lambda _, m, s=seen: s.append(m), lambda s=seen, g=stage: g in s)
        with pytest.raises(Cancelled):
            soft_segments(picture, 4, features, run=run, **FEW)
            run.check()  # the last message of all has nothing after it
        assert seen[-1] == stage


def test_progress_grows(scene):
    picture, features, _ = scene
    fractions = []
    soft_segments(
        picture[::2, ::2],
        4,
        features[::2, ::2],
        run=Run(lambda f, _: fractions.append(f)),
    )
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0
    assert fractions[-1] == pytest.approx(1)


def test_no_memory_on_the_gpu_falls_back_to_the_cpu(scene, monkeypatch):
    import torch

    real = pipeline._eigenpairs

    def small_gpu(matrices, guide, options, device, run):
        if torch.device(device).type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return real(matrices, guide, options, device, run)

    monkeypatch.setattr(pipeline, "_eigenpairs", small_gpu)
    with pytest.warns(RuntimeWarning, match="too little memory"):
        state = pipeline.compute_state(
            scene[0][::2, ::2],
            scene[1][::2, ::2],
            None,
            SegmentOptions(**FEW),
            torch.device("cuda"),
        )
    assert state.tree.leaf_count >= 4


@pytest.mark.gpu
def test_gpu_equals_cpu(scene):
    picture, features, _ = scene
    cpu = soft_segments(picture, 4, features, device="cpu")
    gpu = soft_segments(picture, 4, features, device="cuda")
    assert np.abs(cpu.alphas - gpu.alphas).mean() < 0.01
