"""Objects by clicks."""

import numpy as np
import pytest

from napari_softlayers._core.segments.segmenter import Segmenter


@pytest.fixture(scope="module")
def scene():
    """Two discs of one kind on a background of another, and a stripe."""
    rng = np.random.default_rng(1)
    rows, columns = np.indices((176, 200))
    labels = np.zeros((176, 200), int)
    labels[(rows - 60) ** 2 + (columns - 50) ** 2 < 900] = 1
    labels[(rows - 60) ** 2 + (columns - 150) ** 2 < 900] = 2
    labels[130:150] = 3
    colors = np.array([[0.2, 0.3, 0.6], [0.9, 0.5, 0.1], [0.8, 0.4, 0.2], [0.3] * 3])
    picture = colors[labels] + rng.normal(0, 0.02, (176, 200, 3))
    kinds = np.array([[0, 0, 0], [1, 0, 0.8], [1, 0.1, 0.8], [0, 1, 0.4]])
    return np.clip(picture, 0, 1).astype(np.float32), kinds[labels], labels


@pytest.fixture(scope="module")
def prepared(scene):
    return Segmenter(scene[0], scene[1], device="cpu", n_eigenvectors=40, n_clusters=16)


@pytest.fixture
def segmenter(prepared):
    while prepared.undo() is not None:
        pass
    return prepared


def iou(alpha, wanted):
    mask = alpha > 0.5
    return (mask & wanted).sum() / (mask | wanted).sum()


def test_first_click_answers_with_a_segment(segmenter, scene):
    preview = segmenter.click([(60, 50)], [1])
    assert preview.names == ["rest", "object 1"]
    assert preview.shape == (88, 100)
    assert preview.kind == "clicks"
    np.testing.assert_allclose(preview.alphas.sum(axis=0), 1, atol=1e-5)
    assert preview.recomposition_error < 1e-5
    small = scene[2][::2, ::2]
    found = [iou(preview.alphas[1], np.isin(small, kinds)) for kinds in ([1], [1, 2])]
    assert max(found) > 0.85  # one disc, or both as one kind


def test_more_clicks_separate_what_looks_alike(segmenter, scene):
    points = [(60, 50), (60, 150), (20, 100)]
    segmenter.click(points, [1, 0, 0])
    fine = segmenter.refine()
    assert fine.shape == (176, 200)
    assert fine.recomposition_error < 1e-5
    assert iou(fine.alphas[1], scene[2] == 1) > 0.9


def test_several_objects_side_by_side(segmenter, scene):
    layers = segmenter.click([(60, 50), (60, 150), (140, 90)], [1, 2, 5])
    assert layers.names == ["rest", "object 1", "object 2", "object 5"]
    fine = segmenter.refine()
    for layer, label in ((1, 1), (2, 2), (3, 3)):
        assert iou(fine.alphas[layer], scene[2] == label) > 0.8


def test_a_click_never_ends_on_the_wrong_side(segmenter, rng):
    points = rng.integers(0, [176, 200], (14, 2))
    labels = np.tile([1, 0], 7)
    preview = segmenter.click(points, labels)
    for (row, column), label in zip(points // 2, labels, strict=True):
        same = (points // 2 == [row, column]).all(axis=1)
        if len(set(labels[same])) == 1:
            assert preview.alphas[label, row, column] > 0.5
    fine = segmenter.refine()
    for (row, column), label in zip(points, labels, strict=True):
        assert fine.alphas[label, row, column] > 0.5
    np.testing.assert_allclose(fine.alphas.sum(axis=0), 1, atol=1e-5)


def test_more_clicks_than_are_kept(segmenter, scene):
    rng = np.random.default_rng(2)
    points = rng.integers(0, [176, 200], (90, 2))
    labels = (scene[2][tuple(points.T)] == 1).astype(int)
    for count in (40, 90):
        preview = segmenter.click(points[:count], labels[:count])
    assert iou(preview.alphas[1], scene[2][::2, ::2] == 1) > 0.9


def test_clicks_on_both_sides_of_an_edge(segmenter):
    segmenter.click([(60, 78), (60, 82)], [1, 0])
    fine = segmenter.refine()
    assert fine.alphas[1, 60, 78] > 0.5
    assert fine.alphas[0, 60, 82] > 0.5


def test_undo_goes_back(segmenter):
    first = segmenter.click([(60, 50)], [1])
    segmenter.click([(60, 50), (60, 150)], [1, 0])
    back = segmenter.undo()
    np.testing.assert_array_equal(back.alphas, first.alphas)
    assert segmenter.undo() is None
    assert segmenter.undo() is None
    with pytest.raises(RuntimeError, match="click"):
        segmenter.refine()


def test_only_the_last_answers_can_be_undone(scene, monkeypatch):
    monkeypatch.setattr("napari_softlayers._core.segments.segmenter.KEPT_STEPS", 3)
    options = {"n_eigenvectors": 40, "n_clusters": 16}
    one = Segmenter(scene[0], scene[1], device="cpu", **options)
    answers = [one.click([(60, 50 + k)], [1]).alphas for k in range(5)]
    for expected in (answers[3], answers[2]):
        np.testing.assert_array_equal(one.undo().alphas, expected)
    assert one.undo() is None


def test_segments_grow_and_shrink_along_the_tree(segmenter):
    point = (60, 50)
    low, high = segmenter.levels_at(point)
    assert low <= 0 <= high
    areas = [segmenter.segment_at(point, k).sum() for k in range(low, high + 1)]
    assert np.all(np.diff(areas) > 0)
    assert segmenter.segment_at(point, 99).sum() == pytest.approx(areas[-1])
    node = segmenter.node_at(point)
    np.testing.assert_array_equal(
        segmenter.segment_at(point), segmenter.state.tree.alphas(node)
    )
    if high:
        grown = segmenter.click([point], [1], levels=(high,)).alphas[1].sum()
        plain = segmenter.click([point], [1]).alphas[1].sum()
        assert grown > plain


def test_a_removal_at_a_border_speaks_less_against_a_node(segmenter):
    """What is wrong near a border can only be thin."""
    model = segmenter._model
    pixel = 30 * 100 + 25
    members = model.tree.leaves(model.path(pixel)[-1])
    assert 1 < len(members) < len(model.leaves)
    own = np.array([True, False])
    shares = []
    for distance in (1.0, 90.0):  # of a removal in the largest node from its border
        distances = np.full((2, len(model.leaves)), distance)
        distances[:, members] = 0
        shares.append(model._leaf_shares(pixel, 0, own, distances)[members].mean())
    assert shares[0] > shares[1] + 0.02


def test_a_removal_far_away_leaves_the_object(segmenter, scene):
    """Things of one kind are told apart by what lies between them."""
    wanted = scene[2][::2, ::2] == 1
    for clicks in ([(60, 150)], [(60, 150), (60, 140)]):
        points = [(60, 50), *clicks]
        answer = segmenter.click(points, [1] + [0] * len(clicks)).alphas[1]
        assert iou(answer, wanted) > 0.85


def test_same_clicks_same_answer(segmenter):
    clicks = [(60, 50), (60, 150)], [1, 0]
    one, two = segmenter.click(*clicks), segmenter.click(*clicks)
    np.testing.assert_array_equal(one.alphas, two.alphas)
    assert one.parameters["labels"] == [1, 0]


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        ([(-1, 5)], [1], "outside"),
        ([(5, 200)], [1], "outside"),
        ([(np.nan, 5)], [1], "NaN"),
        ([(5, 5), (5, 5)], [1, 0], "contradict"),
        ([(5, 5), (5.2, 4.9)], [1, 2], "contradict"),
        ([(5, 5)], [0], "add to an object"),
        ([(5, 5)], [-1], "add to an object"),
        ([], [], "at least one click"),
        ([(5, 5, 5)], [1], "rows and columns"),
        ([(5, 5)], [1, 0], "one whole number"),
        ([(5, 5)], [1.5], "one whole number"),
    ],
)
def test_bad_clicks(segmenter, points, labels, message):
    with pytest.raises(ValueError, match=message):
        segmenter.click(points, labels)
    assert segmenter.undo() is None  # nothing was kept


def test_bad_levels(segmenter):
    with pytest.raises(ValueError, match="levels"):
        segmenter.click([(60, 50)], [1], levels=(1, 2))


def test_more_clicks_than_are_remembered(segmenter, monkeypatch):
    points, labels = [(60, 50), (60, 150), (100, 20), (140, 90)], [1, 1, 0, 0]
    expected = segmenter.click(points, labels).alphas
    monkeypatch.setattr("napari_softlayers._core.segments.clicks.KEPT_COLUMNS", 2)
    for _ in range(2):  # the first call forgets, the second computes again
        again = segmenter.click(points, labels).alphas
        np.testing.assert_allclose(again, expected, atol=1e-4)
