"""Recolouring, segments x palette, stacks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from napari_softlayers._core.harmonies import harmony
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._core.palette import palette_layers
from napari_softlayers._core.palette.intersect import intersect
from napari_softlayers._core.palette.recolor import Recolorer, recolor
from napari_softlayers._core.palette.stack import PaletteStack


@pytest.fixture(scope="module")
def layers(astronaut):
    return palette_layers(astronaut, 5)


@pytest.fixture(scope="module")
def segments(astronaut):
    ramp = np.clip(np.linspace(-1, 2, 128), 0, 1).astype(np.float32)
    left = np.repeat(ramp[None], 128, axis=0)
    return SoftLayers.from_alphas(
        astronaut, np.stack([left, 1 - left]), names=["right", "left"], kind="segments"
    )


def test_same_palette_gives_the_picture(layers):
    found = recolor(layers, layers.extras["palette"])
    np.testing.assert_allclose(found, layers.image, atol=1e-6)


def test_recolouring_is_the_formula(layers, rng):
    palette = rng.random((5, 3))
    moves = palette - layers.extras["palette"]
    expected = layers.image + np.einsum("khw,kc->hwc", layers.alphas, moves)
    np.testing.assert_allclose(
        recolor(layers, palette), np.clip(expected, 0, 1), atol=1e-5
    )


def test_recolouring_moves_each_layer_by_its_colour(layers):
    """With small moves inside the box it is the sum of the moved layers."""
    palette = layers.extras["palette"].copy()
    palette[2] += np.where(palette[2] < 0.5, 0.02, -0.02)
    moved = layers.colors.copy()
    moved[2] += palette[2] - layers.extras["palette"][2]
    expected = (layers.alphas[..., None] * moved).sum(0)
    inside = ((moved >= 0) & (moved <= 1)).all(axis=(0, 3))
    found = recolor(layers, palette)
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5)


def test_live_recolouring_rounds_to_8_bits(layers, rng):
    live = Recolorer(layers)
    for _ in range(3):
        palette = rng.random((5, 3))
        found = live(palette)
        assert found.dtype == np.uint8
        expected = recolor(layers, palette) * 255
        assert np.abs(found - expected).max() <= 0.501
    np.testing.assert_array_equal(
        live(layers.extras["palette"]), np.rint(layers.image * 255).astype(np.uint8)
    )


def test_any_layers_can_be_recoloured(segments):
    weights = segments.alphas[..., None]
    means = (weights * segments.colors).sum((1, 2)) / weights.sum((1, 2))
    np.testing.assert_allclose(recolor(segments, means), segments.image, atol=1e-4)


@pytest.mark.parametrize(
    ("palette", "message"),
    [
        (np.zeros((4, 3)), "one colour"),
        (np.full((5, 3), 2.0), r"\[0, 1\]"),
        (np.zeros((5, 4)), r"\(K, 3\)"),
    ],
)
def test_bad_new_palettes(layers, palette, message):
    with pytest.raises(ValueError, match=message):
        recolor(layers, palette)


def test_bad_dtype(layers):
    with pytest.raises(ValueError, match="uint8 or float32"):
        Recolorer(layers, np.uint16)


def test_intersection_adds_up_twice(layers, segments):
    found = intersect(segments, layers)
    assert found.kind == "palette"
    assert found.recomposition_error < 1e-5
    np.testing.assert_allclose(found.alphas.sum(0), 1, atol=1e-5)
    for number in range(2):
        own = [i for i, (s, _) in enumerate(found.extras["pairs"]) if s == number]
        np.testing.assert_allclose(
            found.alphas[own].sum(0), segments.alphas[number], atol=1e-5
        )
    assert found.names[0].startswith("right · #")


def test_intersection_is_the_product(layers, segments):
    found = intersect(segments, layers, empty=0)
    assert len(found) == 10
    for layer, (s, p) in enumerate(found.extras["pairs"]):
        product = segments.alphas[s] * layers.alphas[p]
        np.testing.assert_allclose(found.alphas[layer], product, atol=1e-5)


def test_only_one_side_is_recoloured(layers, segments):
    found = intersect(segments, layers)
    palette = found.extras["palette"].copy()
    right = found.extras["pairs"][:, 0] == 0
    palette[right] = 1 - palette[right]
    changed = np.abs(recolor(found, palette) - layers.image).max(axis=2)
    assert changed[:, :42].max() < 1e-5
    assert changed[:, -42:].mean() > 0.05


def test_many_pieces_can_be_recoloured(layers):
    quarters = np.zeros((4, *layers.shape), np.float32)
    for number in range(4):
        quarters[number, :, number::4] = 1
    found = intersect(SoftLayers.from_alphas(layers.image, quarters), layers)
    assert len(found) > 12
    palette = 1 - found.extras["palette"]
    for wanted in (palette, harmony(palette, "triad")):
        changed = found.recolor(wanted)
        assert changed.recomposition_error < 1e-5
        assert changed.extras["palette"].shape == (len(found), 3)


def test_empty_pairs_are_dropped(layers, segments):
    assert len(intersect(segments, layers, empty=0.2)) < 10


def test_intersection_needs_one_picture(layers, segments, astronaut):
    small = palette_layers(astronaut[:64], 3)
    with pytest.raises(ValueError, match="same"):
        intersect(segments, small)
    other = palette_layers(255 - astronaut, 3)
    with pytest.raises(ValueError, match="different pictures"):
        intersect(segments, other)
    with pytest.raises(ValueError, match="share"):
        intersect(segments, layers, empty=-1)


def test_a_still_stack_does_not_flicker(astronaut):
    stack = PaletteStack(np.stack([astronaut] * 4), 5)
    alphas = stack.alphas().compute(scheduler="threads")
    for frame in alphas[1:]:
        np.testing.assert_array_equal(frame, alphas[0])


@pytest.mark.parametrize("step", [2, 3])
def test_a_panning_stack_moves_its_alphas(astronaut, step):
    wide = np.concatenate([astronaut, astronaut[:, ::-1]], axis=1)
    frames = np.stack([wide[:, t * step : t * step + 100] for t in range(4)])
    stack = PaletteStack(frames, 5)
    first = stack.frame(0).alphas
    later = stack.frame(3).alphas
    inside = slice(8, -8)
    moved = np.abs(
        first[:, inside, 3 * step :][:, :, inside]
        - later[:, inside, : 100 - 3 * step][:, :, inside]
    )
    # even steps: blocks of 2 x 2 pixels move whole; odd steps: nearly the same
    assert moved.max() < 1e-3 if step % 2 == 0 else moved.mean() < 0.01


def test_stack_layers_are_lazy_and_exact(astronaut):
    import dask.array as da

    seen = []

    def block(block_info=None):
        seen.append(block_info[None]["chunk-location"][0])
        return astronaut[None]

    video = da.map_blocks(
        block,
        chunks=((1,) * 30, 128, 128, 3),
        dtype=np.uint8,
        meta=np.empty((0, 0, 0, 0), np.uint8),
    )
    stack = PaletteStack(video, 4)
    seen.clear()
    layers = stack.rgba()
    assert [layer.shape for layer in layers] == [(30, 128, 128, 4)] * 4
    assert seen == []
    frames = [np.asarray(layer[7]) for layer in layers]
    assert seen == [7]
    total = sum(f[..., 3:] / 255.0 * (f[..., :3] / 255.0) for f in frames)
    assert np.abs(total - astronaut / 255).max() < 0.02


def test_stack_travels_to_another_process(astronaut):
    stack = PaletteStack(np.stack([astronaut] * 2), 4)
    before = stack.frame(1).alphas
    copy = pickle.loads(pickle.dumps(stack))
    np.testing.assert_array_equal(copy.frame(1).alphas, before)


@pytest.mark.parametrize("shape", [(8, 8, 3), (0, 8, 8, 3), (2, 8, 8, 5)])
def test_bad_stacks(shape):
    with pytest.raises(ValueError, match="T, H, W, 3"):
        PaletteStack(np.zeros(shape))


def test_bad_frame(astronaut):
    with pytest.raises(ValueError, match="there are 2"):
        PaletteStack(np.stack([astronaut] * 2), 3).frame(2)
