"""The package as a whole: cheap to import, complete, free of machine paths."""

import subprocess
import sys

import pytest

import napari_softlayers as nsl


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_nothing_heavy():
    out = run_python(
        "import sys, napari_softlayers;"
        "heavy = {'torch', 'qtpy', 'PyQt6', 'napari', 'scipy', 'skimage', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert out.strip() == "[]"


def test_every_public_name_can_be_loaded():
    for name in nsl.__all__:
        assert getattr(nsl, name) is not None
    assert set(dir(nsl)) == set(nsl.__all__)
    with pytest.raises(AttributeError, match="no attribute 'mate'"):
        _ = nsl.mate


def test_core_knows_nothing_of_napari_or_qt():
    out = run_python(
        "import pkgutil, importlib, sys, napari_softlayers._core as core\n"
        "for module in pkgutil.walk_packages(core.__path__, core.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(sorted({'napari', 'qtpy', 'magicgui'} & set(sys.modules)))"
    )
    assert out.strip() == "[]"
