"""Where features come from and what is done to them."""

import sys

import numpy as np
import pytest

pytest.importorskip("torch")

from napari_softlayers._core.run import Cancelled, Run  # noqa: E402
from napari_softlayers._core.segments import features as module  # noqa: E402
from napari_softlayers._core.segments.features import feature_map, semantic_features


@pytest.fixture
def picture(astronaut):
    return (astronaut[:96, :80] / 255).astype(np.float32)


def check(found, shape):
    assert found.affinity.shape == (*shape, 3)
    assert found.grouping.shape[:2] == shape
    assert found.grouping.shape[2] <= 10
    for values in (found.affinity, found.grouping):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert found.affinity.min() >= 0
    assert found.affinity.max() <= 1


def test_bundled(picture):
    found = semantic_features(picture)
    check(found, (96, 80))
    np.testing.assert_allclose(found.affinity.min((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(found.affinity.max((0, 1)), 1, atol=1e-6)
    assert np.ptp(found.grouping[..., 0]) == pytest.approx(1, abs=1e-5)
    assert found.source == "bundled"
    again = semantic_features(picture)
    np.testing.assert_array_equal(found.affinity, again.affinity)
    np.testing.assert_array_equal(found.grouping, again.grouping)


def test_own_weights_equal_the_bundled_ones(picture):
    from napari_softlayers._core.networks.weights import find_weights

    path = find_weights("features")
    np.testing.assert_array_equal(feature_map(picture), feature_map(picture, path))
    np.testing.assert_array_equal(feature_map(picture), feature_map(picture, str(path)))


def test_none_is_spectral_matting(picture):
    assert semantic_features(picture, None) is None


def test_components_first_or_filter_first(picture, rng):
    """The filter is linear: the few components may be filtered instead of all channels.

    The supplement filters all channels and then reduces them. Reducing first finds the
    components of the unfiltered features, ten of them, and the three that matter again
    after the filter; for smooth features, both spaces agree.
    """
    small = rng.standard_normal((9, 8, 24)).astype(np.float32)
    small *= 0.6 ** np.arange(24, dtype=np.float32)
    large = module._enlarge(small, picture.shape[:2])
    found = semantic_features(picture, large, radius=2, eps=1e-3).affinity
    filtered = module._aligned(large, picture, 2, 1e-3, Run())
    expected = module._unit_range(module._project(filtered, 3))
    assert np.abs(found - expected).mean() < 0.005
    assert np.abs(found - expected).max() < 0.05


def test_components_have_falling_variance_and_no_correlation(picture, rng):
    given = rng.standard_normal((*picture.shape[:2], 12)).astype(np.float32)
    found = semantic_features(picture, given).grouping.reshape(-1, 10)
    covariance = np.cov(found.T)
    variances = np.diag(covariance)
    assert (np.diff(variances) <= 1e-9).all()
    assert np.abs(covariance - np.diag(variances)).max() < 1e-4 * variances.max()


def test_arrays_of_three_channels_are_taken_as_they_are(picture, rng):
    given = rng.random(picture.shape, np.float32)
    found = semantic_features(picture, given)
    np.testing.assert_array_equal(found.affinity, given)
    assert np.ptp(found.grouping, axis=(0, 1)).max() == pytest.approx(1)
    wider = semantic_features(picture, given * 40 - 7)
    np.testing.assert_allclose(wider.affinity.min((0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(wider.affinity.max((0, 1)), 1, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2])
def test_arrays_of_few_channels(picture, rng, channels):
    found = semantic_features(picture, rng.random((96, 80, channels)))
    check(found, (96, 80))
    assert (found.affinity[..., channels:] == 0).all()


def test_label_like_array_without_channel_axis(picture):
    labels = np.zeros((96, 80), np.uint8)
    labels[:, 40:] = 7
    found = semantic_features(picture, labels)
    assert set(np.unique(found.affinity[..., 0])) == {0.0, 1.0}


@pytest.mark.parametrize("channels", [3, 20])
def test_constant_features(picture, channels):
    found = semantic_features(picture, np.full((96, 80, channels), 3.7))
    check(found, (96, 80))
    assert np.ptp(found.affinity) == 0
    assert np.ptp(found.grouping) == 0


def test_constant_picture():
    found = semantic_features(np.full((50, 70, 3), 0.4, np.float32))
    check(found, (50, 70))
    assert np.ptp(found.grouping) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (5, 7)])
def test_tiny_and_thin_pictures(rng, shape):
    check(semantic_features(rng.random((*shape, 3), np.float32)), shape)


def test_outliers_are_clipped(picture, rng):
    given = rng.standard_normal((96, 80, 8)).astype(np.float32)
    given[3, 3] = 1e4
    assert np.abs(module._project(given, 8)).max() < 0.15 * 1e4 * 8**0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((40, 80, 5)), "do not fit a picture of 96 x 80"),
        (np.full((96, 80, 5), np.nan), "NaN"),
        (np.zeros((96, 80, 0)), "no channels"),
        (np.zeros(96), "must be an array"),
        (np.full((96, 80, 2), "a"), "must be an array"),
        ("magic", "not known"),
        ("nothing.safetensors", "no weights"),
    ],
)
def test_bad_sources(picture, given, message):
    with pytest.raises(ValueError, match=message):
        semantic_features(picture, given)


@pytest.mark.parametrize("dims", [2, 11])
def test_bad_dims(picture, dims):
    with pytest.raises(ValueError, match="dims"):
        semantic_features(picture, dims=dims)


def test_progress_rises_and_every_stage_can_be_cancelled(picture):
    reported = []
    semantic_features(picture, run=Run(lambda done, text: reported.append(done)))
    assert reported == sorted(reported)
    assert len(reported) > 5
    checks = []
    semantic_features(picture, run=Run(cancelled=lambda: bool(checks.append(1))))
    for stop_at in (1, len(checks) // 2, len(checks)):
        count = iter(range(1, len(checks) + 1))
        run = Run(cancelled=lambda at=stop_at, count=count: next(count) >= at)
        with pytest.raises(Cancelled):
            semantic_features(picture, run=run)


@pytest.mark.gpu
def test_gpu_gives_the_same(picture):
    ours, theirs = (
        feature_map(picture, device="cpu"),
        feature_map(picture, device="cuda"),
    )
    np.testing.assert_allclose(ours, theirs, atol=5e-3)


# The real loading code of the hub, on tiny models with random weights.


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("dino")
    config = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        patch_size=14,
        image_size=56,
    )
    transformers.Dinov2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def mask2former(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("mask2former")
    backbone = transformers.SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=2,
        dim_feedforward=16,
        num_attention_heads=2,
        num_queries=9,
    )
    model = transformers.Mask2FormerForUniversalSegmentation(config)
    model.save_pretrained(folder)
    return folder


def test_hub_patches(picture, dino):
    raw = feature_map(picture, f"hub:{dino}")
    assert raw.shape == (37, 31, 16)
    np.testing.assert_allclose(np.linalg.norm(raw, axis=-1), 1, atol=1e-4)
    check(semantic_features(picture, f"hub:{dino}"), (96, 80))


def test_hub_patches_are_where_they_belong(dino):
    """A change in one corner moves that corner's vectors most."""
    plain = np.full((80, 80, 3), 0.5, np.float32)
    marked = plain.copy()
    marked[60:, :20] = (1, 0, 0)
    change = feature_map(marked, f"hub:{dino}") - feature_map(plain, f"hub:{dino}")
    size = np.linalg.norm(change, axis=-1)
    third = size.shape[0] // 4
    assert size[-third:, :third].mean() > 2 * size[:third, -third:].mean()


def test_hub_queries(picture, mask2former):
    raw = feature_map(picture, f"hub:{mask2former}")
    assert raw.shape[2] == 9
    assert raw.min() >= 0
    assert raw.max() <= 1
    check(semantic_features(picture, f"hub:{mask2former}"), (96, 80))


def test_hub_missing_package(picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(RuntimeError, match=r"napari-softlayers\[hub\]"):
        semantic_features(picture, "hub:facebook/dinov2-small")


def test_hub_no_such_model(picture, tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    with pytest.raises(ValueError, match="could not be loaded"):
        semantic_features(picture, f"hub:{tmp_path}")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="needs a network"):
        semantic_features(picture, "hub:nobody/nothing-like-this")


def test_hub_a_model_without_a_map(picture, tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="hub"):
        semantic_features(picture, f"hub:{tmp_path}")
