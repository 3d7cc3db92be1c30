"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import sys

import numpy as np
import pytest

from napari_softlayers._io import open_layers, save_layers
from napari_softlayers._io._files import replacing

NAMES = ["a.ora", "a.psd", "a.tif", "folder"]


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", NAMES)
def test_replacing_an_earlier_file(tmp_path, layers, name):
    save_layers(layers.merge([[0, 1, 2]]), tmp_path / name)
    save_layers(layers, tmp_path / name)
    assert open_layers(tmp_path / name).names == layers.names
    assert {path.name for path in tmp_path.iterdir()} == {name}


@pytest.mark.skipif(os.name != "posix", reason="file size limits are of POSIX")
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_leaves_everything_as_it_was(tmp_path, layers, name):
    import resource

    small = layers.merge([[0, 1, 2, 3, 4]])
    save_layers(small, tmp_path / name)
    before = contents(tmp_path)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="could not be written.*Nothing was changed"):
            save_layers(layers, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", NAMES)
def test_no_space_left(tmp_path, layers, name, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_layers(layers, tmp_path / name)
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_does_not_exist(tmp_path, layers, name):
    with pytest.raises(FileNotFoundError, match="make the folder first"):
        save_layers(layers, tmp_path / "nowhere" / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="the superuser may write everywhere",
)
@pytest.mark.parametrize("name", NAMES)
def test_a_read_only_folder(tmp_path, layers, name):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError, match="may write to"):
            save_layers(layers, tmp_path / name)
    finally:
        tmp_path.chmod(0o755)
    assert not list(tmp_path.iterdir())


def test_a_refused_permission_says_what_to_do(tmp_path):
    refused = PermissionError(errno.EACCES, "Permission denied")
    asked = pytest.raises(PermissionError, match="choose a folder")
    with asked, replacing(tmp_path / "a.ora"):
        raise refused


def test_any_other_error_leaves_nothing_behind(tmp_path):
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a") as part:
        part.write_text("new")
        raise KeyboardInterrupt
    assert contents(tmp_path) == {"a": b"old"}


def test_folders_with_other_files_are_not_replaced(tmp_path, layers):
    folder = save_layers(layers, tmp_path / "folder")
    (folder / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="notes.txt"):
        save_layers(layers, folder)
    assert contents(tmp_path) == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.doc").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        save_layers(layers, other)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is a file"):
        save_layers(layers, tmp_path / "file")


def test_an_empty_folder_is_used(tmp_path, layers):
    (tmp_path / "folder").mkdir()
    save_layers(layers, tmp_path / "folder")
    assert len(open_layers(tmp_path / "folder")) == 5


def test_the_mimetype_comes_first_and_is_stored(tmp_path, layers):
    data = save_layers(layers, tmp_path / "a.ora").read_bytes()
    assert data[30:54] == b"mimetypeimage/openraster"
    assert data[8:10] == b"\0\0"


def test_an_openraster_file_has_all_its_parts(tmp_path, layers):
    import zipfile
    from xml.etree import ElementTree

    from napari_softlayers._io._png import read_png

    path = save_layers(layers, tmp_path / "a.ora", bits=16)
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        assert names[0] == "mimetype"
        root = ElementTree.fromstring(file.read("stack.xml"))
        merged = read_png(file.read("mergedimage.png"), "merged")
        thumbnail = read_png(file.read("Thumbnails/thumbnail.png"), "thumbnail")
    assert (root.get("w"), root.get("h")) == ("72", "64")
    listed = root.findall("stack/layer")
    assert [item.get("name") for item in listed] == layers.names[::-1]
    assert all(item.get("composite-op") == "svg:src-over" for item in listed)
    assert all(item.get("src") in names for item in listed)
    assert merged.dtype == np.uint16
    assert np.abs(merged[..., :3] / 65535 - layers.image).max() < 1 / 65535
    assert thumbnail.dtype == np.uint8
    assert max(thumbnail.shape) <= 256


def test_files_get_the_usual_permissions(tmp_path, layers):
    if sys.platform == "win32":
        pytest.skip("POSIX permissions")
    plain = tmp_path / "plain"
    plain.write_text("x")
    path = save_layers(layers, tmp_path / "a.ora")
    assert path.stat().st_mode == plain.stat().st_mode
