"""All layers meet in the world: labels, masks, shapes and points, planes, viewers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points, Shapes

import napari_softlayers as nsl
from napari_softlayers._bridge import (
    features_of,
    grid_of,
    labels_of,
    mask_of,
    over,
    picture_of,
    place_in_space,
    step_of,
    trimap_of,
    viewer_of,
)

SIZE = (40, 50)


def quadrants(world) -> np.ndarray:
    """Labels 1..4 of places ``(n, 2)`` in the world, around (20, 25)."""
    world = np.asarray(world)
    return 1 + (world[:, 0] > 20.2) + 2 * (world[:, 1] > 25.2)


def world_of(layer, shape) -> np.ndarray:
    """World coordinates ``(n, 2)`` of a layer's pixels on its plane's axes."""
    rows, columns = np.indices(shape).reshape(2, -1)
    extra = (0,) * (layer.ndim - 2)
    places = zip(rows, columns, strict=True)
    return np.array([layer.data_to_world((*extra, y, x))[-2:] for y, x in places])


def marked(shape, **place) -> Labels:
    """A Labels layer that shows the quadrants of the world, wherever it lies."""
    layer = Labels(np.zeros(shape, np.uint8), name="marks", **place)
    layer.data = quadrants(world_of(layer, shape)).reshape(shape).astype(np.uint8)
    return layer


def image(**place) -> Image:
    return Image(np.zeros((*SIZE, 3), np.uint8), rgb=True, name="photo", **place)


AFFINE = np.array([[0.9, 0.2, 3], [-0.1, 1.1, -2], [0, 0, 1]])
PLACES = {
    "same": ({}, SIZE, {}),
    "translated": ({}, SIZE, {"translate": (-7, 12)}),
    "half a pixel": ({"translate": (0.5, 0.5)}, SIZE, {}),
    "mirrored": ({}, SIZE, {"scale": (1, -1), "translate": (0, 49)}),
    "image mirrored": ({"scale": (-1, 1), "translate": (39, 0)}, SIZE, {}),
    "both mirrored": (
        {"scale": (-1, -1), "translate": (39, 49)},
        SIZE,
        {"scale": (-1, 1), "translate": (39, 0)},
    ),
    "turned by 90": ({}, (50, 40), {"rotate": 90, "translate": (0, 49)}),
    "turned": ({}, (60, 60), {"rotate": 30, "translate": (-15, 10)}),
    "image turned": ({"rotate": -20, "translate": (2, 3)}, (80, 80), {}),
    "sheared": ({}, (60, 60), {"shear": [0.3], "translate": (-5, -12)}),
    "affine": ({}, (60, 60), {"affine": AFFINE}),
    "image affine": ({"affine": AFFINE}, (80, 80), {"translate": (-10, -10)}),
    "finer": ({}, (160, 200), {"scale": (0.25, 0.25), "translate": (-0.375, -0.375)}),
    "coarser": ({}, (10, 10), {"scale": (4, 5), "translate": (1.5, 2)}),
    "in micrometres": ({"scale": (0.65, 0.5)}, (90, 110), {"scale": (0.3, 0.25)}),
    "smaller": ({}, (20, 20), {"translate": (10, 15)}),
    "larger": ({}, (90, 90), {"translate": (-20, -20)}),
}


@pytest.mark.parametrize("name", PLACES)
def test_labels_mean_what_lies_below_them_on_the_screen(name):
    where, shape, place = PLACES[name]
    photo, marks = image(**where), marked(shape, **place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = trimap_of(marks, picture_of(photo)).values
    places = world_of(photo, SIZE)
    values = [marks.get_value(place, world=True) for place in places]
    seen = np.array([value or 0 for value in values]).reshape(SIZE)
    wanted = quadrants(places).reshape(SIZE)
    reach = 1.5 * np.abs(np.asarray(place.get("scale", 1))).max() + 1e-6
    near = (np.abs(places - (20.2, 25.2)) < reach).any(axis=1).reshape(SIZE)
    inside = found > 0
    assert inside.any()
    # napari rounds halves its own way: pixels between two labels may be either's.
    assert (found == seen).mean() > 0.97
    both = inside & (seen > 0) & ~near
    np.testing.assert_array_equal(found[both], seen[both])
    np.testing.assert_array_equal(found[inside & ~near], wanted[inside & ~near])


@pytest.mark.parametrize(
    ("translate", "columns"), [((0, 30), slice(30, 50)), ((0, -30), slice(0, 20))]
)
def test_what_lies_outside_is_unknown_and_said(translate, columns):
    marks = Labels(np.full(SIZE, 2, np.uint8), name="marks", translate=translate)
    with pytest.warns(UserWarning, match="'marks' covers 40.0% of 'photo'"):
        found = trimap_of(marks, picture_of(image())).values
    assert (found[:, columns] == 2).all()
    assert (found > 0).sum() == found[:, columns].size


@pytest.mark.parametrize("read", [trimap_of, labels_of])
def test_labels_elsewhere_are_refused(read):
    marks = Labels(np.ones(SIZE, np.uint8), name="marks", translate=(0, 500))
    with pytest.raises(ValueError, match="'marks' does not lie over 'photo'"):
        read(marks, picture_of(image()))


@pytest.mark.parametrize("kind", ["labels", "grey", "rgba"])
def test_masks_elsewhere_are_refused(kind):
    place = {"name": "mask", "translate": (500, 0)}
    layer = {
        "labels": Labels(np.ones(SIZE, int), **place),
        "grey": Image(np.ones(SIZE, np.uint8), **place),
        "rgba": Image(np.full((*SIZE, 4), 255, np.uint8), rgb=True, **place),
    }[kind]
    with pytest.raises(ValueError, match="'mask' does not lie over 'photo'"):
        mask_of(layer, grid_of(image())[0])


@pytest.mark.parametrize("rotate", [(40, 0, 0), (0, 40, 0), (0, -90, 0)])
def test_a_layer_turned_out_of_the_plane_is_refused(rotate):
    stack = Image(np.zeros((4, *SIZE), np.uint8), name="stack")
    marks = Labels(np.ones((40, 40, 50), int), name="marks", rotate=rotate)
    with pytest.raises(
        ValueError, match="'marks' is turned out of the plane of 'stack'"
    ):
        trimap_of(marks, picture_of(stack))


# ---- stacks --------------------------------------------------------------------------


@pytest.fixture
def stack():
    """A viewer with a stack of grey planes 0, 20, 40, ... that are 2.5 apart."""
    viewer = ViewerModel()
    planes = np.stack([np.full(SIZE, 20 * k, np.uint8) for k in range(6)])
    viewer.add_image(
        planes, name="stack", scale=(2.5, 1, 1), axis_labels=("z", "y", "x")
    )
    return viewer


@pytest.mark.parametrize("plane", [0, 2, 5])
def test_flat_labels_lie_over_every_plane(stack, plane):
    stack.dims.set_point(0, 2.5 * plane)
    marks = stack.add_labels(marked(SIZE).data)
    picture = picture_of(stack.layers["stack"])
    assert picture.frame.step == (plane,)
    assert picture.grid.words() == f"z = {plane}"
    np.testing.assert_allclose(picture.data, 20 * plane / 255, atol=1e-6)
    np.testing.assert_array_equal(trimap_of(marks, picture).values, marks.data)


@pytest.mark.parametrize(
    ("plane", "scale", "shift", "label"),
    [(1, 2.5, 0, 2), (4, 2.5, 0, 5), (4, 5, 0, 3), (3, 2.5, 2.5, 3)],
)
def test_labels_of_a_stack_are_taken_on_the_plane(stack, plane, scale, shift, label):
    stack.dims.set_point(0, 2.5 * plane)
    labels = np.stack([np.full(SIZE, k + 1, np.uint8) for k in range(6)])
    marks = stack.add_labels(labels, scale=(scale, 1, 1), translate=(shift, 0, 0))
    found = trimap_of(marks, picture_of(stack.layers["stack"])).values
    assert np.unique(found).tolist() == [label]


def test_labels_of_a_stack_over_a_flat_image_are_those_that_are_shown():
    viewer = ViewerModel()
    photo = viewer.add_image(np.zeros(SIZE, np.uint8))
    labels = np.stack([np.full(SIZE, k + 1, np.uint8) for k in range(4)])
    marks = viewer.add_labels(labels)
    for plane in (0, 3):
        viewer.dims.set_point(0, plane)
        found = trimap_of(marks, picture_of(photo)).values
        assert np.unique(found).tolist() == [plane + 1]


def test_multiscale_image_and_labels(rng):
    full = rng.integers(0, 256, (64, 96, 3), dtype=np.uint8)
    pyramid = [full, full[::2, ::2], full[::4, ::4]]
    place = {"scale": (3, 3), "translate": (10, 20)}
    photo = Image(pyramid, rgb=True, multiscale=True, **place)
    labels = np.repeat(np.repeat(rng.integers(1, 5, (16, 24)), 4, 0), 4, 1)
    for marks in (
        Labels(labels, **place),
        Labels([labels, labels[::2, ::2]], multiscale=True, **place),
    ):
        for level in (0, 1, 2):
            picture = picture_of(photo, level=level)
            found = trimap_of(marks, picture).values
            every = 2**level
            np.testing.assert_array_equal(found, labels[::every, ::every])
    # The corner of the first pixel and that of the last one lie where they lay.
    picture = picture_of(photo, megapixels=0.0015)
    assert picture.shape == (32, 48)
    small = Image(picture.data, rgb=True, **picture.grid.place())
    for near, far in (((-0.5, -0.5), (-0.5, -0.5)), ((31.5, 47.5), (63.5, 95.5))):
        np.testing.assert_allclose(small.data_to_world(near), photo.data_to_world(far))


def test_rolled_axes_are_refused_and_3d_is_said(stack):
    layer = stack.layers["stack"]
    stack.dims.order = (1, 0, 2)
    with pytest.raises(ValueError, match="roll the axes back"):
        step_of(stack, layer)
    with pytest.raises(ValueError, match="roll the axes back"):
        nsl.palette_layers(layer, 2)
    stack.dims.order = (0, 2, 1)
    assert step_of(stack, layer) == (2,)
    stack.dims.order = (0, 1, 2)
    stack.dims.ndisplay = 3
    with pytest.warns(UserWarning, match="viewer is in 3-D"):
        step_of(stack, layer)


@pytest.mark.parametrize("step", [(6,), (-7,), ()])
def test_a_frame_that_is_not_there_is_refused(stack, step):
    with pytest.raises(ValueError, match="one index inside"):
        picture_of(stack.layers["stack"], step=step)


def test_the_own_viewer_decides_whichever_is_current():
    planes = np.stack([np.full((8, 8), 20 * k, np.uint8) for k in range(6)])
    viewers = [ViewerModel(), ViewerModel(), ViewerModel()]
    layers = [viewer.add_image(planes) for viewer in viewers]
    for viewer, plane in zip(viewers, (4, 0, 2), strict=True):
        viewer.dims.set_point(0, plane)
    for viewer, layer, plane in zip(viewers, layers, (4, 0, 2), strict=True):
        assert viewer_of(layer) is viewer
        assert picture_of(layer).frame.step == (plane,)
    viewers[0].layers.clear()
    assert viewer_of(layers[0]) is None
    assert picture_of(layers[0]).frame.step == (0,)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (("t", "z", "y", "x"), "t = 1, z = 3"),
        (("t", "-3", "y", "x"), "t = 1, plane 3"),
        (None, "plane 1, plane 3"),
        (("axis 0", "Tiefe", "y", "x"), "plane 1, Tiefe = 3"),
    ],
)
def test_planes_are_named_in_words(labels, words):
    layer = Image(np.zeros((2, 5, 8, 9)), axis_labels=labels)
    assert grid_of(layer, step=(1, 3))[0].words() == words
    assert grid_of(Image(np.zeros((8, 9))))[0].words() == ""


# ---- shapes and points ---------------------------------------------------------------

SQUARE = np.array([[10, 10], [10, 20], [20, 20], [20, 10]], float)


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"scale": (2, 2), "translate": (100, 0)},
        {"scale": (-1, 1)},
        {"rotate": 90},
        {"affine": AFFINE},
    ],
    ids=["same", "scaled", "mirrored", "turned", "affine"],
)
@pytest.mark.parametrize("kind", ["polygon", "rectangle", "ellipse"])
def test_shapes_are_drawn_on_the_pixels_below_them(place, kind):
    photo = image(**place)
    corners = np.array([photo.data_to_world(tuple(corner)) for corner in SQUARE])
    mask = mask_of(Shapes([corners], shape_type=kind), grid_of(photo)[0])
    assert mask.shape == SIZE
    assert mask[15, 15] == 1
    assert (mask[5, 5], mask[15, 30], mask[30, 15]) == (0, 0, 0)
    area = 100 if kind != "ellipse" else 78
    assert area - 15 <= (mask > 0).sum() <= area + 25


def test_shapes_of_other_planes_are_left_out(stack):
    layer = stack.layers["stack"]
    stack.dims.set_point(0, 5)
    here = [(5.0, *corner) for corner in SQUARE]
    there = [(10.0, *(corner + 15)) for corner in SQUARE]
    shapes = Shapes([here, there], shape_type="polygon", name="outline")
    mask = mask_of(shapes, grid_of(layer)[0])
    assert (mask[15, 15], mask[30, 30]) == (1, 0)
    stack.dims.set_point(0, 0)
    with pytest.raises(ValueError, match="No shape of 'outline' lies on the plane"):
        mask_of(shapes, grid_of(layer)[0])
    with pytest.raises(ValueError, match="no shapes"):
        mask_of(Shapes(name="outline"), grid_of(layer)[0])


@pytest.mark.parametrize(
    "place",
    [{"scale": (0.5, 0.5), "translate": (7, -3)}, {"scale": (1, -1)}, {"rotate": 50}],
    ids=["scaled", "mirrored", "turned"],
)
def test_points_of_clicks_are_taken_in_the_world(astronaut, place):
    photo = Image(astronaut, rgb=True, **place)
    clicks = [(60, 64), (10, 10)]
    world = [photo.data_to_world(click) for click in clicks]
    own = Points(np.array(world) / 4, scale=(4, 4))
    options = {"features": None, "device": "cpu", "n_eigenvectors": 20, "n_clusters": 8}
    segmenter = nsl.Segmenter(photo, **options)
    wanted = segmenter.click(clicks, [1, 0]).alphas
    np.testing.assert_array_equal(segmenter.click(own, [1, 0]).alphas, wanted)


# ---- where results are put -----------------------------------------------------------


@pytest.mark.parametrize("place", ["spun", "sheared"])
def test_place_in_space_keeps_transforms_and_units(place):
    stack = np.zeros((2, *SIZE, 3), np.uint8)
    affine = np.eye(4)
    affine[1:3, 3] = 7, -4
    affine[1, 2] = 0.25
    settings = {
        "spun": {"rotate": (30, 0, 0), "shear": (0, 0, 0.3), "affine": affine},
        "sheared": {"shear": (0, 0, -0.4)},
    }[place]
    source = Image(
        stack,
        rgb=True,
        scale=(2, 0.5, 0.7),
        translate=(1, 30, 40),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        **settings,
    )
    flat = Image(stack[0], rgb=True, **place_in_space(source))
    plane = Image(stack[:1], rgb=True, **grid_of(source, step=(1,))[0].place())
    for point in ((0, 0), (12.5, 31), (39, 49)):
        first = source.data_to_world((0, *point))
        np.testing.assert_allclose(flat.data_to_world(point), first[1:])
        second = source.data_to_world((1, *point))
        np.testing.assert_allclose(plane.data_to_world((0, *point)), second)
    assert [str(unit) for unit in flat.units] == ["micrometer", "micrometer"]
    assert flat.axis_labels == ("y", "x")


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("kind", ["grey", "rgb", "channels"])
def test_features_are_brought_onto_the_picture_as_labels_are(name, kind):
    where, shape, place = PLACES[name]
    picture, marks = picture_of(image(**where)), marked(shape, **place)
    if kind == "channels":  # the same plane of a layer with an axis more
        origin, *ends = (marks.data_to_world(x) for x in ((0, 0), (1, 0), (0, 1)))
        affine = np.eye(4)
        affine[1:3, 1:3] = (np.array(ends) - origin).T
        affine[:3, 3] = (-7, *origin)
        place = {"affine": affine}
    grey = marks.data / 4
    layer = {
        "grey": lambda: Image(grey, **place),
        "rgb": lambda: Image(np.dstack([grey, grey / 2, grey / 4]), rgb=True, **place),
        "channels": lambda: Image(np.stack([grey, grey / 2, grey / 4]), **place),
    }[kind]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        wanted = labels_of(marks, picture).values / 4
        inside = over(marks, picture).inside
        if inside.mean() < 0.5:
            with pytest.raises(ValueError, match="features are needed for all of it"):
                features_of(layer, picture)
            return
        found = features_of(layer, picture).values
    if kind != "grey":
        wanted = np.dstack([wanted, wanted / 2, wanted / 4])
    np.testing.assert_array_equal(found[inside], wanted[inside])
    assert (found[~inside] > 0).all()  # as the nearest ones


@pytest.mark.parametrize(
    ("place", "share"),
    [
        ({"translate": (0, 0, -20)}, "60.0%"),
        ({"translate": (3, 10, 0)}, "75.0%"),
        ({"scale": (1, 1, -1), "translate": (0, 0, 24)}, "50.0%"),
    ],
)
def test_what_features_do_not_reach_is_said(place, share, rng):
    viewer = ViewerModel()
    photo = viewer.add_layer(image())
    values = rng.random((5, *SIZE))
    layer = viewer.add_image(values, name="features", **place)
    with pytest.warns(UserWarning, match=f"'features' covers {share} of 'photo'"):
        found = features_of(layer, picture_of(photo)).values
    assert found.shape == (*SIZE, 5)
    edges = {tuple(v) for v in found.reshape(-1, 5)} - {
        tuple(v) for v in np.moveaxis(values, 0, -1).reshape(-1, 5)
    }
    assert not edges  # nothing but the layer's own values


@pytest.mark.parametrize(
    ("place", "share"),
    [
        ({"translate": (0, 500, 0)}, "0.0%"),
        ({"scale": (1, -1, 1)}, "2.5%"),
        ({"translate": (0, 25, 5)}, "33.8%"),
        ({"scale": (1, 0.5, 0.5)}, "25.0%"),
    ],
)
def test_features_of_another_place_are_refused(place, share):
    viewer = ViewerModel()
    photo = viewer.add_layer(image())
    layer = viewer.add_image(np.ones((5, *SIZE)), name="features", **place)
    with pytest.raises(ValueError, match=f"'features' covers {share} of 'photo'"):
        features_of(layer, picture_of(photo))


@pytest.mark.parametrize("plane", [0, 4])
def test_features_lie_over_every_plane_of_a_stack(stack, plane, rng):
    stack.dims.set_point(0, 2.5 * plane)
    values = rng.random((3, *SIZE))
    layer = stack.add_image(values, name="features")
    found = features_of(layer, picture_of(stack.layers["stack"])).values
    np.testing.assert_array_equal(found, np.moveaxis(values, 0, -1))
