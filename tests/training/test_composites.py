"""Composites, their trimaps and the folders that they come from."""

import numpy as np
import pytest
from PIL import Image

from napari_softlayers._training.composites import Compositor
from napari_softlayers._training.matting_files import find_foregrounds
from napari_softlayers._training.pictures import find_pictures
from napari_softlayers._training.trimaps import UNKNOWN, random_trimap, true_trimap


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(3):
        coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        coarse.resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return find_pictures(folder)


@pytest.fixture
def disc():
    y, x = np.mgrid[:96, :96]
    gap = 30 - np.hypot(y - 48, x - 48)
    return np.clip(0.5 + gap / 6, 0, 1).astype(np.float32)


def save_pair(folder, name, size=40):
    for part, mode in (("fg", "RGB"), ("alpha", "L")):
        (folder / part).mkdir(parents=True, exist_ok=True)
        Image.new(mode, (size, size), 200 if mode == "L" else (9, 8, 7)).save(
            folder / part / f"{name}.png"
        )


def test_sample_is_an_exact_composite(photos):
    compositor = Compositor([], photos, crop=64, size=96, pool=4)
    sample = compositor.sample(np.random.default_rng(1))
    mix = sample.alpha[..., None]
    clean = mix * sample.foreground + (1 - mix) * sample.background
    assert sample.image.shape == (64, 64, 3) and sample.image.dtype == np.float32
    assert np.abs(sample.image - clean).mean() < 0.03  # noise alone
    assert set(np.unique(sample.trimap)) <= {0, 1, 2}


def test_samples_are_seeded(photos):
    one, two = (
        Compositor([], photos, crop=64, size=96, pool=4).sample(
            np.random.default_rng(7)
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(one.trimap, two.trimap)


def test_trimaps_without_mistakes_are_right(disc):
    truth = true_trimap(disc)
    for seed in range(20):
        trimap = random_trimap(disc, np.random.default_rng(seed), mistakes=0)
        known = trimap != UNKNOWN
        np.testing.assert_array_equal(trimap[known], truth[known])


def test_mistakes_include_large_ones(disc):
    truth = true_trimap(disc)
    wrong = []
    for seed in range(60):
        trimap = random_trimap(disc, np.random.default_rng(seed), mistakes=1)
        bad = (trimap != UNKNOWN) & (trimap != truth)
        wrong.append(bad.mean())
    assert np.mean(np.array(wrong) > 0) > 0.7
    assert max(wrong) > 0.05


def test_true_trimap_follows_the_tolerance():
    alpha = np.array([[0, 0.01, 0.5, 0.99, 1]], np.float32)
    np.testing.assert_array_equal(true_trimap(alpha), [[0, 0, 1, 2, 2]])
    np.testing.assert_array_equal(true_trimap(alpha, 0.0), [[0, 1, 1, 1, 2]])


def test_pairs_and_cutouts_are_found(tmp_path):
    part = tmp_path / "Training_set" / "Adobe-licensed images"
    save_pair(part, "a")
    save_pair(tmp_path / "Training_set" / "Other", "b")
    found = find_foregrounds(tmp_path)
    assert [f.color.stem for f in found] == ["a", "b"]
    color, alpha = found[0].load()
    assert alpha == pytest.approx(200 / 255) and color.shape == (40, 40, 3)
    loose = tmp_path / "rgba"
    loose.mkdir()
    Image.new("RGBA", (30, 20), (255, 0, 0, 51)).save(loose / "c.png")
    color, alpha = find_foregrounds(loose)[0].load(15)
    assert alpha.shape == (10, 15) and alpha == pytest.approx(0.2)


def test_missing_alpha_and_empty_folder_are_errors(tmp_path):
    with pytest.raises(ValueError, match="no pictures"):
        find_pictures(tmp_path)
    save_pair(tmp_path, "a")
    (tmp_path / "alpha" / "a.png").rename(tmp_path / "alpha" / "z.png")
    with pytest.raises(ValueError, match="no alpha"):
        find_foregrounds(tmp_path)


def test_compositor_refuses_nonsense(photos):
    with pytest.raises(ValueError, match="background"):
        Compositor([], [])
    with pytest.raises(ValueError, match="must not exceed"):
        Compositor([], photos, crop=64, size=32)
