"""Palette selection, names, harmonies and GIMP palettes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from palette_metrics import palette_metrics
from scipy.spatial import ConvexHull

from napari_softlayers._core.harmonies import HARMONIES, harmony
from napari_softlayers._core.palette import palette_layers
from napari_softlayers._core.palette.gpl import read_gpl, write_gpl
from napari_softlayers._core.palette.hull import simplified_hull
from napari_softlayers._core.palette.names import color_name, hex_name
from napari_softlayers._core.palette.selection import (
    cluster_colors,
    merge_duplicates,
    select_palette,
)


def blobs(rng, centres, count=400):
    parts = [c + rng.normal(0, 0.01, (count, 3)) for c in np.atleast_2d(centres)]
    return np.clip(np.concatenate(parts), 0, 1)


CENTRES = np.array([[0.2, 0.2, 0.2], [0.8, 0.2, 0.3], [0.3, 0.7, 0.9], [0.9, 0.9, 0.6]])


def test_clusters_of_colours_are_found(rng):
    found = cluster_colors(blobs(rng, CENTRES), 4)
    gaps = np.linalg.norm(found[:, None] - CENTRES[None], axis=2)
    assert gaps.min(axis=0).max() < 0.01


def test_locked_colours_stay_and_come_first(astronaut):
    picture = astronaut / np.float32(255)
    locked = [[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]
    palette = select_palette(picture, 6, locked=locked)
    assert len(palette) == 6
    np.testing.assert_allclose(palette[:2], locked, atol=1e-7)


def test_selection_is_by_decreasing_share(rng):
    picture = np.zeros((10, 100, 3), np.float32)
    picture[:, 60:90] = (1, 0, 0)
    picture[:, 90:] = (0, 0, 1)
    palette = select_palette(picture, 3)
    np.testing.assert_allclose(palette, [[0, 0, 0], [1, 0, 0], [0, 0, 1]], atol=1e-6)


def test_auto_takes_as_many_as_the_picture_needs(rng):
    two = np.zeros((40, 40, 3), np.float32)
    two[:, 20:] = (0.9, 0.4, 0.1)
    assert len(select_palette(two, "auto")) == 2
    noise = rng.random((40, 40, 3)).astype(np.float32)
    assert len(select_palette(noise, "auto")) > 4


@pytest.mark.parametrize("count", [6, 8, 12])
def test_hull_holds_the_colours(rng, count):
    sample = rng.random((3000, 3)) * [0.2, 0.15, 0.1] + 0.4
    hull = simplified_hull(sample, count)
    assert len(hull) == count
    inside = ConvexHull(hull).equations
    outside = (sample @ inside[:, :3].T + inside[:, 3] > 0.01).any(axis=1)
    assert outside.mean() < 0.03


def test_hull_palette_needs_small_residues(astronaut):
    hull = palette_layers(astronaut, 7, selection="hull", smoothing=0)
    means = palette_layers(astronaut, 7, smoothing=0)
    assert palette_metrics(hull)["flat PSNR"] > palette_metrics(means)["flat PSNR"] + 3


def test_flat_colours_have_no_hull(astronaut):
    grey = np.repeat(astronaut[..., :1], 3, axis=2) / np.float32(255)
    with pytest.warns(UserWarning, match="no hull"):
        palette = select_palette(grey, 5, selection="hull")
    assert len(palette) == 5


def test_duplicates():
    colors, index = merge_duplicates(np.array([[0, 0, 0], [1, 1, 1], [0.001, 0, 0]]))
    assert len(colors) == 2
    np.testing.assert_array_equal(index, [0, 1, 0])


def test_gpl_round_trip(tmp_path, rng):
    palette = np.rint(rng.random((5, 3)) * 255) / 255
    path = write_gpl(tmp_path / "p.gpl", palette, ["a", "b", "c", "d", "two words"])
    found, names = read_gpl(path)
    np.testing.assert_allclose(found, palette, atol=1e-6)
    assert names[-1] == "two words"


def test_gpl_of_gimp(tmp_path):
    path = tmp_path / "gimp.gpl"
    path.write_text(
        "GIMP Palette\nName: Test\nColumns: 3\n# a comment\n"
        "255   0   0\tRed\n\n  0 128 255 Sky blue\n  1   2   3\n"
    )
    palette, names = read_gpl(path)
    np.testing.assert_allclose(palette[1], np.array([0, 128, 255]) / 255, atol=1e-6)
    assert names == ["Red", "Sky blue", "#010203"]
    assert len(read_gpl(path, most=2)[0]) == 2


COLORS = [[254, 91, 89], [0, 10, 255]]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (
            b"GIMP Palette\nChannels: RGBA\n#\n254 91 89 255 Untitled\n0 10 255 9 b",
            None,
        ),
        (b"GIMP Palette\nChannels: RGB\n254 91 89 Untitled\n0 10 255 b", None),
        (b"GIMP Palette\n#Aseprite\nChannels: RGBA\n254 91 89 255\n0 10 255 0\n", []),
        (
            b"GIMP Palette\r\nName: a\r\n#\r\n254 91 89\tUntitled\r\n0 10 255\tb\r\n",
            None,
        ),
        (b"GIMP Palette\rName: a\r254 91 89\tUntitled\r0 10 255\tb", None),
        (b"\xef\xbb\xbfGIMP Palette\n254 91 89 Untitled\n0 10 255 b", None),
        (b"GIMP Palette v1\n254 91 89 Untitled\n0 10 255 b\n", None),
        (b"gimp palette\ncolumns: 0\n254 91 89 Untitled\n0 10 255 b", None),
        (
            "GIMP Palette\n254 91 89 Größe\n0 10 255 né".encode("latin-1"),
            ["Größe", "né"],
        ),
        ("GIMP Palette\n254 91 89 фон\n0 10 255 人".encode(), ["фон", "人"]),
        (b"GIMP Palette\n254 91 89 a\x85b\n0 10 255 c\x0cd", ["a\x85b", "c\x0cd"]),
    ],
)
def test_gpl_of_other_programs(tmp_path, content, names):
    path = tmp_path / "p.gpl"
    path.write_bytes(content)
    palette, found = read_gpl(path)
    assert np.rint(palette * 255).astype(int).tolist() == COLORS
    if names == []:
        assert found == ["#fe5b59", "#000aff"]
    else:
        assert found == (names or ["Untitled", "b"])


@pytest.mark.parametrize(
    "head",
    [
        "GIMP Palette\nChannels: RGBA # four\n",
        "\n \nGIMP Palette\nDescription: warm ones\nchannels: rgba\n",
        "GIMP Palette\nVersion: 2\nMy Key: 7 8 9\nChannels: RGBA\n",
    ],
)
def test_gpl_headers_of_any_program(tmp_path, head):
    path = tmp_path / "p.gpl"
    path.write_text(head + "254 91 89 255 warm\n")
    palette, names = read_gpl(path)
    np.testing.assert_allclose(palette, [[254 / 255, 91 / 255, 89 / 255]], atol=1e-6)
    assert names == ["warm"]


@pytest.mark.parametrize("name", ["missing.gpl", "."])
def test_a_gpl_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(OSError, match="cannot be read"):
        read_gpl(tmp_path / name)


def test_a_huge_gpl_is_refused(tmp_path):
    path = tmp_path / "p.gpl"
    path.write_bytes(b"GIMP Palette\n" + b"1 2 3 a\n" * 200_000)
    with pytest.raises(ValueError, match=r"p\.gpl is larger"):
        read_gpl(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no GIMP palette"),
        (b"GIMP Palette\nChannels: RGBA\n1 2 3 name\n", "line 3"),
        (b"JASC-PAL\n0100\n", "no GIMP palette"),
        (b"GIMP Palette\nName: empty\n", "without colours"),
        (b"GIMP Palette\n300 0 0 too much\n", "line 2"),
        (b"GIMP Palette\n1 2\n", "line 2"),
        (b"GIMP Palette\nred green blue\n", "line 2"),
        (b"\xff\xfe\x00\x01", "no GIMP palette"),
    ],
)
def test_bad_gpl_files_are_named(tmp_path, content, message):
    path = tmp_path / "bad.gpl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_gpl(path)


def test_gpl_names_must_fit(tmp_path):
    with pytest.raises(ValueError, match="one a colour"):
        write_gpl(tmp_path / "p.gpl", CENTRES, ["only one"])


def test_names_of_colours():
    assert hex_name([217 / 255, 79 / 255, 42 / 255]) == "#d94f2a"
    assert color_name([1, 1, 1]) == "white"
    assert color_name([0.86, 0.1, 0.1]) == "red"
    assert color_name([0.1, 0.13, 0.35]) == "navy"


@pytest.mark.parametrize("kind", HARMONIES)
def test_harmonies_stay_in_range_and_keep_greys(kind):
    palette = np.concatenate([CENTRES, [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]])
    found = harmony(palette, kind)
    assert found.shape == palette.shape
    assert found.min() >= 0
    assert found.max() <= 1
    np.testing.assert_allclose(found[-2:], palette[-2:], atol=1e-6)
    assert np.abs(found - palette).max() > 0.01


def test_complementary_twice_is_the_identity():
    twice = harmony(harmony(CENTRES, "complementary"), "complementary")
    np.testing.assert_allclose(twice, CENTRES, atol=1e-5)


def test_unknown_harmony():
    with pytest.raises(ValueError, match="complementary"):
        harmony(CENTRES, "sour")


@pytest.mark.parametrize("count", range(1, 13))
def test_hull_gives_as_many_colours_as_asked_for(astronaut, count):
    sample = astronaut.reshape(-1, 3) / 255
    assert len(simplified_hull(sample, count)) == count


def test_harmonies_and_the_dock_load_no_torch():
    """The dock lists them when it opens: that must not take seconds."""
    code = (
        "import sys\n"
        "from napari_softlayers._widgets.palette.dock import PaletteWidget\n"
        "from napari_softlayers._widgets.export import ExportWidget\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
