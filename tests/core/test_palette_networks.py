"""The palette networks and the importer of the published checkpoints."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from published_palette import published_layers
from scipy.fft import dctn, idctn

from napari_softlayers._core.networks.palette import (
    PaletteConfig,
    PaletteNetwork,
    network_alphas,
)
from napari_softlayers._core.networks.palette_import import (
    import_checkpoints,
    read_tensors,
)
from napari_softlayers._core.networks.weights import save_network
from napari_softlayers._core.palette import palette_layers
from napari_softlayers._core.palette.decomposer import Decomposer
from napari_softlayers._core.run import Run

PUBLISHED_PALETTE = np.array(
    [
        (253, 253, 254),
        (203, 194, 170),
        (83, 17, 22),
        (205, 118, 4),
        (220, 222, 11),
        (155, 24, 10),
        (171, 75, 67),
    ],
    np.float32,
) / np.float32(255)


def random_network(config, seed=0):
    torch.manual_seed(seed)
    network = PaletteNetwork(config)
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An untrained guided network, far from doing nothing."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    return save_network(path, "palette", random_network(PaletteConfig()))


@pytest.fixture(scope="module")
def planes(astronaut):
    return torch.from_numpy(astronaut.transpose(2, 0, 1) / np.float32(255))


def test_published_form_has_the_published_size():
    network = PaletteNetwork(PaletteConfig(slots=7, guided=False, residues=True))
    assert sum(p.numel() for p in network.alpha.parameters()) == 521_695
    assert sum(p.numel() for p in network.residue.parameters()) == 873_074


@pytest.mark.parametrize("count", [2, 5, 12])
@pytest.mark.parametrize("guided", [True, False])
def test_one_set_of_weights_for_any_number_of_colours(count, guided, rng):
    network = random_network(PaletteConfig(guided=guided, residues=True))
    picture = torch.rand(2, 3, 16, 24)
    palette = torch.from_numpy(rng.random((2, count, 3))).float()
    mixture = torch.full((2, count, 16, 24), 1 / count) if guided else None
    with torch.inference_mode():
        alphas = network(picture, palette, mixture)
        colors = network.layer_colors(picture, palette, alphas)
    assert alphas.shape == (2, count, 16, 24)
    torch.testing.assert_close(alphas.sum(1), torch.ones(2, 16, 24))
    assert alphas.min() >= 0
    assert colors.shape == (2, count, 3, 16, 24)
    assert colors.min() >= 0
    assert colors.max() <= 1


def test_the_order_of_the_colours_does_not_matter(rng):
    network = random_network(PaletteConfig(guided=False, residues=True))
    picture = torch.rand(1, 3, 16, 16)
    palette = torch.rand(1, 6, 3)
    order = torch.from_numpy(rng.permutation(6))
    with torch.inference_mode():
        first = network(picture, palette)
        second = network(picture, palette[:, order])
        one = network.layer_colors(picture, palette, first)
        two = network.layer_colors(picture, palette[:, order], second)
    torch.testing.assert_close(second, first[:, order], atol=1e-5, rtol=0)
    torch.testing.assert_close(two, one[:, order], atol=1e-5, rtol=0)


def test_the_colours_see_each_other(rng):
    network = random_network(PaletteConfig(guided=False))
    picture, palette = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 3)
    other = palette.clone()
    other[0, 2] = torch.tensor([0.0, 1.0, 0.0])
    with torch.inference_mode():
        ratio = [network(picture, p)[0, :2] for p in (palette, other)]
    ratio = [r[0] / r.sum(0) for r in ratio]
    assert (ratio[0] - ratio[1]).abs().max() > 1e-4


@pytest.mark.parametrize("tile", [32, 96])
def test_tiles_leave_no_seams(planes, weights, tile):
    palette = PUBLISHED_PALETTE[:4]
    whole = network_alphas(planes[:, :123, :117], palette, weights, tile=256)
    tiled = network_alphas(planes[:, :123, :117], palette, weights, tile=tile)
    torch.testing.assert_close(tiled, whole, atol=2e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (9, 16)])
def test_small_pictures(weights, size):
    picture = torch.rand(3, *size)
    alphas = network_alphas(picture, PUBLISHED_PALETTE[:3], weights)
    assert alphas.shape == (3, *size)
    torch.testing.assert_close(alphas.sum(0), torch.ones(size))


def test_shipped_network_in_any_order(astronaut, rng):
    layers = palette_layers(astronaut, PUBLISHED_PALETTE, "network")
    assert layers.recomposition_error < 1e-5
    np.testing.assert_allclose(layers.alphas.sum(0), 1, atol=1e-5)
    order = rng.permutation(7)
    again = palette_layers(astronaut, PUBLISHED_PALETTE[order], "network")
    np.testing.assert_allclose(again.alphas, layers.alphas[order], atol=1e-5)


@pytest.mark.parametrize("count", [2, 12])
def test_shipped_network_explains_the_picture(astronaut, count):
    palette = palette_layers(astronaut, count, smoothing=0).extras["palette"]
    picture = astronaut / np.float32(255)
    errors = []
    for method in ("network", "mixture"):
        decompose = Decomposer(palette, method, torch.device("cpu"))
        alphas = decompose.alphas(picture, Run())
        flat = np.einsum("khw,kc->hwc", alphas, palette)
        errors.append(10 * np.log10(((flat - picture) ** 2).mean()))
    assert errors[0] < errors[1] + 2.5  # decibels


def test_unknown_weights(astronaut):
    with pytest.raises(ValueError, match="no weights"):
        palette_layers(astronaut, 3, "network", weights="nowhere.safetensors")
    with pytest.raises(ValueError, match="'features'"):
        palette_layers(astronaut, 3, "network", weights="features")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Checkpoints of the published form for three colours, and their network."""
    network = random_network(PaletteConfig(slots=3, guided=False, residues=True))
    folder = tmp_path_factory.mktemp("pair")
    for part, name in ((network.alpha, "mask"), (network.residue, "residue")):
        torch.save(part.state_dict(), folder / f"{name}.pth")
        torch.save(
            part.state_dict(),
            folder / f"{name}-old.pth",
            _use_new_zipfile_serialization=False,
        )
    return folder, network


@pytest.mark.parametrize("form", ["", "-old"])
def test_import_keeps_every_number(pair, tmp_path, form, astronaut):
    folder, network = pair
    target = import_checkpoints(
        folder / f"mask{form}.pth",
        folder / f"residue{form}.pth",
        tmp_path / "pair.safetensors",
    )
    picture = astronaut[:125] / np.float32(255)
    alphas, colors = published_layers(picture, PUBLISHED_PALETTE[:3], target)
    assert alphas.shape == (3, 120, 128)
    assert colors.shape == (3, 120, 128, 3)
    planes = torch.from_numpy(picture[:120].transpose(2, 0, 1).copy())
    with torch.inference_mode():
        expected = network(planes[None], torch.from_numpy(PUBLISHED_PALETTE[None, :3]))
    order = np.lexsort(PUBLISHED_PALETTE[:3].T[::-1])
    found = network_alphas(planes, PUBLISHED_PALETTE[:3], target)
    torch.testing.assert_close(found, expected[0], atol=1e-4, rtol=0)
    layers = palette_layers(picture, PUBLISHED_PALETTE[:3], "network", weights=target)
    assert layers.recomposition_error < 1e-5
    assert sorted(order) == [0, 1, 2]


def test_fewer_colours_than_slots_merge(pair, tmp_path, astronaut):
    folder, _ = pair
    target = import_checkpoints(
        folder / "mask.pth", folder / "residue.pth", tmp_path / "pair.safetensors"
    )
    two = palette_layers(astronaut, PUBLISHED_PALETTE[:2], "network", weights=target)
    assert len(two) == 2
    assert two.recomposition_error < 1e-5
    with pytest.raises(ValueError, match="for 3 colours"):
        palette_layers(astronaut, PUBLISHED_PALETTE[:4], "network", weights=target)


class Harmful:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("new", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path, new):
    made, path = tmp_path / "made", tmp_path / "bad.pth"
    torch.save(
        {"conv5.weight": Harmful(made)}, path, _use_new_zipfile_serialization=new
    )
    with pytest.raises(ValueError, match="such as code"):
        read_tensors(path)
    assert not made.exists()


@pytest.mark.parametrize("form", ["mask.pth", "mask-old.pth"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_truncated_checkpoints_are_named(pair, tmp_path, form, share):
    content = (pair[0] / form).read_bytes()
    path = tmp_path / "short.pth"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match="short.pth is (truncated|damaged|no PyTorch)"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(3)], "named tensors"),
        ({"a": 3.0}, "named tensors"),
        ({"conv1.weight": torch.zeros(3)}, "no tensor conv5.weight"),
        ({"conv5.weight": torch.zeros(7, 24, 3, 3)}, "does not fit"),
    ],
)
def test_other_checkpoints_are_refused(pair, tmp_path, content, message):
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        import_checkpoints(path, pair[0] / "residue.pth", tmp_path / "x.safetensors")


def test_other_files_are_refused(pair, tmp_path):
    path = tmp_path / "text.pth"
    path.write_text("no checkpoint at all, but long enough to be one")
    with pytest.raises(ValueError, match="no PyTorch checkpoint"):
        read_tensors(path)
    with pytest.raises(ValueError, match="no file"):
        read_tensors(tmp_path / "absent.pth")
    with pytest.raises(ValueError, match="safetensors"):
        import_checkpoints(
            pair[0] / "mask.pth", pair[0] / "residue.pth", tmp_path / "x.pth"
        )


def decode_like_the_authors(path):
    """Decode a JPEG as libjpeg 9 does, which doubles chroma by a larger inverse DCT.

    The usual decoder interpolates instead. Chroma is rounded to 8 bits on the way.
    """
    from PIL import Image

    with Image.open(path) as opened:
        opened.draft("YCbCr", opened.size)
        luma = np.asarray(opened)[..., 0].astype(float)
    with Image.open(path) as opened:
        opened.draft("YCbCr", (opened.width // 2 - 1, opened.height // 2 - 1))
        chroma = np.asarray(opened)[..., 1:].astype(float)
    height, width = luma.shape
    doubled = []
    for plane in chroma.transpose(2, 0, 1):
        rows, columns = (-size % 8 for size in plane.shape)
        plane = np.pad(plane, ((0, rows), (0, columns)), mode="edge")
        blocks = plane.reshape(plane.shape[0] // 8, 8, -1, 8).transpose(0, 2, 1, 3)
        large = np.zeros((*blocks.shape[:2], 16, 16))
        large[..., :8, :8] = 2 * dctn(blocks - 128, axes=(2, 3), norm="ortho")
        large = idctn(large, axes=(2, 3), norm="ortho").transpose(0, 2, 1, 3)
        large = large.reshape(2 * plane.shape[0], -1)[:height, :width]
        doubled.append(np.clip(np.rint(large), -128, 127))
    blue, red = doubled
    green = -0.344136 * blue - 0.714136 * red
    rgb = np.stack([luma + 1.402 * red, luma + green, luma + 1.772 * blue], axis=-1)
    return (np.clip(np.rint(rgb), 0, 255) / 255).astype(np.float32)


def test_published_layers_are_reproduced(shared_data, tmp_path):
    """The authors' own result for apple.jpg, to 8-bit rounding."""
    from PIL import Image

    folder = shared_data / "fscs_reference"
    target = import_checkpoints(
        folder / "mask_generator.pth",
        folder / "residue_predictor.pth",
        tmp_path / "fscs.safetensors",
    )
    picture = decode_like_the_authors(folder / "apple.jpg")
    alphas, colors = published_layers(picture, PUBLISHED_PALETTE, target)
    for layer in range(7):
        with Image.open(folder / f"layer-0{layer}.png") as opened:
            published = np.asarray(opened).astype(float)
        alpha = np.abs(np.clip(alphas[layer], 0, 1) * 255 - published[..., 3])
        color = np.abs(colors[layer] * 255 - published[..., :3])
        assert alpha.mean() < 0.25
        assert (alpha <= 1).mean() > 0.98
        assert color.mean() < 0.4
        assert (
            np.abs(np.rint(colors[layer] * 255) - published[..., :3]) <= 1
        ).mean() > 0.99
