"""The cache by content."""

import warnings

import numpy as np
import pytest

import napari_softlayers as nsl
from napari_softlayers._core.cache import ContentCache, content_key


def test_keys_follow_the_content():
    array = np.arange(6.0).reshape(2, 3)
    key = content_key(array, "a", 1, None, {"x": 1, "y": (2, 3)})
    assert key == content_key(array.copy(), "a", 1, None, {"y": (2, 3), "x": 1})
    assert key != content_key(array + 1e-9, "a", 1, None, {"x": 1, "y": (2, 3)})
    assert content_key(array) != content_key(array.T)
    assert content_key(array) != content_key(array.reshape(3, 2))
    assert content_key(array) != content_key(array.astype(np.float32))
    assert content_key(1) != content_key("1") != content_key(1.0)
    assert content_key((1, 2), 3) != content_key((1, 2, 3))


def test_views_of_any_layout_have_the_key_of_their_copy():
    array = np.arange(24).reshape(4, 6)
    assert content_key(array[::2, ::3]) == content_key(array[::2, ::3].copy())


def test_the_least_recently_used_goes_first():
    cache = ContentCache(limit=100)
    cache.put("a", 1, 40)
    cache.put("b", 2, 40)
    assert cache.get("a") == 1
    cache.put("c", 3, 40)
    assert cache.get("b") is None
    assert cache.get("a") == 1
    assert cache.get("c") == 3
    assert cache.used == 80


def test_what_is_too_large_is_not_kept():
    cache = ContentCache(limit=100)
    cache.put("a", 1, 50)
    cache.put("b", 2, 101)
    assert cache.get("b") is None
    assert cache.get("a") == 1
    cache.put("a", 3, 101)
    assert cache.get("a") is None


def test_computed_once():
    cache = ContentCache(limit=100)
    calls = []

    def compute():
        calls.append(1)
        return "value"

    assert cache.get_or_compute("k", compute, len) == "value"
    assert cache.get_or_compute("k", compute, len) == "value"
    assert len(calls) == 1
    cache.clear()
    cache.get_or_compute("k", compute, len)
    assert len(calls) == 2


def test_what_a_cache_holds_cannot_be_written(astronaut):
    layers = nsl.soft_segments(astronaut, 3, None)
    before = layers.alphas.copy()
    for array in (layers.alphas, layers.colors, layers.image):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    layers.names[0], layers.parameters["seed"] = "mine", 77
    layers.extras.clear()
    again = nsl.soft_segments(astronaut, 3, None)
    np.testing.assert_array_equal(again.alphas, before)
    assert again.names[0] == "segment 1"
    assert again.parameters["seed"] == 0
    assert again.extras["tree"] is not None


def test_frames_of_a_stack_are_kept_from_harm(astronaut):
    stack = nsl.palette_stack(np.stack([astronaut, astronaut[::-1]]), 3)
    frame = stack.frame(1)
    with pytest.raises(ValueError, match="read-only"):
        frame.alphas[0] = 1
    frame.names[0] = "mine"
    assert "mine" not in stack.names
    assert stack.frame(0).names == stack.names


def test_edits_of_what_cannot_be_written(astronaut):
    layers = nsl.soft_segments(astronaut, 3, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for edited in (
            layers.merge([[0, 1]]),
            layers.feather(0, 2),
            layers.recolor(np.eye(3)),
            layers.adjust(1, exposure=1),
            layers.duplicate(2),
        ):
            assert edited.recomposition_error < 1e-5
