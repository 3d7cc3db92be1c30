"""Soft segments against the published code's results on its own sample."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from napari_softlayers._core.numerics.superpixels import block_means
from napari_softlayers._core.run import Run
from napari_softlayers._core.segments import graphs, pipeline, prepare_segments
from napari_softlayers._core.segments.finishing import final_alphas
from napari_softlayers._core.segments.state import SegmentOptions


@pytest.fixture(scope="module")
def reference(shared_data):
    file = shared_data / "sss_reference" / "docia_320_reference.npz"
    with np.load(file) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def laplacian(reference):
    """The Laplacian of the exact path."""
    picture = reference["image"]
    regions = pipeline.numbered_regions(reference["superpixels"])
    semantic = pipeline.SemanticFeatures(reference["features"], reference["features"])
    options = SegmentOptions(quality="exact")
    edges = graphs.affinity_edges(picture, regions, semantic, options)
    with ThreadPoolExecutor(1) as beside:
        levels = graphs.begin_matting(picture, True, beside, Run())
        (matrix,) = graphs.working_laplacians(levels, regions, edges, False, Run())
    return matrix


def test_exact_eigenvalues_agree_with_the_published_ones(reference, laplacian):
    """The lowest ones; all hundred are compared in the benchmark."""
    from napari_softlayers._core.numerics.eigenvectors import exact_eigenpairs

    lowest = np.sort(reference["eigenvalues"].ravel())[:5]
    found = exact_eigenpairs(laplacian, 5).values
    np.testing.assert_allclose(found, lowest, rtol=0.01, atol=1e-9)


def test_layers_agree_with_the_published_ones(reference):
    picture = np.clip(reference["image"], 0, 1)
    state = prepare_segments(
        picture, reference["features"], None, reference["superpixels"], "cpu"
    )
    grouped = reference["grouped"].astype(np.float32)
    small = block_means(grouped.transpose(1, 2, 0), state.scale).transpose(2, 0, 1)
    shared = np.einsum("khw,ghw->kg", np.clip(state.layers, 0, 1), np.clip(small, 0, 1))
    joined = shared.argmax(axis=1)
    groups = [np.nonzero(joined == g)[0].tolist() for g in range(5)]
    found = final_alphas(state, groups, "cpu")
    final = reference["final"]
    assert np.abs(found - final).mean() < 0.004
    assert (found.argmax(axis=0) != final.argmax(axis=0)).mean() < 0.006


def test_relaxed_stage_agrees_with_the_published_one(reference, laplacian):
    from napari_softlayers._core.segments import relaxed_sparsification as relaxed
    from napari_softlayers._core.segments.graphs import sparsity_exponents

    start = relaxed.rounded_layers(reference["grouped"].astype(np.float32))
    exponents = sparsity_exponents(reference["image"])
    found = relaxed.relaxed_sparsification(start, laplacian, exponents)
    assert np.abs(found - reference["final"]).mean() < 0.0005
