"""Files that version 0.1 wrote open with the same layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_softlayers._io import open_layers, save_layers
from napari_softlayers._io._readers_writers import read

FOLDER = Path(__file__).resolve().parents[1] / "data" / "v01"
MATTES = ["matte", "matte.ora", "matte.psd", "matte.tif", "matte_linear.ora"]


@pytest.fixture(scope="module")
def inputs():
    return dict(np.load(FOLDER / "inputs.npz"))


@pytest.mark.parametrize("name", [*MATTES, "matte_float.tif", "from_napari.ora"])
def test_mattes(inputs, name):
    layers = open_layers(FOLDER / name)
    exact = 1e-7 if "float" in name else 0.51 / 255
    assert np.abs(layers.alphas - inputs["alphas"]).max() < exact
    assert np.abs(layers.composite() - inputs["picture"] / 255).max() < 1.6 / 255
    prefix = "photo · " if name == "from_napari.ora" else ""
    assert layers.names == [f"{prefix}background", f"{prefix}foreground"]
    assert layers.kind == "matte"
    assert layers.alpha is None
    assert layers.profile is None


@pytest.mark.parametrize(
    ("name", "kind", "names"),
    [
        ("segments.ora", "segments", ["segment 1", "segment 2", "segment 3"]),
        ("palette_recoloured.ora", "palette", ["#ff0000", "#00ff00", "#0000ff"]),
    ],
)
def test_other_kinds(inputs, name, kind, names):
    layers = open_layers(FOLDER / name)
    assert (layers.kind, layers.names) == (kind, names)
    assert np.abs(layers.alphas.sum(axis=0) - 1).max() < 1e-6
    if kind == "segments":
        assert np.abs(layers.composite() - inputs["picture"] / 255).max() < 1.6 / 255


@pytest.mark.parametrize("name", [*MATTES[:3], "from_napari.ora"])
def test_in_napari(inputs, name):
    data = read(str(FOLDER / name))
    alphas = np.stack([pixels[..., 3] for pixels, _, _ in data]) / 255
    assert np.abs(alphas - inputs["alphas"]).max() < 0.51 / 255
    assert all(meta["blending"] == "additive" for _, meta, _ in data)
    if name == "from_napari.ora":
        assert all(np.allclose(meta["scale"], (2, 3)) for _, meta, _ in data)


@pytest.mark.parametrize("name", MATTES)
def test_saved_again(tmp_path, name):
    layers = open_layers(FOLDER / name)
    back = open_layers(save_layers(layers, tmp_path / Path(name).name))
    assert np.abs(back.alphas - layers.alphas).max() < 1e-6
    assert back.names == layers.names
