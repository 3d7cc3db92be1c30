"""Procedural mattes: exact, seeded, of every kind."""

import numpy as np
import pytest

from napari_softlayers._training import shapes
from napari_softlayers._training.mattes import KINDS, make_matte, random_matte


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_matte_and_seeded(kind):
    one, again, other = (
        make_matte(kind, 96, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert one.alpha.shape == (96, 96) and one.alpha.dtype == np.float32
    assert one.alpha.min() >= 0 and one.alpha.max() <= 1
    assert one.alpha.max() > 0.1
    np.testing.assert_array_equal(one.alpha, again.alpha)
    assert not np.array_equal(one.alpha, other.alpha)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "solid"])
def test_soft_kinds_have_mixed_pixels(kind):
    shares = []
    for seed in range(4):
        alpha = make_matte(kind, 128, np.random.default_rng(seed)).alpha
        shares.append(np.mean((alpha > 0.02) & (alpha < 0.98)))
    assert np.mean(shares) > 0.02


def test_only_glass_shines_and_shine_is_opaque():
    for kind in KINDS:
        matte = make_matte(kind, 64, np.random.default_rng(1))
        assert (matte.shine > 0).any() == (kind == "glass")
        assert (matte.alpha >= matte.shine - 1e-6).all()


def test_unknown_kind_and_tiny_size_are_refused(rng):
    with pytest.raises(ValueError, match="kind must be one of"):
        make_matte("cheese", 64, rng)
    with pytest.raises(ValueError, match="at least 32"):
        make_matte("hair", 8, rng)


def test_random_matte_draws_only_weighted_kinds():
    solid = random_matte(64, np.random.default_rng(0), {"solid": 1.0})
    generator = np.random.default_rng(0)
    generator.choice(["solid"], p=[1.0])
    np.testing.assert_array_equal(solid.alpha, make_matte("solid", 64, generator).alpha)


def test_splat_keeps_area_and_place():
    total = shapes.splat(16, np.array([8.0]), np.array([5.5]), np.array([2.0]))
    assert total.sum() == pytest.approx(2.0)
    y, x = np.mgrid[:16, :16] + 0.5
    assert (total * y).sum() / 2 == pytest.approx(8.0)
    assert (total * x).sum() / 2 == pytest.approx(5.5)


def test_blurs_keep_the_mean_and_flat_parts():
    alpha = np.zeros((48, 48), np.float32)
    alpha[16:32, 16:32] = 1
    for blurred in (shapes.motion_blur(alpha, 6, 0.4), shapes.disc_blur(alpha, 3)):
        assert blurred.sum() == pytest.approx(alpha.sum(), rel=1e-3)
        assert blurred[24, 24] == 1 and blurred[2, 2] == 0


def test_over_is_one_minus_the_product():
    one, two = (np.full((2, 2), v, np.float32) for v in (0.5, 0.2))
    np.testing.assert_allclose(shapes.over(one, two), 0.6, rtol=1e-6)


def test_blob_normals_point_outwards():
    blob = shapes.random_blob(128, np.random.default_rng(5), roughness=0.2)
    inside = (blob.outline - 2 * blob.normals).astype(int)
    keep = ((inside >= 0) & (inside < 128)).all(1)
    assert (blob.distance[tuple(inside[keep].T)] > 0).mean() > 0.95
