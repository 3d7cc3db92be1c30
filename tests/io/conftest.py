"""Soft layers of a real picture, small."""

from __future__ import annotations

import numpy as np
import pytest

from napari_softlayers import SoftLayers
from napari_softlayers._core.layers.edit import Edit
from napari_softlayers._recipes import Input, Recipe, with_recipe


@pytest.fixture(scope="session")
def layers(astronaut) -> SoftLayers:
    """Five overlapping layers, some empty in places, of a 64x72 picture."""
    from scipy.ndimage import gaussian_filter

    picture = astronaut[20:84, 30:102]
    rng = np.random.default_rng(1)
    fields = [gaussian_filter(rng.random((64, 72)), 6) for _ in range(5)]
    alphas = np.exp(120 * (np.stack(fields) - 0.5))
    alphas[alphas < 0.02 * alphas.sum(axis=0)] = 0
    alphas = np.clip(alphas, 0, 1)
    made = SoftLayers.from_alphas(
        picture,
        alphas,
        names=["sky & sea", "Größe <1>", "nom/é", "dog", "cat"],
        kind="segments",
        parameters={"n": 5, "seed": np.int64(3), "points": np.eye(3, dtype=np.float32)},
    )
    recipe = Recipe(
        kind="segments",
        options={"n_segments": 5, "seed": 3},
        inputs={"image": Input(name="photo", id="1", digest="2")},
        edits=(Edit("merge", {"groups": [[0, 1]]}),),
    )
    return with_recipe(made, recipe)
