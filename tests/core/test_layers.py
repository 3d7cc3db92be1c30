"""SoftLayers: the sum is the picture, whatever is done to the layers."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import napari_softlayers as nsl
from napari_softlayers import SoftLayers
from napari_softlayers._recipes import Input, Recipe


def make_alphas(rng, count, height, width):
    noise = gaussian_filter(rng.standard_normal((count, height, width)), (0, 3, 3))
    alphas = np.exp(noise * 40)
    return (alphas / alphas.sum(axis=0)).astype(np.float32)


@pytest.fixture
def layers(astronaut, rng):
    return SoftLayers.from_alphas(astronaut, make_alphas(rng, 4, 128, 128))


def over(alphas, colors):
    picture = np.zeros(colors.shape[1:], np.float64)
    for alpha, color in zip(alphas, colors, strict=True):
        picture = picture * (1 - alpha[..., None]) + alpha[..., None] * color
    return picture


def test_layers_add_up_to_the_picture(layers, astronaut):
    assert layers.recomposition_error < 1e-5
    np.testing.assert_allclose(layers.composite(), astronaut / 255, atol=1e-5)
    assert layers.colors.min() >= 0
    assert layers.colors.max() <= 1
    np.testing.assert_allclose(layers.alphas.sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (2, 3)])
def test_tiny_pictures(shape, rng):
    image = rng.random((*shape, 3))
    layers = SoftLayers.from_alphas(image, make_alphas(rng, 3, *shape))
    assert layers.recomposition_error < 1e-5


def test_joint_rounding_sums_to_255(layers):
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        alphas = layers.rgba(dtype)[..., 3].astype(int)
        assert (alphas.sum(axis=0) == top).all()
        assert np.abs(alphas / top - layers.alphas).max() < 1 / top


def test_rounding_keeps_absent_layers_absent(astronaut):
    alphas = np.zeros((3, 128, 128), np.float32)
    alphas[0] = 0.7
    alphas[2] = 0.3
    layers = SoftLayers.from_alphas(astronaut, alphas)
    assert (layers.rgba()[1, ..., 3] == 0).all()


def test_eight_bit_layers_show_the_picture(layers, astronaut):
    rgba = layers.rgba(np.uint8) / 255
    shown = (rgba[..., :3] * rgba[..., 3:]).sum(axis=0)
    assert np.abs(shown - astronaut / 255).mean() < 1.5 / 255


def test_float_rgba_is_unrounded(layers):
    rgba = layers.rgba(np.float32)
    np.testing.assert_array_equal(rgba[..., 3], layers.alphas)
    np.testing.assert_array_equal(rgba[..., :3], layers.colors)


def test_normal_stack_shows_the_same_picture(layers):
    stack = layers.normal_stack()
    assert (stack[0] == 1).all()
    np.testing.assert_allclose(over(stack, layers.colors), layers.image, atol=1e-5)


def test_normal_stack_with_an_absent_bottom(astronaut):
    alphas = np.zeros((2, 128, 128), np.float32)
    alphas[1] = 1
    layers = SoftLayers.from_alphas(astronaut, alphas)
    shown = over(layers.normal_stack(), layers.colors)
    np.testing.assert_allclose(shown, layers.image, atol=1e-5)


def test_merge_keeps_the_sum(layers):
    merged = layers.merge([[0, "layer 3"]])
    assert merged.names == ["layer 1 + layer 3", "layer 2", "layer 4"]
    assert len(merged) == 3
    assert merged.recomposition_error < 1e-5
    np.testing.assert_allclose(
        merged.alphas[0], layers.alphas[[0, 2]].sum(axis=0), atol=1e-6
    )


def test_subset_is_the_light_of_its_layers(layers):
    part = layers.subset([2, 0])
    assert part.names == ["layer 3", "layer 1"]
    rest = layers.subset([1, 3])
    np.testing.assert_allclose(part.light + rest.light, layers.light, atol=1e-5)
    np.testing.assert_allclose(part.alpha + rest.alpha, 1, atol=1e-6)
    on_white = part.composite(background=(1, 1, 1))
    np.testing.assert_allclose(
        on_white, part.light + rest.alphas.sum(axis=0)[..., None], atol=1e-5
    )
    assert layers.subset([3, 2, 1, 0]).alpha is None


def test_repr_says_what_it_is(layers):
    text = repr(layers)
    assert "4 layers" in text
    assert "128x128" in text
    assert "recomposition error" in text


def test_colors_of_a_known_composite(rng):
    height, width = 96, 96
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, 0)
    front = np.array([0.9, 0.2, 0.1])
    back = np.array([0.1, 0.3, 0.8])
    image = ramp[..., None] * front + (1 - ramp[..., None]) * back
    layers = SoftLayers.from_alphas(image, np.stack([1 - ramp, ramp]))
    inner = (ramp > 0.1) & (ramp < 0.9)
    assert np.abs(layers.colors[0][inner] - back).mean() < 0.05
    assert np.abs(layers.colors[1][inner] - front).mean() < 0.05


def test_alphas_are_put_on_the_simplex(astronaut):
    alphas = np.zeros((2, 128, 128), np.float32)
    alphas[1, 10:, :] = 1.5
    alphas[0, 10:, :] = -0.2
    layers = SoftLayers.from_alphas(astronaut, alphas)
    assert (layers.alphas[0, :10] == 1).all()
    assert (layers.alphas[1, 10:] == 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.merge([[0], [0]]), "two groups"),
        (lambda x: x.merge([[]]), "without layers"),
        (lambda x: x.merge([[9]]), "numbered from 0"),
        (lambda x: x.subset([]), "at least one"),
        (lambda x: x.subset(["sky"]), "No layer is named"),
        (lambda x: x.subset([1, 1]), "twice"),
    ],
)
def test_wrong_layers_are_named(layers, call, message):
    with pytest.raises(ValueError, match=message):
        call(layers)


def test_bad_alphas(astronaut):
    with pytest.raises(ValueError, match="height and width"):
        SoftLayers.from_alphas(astronaut, np.ones((2, 5, 5)))
    with pytest.raises(ValueError, match="NaN"):
        SoftLayers.from_alphas(astronaut, np.full((2, 128, 128), np.nan))
    with pytest.raises(ValueError, match="K, H, W"):
        SoftLayers.from_alphas(astronaut, np.ones((128, 128)))
    with pytest.raises(ValueError, match="names"):
        SoftLayers.from_alphas(astronaut, np.ones((2, 128, 128)), names=["one"])


def test_recoloured_layers_add_up_to_the_recoloured_picture(layers):
    same = layers.recolor(layers.colors.mean(axis=(1, 2)))
    assert same.recomposition_error < 1e-5
    palette = np.array([[1, 0, 0], [0, 1, 0], [0.2, 0.2, 0.9], [0.5, 0.5, 0.5]])
    painted = layers.recolor(palette)
    assert painted.recomposition_error < 1e-5
    np.testing.assert_array_equal(painted.alphas, layers.alphas)
    assert np.abs(painted.image - layers.image).mean() > 0.05
    with pytest.raises(ValueError, match="3"):
        layers.recolor([[1, 0, 0]])


def test_intersection_is_finer_and_still_exact(layers, rng):
    other = SoftLayers.from_alphas(layers.image, make_alphas(rng, 2, 128, 128))
    finer = layers.intersect(other)
    assert len(finer) > len(layers)
    assert finer.recomposition_error < 1e-5
    np.testing.assert_allclose(finer.alphas.sum(axis=0), 1, atol=1e-5)


def test_normal_stack_of_a_subset_stays_transparent(layers):
    part = layers.subset([0, 2])
    stack = part.normal_stack()
    np.testing.assert_allclose(over(stack, part.colors), part.light, atol=1e-5)
    left = np.prod(1 - stack, axis=0)
    np.testing.assert_allclose(left, 1 - part.alphas.sum(axis=0), atol=1e-5)


HOLES = {
    "half": lambda rows, columns: columns >= 40,
    "veil": lambda rows, columns: 0.3 + 0.7 * (rows % 9 > 3),
    "ramp": lambda rows, columns: columns / 63,
    "dot": lambda rows, columns: np.hypot(rows - 20, columns - 30) > 6,
    "speck": lambda rows, columns: (rows == 5) & (columns == 7),
}
EDITS = {
    "nothing": lambda x: x,
    "merge": lambda x: x.merge([[0, 2], [1]]),
    "recolor": lambda x: x.recolor([(1, 0, 0), (0, 0.9, 0.1), (0.2, 0.3, 1)]),
    "reordered": lambda x: x.reordered([2, 0, 1]),
    "feather": lambda x: x.feather(1, 3),
    "feather more": lambda x: x.feather(0, 0.7).feather(2, 40),
    "adjust": lambda x: x.adjust(1, exposure=1, hue=40, blur=2),
    "duplicate": lambda x: x.duplicate(2),
    "subset": lambda x: x.subset([2, 0]),
    "subset, feathered": lambda x: x.subset([2, 0]).feather(0, 2),
    "subset, recoloured": lambda x: x.subset([1, 0]).recolor([(1, 0, 0), (0, 1, 0)]),
    "stored": lambda x: x.stored(np.uint8),
    "stored, fine": lambda x: x.stored(np.uint16).feather(1, 2).merge([[0, 1]]),
    "stored, float": lambda x: x.stored(np.float32).duplicate(0),
    "renamed": lambda x: x.renamed(["a", "b", "c"]),
    "intersect": lambda x: x.intersect(x.feather(0, 5)),
    "split": lambda x: x.intersect(x.stored()),
    "split, recoloured": lambda x: _recoloured(x.stored().intersect(x)),
}


def _recoloured(layers):
    return layers.recolor(np.linspace(0, 1, 3 * len(layers)).reshape(-1, 3))


@pytest.fixture(params=HOLES)
def pierced(request, astronaut, rng):
    """Layers of a picture with an alpha, and a screaming colour where it is hidden."""
    alpha = np.float32(HOLES[request.param](*np.indices((48, 64))))
    picture = astronaut[:48, :64] / np.float32(255)
    picture = np.where(alpha[..., None] > 0, picture, np.float32((1, 0, 1)))
    image = np.dstack([picture, alpha])
    return SoftLayers.from_alphas(image, make_alphas(rng, 3, 48, 64)), image


@pytest.mark.parametrize("name", EDITS)
def test_edits_of_transparent_pictures_keep_the_sum(pierced, name):
    layers, image = pierced
    edited = EDITS[name](layers)
    alpha = np.ones(edited.shape) if edited.alpha is None else edited.alpha
    np.testing.assert_allclose(edited.alphas.sum(axis=0), alpha, atol=1e-6)
    assert edited.recomposition_error < 2e-6
    assert edited.alphas.min() >= 0
    assert edited.colors.min() >= 0
    assert edited.colors.max() <= 1
    assert (edited.alphas[:, image[..., 3] == 0] == 0).all()
    if not name.startswith("subset"):
        rounded = "stored" in name or name == "split"
        near = 0.51 / 255 if rounded else 1e-6
        np.testing.assert_allclose(alpha, image[..., 3], atol=near)


def test_the_hidden_colour_shows_nowhere(pierced):
    layers, image = pierced
    hidden = image[..., 3] == 0
    for given in (layers, layers.stored(), layers.adjust(0, exposure=0.1)):
        if hidden.any():
            gaps = np.abs(given.image[hidden] - (1, 0, 1)).max(axis=-1)
            assert gaps.min() > 0.1


def test_feathering_knows_no_hidden_pixels(rng, astronaut):
    """The border of what is visible is no edge: the same as of a wider layer."""
    alphas = np.zeros((2, 40, 60), np.float32)
    alphas[1, :, 30:] = 1
    alphas[0] = 1 - alphas[1]
    picture = np.dstack([astronaut[:40, :60], np.full((40, 60), 255, np.uint8)])
    picture[:, 50:, 3] = 0
    soft = SoftLayers.from_alphas(picture, alphas).feather(1, 3)
    assert soft.alphas[1, :, 42:50].min() > 0.999


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_what_a_viewer_stores_can_be_edited_to_the_bit(pierced, dtype):
    """Reading rounded layers back and noting "stored" are the same."""
    from napari.components import ViewerModel

    layers, _ = pierced
    layers.recipe = _recipe()
    shown = layers.to_napari(ViewerModel(), dtype=dtype)
    read = nsl.layers_from_napari(shown)
    stored = layers.stored(dtype)
    assert read.edits == stored.edits
    for field in ("alphas", "colors", "image"):
        np.testing.assert_array_equal(getattr(read, field), getattr(stored, field))
    for edit in (lambda x: x.feather(1, 2), lambda x: x.recolor(np.eye(3))):
        np.testing.assert_array_equal(edit(read).rgba(dtype), edit(stored).rgba(dtype))


def _recipe():
    return Recipe(kind="palette", inputs={"image": Input(value="array")})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("count", [2, 5, 12])
def test_rounded_layers_add_up_to_a_step(rng, dtype, count):
    alphas = rng.dirichlet(np.full(count, 0.4), (70, 50)).astype(np.float32)
    colors = rng.random((count, 70, 50, 3)).astype(np.float32)
    layers = SoftLayers(np.moveaxis(alphas, -1, 0), colors)
    rounded = layers.rgba(dtype).astype(np.float64) / np.iinfo(dtype).max
    total = (rounded[..., 3:] * rounded[..., :3]).sum(axis=0)
    error = np.abs(total - layers.image).max(axis=-1) * np.iinfo(dtype).max
    clear = alphas.max(axis=-1) > 0.5  # else the colours may reach their ends
    assert error[clear].max() < 1.01
    assert np.percentile(error, 99) < 1.01
