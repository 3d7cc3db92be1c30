"""The screen shows after a result what it showed before, whatever the layer looks like."""

import numpy as np
import pytest

import napari_softlayers as nsl

pytestmark = pytest.mark.gui
LARGEST = 2


@pytest.fixture(scope="module")
def picture():
    """A soft disc on a gradient, float in [0, 1], ``(64, 80, 3)``."""
    rows, columns = np.indices((64, 80))
    alpha = np.clip((18 - np.hypot(rows - 28, columns - 44)) / 8 + 0.5, 0, 1)[..., None]
    ground = np.dstack([0.1 + rows / 128, 0.2 + columns / 160, 0.6 - rows / 128])
    return alpha * (0.9, 0.55, 0.16) + (1 - alpha) * ground


def seen(viewer):
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


def grey(picture):
    return picture.mean(axis=-1)


def with_alpha(picture, top, dtype):
    alpha = np.linspace(0, 1, picture.shape[1])[None, :, None] * np.ones_like(
        picture[..., :1]
    )
    data = np.concatenate([picture, alpha], axis=-1)
    data[:, :20] = (1, 0, 1, 0)
    return (data * top).astype(dtype)


LAYERS = {
    "uint8 limits": lambda p: (
        (p * 255).astype(np.uint8),
        {"contrast_limits": (50, 150)},
    ),
    "uint8 inside": lambda p: (
        (p * 255).astype(np.uint8),
        {"contrast_limits": (0, 200)},
    ),
    "uint8 gamma": lambda p: ((p * 255).astype(np.uint8), {"gamma": 0.5}),
    "uint8 both": lambda p: (
        (p * 255).astype(np.uint8),
        {"gamma": 1.7, "contrast_limits": (20, 220)},
    ),
    "12 bit of a camera": lambda p: ((p * 4095).astype(np.uint16), {}),
    "16 bit limits": lambda p: (
        (p * 65535).astype(np.uint16),
        {"contrast_limits": (9000, 40000)},
    ),
    "float automatic": lambda p: ((0.2 + 0.5 * p).astype(np.float32), {}),
    "float far": lambda p: ((p * 900 - 300).astype(np.float64), {}),
    "float gamma": lambda p: (p.astype(np.float32), {"gamma": 2.0}),
    "int16": lambda p: ((p * 2000 - 500).astype(np.int16), {}),
    "grey uint8 colormap": lambda p: (
        (grey(p) * 255).astype(np.uint8),
        {"colormap": "viridis"},
    ),
    "grey uint16 magenta": lambda p: (
        (grey(p) * 3000).astype(np.uint16),
        {"colormap": "magenta"},
    ),
    "grey float inverted": lambda p: (grey(p), {"colormap": "gray_r", "gamma": 0.7}),
    "grey fire limits": lambda p: (
        grey(p).astype(np.float32),
        {"colormap": "fire", "contrast_limits": (0.2, 0.6)},
    ),
    "half opaque": lambda p: ((p * 255).astype(np.uint8), {"opacity": 0.5}),
    "RGBA uint8": lambda p: (with_alpha(p, 255, np.uint8), {}),
    "RGBA uint8 limits": lambda p: (
        with_alpha(p, 255, np.uint8),
        {"contrast_limits": (40, 200)},
    ),
    "RGBA float": lambda p: (with_alpha(p, 1, np.float32), {"contrast_limits": (0, 1)}),
    "RGBA 16 bit gamma": lambda p: (
        with_alpha(p, 65535, np.uint16),
        {"contrast_limits": (0, 65535), "gamma": 1.5},
    ),
}


def test_the_stack_equals_the_screen(make_napari_viewer, picture):
    viewer = make_napari_viewer(show=True)
    off = {}
    for name, make in LAYERS.items():
        data, settings = make(picture)
        gamma = settings.pop("gamma", 1)
        viewer.layers.clear()
        layer = viewer.add_image(data, rgb=data.ndim == 3, name="photo", **settings)
        layer.gamma = gamma
        viewer.reset_view()
        before = seen(viewer)
        layers = nsl.palette_layers(layer, 4)
        shown = layers.to_napari(viewer)
        assert not layer.visible and len(shown) == len(layers), name
        assert before.max() > 60, name
        off[name] = int(np.abs(seen(viewer) - before).max())
    assert {name: most for name, most in off.items() if most > LARGEST} == {}


@pytest.mark.parametrize("below", ["image", "two images", "apart", "labels"])
def test_what_lies_below_does_not_shine_through(make_napari_viewer, picture, below):
    viewer = make_napari_viewer(show=True)
    data = (picture * 255).astype(np.uint8)
    for number in range(2 if below == "two images" else 1):
        other = np.roll(255 - data, 9 * number, 1)
        place = (0, 100) if below == "apart" else (5, -7)
        viewer.add_image(other, name=f"other {number}", translate=place)
    if below == "labels":
        viewer.layers[0].visible = False
        viewer.add_labels((picture[..., 0] > 0.5).astype(int), name="mask")
        viewer.layers["mask"].visible = False
    layer = viewer.add_image(data, name="photo")
    viewer.reset_view()
    before = seen(viewer)
    visible = [x.visible for x in viewer.layers]
    shown = nsl.palette_layers(layer, 3).to_napari(viewer)
    mine = np.abs(seen(viewer) - before)
    if below in ("apart", "labels"):
        assert mine.max() <= LARGEST
    else:  # beside the photo the others were seen, and are not now
        assert np.median(mine) <= LARGEST
    from napari_softlayers._bridge import clear_results

    clear_results(viewer, shown)
    assert [x.visible for x in viewer.layers] == visible
    assert np.abs(seen(viewer) - before).max() <= LARGEST


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("rgb", [True, False])
def test_a_result_is_seen_on_its_plane_alone(make_napari_viewer, picture, axes, rgb):
    data = (picture * 255).astype(np.uint8)
    data = data if rgb else data[..., 0]
    frames = np.stack([np.roll(data, 12 * k, 1) for k in range(4)])
    frames = frames if axes == 1 else frames[None]
    viewer = make_napari_viewer(show=True)
    layer = viewer.add_image(
        frames, rgb=rgb, name="stack", scale=(*(2.0,) * axes, 0.5, 0.5)
    )
    viewer.reset_view()
    views = []
    for frame in range(4):
        viewer.dims.set_current_step(axes - 1, frame)
        views.append(seen(viewer))
    viewer.dims.set_current_step(axes - 1, 2)
    shown = nsl.palette_layers(layer, 3).to_napari(viewer)
    assert shown[0].data.shape[: axes + 1] == (*(1,) * axes, 64)
    for frame in (2, 0, 3, 2, 1, 2):
        viewer.dims.set_current_step(axes - 1, frame)
        assert np.abs(seen(viewer) - views[frame]).max() <= LARGEST, frame
        assert layer.visible == (frame != 2)
