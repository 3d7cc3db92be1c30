"""The command line on real files."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms

from napari_softlayers import open_layers
from napari_softlayers._cli import main


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
        "--tolerance",
        "2",
    ]
    assert main([*arguments, "-o", str(tmp_path / "out")]) == 0
    repaired = np.asarray(Image.open(tmp_path / "out.trimap.png"))
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
            ["matte", "{photo}", "{trimap}", "-o", "{out}", "--tolerance", "3"],
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


PALETTE = ("palette", "-k", "2", "-o")


def run(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture
def no_computing(monkeypatch):
    """Fail the test when anything is computed."""

    def never(*_args, **_options):
        raise AssertionError("computed")

    for name in ("matte", "soft_segments", "palette_layers"):
        monkeypatch.setattr(f"napari_softlayers._api.{name}", never)


# outputs


@pytest.mark.parametrize("name", ["cut.png", "CUT.PNG"])
def test_a_matte_as_png_is_the_cut_out(photo, trimap, tmp_path, name, astronaut):
    assert run("matte", photo, trimap, "-o", tmp_path / name) == 0
    cut = np.asarray(Image.open(tmp_path / name))
    assert cut.shape == (128, 128, 4)
    assert (cut[:20, :, 3] == 0).all()
    assert (cut[70:110, 40:90, 3] == 255).all()
    inside = cut[70:110, 40:90, :3].astype(int) - astronaut[70:110, 40:90]
    assert np.abs(inside).max() <= 1


@pytest.mark.parametrize("command", ["palette", "segments"])
@pytest.mark.parametrize("several", [False, True])
def test_other_layers_as_png_are_refused(
    photo, tmp_path, command, several, capsys, no_computing
):
    pictures = [photo, photo.parent] if several else [photo]
    (tmp_path / "b.png").write_bytes(photo.read_bytes())
    assert run(command, *pictures, "-o", tmp_path / "out.png") == 2
    assert "give a folder" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("a.jpg", "ends with '.jpg'"),
        ("layers.xcf", "ends with '.xcf'"),
        ("v1.2", "end the name of a new folder with '/'"),
        ("file/x.ora", "is no folder that you may write to"),
        ("file/deep/x", "is no folder that you may write to"),
        ("file/", "is a file"),
        ("used", "holds other files"),
        ("photo.png", "overwrite the input"),
        ("sub/../photo.png", "overwrite the input"),
        (".", "overwrite the input"),
    ],
)
def test_outputs_are_checked_before_computing(
    photo, trimap, tmp_path, output, message, capsys, no_computing
):
    (tmp_path / "file").write_text("x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.doc").write_text("mine")
    before = photo.read_bytes()
    assert run("matte", photo, trimap, "-o", f"{tmp_path}/{output}") == 2
    assert message in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_a_trimap_is_not_overwritten(photo, trimap, tmp_path, capsys, no_computing):
    assert run("matte", photo, trimap, "-o", tmp_path / "trimap.png") == 2
    other = trimap.rename(tmp_path / "cut.trimap.png")
    assert run("matte", photo, other, "-m", "auto", "-o", tmp_path / "cut.ora") == 2
    assert "overwrite the input" in capsys.readouterr().err


def test_photoshop_files_without_psd_tools(
    photo, tmp_path, monkeypatch, capsys, no_computing
):
    monkeypatch.setitem(sys.modules, "psd_tools", None)
    assert run("palette", photo, "-o", tmp_path / "a.psd") == 2
    assert "napari-softlayers[psd]" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["v1.2", "a.ora", "b.png", "x.tar.gz"])
def test_folders_with_a_dot_in_their_name(photo, tmp_path, name):
    assert run(*PALETTE, f"{tmp_path}/{name}/", photo) == 0
    assert len(open_layers(tmp_path / name)) == 2
    assert run(*PALETTE, tmp_path / name, photo) == 0  # it is there: replaced
    assert len(open_layers(tmp_path / name)) == 2


def test_same_names_give_distinct_outputs(photo, tmp_path, astronaut):
    for number, place in enumerate(
        ["one/a.png", "one/a.jpg", "two/a.png", "two/b.png", "two/B.jpg", "two/a.b.png"]
    ):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(astronaut[: 40 + number, :50]).save(path)
    out = tmp_path / "out"
    assert run(*PALETTE, out, tmp_path / "one", tmp_path / "two") == 0
    sizes = sorted(open_layers(folder).shape[0] for folder in out.iterdir())
    assert sizes == [40, 41, 42, 43, 44, 45]
    assert {"a.b", "a_jpg", "one_a_png", "two_a_png"} <= {x.name for x in out.iterdir()}
    assert run(*PALETTE, out, tmp_path / "one", tmp_path / "two") == 0


def test_the_same_picture_twice_is_one(photo, tmp_path):
    assert run(*PALETTE, tmp_path / "out", photo, photo) == 0
    assert len(open_layers(tmp_path / "out")) == 2


@pytest.mark.parametrize("name", [b"\xff.png", "фото.png".encode(), b"a\nb.png"])
def test_names_of_any_bytes(photo, tmp_path, name, capsys):
    path = tmp_path / os.fsdecode(name)
    try:
        path.write_bytes(photo.read_bytes())
    except (OSError, ValueError):
        pytest.skip("this system has no such names")
    assert run(*PALETTE, tmp_path / "out", path) == 0
    (tmp_path / "in").mkdir()
    path.rename(tmp_path / "in" / path.name)
    assert run(*PALETTE, tmp_path / "several", tmp_path / "in") == 0
    assert len(open_layers(tmp_path / "several" / path.stem)) == 2
    assert (
        run(*PALETTE, tmp_path / f"{path.stem}.ora", tmp_path / "in" / path.name) == 0
    )
    assert "recomposition error" in capsys.readouterr().out


# failures


def broken(folder):
    folder.mkdir()
    (folder / "._a.jpg").write_bytes(b"\0\5\x16\7")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.tif").write_text("text")
    Image.new("1", (20000, 10000)).save(folder / "large.png")
    return ["._a.jpg", "empty.png", "text.tif", "large.png"]


def test_broken_pictures_are_told_and_the_rest_is_done(photo, tmp_path, capsys):
    names = broken(tmp_path / "in")
    for good in ("a.png", "z.png"):
        (tmp_path / "in" / good).write_bytes(photo.read_bytes())
    assert run(*PALETTE, tmp_path / "out", tmp_path / "in") == 1
    assert sorted(x.name for x in (tmp_path / "out").iterdir()) == ["a", "z"]
    end = capsys.readouterr().err.split("4 of 6 pictures failed:")[1]
    assert all(name in end for name in names)
    assert "Traceback" not in end


def test_nothing_could_be_done(tmp_path, capsys):
    names = broken(tmp_path / "in")
    assert run(*PALETTE, tmp_path / "out", tmp_path / "in") == 2
    for name in names:
        assert run(*PALETTE, tmp_path / "out", tmp_path / "in" / name) == 2
        told = capsys.readouterr().err
        assert name in told
        assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (ImportError("pip install it"), "pip install it"),
        (RuntimeError("device lost"), "device lost"),
        (KeyError("x"), "unexpected KeyError"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_no_traceback_whatever_happens(
    photo, tmp_path, monkeypatch, capsys, error, words
):
    def fails(*_args, **_options):
        raise error

    monkeypatch.setattr("napari_softlayers._api.palette_layers", fails)
    assert run(*PALETTE, tmp_path / "out", photo) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "photo.png" in told
    monkeypatch.setattr("napari_softlayers._cli.plan", fails)
    assert run(*PALETTE, tmp_path / "out", photo) == 2
    assert words in capsys.readouterr().err


# trimaps and profiles


def turned_photo(path, picture, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    Image.fromarray(picture).save(path, exif=exif)
    return path


def disc(shape, center):
    rows, columns = np.indices(shape)
    distance = np.hypot(rows - center[0], columns - center[1])
    labels = np.zeros(shape, np.uint8)
    labels[distance < 9] = 2
    labels[distance > 22] = 1
    return labels


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("option", [(), ("--stored-pixels",)])
def test_a_trimap_of_the_stored_pixels(
    tmp_path, astronaut, orientation, option, capsys
):
    """Not square: it fits one way only when turned by a quarter."""
    picture = astronaut[:90, :120]
    photo = turned_photo(tmp_path / "p.png", picture, orientation)
    Image.fromarray(disc((90, 120), (30, 40))).save(tmp_path / "t.png")
    out = tmp_path / "out"
    assert run("matte", photo, tmp_path / "t.png", *option, "-o", out) == 0
    told = capsys.readouterr().err
    layers = open_layers(out)
    if option:
        assert told == ""
    elif orientation == 3:
        assert "--stored-pixels" in told
        assert np.abs(layers.image * 255 - picture[::-1, ::-1]).max() < 3
        return
    else:
        assert "fits the stored pixels" in told
    assert np.abs(layers.image * 255 - picture).max() < 3
    assert layers.alphas[1, 30, 40] == 1


def test_a_trimap_of_the_upright_picture(tmp_path, astronaut, capsys):
    picture = astronaut[:90, :120]
    photo = turned_photo(tmp_path / "p.png", picture, 6)
    Image.fromarray(disc((120, 90), (30, 40))).save(tmp_path / "t.png")
    assert run("matte", photo, tmp_path / "t.png", "-o", tmp_path / "out") == 0
    assert capsys.readouterr().err == ""
    upright = np.rot90(picture, -1)
    assert np.abs(open_layers(tmp_path / "out").image * 255 - upright).max() < 3


@pytest.mark.parametrize("colors", [1, 2, 3, 4])
def test_an_indexed_trimap_is_its_indices(photo, tmp_path, colors, rng):
    labels = np.kron(np.arange(16).reshape(4, 4) % colors + 1, np.ones((32, 32)))
    labels[:4] = 0
    image = Image.fromarray(labels.astype(np.uint8), "P")
    image.putpalette(rng.integers(0, 256, 768).tolist())
    image.save(tmp_path / "t.png")
    code = run("matte", photo, tmp_path / "t.png", "-o", tmp_path / "out")
    if colors == 1:
        assert code == 2
        return
    layers = open_layers(tmp_path / "out")
    assert len(layers) == colors
    for k in range(colors):
        assert (layers.alphas[k][labels == k + 1] == 1).all()


def test_a_profile_goes_through(tmp_path, astronaut):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for ending in ("jpg", "png", "tif"):
        path = tmp_path / f"p.{ending}"
        Image.fromarray(astronaut[:40, :50]).save(path, icc_profile=profile)
        for output in ("out", "out.ora", "out.tif"):
            assert run(*PALETTE, tmp_path / output, path) == 0
            assert open_layers(tmp_path / output).profile == profile


@pytest.mark.parametrize("values", [(20, 0, 40), (0, 20, 50), (1, 0, 2), (0, 1, 2)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("t.jpg", {"quality": 80}),
        ("t.jpg", {"quality": 95}),
        ("t.webp", {"quality": 80}),
        ("t.tif", {"compression": "jpeg"}),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_lossy_files_are_no_labels(
    photo, tmp_path, values, name, options, channels, capsys, no_computing
):
    labels = np.array([values[1], values[0], values[2]], np.uint8)[
        disc((128, 128), (60, 60))
    ]
    stored = labels if channels == 1 else np.dstack([labels] * 3)
    Image.fromarray(stored).save(tmp_path / name, **options)
    assert run("matte", photo, tmp_path / name, "-o", tmp_path / "out") == 2
    assert "compressed with loss" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options"),
    [("t.webp", {"lossless": True}), ("t.png", {}), ("t.tif", {}), ("t.bmp", {})],
)
def test_files_without_loss_may_be_labels(photo, tmp_path, name, options):
    labels = np.array([0, 20, 40], np.uint8)[disc((128, 128), (60, 60))]
    Image.fromarray(np.dstack([labels] * 3)).save(tmp_path / name, **options)
    assert run("matte", photo, tmp_path / name, "-o", tmp_path / "out") == 0
    assert open_layers(tmp_path / "out").names == ["label 20", "label 40"]


@pytest.mark.parametrize("quality", [75, 95])
@pytest.mark.parametrize("name", ["t.jpg", "t.webp"])
def test_lossy_grey_trimaps_are_read(photo, tmp_path, name, quality):
    grey = np.array([128, 0, 255], np.uint8)[disc((128, 128), (60, 60))]
    Image.fromarray(grey).save(tmp_path / name, quality=quality)
    assert run("matte", photo, tmp_path / name, "-o", tmp_path / "out") == 0
    assert open_layers(tmp_path / "out").alphas[1, 60, 60] == 1


@pytest.mark.parametrize("picture", ["b.png", "b.jpg", "b.tif"])
def test_the_trimap_of_the_very_same_name_is_taken(
    photo, trimap, tmp_path, picture, capsys
):
    (tmp_path / "P").mkdir()
    (tmp_path / "T").mkdir()
    pixels, labels = Image.open(photo), Image.open(trimap)
    pixels.save(tmp_path / "P" / picture)
    wrong = Image.fromarray(255 - np.asarray(labels))
    for name in ("b.jpg", "b.png"):
        (labels if name == picture else wrong).save(tmp_path / "T" / name)
    code = run("matte", tmp_path / "P", tmp_path / "T", "-o", tmp_path / "out")
    told = capsys.readouterr().err
    if picture == "b.tif":
        assert code == 2
        assert "b.jpg and b.png" in told
    else:
        assert code == 0
        assert open_layers(tmp_path / "out" / "b").alphas[1, 90, 60] == 1


@pytest.mark.parametrize("name", ["t.png", "t.tif", "t.gif"])
@pytest.mark.parametrize("greys", [(0, 128, 255), (2, 90, 250), (255, 128, 0)])
def test_indexed_greys_are_greys(photo, tmp_path, name, greys, capsys):
    """A quantizer numbers the greys in any order."""
    order = np.array([1, 0, 2])[disc((128, 128), (60, 60))]
    grey = np.array(greys, np.uint8)[order]
    image = Image.fromarray(np.dstack([grey] * 3)).quantize(3)
    image.save(tmp_path / name)
    assert run("matte", photo, tmp_path / name, "-o", tmp_path / "out") == 0
    layers = open_layers(tmp_path / "out")
    assert layers.names == ["background", "foreground"]
    assert layers.alphas[int(greys[2] > greys[0]), 60, 60] == 1
    assert "its colours are grey" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["t.png", "t.tif"])
@pytest.mark.parametrize("palette", ["coloured", "identity", "black"])
def test_other_palettes_keep_their_indices(photo, tmp_path, name, palette, rng):
    image = Image.fromarray(disc((128, 128), (60, 60)), "P")
    identity = np.repeat(np.arange(256), 3)
    colours = {"identity": identity, "black": 0 * identity}
    image.putpalette(colours.get(palette, rng.integers(0, 256, 768)).tolist())
    image.save(tmp_path / name)
    assert run("matte", photo, tmp_path / name, "-o", tmp_path / "out") == 0
    assert open_layers(tmp_path / "out").alphas[1, 60, 60] == 1
