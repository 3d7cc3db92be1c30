"""Edits of soft layers keep the promises, and do what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_softlayers import SoftLayers
from napari_softlayers._core.layers.compositing import check_layers, composite_over
from napari_softlayers._core.layers.decontaminate import decontaminate
from napari_softlayers._core.layers.edit import Adjustment, adjust, duplicate, feather


@pytest.fixture(scope="module")
def layers(astronaut) -> SoftLayers:
    """Three layers with hard edges: left, right above, right below."""
    alphas = np.zeros((3, 128, 128), np.float32)
    alphas[0, :, :50] = 1
    alphas[1, :60, 50:] = 1
    alphas[2, 60:, 50:] = 1
    names = ["left", "above", "below"]
    return SoftLayers.from_alphas(astronaut, alphas, names=names)


def promises(layers, tolerance=2e-6):
    assert layers.alphas.min() >= 0
    assert layers.alphas.max() <= 1
    assert np.abs(layers.alphas.sum(axis=0) - 1).max() < 1e-5
    assert layers.colors.min() >= 0
    assert layers.colors.max() <= 1
    assert layers.recomposition_error < tolerance


class TestFeather:
    @pytest.mark.parametrize("radius", [0.5, 3, 40])
    def test_keeps_the_promises_and_the_picture(self, layers, radius):
        soft = feather(layers, "left", radius)
        promises(soft)
        assert np.array_equal(soft.image, layers.image)
        assert soft.names == layers.names

    def test_is_the_gaussian_of_the_edge(self, layers):
        from scipy.special import erf

        soft = feather(layers, 0, 4)
        distance = 49.5 - np.arange(128)
        expected = (1 + erf(distance / (4 * np.sqrt(2)))) / 2
        assert np.abs(soft.alphas[0, 20] - expected).max() < 0.01

    def test_neighbours_share_what_is_given_in_their_proportions(self, layers):
        soft = feather(layers, 0, 4)
        assert soft.alphas[2, :40].max() < 0.01
        assert soft.alphas[1, 80:].max() < 0.01
        assert np.allclose(soft.alphas[1, 20], 1 - soft.alphas[0, 20], atol=2e-3)

    def test_edges_of_the_others_stay(self, layers):
        soft = feather(layers, 0, 2)
        assert np.array_equal(soft.alphas[:, :, 70:], layers.alphas[:, :, 70:])

    def test_layers_are_not_changed_in_place(self, layers):
        before = layers.alphas.copy()
        feather(layers, 0, 5)
        assert np.array_equal(layers.alphas, before)

    def test_zero_radius_and_a_full_layer_change_nothing(self, layers):
        assert np.array_equal(feather(layers, 1, 0).alphas, layers.alphas)
        alphas = np.zeros_like(layers.alphas)
        alphas[1] = 1
        full = SoftLayers.from_alphas(layers.image, alphas)
        soft = feather(full, 1, 6)
        assert np.allclose(soft.alphas, full.alphas, atol=1e-6)
        promises(soft)

    def test_bad_input(self, layers):
        with pytest.raises(ValueError, match="radius=-1"):
            feather(layers, 0, -1)
        with pytest.raises(ValueError, match="radius=nan"):
            feather(layers, 0, float("nan"))
        with pytest.raises(ValueError, match="two or more"):
            feather(layers.merge([[0, 1, 2]]), 0, 2)
        with pytest.raises(ValueError, match="No layer is named 'cat'"):
            feather(layers, "cat", 2)


class TestAdjust:
    def test_nothing_is_nothing(self, layers):
        same = adjust(layers, 0)
        assert np.abs(same.colors - layers.colors).max() < 1e-6
        assert Adjustment().is_neutral

    def test_only_the_one_layer_changes(self, layers):
        changed = adjust(layers, "above", exposure=1, saturation=0.5, hue=90, blur=3)
        assert np.array_equal(changed.colors[[0, 2]], layers.colors[[0, 2]])
        assert np.array_equal(changed.alphas, layers.alphas)
        promises(changed)
        assert np.array_equal(changed.image[61:], layers.image[61:])

    def test_edits_are_noted_as_calls_that_do_them_again(self, layers):
        changed = layers.adjust("below", hue=30).feather("left", 2).duplicate(-1)
        changed = changed.merge([["above", "left"]]).renamed(["a", "b", "c"])
        changed = changed.reordered([2, 0, 1]).recolor(np.eye(3)).subset([2, 0])
        names = [edit.name for edit in changed.edits]
        assert names == (
            [
                "adjust",
                "feather",
                "duplicate",
                "merge",
                "renamed",
                "reordered",
                "recolor",
                "subset",
            ]
        )
        again = layers
        for edit in changed.edits:
            plain = json.loads(json.dumps(edit.arguments))
            again = getattr(again, edit.name)(**plain)
        assert np.array_equal(again.alphas, changed.alphas)
        assert np.array_equal(again.colors, changed.colors)
        assert np.array_equal(again.image, changed.image)
        assert again.edits == changed.edits
        assert layers.edits == ()

    def test_one_stop_doubles_the_light(self):
        from skimage.color import gray2rgb

        grey = gray2rgb(np.linspace(0, 1, 50)[None]).astype(np.float32)
        brighter = Adjustment(exposure=1).apply(grey, np.ones((1, 50), np.float32))

        def linear(v):
            return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)

        expected = np.clip(2 * linear(grey), 0, 1)
        assert np.abs(linear(brighter) - expected).max() < 1e-5
        back = Adjustment(exposure=-1).apply(brighter, np.ones((1, 50), np.float32))
        inside = expected < 1
        assert np.abs(back - grey)[inside].max() < 1e-4

    def test_hue_turns_and_keeps_brightness(self, rng):
        colors = rng.uniform(0.35, 0.65, (9, 9, 3)).astype(np.float32)
        alpha = np.ones((9, 9), np.float32)
        luma = np.array([0.299, 0.587, 0.114])
        turned = Adjustment(hue=75).apply(colors, alpha)
        assert np.abs(turned @ luma - colors @ luma).max() < 1e-5
        assert np.abs(turned - colors).max() > 0.05
        whole = Adjustment(hue=360).apply(colors, alpha)
        assert np.abs(whole - colors).max() < 1e-5
        back = Adjustment(hue=-75).apply(turned, alpha)
        assert np.abs(back - colors).max() < 1e-5

    def test_grey_stays_grey_and_no_saturation_is_grey(self, rng):
        alpha = np.ones((5, 5), np.float32)
        grey = np.repeat(rng.random((5, 5, 1)), 3, axis=-1).astype(np.float32)
        same = Adjustment(hue=120, saturation=1).apply(grey, alpha)
        assert np.abs(same - grey).max() < 1e-5
        colors = rng.random((5, 5, 3)).astype(np.float32)
        pale = Adjustment(saturation=-1).apply(colors, alpha)
        assert np.ptp(pale, axis=-1).max() < 1e-5

    def test_blur_takes_nothing_from_where_the_layer_is_not(self):
        colors = np.zeros((20, 40, 3), np.float32)
        colors[:, :20] = 1
        alpha = np.zeros((20, 40), np.float32)
        alpha[:, :20] = 1
        blurred = Adjustment(blur=5).apply(colors, alpha)
        assert blurred[:, :20].min() > 0.99

    @pytest.mark.parametrize(
        "wrong",
        [{"blur": -1}, {"saturation": -2}, {"hue": np.nan}, {"exposure": np.inf}],
    )
    def test_bad_input(self, layers, wrong):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            adjust(layers, 0, **wrong)


class TestDuplicate:
    def test_halves_keep_the_sum(self, layers):
        double = duplicate(layers, "above")
        assert double.names == ["left", "above", "above copy", "below"]
        assert np.array_equal(double.alphas[1], double.alphas[2])
        assert double.recomposition_error < 2e-6
        promises(double)
        again = duplicate(double, "above")
        assert again.names[1:4] == ["above", "above copy 2", "above copy"]
        assert np.allclose(again.merge([[1, 2, 3]]).alphas, layers.alphas)


class TestCompositeOver:
    def test_everything_over_anything_is_the_picture(self, layers):
        for background in ("black", "white", "checkerboard", (1, 0, 0)):
            seen = composite_over(layers, [0, 1, 2], background)
            assert np.abs(seen - layers.image).max() < 1e-5

    def test_the_rest_is_the_background(self, layers):
        seen = composite_over(layers, ["left"], (0.2, 0.4, 0.6))
        assert np.allclose(seen[:, 50:], (0.2, 0.4, 0.6))
        assert np.allclose(seen[:, :50], layers.image[:, :50], atol=1e-6)
        board = composite_over(layers, [0], "checkerboard")[:, 64:]
        assert np.allclose(np.unique(board), [0.5, 0.8])
        assert (composite_over(layers, [0], "white")[:, 50:] == 1).all()

    def test_straight_alpha_over(self, layers):
        soft = feather(layers, 0, 5)
        seen = composite_over(soft, [0], "white")
        alpha = soft.alphas[0][..., None]
        assert np.allclose(seen, alpha * soft.colors[0] + (1 - alpha), atol=1e-6)

    @pytest.mark.parametrize("shape", [(64, 64), (300, 100), (31, 500), (128, 128)])
    def test_pictures_of_any_size_cover_it(self, layers, shape):
        ramp = np.zeros((*shape, 3), np.uint8)
        ramp[..., 0] = 128
        ramp[..., 1] = np.linspace(0, 255, shape[1]).astype(np.uint8)
        seen = composite_over(layers, [0], ramp)
        assert seen.shape == (128, 128, 3)
        assert np.allclose(seen[:, 60:, 0], 128 / 255, atol=1e-3)
        assert (np.diff(seen[0, 60:, 1]) >= -1e-6).all()

    def test_bad_input(self, layers):
        with pytest.raises(ValueError, match="background='pink'"):
            composite_over(layers, [0], "pink")
        with pytest.raises(ValueError, match="outside of"):
            composite_over(layers, [0], (255, 0, 0))
        with pytest.raises(ValueError, match="needed"):
            composite_over(layers, [0], np.zeros((3, 4, 5, 6)))
        with pytest.raises(ValueError, match="No layers were named"):
            composite_over(layers, [], "black")


class TestDecontaminate:
    @pytest.fixture
    def disc(self):
        """A red disc with a soft edge, on green."""
        y, x = np.mgrid[:80, :80] - 40.0
        alpha = np.clip((28 - np.hypot(x, y)) / 12 + 0.5, 0, 1).astype(np.float32)
        red, green = np.float32([0.9, 0.1, 0.2]), np.float32([0.1, 0.8, 0.1])
        picture = alpha[..., None] * red + (1 - alpha[..., None]) * green
        return alpha, red, picture

    def edge_error(self, rgba, alpha, red):
        edge = (alpha > 0.1) & (alpha < 0.95)
        return float(np.abs(rgba[..., :3][edge] - red).mean())

    def test_what_shone_through_is_gone(self, disc):
        alpha, red, picture = disc
        rgba = np.concatenate([picture, alpha[..., None]], axis=-1)
        clean = decontaminate(rgba)
        assert np.array_equal(clean[..., 3], alpha)
        before = self.edge_error(rgba, alpha, red)
        assert self.edge_error(clean, alpha, red) < 0.05 * before
        assert np.array_equal(clean[alpha == 1], rgba[alpha == 1])

    def test_a_cleared_surrounding_is_filled(self, disc):
        alpha, red, picture = disc
        rgba = np.concatenate([picture, alpha[..., None]], axis=-1)
        rgba[alpha == 0] = 0
        clean = decontaminate(rgba)
        before = self.edge_error(rgba, alpha, red)
        assert self.edge_error(clean, alpha, red) < 0.2 * before
        assert np.abs(clean[..., :3] - red).max() < 0.15

    @pytest.mark.parametrize("kind", [np.uint8, np.uint16])
    def test_integers_stay_integers(self, disc, kind):
        alpha, red, picture = disc
        top = np.iinfo(kind).max
        rgba = np.concatenate([picture, alpha[..., None]], axis=-1)
        rgba = np.rint(rgba * top).astype(kind)
        clean = decontaminate(rgba)
        assert clean.dtype == kind
        assert np.array_equal(clean[..., 3], rgba[..., 3])
        assert self.edge_error(clean / top, alpha, red) < 0.02

    def test_an_opaque_picture_stays(self, astronaut):
        rgba = np.dstack([astronaut, np.full((128, 128), 255, np.uint8)])
        assert np.array_equal(decontaminate(rgba), rgba)

    @pytest.mark.parametrize("value", [-0.1, 1.5, 255.0, np.nan])
    def test_floats_beyond_one_are_refused(self, disc, value):
        alpha, _, picture = disc
        rgba = np.concatenate([picture, alpha[..., None]], axis=-1)
        rgba[3, 4, 1] = value
        with pytest.raises(ValueError, match="outside of"):
            decontaminate(rgba)

    def test_bad_input(self):
        with pytest.raises(ValueError, match=r"\(H, W, 4\)"):
            decontaminate(np.zeros((5, 5, 3)))
        with pytest.raises(ValueError, match="fully transparent"):
            decontaminate(np.zeros((5, 5, 4)))


def test_checks_tell_what_is_wrong(layers):
    good = check_layers(layers.alphas, layers.colors, layers.image)
    assert good.max_error < 2e-6
    assert good.sum_range == pytest.approx((1, 1), abs=1e-6)
    alphas = layers.alphas.copy()
    alphas[0, :10, :10] = 0.5
    bad = check_layers(alphas, layers.colors, layers.image)
    assert bad.sum_range[0] == pytest.approx(0.5)
    assert bad.max_error > 0.05
    assert np.isnan(check_layers(layers.alphas, layers.colors, None).max_error)
