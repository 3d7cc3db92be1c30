"""The command line on real files."""

import json

import numpy as np
import pytest
from PIL import Image

from napari_softlayers._cli import main, read_picture


@pytest.fixture
def photo(tmp_path, astronaut):
    path = tmp_path / "photo.png"
    Image.fromarray(astronaut).save(path)
    return path


@pytest.fixture
def trimap(tmp_path):
    labels = np.full((128, 128), 128, np.uint8)
    labels[:20] = 0
    labels[70:110, 40:90] = 255
    path = tmp_path / "trimap.png"
    Image.fromarray(labels).save(path)
    return path


def test_matte_writes_layers(photo, trimap, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["matte", str(photo), str(trimap), "-o", str(out)]) == 0
    described = json.loads((out / "layers.json").read_text())
    assert [layer["name"] for layer in described["layers"]] == [
        "background",
        "foreground",
    ]
    assert "recomposition error" in capsys.readouterr().out


def test_a_repaired_trimap_is_saved(photo, trimap, tmp_path):
    arguments = [
        "matte",
        str(photo),
        str(trimap),
        "-m",
        "auto",
        "--trimap-tolerance",
        "2",
    ]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    repaired = np.asarray(Image.open(tmp_path / "out" / "trimap.png"))
    assert set(np.unique(repaired)) <= {0, 1, 2}
    assert main([*arguments, "-o", str(tmp_path / "cut.ora")]) == 0
    assert (tmp_path / "cut.trimap.png").is_file()


def test_folders_are_paired_by_name(photo, trimap, tmp_path):
    photos, trimaps = tmp_path / "photos", tmp_path / "trimaps"
    for folder, source in ((photos, photo), (trimaps, trimap)):
        folder.mkdir()
        for name in ("a", "b"):
            (folder / f"{name}.png").write_bytes(source.read_bytes())
    out = tmp_path / "out"
    assert main(["matte", str(photos), str(trimaps), "-o", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["matte", "nothing.png", "{trimap}", "-o", "{out}"], "does not exist"),
        (["matte", "{text}", "{trimap}", "-o", "{out}"], "not a picture"),
        (["matte", "{photo}", "{trimap}", "-o", "{out}", "-m", "magic"], "magic"),
        (
            ["matte", "{photo}", "{trimap}", "-o", "{out}", "--trimap-tolerance", "3"],
            "belongs to --method auto",
        ),
        (["matte", "{photo}", "{empty}", "-o", "{out}"], "no trimap named photo"),
        (["matte", "{empty}", "{trimap}", "-o", "{out}"], "no pictures"),
        (
            ["matte", "{photo}", "{trimap}", "-o", "{out}", "--device", "tpu"],
            "not known",
        ),
    ],
)
def test_wrong_input_is_named(arguments, message, photo, trimap, tmp_path, capsys):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    empty = tmp_path / "empty"
    empty.mkdir()
    places = {
        "photo": photo,
        "trimap": trimap,
        "text": text,
        "empty": empty,
        "out": tmp_path / "out",
    }
    assert main([part.format(**places) for part in arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_pictures_keep_their_dtype(tmp_path):
    deep = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png"), deep)
    indexed = Image.fromarray(np.array([[0, 128, 255]], np.uint8)).convert("P")
    indexed.save(tmp_path / "indexed.png")
    assert read_picture(tmp_path / "indexed.png", labels=True).tolist() == [
        [0, 128, 255]
    ]


def test_palette_with_given_colours(photo, tmp_path):
    out = tmp_path / "out"
    colors = "#ff0000,#00ff00,#ffffff"
    assert main(["palette", str(photo), "-k", colors, "-o", str(out)]) == 0
    described = json.loads((out / "layers.json").read_text())
    assert [layer["name"] for layer in described["layers"]] == colors.split(",")


def test_segments_without_features(photo, tmp_path):
    out = tmp_path / "out"
    arguments = [
        "segments",
        str(photo),
        "-n",
        "3",
        "--features",
        "none",
        "-o",
        str(out),
    ]
    assert main(arguments) == 0
    described = json.loads((out / "layers.json").read_text())
    assert len(described["layers"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["palette", "-k", "many"], "a number or auto"),
        (["palette", "-k", "#12"], "colours such as"),
        (["palette", "-k", "99"], "12"),
        (["segments", "-n", "99"], "from 2 to 15"),
        (["segments", "--features", "magic"], "magic"),
    ],
)
def test_wrong_parameters_are_named(arguments, message, photo, tmp_path, capsys):
    command, *rest = arguments
    out = str(tmp_path / "out")
    assert main([command, str(photo), *rest, "-o", out]) == 2
    assert message in capsys.readouterr().err
