"""What napari is told about the plugin: everything named exists, menus are real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_softlayers

PACKAGE = Path(napari_softlayers.__file__).parent


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_file(PACKAGE / "napari.yaml")


def test_everything_named_can_be_imported(manifest):
    manifest.validate_imports()


def test_the_installed_package_offers_the_manifest(manifest):
    from npe2 import PluginManager

    found = PluginManager()
    found.discover()
    assert "napari-softlayers" in found
    offered = found.get_manifest("napari-softlayers").contributions
    assert offered.commands == manifest.contributions.commands


def test_top_level_manifest_is_the_packaged_one():
    link = Path(__file__).parents[1] / "napari.yaml"
    if not link.exists():
        pytest.skip("not in a source tree")
    assert link.resolve() == (PACKAGE / "napari.yaml").resolve()


def test_menus_are_ones_that_napari_accepts(manifest):
    from napari._app_model.constants import MenuId

    allowed = {str(menu.value) for menu in MenuId.contributables()}
    for menu in manifest.contributions.menus:
        assert menu in allowed or not menu.startswith("napari/"), menu


def test_commands_in_menus_and_widgets_exist(manifest):
    known = {command.id for command in manifest.contributions.commands}
    submenus = {submenu.id for submenu in manifest.contributions.submenus}
    used = {widget.command for widget in manifest.contributions.widgets}
    for items in manifest.contributions.menus.values():
        for item in items:
            if hasattr(item, "submenu"):
                assert item.submenu in submenus
            else:
                used.add(item.command)
    assert used <= known


def test_preferences_and_their_defaults_agree(manifest):
    from napari_softlayers._widgets.parts.settings import DEFAULTS, preference

    offered = {
        section: {name: item.default for name, item in group.properties.items()}
        for section, group in manifest.contributions.configurations.items()
    }
    assert offered == DEFAULTS
    assert preference("compute", "device") in ("auto", "cpu", "cuda", "mps")


def test_samples_open(manifest):
    from napari.layers import Layer

    for sample in manifest.contributions.sample_data:
        command = next(
            c for c in manifest.contributions.commands if c.id == sample.command
        )
        module, name = str(command.python_name).split(":")
        __import__(module)
        for data, meta, kind in getattr(sys.modules[module], name)():
            layer = Layer.create(data, meta, kind)
            assert layer.data.shape[:2] == np.shape(data)[:2]


def test_sample_trimaps_mark_background_object_and_unknown():
    from napari_softlayers import _samples

    for picture, trimap in (_samples.portrait(), _samples.cat()):
        assert trimap.shape == picture.shape[:2]
        assert set(np.unique(trimap)) == {0, 1, 2}
        assert 0.03 < (trimap == 0).mean() < 0.3


def test_poster_is_the_sum_of_its_known_layers():
    from napari_softlayers import _samples

    alphas, palette = _samples.poster_layers()
    np.testing.assert_allclose(alphas.sum(axis=0), 1, atol=1e-6)
    total = np.tensordot(alphas, palette, axes=(0, 0))
    np.testing.assert_allclose(total, _samples.poster_picture() / 255, atol=0.51 / 255)


def test_docks_load_without_heavy_libraries():
    program = (
        "import sys, napari_softlayers\n"
        "assert not {'torch', 'qtpy', 'napari'} & set(sys.modules)\n"
        "from npe2 import PluginManifest\n"
        f"manifest = PluginManifest.from_file({str(PACKAGE / 'napari.yaml')!r})\n"
        "for command in manifest.contributions.commands:\n"
        "    module = str(command.python_name).split(':')[0]\n"
        "    __import__(module)\n"
        "heavy = {'torch', 'sklearn', 'scipy.sparse.linalg', 'transformers',\n"
        "         'skimage.segmentation', 'psd_tools'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
