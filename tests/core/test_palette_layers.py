"""Palette layers: the mixture, its stages and their promises."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from palette_metrics import palette_metrics
from scipy.optimize import minimize

from napari_softlayers._core.numerics.mixture import (
    SIGMA,
    LookupTable,
    Mixture,
    best_supports,
    mix,
    palette_supports,
)
from napari_softlayers._core.palette import palette_layers
from napari_softlayers._core.palette.decomposer import Decomposer, exact_residues
from napari_softlayers._core.run import Cancelled, Run
from napari_softlayers._samples import poster_picture

PALETTE = np.array(
    [[0.9, 0.1, 0.1], [0.1, 0.2, 0.8], [0.95, 0.9, 0.3], [0.05, 0.05, 0.05]],
    np.float32,
)


def bare_alphas(picture, palette, method="mixture"):
    """Alphas before any processing."""
    decompose = Decomposer(palette, method, torch.device("cpu"))
    return decompose.alphas(picture, Run())


def energy(alphas, color, palette, sigma=SIGMA):
    flat = alphas @ palette
    return ((color - flat) ** 2).sum() + sigma * (1 / (alphas**2).sum() - 1)


def nearest_mixture(color, palette, sigma=SIGMA):
    """The same choice by brute force: least squares on every support."""
    best, lowest = None, np.inf
    for size in (1, 2, 3):
        for support in combinations(range(len(palette)), size):
            corners = palette[list(support)]
            edges = (corners[:-1] - corners[-1]).T
            part = np.linalg.lstsq(edges, color - corners[-1], rcond=None)[0]
            part = np.append(part, 1 - part.sum())
            if part.min() < -1e-7:
                continue
            alphas = np.zeros(len(palette))
            alphas[list(support)] = part
            value = energy(alphas, color, palette, sigma)
            if value < lowest:
                best, lowest = alphas, value
    return best


def test_layers_keep_the_promise(astronaut):
    layers = palette_layers(astronaut, 5)
    assert layers.kind == "palette"
    assert layers.alphas.shape == (5, 128, 128)
    assert layers.alphas.min() >= 0
    assert layers.alphas.max() <= 1
    np.testing.assert_allclose(layers.alphas.sum(0), 1, atol=1e-5)
    assert layers.colors.min() >= 0
    assert layers.colors.max() <= 1
    assert layers.recomposition_error < 1e-5
    assert layers.extras["palette"].shape == (5, 3)
    assert all(name.startswith("#") and len(name) == 7 for name in layers.names)


@pytest.mark.parametrize("count", [2, 4, 7, 12])
def test_mixture_is_the_best_of_all_supports(rng, count):
    palette = rng.random((count, 3))
    colors = rng.random((40, 3))
    supports = palette_supports(palette.astype(np.float32))
    tensor = torch.from_numpy(colors).float()
    found = mix(tensor.T, best_supports(tensor, supports), supports).T.numpy()
    for color, alphas in zip(colors, found, strict=True):
        best = nearest_mixture(color, palette)
        assert energy(alphas.astype(float), color, palette) <= (
            energy(best, color, palette) + 2e-4
        )


def test_a_ramp_between_two_colours_has_the_closed_form():
    t = np.linspace(0, 1, 64, dtype=np.float32)
    ramp = (1 - t)[:, None] * PALETTE[0] + t[:, None] * PALETTE[1]
    picture = np.repeat(ramp[None], 8, axis=0)
    alphas = bare_alphas(picture, PALETTE)
    np.testing.assert_allclose(alphas[1], np.repeat(t[None], 8, 0), atol=1e-4)
    np.testing.assert_allclose(alphas[2:], 0, atol=1e-4)


def test_mixture_works_in_inference_mode(rng):
    picture = torch.rand(3, 300, 400, generator=torch.Generator().manual_seed(0))
    palette = rng.random((4, 3))
    plain = Mixture(palette).alphas(picture)
    with torch.inference_mode():  # it holds for one thread; bands are other threads
        again = Mixture(palette).alphas(picture)
    torch.testing.assert_close(again, plain, rtol=0, atol=0)


def test_lookup_table_is_near_the_full_method(astronaut):
    picture = astronaut / np.float32(255)
    palette = palette_layers(astronaut, 6, smoothing=0).extras["palette"]
    full = bare_alphas(picture, palette)
    table = bare_alphas(picture, palette, "lookup")
    np.testing.assert_allclose(table.sum(0), 1, atol=1e-5)
    assert np.abs(full - table).mean() < 0.03


def test_lookup_is_exact_on_its_grid():
    table = LookupTable(PALETTE, size=9)
    axis = torch.linspace(0, 1, 9)
    grid = torch.cartesian_prod(axis, axis, axis)
    supports = palette_supports(PALETTE)
    expected = mix(grid.T, best_supports(grid, supports), supports)
    found = table.alphas(grid.T.reshape(3, 27, 27)).flatten(1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", ["mixture", "lookup"])
def test_palette_order_changes_nothing(astronaut, rng, method):
    first = palette_layers(astronaut, PALETTE, method)
    order = rng.permutation(4)
    second = palette_layers(astronaut, PALETTE[order], method)
    np.testing.assert_array_equal(second.alphas, first.alphas[order])
    np.testing.assert_array_equal(second.colors, first.colors[order])


def test_equal_colours_become_one_layer(astronaut):
    doubled = np.concatenate([PALETTE, PALETTE[:2]])
    merged = palette_layers(astronaut, doubled)
    single = palette_layers(astronaut, PALETTE)
    assert len(merged) == 4
    np.testing.assert_array_equal(merged.alphas, single.alphas)


def test_smoothing_smooths_and_keeps_the_figures(astronaut):
    rough = palette_layers(astronaut, 7, smoothing=0)
    smooth = palette_layers(astronaut, rough.extras["palette"])
    before, after = palette_metrics(rough), palette_metrics(smooth)
    assert after["variation"] < 0.8 * before["variation"]
    assert after["flat PSNR"] > before["flat PSNR"] - 1.5
    assert after["error"] < 1e-5


def test_white_holds_no_dark_layer():
    picture = np.ones((16, 16, 3), np.float32)
    picture[:, 8:] = PALETTE[3]
    palette = np.concatenate([PALETTE, [[0.97, 0.97, 0.97]]]).astype(np.float32)
    layers = palette_layers(picture, palette)
    assert layers.alphas[3][:, :4].max() < 0.02
    assert layers.recomposition_error < 1e-5


def test_residues_are_optimal(rng):
    """Against a general solver of Eq. 8 under Eq. 1 and 3."""
    palette = rng.random((4, 3)).astype(np.float32)
    alphas = rng.dirichlet(np.ones(4) / 2, size=5).astype(np.float32).T[:, None]
    picture = rng.random((3, 1, 5)).astype(np.float32)
    colors = exact_residues(
        torch.from_numpy(picture), torch.from_numpy(alphas), torch.from_numpy(palette)
    )
    for pixel in range(5):
        a = alphas[:, 0, pixel].astype(float)
        for channel in range(3):
            p, c = palette[:, channel].astype(float), picture[channel, 0, pixel]
            solved = minimize(
                lambda u, a=a, p=p: (a * (u - p) ** 2).sum(),
                np.full(4, float(c)),
                jac=lambda u, a=a, p=p: 2 * a * (u - p),
                bounds=[(0, 1)] * 4,
                constraints={"type": "eq", "fun": lambda u, a=a, c=c: a @ u - c},
                method="SLSQP",
                options={"ftol": 1e-12},
            )
            found = colors[:, 0, pixel, channel].astype(float)
            assert (a * (found - p) ** 2).sum() <= solved.fun + 1e-5
            assert abs(a @ found - c) < 1e-5


def test_masks_move_a_colour_away(astronaut):
    mask = np.ones((128, 128), np.float32)
    mask[:, 64:] = 0
    masked = palette_layers(astronaut, PALETTE, mask={0: mask})
    plain = palette_layers(astronaut, PALETTE)
    assert masked.alphas[0][:, 64:].max() == 0
    np.testing.assert_allclose(
        masked.alphas[:, :, :64], plain.alphas[:, :, :64], atol=1e-6
    )
    np.testing.assert_allclose(masked.alphas.sum(0), 1, atol=1e-5)
    assert masked.recomposition_error < 1e-5


def test_masks_that_forbid_everything_are_ignored_there(astronaut):
    masks = np.zeros((4, 128, 128))
    masks[1] = 1
    only = palette_layers(astronaut, PALETTE, mask=masks)
    np.testing.assert_allclose(only.alphas[1], 1, atol=1e-6)
    none = palette_layers(astronaut, PALETTE, mask=np.zeros((4, 128, 128)))
    plain = palette_layers(astronaut, PALETTE)
    np.testing.assert_allclose(none.alphas, plain.alphas, atol=1e-6)


def test_processing_by_the_user(astronaut):
    def square(alphas):
        assert alphas.shape == (4, 128, 128)
        return alphas**2

    layers = palette_layers(astronaut, PALETTE, processing=square)
    plain = palette_layers(astronaut, PALETTE).alphas
    expected = plain**2 / (plain**2).sum(0)
    np.testing.assert_allclose(layers.alphas, expected, atol=1e-5)
    assert layers.recomposition_error < 1e-5


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (2, 2), (33, 17)])
def test_any_size(rng, shape):
    picture = rng.random((*shape, 3)).astype(np.float32)
    layers = palette_layers(picture, PALETTE)
    assert layers.alphas.shape == (4, *shape)
    np.testing.assert_allclose(layers.alphas.sum(0), 1, atol=1e-5)
    assert layers.recomposition_error < 1e-5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_dtypes_agree(astronaut, dtype):
    given = astronaut.astype(np.float64) / 255
    if np.dtype(dtype).kind == "u":
        given = np.rint(given * np.iinfo(dtype).max)
    found = palette_layers(given.astype(dtype), PALETTE).alphas
    expected = palette_layers(astronaut, PALETTE).alphas
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_grey_picture(astronaut):
    layers = palette_layers(astronaut[..., 0], 3)
    assert layers.recomposition_error < 1e-5
    assert np.ptp(layers.extras["palette"], axis=1).max() < 1e-6


def test_one_colour_picture_gives_one_layer():
    picture = np.full((20, 30, 3), 0.4, np.float32)
    with pytest.warns(UserWarning, match="only 1 distinct"):
        layers = palette_layers(picture, 4)
    assert len(layers) == 1
    np.testing.assert_allclose(layers.alphas, 1)
    assert layers.recomposition_error < 1e-6


def test_fewer_colours_than_asked_for():
    picture = np.zeros((10, 30, 3), np.uint8)
    picture[:, 10:20] = 255
    picture[:, 20:, 0] = 200
    with pytest.warns(UserWarning, match="only 3 distinct"):
        layers = palette_layers(picture, 8)
    assert len(layers) == 3
    assert layers.recomposition_error < 1e-5


def test_same_seed_same_layers(astronaut):
    first, second = (palette_layers(astronaut, 5, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.alphas, second.alphas)
    np.testing.assert_array_equal(first.colors, second.colors)


def test_cancel_and_progress(astronaut):
    seen = []
    run = Run(progress=lambda fraction, message: seen.append(fraction))
    palette_layers(astronaut, 4, run=run)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    with pytest.raises(Cancelled):
        palette_layers(astronaut, 4, run=Run(cancelled=lambda: len(seen) > 0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"palette": 1}, "2 to 12"),
        ({"palette": 13}, "2 to 12"),
        ({"palette": True}, "2 to 12"),
        ({"palette": "many"}, "not known"),
        ({"palette": np.array([[0, 0, 255], [9, 9, 9]])}, r"in \[0, 1\]"),
        ({"palette": [[0, 0, np.nan]]}, "finite"),
        ({"palette": np.zeros((4, 4))}, r"\(K, 3\)"),
        ({"palette": np.zeros(3)}, r"\(K, 3\)"),
        ({"palette": np.zeros((13, 3))}, r"\(K, 3\)"),
        ({"palette": [["red", "green", "blue"]]}, "dtype"),
        ({"method": "magic"}, "mixture"),
        ({"selection": "magic"}, "kmeans"),
        ({"smoothing": -1}, "smoothing"),
        ({"smoothing": float("nan")}, "smoothing"),
        (
            {"locked": np.ones((5, 3)) * np.arange(5)[:, None] / 5, "palette": 3},
            "locked",
        ),
        ({"locked": [[2, 0, 0]]}, "locked"),
        ({"mask": {9: np.ones((128, 128))}}, "colour 9"),
        ({"mask": {0: np.ones((64, 128))}}, "128x128"),
        ({"mask": np.ones((3, 128, 128))}, "one mask a palette colour"),
        ({"mask": {0: np.full((128, 128), 3.0)}}, r"\[0, 1\]"),
        ({"processing": lambda a: a[:1]}, "must come out"),
        ({"processing": lambda a: a * np.nan}, "NaN"),
    ],
)
def test_bad_input_is_named(astronaut, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        palette_layers(astronaut, **options)


@pytest.mark.gpu
def test_gpu_agrees(astronaut):
    on_cpu = palette_layers(astronaut, PALETTE, device="cpu")
    on_gpu = palette_layers(astronaut, PALETTE, device="cuda")
    np.testing.assert_allclose(on_gpu.alphas, on_cpu.alphas, atol=1e-3)
    assert on_gpu.recomposition_error < 1e-5


def test_figures_on_photographs(shared_data):
    """What the method promises, on one Kodak photograph (regression of quality)."""
    from PIL import Image

    with Image.open(shared_data / "kodak" / "kodim15.png") as opened:
        picture = np.asarray(opened)
    figures = palette_metrics(palette_layers(picture, 7))
    assert figures["error"] < 1e-5
    assert figures["sparsity"] < 0.65
    assert figures["color variance"] < 0.0045
    assert figures["flat PSNR"] > 28.5
    assert figures["variation"] < 0.23


@pytest.mark.parametrize("method", ["mixture", "lookup"])
@pytest.mark.parametrize("count", [3, 7])
def test_the_number_of_threads_does_not_matter(method, count):
    picture = poster_picture()[::3, ::3]
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(palette_layers(picture, count, method, device="cpu"))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other.alphas, found[0].alphas)
        np.testing.assert_array_equal(other.colors, found[0].colors)
