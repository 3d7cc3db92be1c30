"""Reading and writing as napari asks for it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_softlayers._bridge import layers_from_napari, result_sets, show
from napari_softlayers._io import open_layers, read_document, save_layers
from napari_softlayers._io._readers_writers import get_reader, read, write
from napari_softlayers._recipes import recipe_of

KEY = "napari-softlayers"


def data_of(layers):
    return [layer.as_layer_data_tuple() for layer in layers]


def light(data):
    """What additive layers show together, as napari blends them."""
    total = 0
    for pixels, meta, _ in data:
        rgba = pixels / np.iinfo(pixels.dtype).max
        total = (
            total + meta["opacity"] * meta["visible"] * rgba[..., 3:] * rgba[..., :3]
        )
    return total


@pytest.fixture
def viewer(layers):
    """A viewer without a window: the picture and its soft layers."""
    from napari.components import ViewerModel

    made = ViewerModel()
    source = made.add_image(
        np.rint(layers.image * 255).astype(np.uint8),
        rgb=True,
        name="photo",
        scale=(0.5, 0.5),
        translate=(3, 4),
    )
    show(made, layers, like=source)
    return made


@pytest.mark.parametrize("name", ["a.ora", "a.psd", "folder"])
def test_soft_layers_open_additive(tmp_path, layers, name):
    path = str(save_layers(layers, tmp_path / name))
    data = get_reader(path)(path)
    assert [meta["name"] for _, meta, _ in data] == layers.names
    assert all(meta["blending"] == "additive" for _, meta, _ in data)
    assert all(kind == "image" for _, _, kind in data)
    assert np.array_equal(np.stack([pixels for pixels, _, _ in data]), layers.rgba())
    assert np.abs(light(data) - layers.image).mean() < 1.5 / 255


def test_deep_layers_have_contrast_limits(tmp_path, layers):
    path = str(save_layers(layers, tmp_path / "a.ora", bits=16))
    for pixels, meta, _ in read(path):
        assert pixels.dtype == np.uint16
        assert tuple(meta["contrast_limits"]) == (0, 65535)


def test_the_docks_know_opened_layers_again(tmp_path, layers):
    from napari.components import ViewerModel
    from napari.layers import Layer

    viewer = ViewerModel()
    for name in ("a.ora", "b.ora"):
        path = str(save_layers(layers, tmp_path / name))
        for data in read(path):
            viewer.layers.append(Layer.create(*data))
    path = str(save_layers(layers.merge([[0, 1]]), tmp_path / "c.ora"))
    for data in read(path):
        viewer.layers.append(Layer.create(*data))
    sets = list(result_sets(viewer).values())
    assert [len(found) for found in sets] == [10, 4]
    back = layers_from_napari(sets[1])
    assert back.kind == "segments"
    assert back.recipe == layers.recipe
    done = [edit.name for edit in back.edits]
    assert done[:3] == ["merge", "merge", "stored"]


def test_a_whole_set_is_saved_as_an_ordinary_stack(tmp_path, viewer, layers):
    path = str(tmp_path / "a.ora")
    assert write(path, data_of(list(viewer.layers)[1:])) == [path]
    stack = read_document(tmp_path / "a.ora").layers()
    assert all(layer.mode == "normal" for layer in stack)
    assert (stack[0].pixels[..., 3] == 255).all()
    back = open_layers(path)
    assert np.array_equal(np.rint(back.alphas * 255), layers.rgba()[..., 3])
    assert recipe_of(back) == recipe_of(layers)
    data = read(path)
    for (pixels, meta, _), layer in zip(data, list(viewer.layers)[1:], strict=True):
        assert np.array_equal(pixels, layer.data)
        assert meta["name"] == layer.name
        assert meta["blending"] == "additive"
        assert np.allclose(meta["scale"], (0.5, 0.5))
        assert np.allclose(meta["translate"], (3, 4))
        assert meta["metadata"][KEY]["index"] == layer.metadata[KEY]["index"]


def test_everything_saved_opens_again_the_same(tmp_path, viewer):
    from napari.layers import Layer

    viewer.layers[2].opacity = 0.5
    viewer.layers[3].visible = False
    viewer.layers[4].blending = "translucent"
    path = str(tmp_path / "a.ora")
    write(path, data_of(viewer.layers))
    opened = [Layer.create(*data) for data in read(path)]
    for old, new in zip(viewer.layers, opened, strict=True):
        assert new.name == old.name
        assert new.opacity == pytest.approx(old.opacity, abs=1e-5)
        assert new.visible == old.visible
        assert new.blending == old.blending
        assert np.array_equal(new.data[..., :3], old.data[..., :3])
        assert np.allclose(new.affine.affine_matrix, old.affine.affine_matrix)
        assert np.allclose(new.scale, old.scale)


def test_hidden_parts_keep_the_light_additive(tmp_path, viewer):
    """With a part hidden, an ordinary stack would show something else."""
    viewer.layers[1].visible = False
    path = str(tmp_path / "a.ora")
    write(path, data_of(list(viewer.layers)[1:]))
    modes = [layer.mode for layer in read_document(tmp_path / "a.ora").layers()]
    assert modes == ["plus"] * 5


def test_a_hidden_source_stays_hidden_below(tmp_path, viewer):
    path = str(tmp_path / "a.ora")
    write(path, data_of(viewer.layers))
    stack = read_document(tmp_path / "a.ora").layers()
    assert [layer.visible for layer in stack] == [False] + [True] * 5
    assert [layer.mode for layer in stack] == ["normal"] * 6
    with pytest.warns(UserWarning, match="photo"):
        back = open_layers(path)
    assert len(back) == 5
    assert np.abs(back.composite() - viewer.layers[0].data / 255).mean() < 1.5 / 255


def test_other_kinds_of_layers_are_left_out_with_a_warning(tmp_path, viewer):
    viewer.add_labels(np.zeros((64, 72), np.uint8), name="trimap")
    viewer.add_points(np.zeros((1, 2)), name="clicks")
    path = str(tmp_path / "a.ora")
    with pytest.warns(UserWarning, match="left out: trimap, clicks"):
        write(path, data_of(viewer.layers))
    assert len(read(path)) == 6


def test_what_cannot_be_saved_says_so(tmp_path):
    from napari.layers import Image, Labels

    path = str(tmp_path / "a.ora")
    labels = Labels(np.zeros((4, 4), np.uint8), name="trimap")
    with (
        pytest.warns(UserWarning, match="left out: trimap"),
        pytest.raises(ValueError, match="no image layer"),
    ):
        write(path, data_of([labels]))
    volume = Image(np.zeros((3, 40, 50), np.float32), name="stack")
    with pytest.raises(ValueError, match=r"'stack' has shape \(3, 40, 50\)"):
        write(path, data_of([volume]))
    assert not list(tmp_path.iterdir())


def test_any_picture_is_saved_as_it_looks(tmp_path, rng):
    from napari.layers import Image

    grey = rng.integers(0, 4096, (20, 30)).astype(np.uint16)
    colored = Image(grey, colormap="magma", contrast_limits=(0, 4095), name="camera")
    expected = colored.colormap.map(grey.ravel() / 4095).reshape(20, 30, 4)
    cases = [
        (colored, expected),
        (Image(rng.random((20, 30, 3)), rgb=True, contrast_limits=(0, 1)), None),
        (Image(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), rgb=True), None),
        (
            Image([np.full((40, 60), 0.5), np.full((20, 30), 0.5)], multiscale=True),
            None,
        ),
    ]
    for number, (layer, wanted) in enumerate(cases):
        path = str(tmp_path / f"{number}.ora")
        assert write(path, [layer.as_layer_data_tuple()]) == [path]
        saved = read(path)[0][0]
        top = np.iinfo(saved.dtype).max
        if wanted is not None:
            assert np.abs(saved / top - wanted).max() < 1 / 255
        assert (saved[..., 3] == top).all()


def test_pictures_of_different_places_share_a_canvas(tmp_path):
    from napari.layers import Image

    low = Image(np.full((10, 10, 3), 9, np.uint8), rgb=True, scale=(2, 2))
    high = Image(
        np.full((4, 4, 4), 200, np.uint8), rgb=True, scale=(2, 2), translate=(-4, 6)
    )
    write(str(tmp_path / "a.ora"), data_of([low, high]))
    document = read_document(tmp_path / "a.ora")
    assert (document.width, document.height) == (10, 12)
    assert [(x.x, x.y) for x in document.layers()] == [(0, 2), (3, 0)]


def test_which_paths_are_claimed(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "layers.json").write_text("{}")
    assert get_reader(str(tmp_path / "a.ora")) is read
    assert get_reader(str(tmp_path / "A.PSD")) is read
    assert get_reader([str(tmp_path / "a.ora")]) is read
    assert get_reader(str(tmp_path / "layers")) is read
    assert get_reader(str(tmp_path / "plain")) is None
    assert get_reader(str(tmp_path / "a.png")) is None
    assert get_reader([str(tmp_path / "a.ora"), str(tmp_path / "b.ora")]) is None


def test_a_foreign_stack_opens_as_it_says(tmp_path):
    from napari_softlayers._io._document import Document, Group, Layer
    from napari_softlayers._io.openraster import write_openraster

    pixels = np.full((5, 6, 4), 100, np.uint8)
    items = [
        Layer("a", pixels),
        Layer("b", pixels, 3, 1, 0.5, False, "plus"),
        Layer("c", pixels, mode="multiply"),
    ]
    write_openraster(Document(12, 10, items), tmp_path / "a.ora")
    metas = [meta for _, meta, _ in read(str(tmp_path / "a.ora"))]
    blending = ["translucent_no_depth", "additive", "multiplicative"]
    assert [meta["blending"] for meta in metas] == blending
    assert metas[1]["translate"] == (1, 3)
    assert metas[1]["opacity"] == 0.5
    assert not metas[1]["visible"]
    assert "translate" not in metas[0]
    assert not any(meta["metadata"] for meta in metas)
    grouped = Document(12, 10, [Group("g", items[:2], 0.5, True)])
    from napari_softlayers._io._to_napari import document_to_napari

    opacities = [meta["opacity"] for _, meta, _ in document_to_napari(grouped)]
    assert opacities == [0.5, 0.25]


def test_napari_finds_reader_and_writer(tmp_path, viewer):
    """Through npe2, as File > Save and File > Open do it."""
    import npe2

    npe2.PluginManager.instance().discover()
    path = str(tmp_path / "a.ora")
    written = npe2.write(path, data_of(viewer.layers), plugin_name=KEY)
    assert written == [path]
    opened = npe2.read([path], stack=False, plugin_name=KEY)
    assert [meta["name"] for _, meta, _ in opened] == [x.name for x in viewer.layers]
    soft = layers_from_napari(list(viewer.layers)[1:])
    index = str(save_layers(soft, tmp_path / "folder") / "layers.json")
    assert len(npe2.read([index], stack=False, plugin_name=KEY)) == 5
    assert len(open_layers(index)) == 5
