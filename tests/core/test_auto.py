"""Forgiving matting: wrong labels, wide bands, and trimaps with nothing wrong."""

import numpy as np
import pytest
from scipy import ndimage

from napari_softlayers._core.matting import matte, solve_alphas
from napari_softlayers._core.matting.methods.auto import network_weights
from napari_softlayers._core.matting.repair.regions import (
    Group,
    contact_share,
    opened,
    touching,
    touching_share,
)
from napari_softlayers._core.matting.repair.relabel import relabelled
from napari_softlayers._core.matting.repair.resolution import (
    enlarged,
    shrunk,
    shrunk_labels,
    working_factor,
)
from napari_softlayers._core.matting.repair.touching_labels import (
    Opinions,
    contested,
    wrong_sides,
)
from napari_softlayers._core.matting.repair.wide_unknown import is_wide, promotion
from napari_softlayers._core.matting.repair.wrong_labels import Evidence, wrong_labels
from napari_softlayers._core.run import Cancelled, Run


@pytest.fixture(scope="module")
def scene():
    """A textured disc on a textured ground: picture, alpha and a careful trimap."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:120, :160]
    alpha = np.clip((40 - np.hypot(y - 60, x - 80)) / 5 + 0.5, 0, 1)
    ground = np.array([0.2, 0.5, 0.3]) + 0.25 * _texture(rng)[..., None]
    body = np.array([0.8, 0.35, 0.3]) + 0.25 * _texture(rng)[..., None]
    mix = alpha[..., None]
    picture = np.clip(mix * body + (1 - mix) * ground, 0, 1).astype(np.float32)
    trimap = np.where(alpha == 0, 1, np.where(alpha == 1, 2, 0))
    band = ndimage.binary_dilation(trimap == 0, iterations=4)
    return picture, alpha.astype(np.float32), np.where(band, 0, trimap).astype(np.int32)


def _texture(rng):
    noise = ndimage.gaussian_filter(rng.standard_normal((120, 160)), 3)
    return noise / np.abs(noise).max()


@pytest.fixture(scope="module")
def mistaken(scene):
    """The trimap with two wrong discs, and where they are wrong."""
    _, alpha, trimap = scene
    y, x = np.mgrid[:120, :160]
    wrong = trimap.copy()
    wrong[(np.hypot(y - 45, x - 85) < 12) & (trimap == 2)] = 1
    wrong[(np.hypot(y - 25, x - 30) < 14) & (trimap == 1)] = 2
    return wrong, (wrong != trimap)


def error(alphas, alpha):
    return float(np.abs(alphas[1] - alpha).sum())


@pytest.mark.parametrize("weights", ["none", "shipped"])
def test_nothing_wrong_gives_the_solvers_result_bit_for_bit(scene, weights):
    picture, _, trimap = scene
    layers = matte(picture, trimap, "auto", weights=weights)
    np.testing.assert_array_equal(layers.alphas, solve_alphas(picture, trimap))
    np.testing.assert_array_equal(layers.extras["trimap"], trimap)


@pytest.mark.parametrize("weights", ["none", "shipped"])
def test_wrong_discs_are_found_and_repaired(scene, mistaken, weights):
    picture, alpha, trimap = scene
    wrong, where = mistaken
    plain = error(solve_alphas(picture, wrong), alpha)
    layers = matte(picture, wrong, "auto", weights=weights)
    assert error(layers.alphas, alpha) < 0.2 * plain
    repaired = layers.extras["trimap"]
    assert ((repaired == 0) | (repaired == trimap))[where].mean() > 0.95
    assert (repaired[where] == trimap[where]).mean() > 0.2  # promoted, in the middle
    kept = repaired != 0
    np.testing.assert_array_equal(repaired[kept & ~where], wrong[kept & ~where])
    assert (repaired[~where] == trimap[~where]).mean() > 0.8


def test_wrong_discs_of_three_labels(scene, mistaken):
    picture, alpha, _ = scene
    wrong = mistaken[0].copy()
    right_half = np.arange(160)[None] > 110
    wrong[(wrong == 1) & right_half & (alpha == 0)] = 7
    repaired = matte(picture, wrong, "auto", weights="none").extras["trimap"]
    assert set(np.unique(repaired)) == {0, 1, 2, 7}
    assert (repaired[mistaken[1]] != wrong[mistaken[1]]).mean() > 0.9


def test_wide_band_is_narrowed(scene):
    picture, alpha, trimap = scene
    noise = np.random.default_rng(0).normal(0, 0.08, picture.shape)
    picture = np.clip(picture + noise, 0, 1).astype(np.float32)  # makes mattes smear
    wide = np.zeros_like(trimap)
    wide[:6], wide[56:64, 76:84] = 1, 2
    plain = solve_alphas(picture, wide)
    layers = matte(picture, wide, "auto", weights="none")
    assert is_wide(wide, plain) and not is_wide(trimap, plain)
    assert error(layers.alphas, alpha) < 0.7 * error(plain, alpha)
    shown = layers.extras["trimap"]
    assert (shown != 0).mean() > 0.5
    np.testing.assert_array_equal(shown[wide != 0], wide[wide != 0])
    np.testing.assert_allclose(layers.alphas.sum(0), 1, atol=1e-5)
    assert (layers.alphas[1][wide == 2] == 1).all()


def test_promotion_leaves_known_and_near_pixels_alone(scene):
    picture, _, trimap = scene
    alphas = solve_alphas(picture, trimap)
    promoted = promotion(trimap, alphas)
    assert (promoted.weights[trimap != 0] == 0).all()
    near = ndimage.distance_transform_edt(trimap == 0) <= 0.02 * 160
    assert (promoted.weights[near] == 0).all()


def test_holes_are_promoted_and_nothing_else(scene):
    picture, _, trimap = scene
    labels = trimap.copy()
    labels[40:80, 60:100] = 0
    labels[:12, :12] = 0
    holes = np.zeros(labels.shape, bool)
    holes[40:80, 60:100] = True
    promoted = promotion(labels, solve_alphas(picture, labels), None, holes)
    assert (promoted.weights[~holes] == 0).all()
    middle = promoted.weights[55:65, 75:85] > 0
    assert middle.all()
    assert (promoted.labels[55:65, 75:85] == 2).all()


def test_tolerance_frees_a_displaced_outline(scene):
    picture, alpha, trimap = scene
    moved = np.roll(trimap, 7, axis=1)
    plain = error(solve_alphas(picture, moved), alpha)
    freed = solve_alphas(picture, moved, "auto", tolerance=8, weights="none")
    assert error(freed, alpha) < 0.7 * plain


def test_information_flow_as_the_solver(scene, mistaken):
    picture, alpha, _ = scene
    wrong = mistaken[0]
    found = solve_alphas(
        picture, wrong, "auto", solver="information_flow", weights="none"
    )
    assert error(found, alpha) < 0.3 * error(solve_alphas(picture, wrong), alpha)


def test_bad_options_are_refused(scene):
    picture, _, trimap = scene
    with pytest.raises(ValueError, match="solver='magic'"):
        matte(picture, trimap, "auto", solver="magic")
    with pytest.raises(ValueError, match="no weights"):
        matte(picture, trimap, "auto", weights="nowhere.safetensors")
    with pytest.raises(ValueError, match="no label at all"):
        matte(picture, np.zeros_like(trimap), "auto", weights="none")
    assert network_weights("none") is None


def test_cancel_stops_it(scene):
    picture, _, trimap = scene
    with pytest.raises(Cancelled):
        solve_alphas(picture, trimap, "auto", run=Run(cancelled=lambda: True))


def test_progress_only_rises(scene, mistaken):
    seen = []
    run = Run(progress=lambda fraction, _: seen.append(fraction))
    solve_alphas(scene[0], mistaken[0], "auto", run=run, weights="none")
    assert seen == sorted(seen) and seen[0] >= 0 and seen[-1] == 1


def test_every_label_keeps_pixels(scene):
    picture, alpha, trimap = scene
    tiny = np.where(trimap == 2, 1, trimap)
    tiny[10:22, 10:22] = 2  # the only foreground is on the ground
    wrong = wrong_labels(picture, tiny)
    assert ((tiny == 2) & ~wrong).any() and ((tiny == 1) & ~wrong).any()


def test_relabelling_sees_through_wrong_labels(scene, mistaken):
    picture = scene[0]
    wrong, where = mistaken
    votes = relabelled(picture, wrong)
    np.testing.assert_allclose(votes.sum(0), 1, atol=1e-4)
    agrees = votes.argmax(0) + 1 == wrong
    assert agrees[where].mean() < 0.1
    assert agrees[(wrong != 0) & ~where].mean() > 0.95


def test_contact_and_touching():
    labels = np.ones((9, 9), int)
    labels[3:6, 3:6] = 2
    assert contact_share(labels == 2, labels) == 1
    assert touching_share(labels) == 1
    labels[2:7, 2:7][labels[2:7, 2:7] == 1] = 0
    assert contact_share(labels == 2, labels) == 0
    assert touching_share(labels) == 0


@pytest.mark.parametrize("swapped", [False, True])
def test_the_wrong_side_of_a_contact_is_found(scene, mistaken, swapped):
    picture, _, trimap = scene
    labels, where = mistaken
    if swapped:  # which label is which does not matter
        labels = np.where(labels == 0, 0, 3 - labels)
    wrong = wrong_sides(picture, labels)
    assert wrong[where].mean() > 0.8
    assert wrong[~where & (trimap != 0)].mean() < 0.1
    assert not wrong[labels == 0].any()


def test_large_mistake_that_vouches_for_itself(scene):
    picture, _, trimap = scene
    y, x = np.mgrid[:120, :160]
    limb = (np.hypot(y - 45, x - 62) < 22) & (trimap != 1)  # a quarter of the disc
    labels = np.where(limb, 1, trimap).astype(np.int32)
    wrong = wrong_labels(picture, labels)
    assert wrong[limb & (trimap == 2)].mean() > 0.9


def test_nothing_touches_in_a_careful_trimap(scene):
    picture, _, trimap = scene
    assert not touching(trimap).any()
    assert not wrong_sides(picture, trimap).any()


def test_a_network_is_asked_without_the_contested_labels(scene, mistaken):
    picture, alpha, _ = scene
    labels, where = mistaken
    asked = []

    def classify(_, known):
        asked.append(known)
        return np.stack([1 - alpha, alpha])

    wrong = wrong_sides(picture, labels, classify)
    assert wrong[where].mean() > 0.8
    near = touching(labels)
    assert all((known[near] == 0).all() for known in asked[:1])
    assert all(set(np.unique(known)) == {0, 1, 2} for known in asked)


def test_every_label_keeps_uncontested_pixels():
    labels = np.ones((40, 40), np.int32)
    labels[10:30, 10:30] = 2
    labels[0, 0] = 3
    doubtful = contested(labels, touching(labels), 1000)
    for label in (1, 2):
        share = doubtful[labels == label].mean()
        assert 0 < share <= 0.5
    assert not doubtful[0, 0]


@pytest.mark.parametrize("learned", [False, True])
def test_evidence_against_a_side_adds_up(learned):
    group = Group(np.ones((4, 4), bool), (slice(0, 4), slice(0, 4)))

    def against(colors, other, contact=0.3, rival=0.7):
        shape = np.ones((4, 4))
        opinions = Opinions(colors * shape, other * shape, learned)
        return opinions.against(group, contact, rival)

    plain = against(0.0, 0.5)
    assert against(1.0, 0.5) > plain
    assert against(0.0, 0.2) > plain
    assert against(0.0, 0.5, contact=0.6) > plain
    assert (against(0.0, 0.5, rival=0.9) > plain) == learned


def test_evidence_adds_up():
    none = Evidence(0.1, 0, 0.5, 0.5)
    assert none.score > none._replace(contact=0).score
    for stronger in (
        none._replace(contact=0.5),
        none._replace(colors=3.0),
        none._replace(solver=1.0),
        none._replace(network=0.1),
    ):
        assert stronger.score > none.score
    assert none._replace(network=0.9).score < none.score


def test_opening_drops_slivers_and_specks():
    mask = np.zeros((40, 40), bool)
    mask[5:7, :] = True
    mask[20:23, 20:23] = True
    assert not opened(mask).any()
    mask[25:38, 25:38] = True
    assert opened(mask)[31, 31]


def test_working_resolution_and_back(rng):
    assert working_factor((300, 400)) == 1
    assert working_factor((600, 800)) == 2
    picture = rng.random((7, 9, 3)).astype(np.float32)
    assert shrunk(picture, 2).shape == (4, 5, 3)
    np.testing.assert_allclose(shrunk(picture, 2)[0, 0], picture[:2, :2].mean((0, 1)))
    labels = np.array([[1, 1, 0, 0], [1, 0, 0, 2]])
    np.testing.assert_array_equal(shrunk_labels(labels, 2), [[1, 0]])
    assert not shrunk_labels(np.zeros((4, 4), int), 2).any()  # nothing is labelled
    mask = rng.random((4, 5)) < 0.5
    wide = enlarged(mask, (7, 9), 2)
    assert wide.shape == (7, 9) and (wide[::2, ::2] == mask).all()


@pytest.mark.parametrize("lost", [2, 3, 4])
def test_a_label_too_small_for_the_working_resolution(scene, monkeypatch, lost):
    # A dot in a large picture: the network, which sees it smaller, knows nothing of it.
    from napari_softlayers._core.matting.repair import resolution

    monkeypatch.setattr(resolution, "WORKING_PIXELS", 30 * 40)
    picture, _, _ = scene
    count = max(lost, 3)
    trimap = np.zeros(picture.shape[:2], np.int32)
    for label in range(1, count + 1):
        trimap[20 * label : 20 * label + 12, 10:150] = label
    trimap[trimap == lost] = 0
    trimap[102, 80] = lost
    assert lost not in shrunk_labels(trimap, working_factor(trimap.shape))
    alphas = solve_alphas(picture, trimap, "auto", device="cpu")
    assert alphas.shape == (count, *trimap.shape)
    np.testing.assert_allclose(alphas.sum(axis=0), 1, atol=1e-5)
    assert alphas[lost - 1, 102, 80] == 1
