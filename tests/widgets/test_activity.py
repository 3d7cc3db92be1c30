"""napari's activity bar shows long computations, and is never left behind."""

from __future__ import annotations

import threading

import pytest
from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar
from napari.utils.progress import progress

from napari_softlayers._widgets.parts import jobs as _jobs


@pytest.fixture
def dock(viewer):
    from napari_softlayers._widgets.segments.dock import SegmentsWidget

    made = SegmentsWidget(viewer)
    viewer.window.add_dock_widget(made, name="Soft segments")
    return made


@pytest.fixture
def bars(viewer):
    """The bars that napari's activity dialog holds now."""
    dialog = viewer.window._qt_window._activity_dialog

    def found():
        every = dialog.findChildren(QtLabeledProgressBar)
        return [bar for bar in every if not bar.isHidden()]

    yield found
    assert not list(progress._all_instances)


class Slow:
    """A computation that goes on until it is told to end, or cancelled."""

    def __init__(self, error=None):
        self.end, self.error = threading.Event(), error
        self.fraction, self.stopped = 0.25, threading.Event()

    def __call__(self, run, _post):
        try:
            while not self.end.wait(0.01):
                run.step(self.fraction, "stirring")
        except BaseException:
            self.stopped.set()
            raise
        if self.error is not None:
            raise self.error


def test_a_long_computation_is_shown_and_followed(dock, bars, qtbot, settle):
    slow, done = Slow(), []
    dock.compute(slow, done.append)
    assert not bars()
    qtbot.waitUntil(lambda: len(bars()) == 1)
    (bar,) = bars()
    qtbot.waitUntil(lambda: bar._get_value() == 25)
    assert bar.description_label.text() == "Soft Layers: stirring: "
    slow.fraction = 0.75
    qtbot.waitUntil(lambda: bar._get_value() == 75)
    slow.end.set()
    settle(dock)
    assert done == [None]
    assert not bars()


def test_cancel_in_the_activity_bar_stops_the_computation(dock, bars, qtbot, settle):
    slow = Slow()
    dock.compute(slow, lambda _: pytest.fail("was cancelled"))
    qtbot.waitUntil(lambda: len(bars()) == 1)
    bars()[0].cancel_button.click()
    assert not bars()
    assert dock.status.text() == "Cancelled. Nothing was changed."
    settle(dock)
    assert slow.stopped.is_set()


@pytest.mark.parametrize("error", [None, ValueError("no such thing")])
def test_no_bar_is_left_by_the_end_or_an_error(dock, bars, qtbot, settle, error):
    slow = Slow(error)
    dock.compute(slow, lambda _: None)
    qtbot.waitUntil(lambda: len(bars()) == 1)
    slow.end.set()
    settle(dock)
    assert not bars()
    assert (dock.status.property("level") == "error") == (error is not None)


def test_no_bar_is_left_by_a_dock_that_goes(dock, viewer, bars, qtbot):
    slow = Slow()
    dock.compute(slow, lambda _: pytest.fail("nobody waits for it"))
    qtbot.waitUntil(lambda: len(bars()) == 1)
    viewer.window.remove_dock_widget(dock)
    assert not bars()
    qtbot.waitUntil(slow.stopped.is_set)


def test_short_computations_get_no_bar(dock, bars, settle, monkeypatch):
    opened = []
    monkeypatch.setattr(_jobs, "_new_bar", opened.append)
    for _ in range(3):
        dock.compute(lambda run, _post: run.step(0.5, "quick"), lambda _: None)
        settle(dock)
    assert not opened


def test_a_computation_that_replaces_another_goes_on_in_its_bar(
    dock, bars, qtbot, settle
):
    first, second = Slow(), Slow()
    dock.compute(first, lambda _: pytest.fail("was replaced"))
    qtbot.waitUntil(lambda: len(bars()) == 1)
    (bar,) = bars()
    second.fraction = 0.5
    dock.compute(second, lambda _: None)
    qtbot.waitUntil(lambda: bar._get_value() == 50)
    assert bars() == [bar]
    second.end.set()
    settle(dock)
    assert not bars()


def test_cancelled_while_the_bar_is_being_opened(dock, bars, qtbot, settle):
    """napari handles events while it opens a bar; anything may happen then."""
    opened, end = [], threading.Event()

    def cancel(event):
        if event.added:
            opened.append(event)
            dock.cancel()

    progress._all_instances.events.changed.connect(cancel)
    try:
        dock.compute(lambda *_: end.wait(30), lambda _: pytest.fail("was cancelled"))
        qtbot.waitUntil(lambda: bool(opened))
    finally:
        progress._all_instances.events.changed.disconnect(cancel)
    assert not bars()  # though the thread has not noticed yet
    end.set()
    settle(dock)


def test_cancelled_while_the_bar_is_being_drawn(dock, bars, qtbot, settle):
    end = threading.Event()
    dock.compute(lambda *_: end.wait(30), lambda _: pytest.fail("was cancelled"))
    qtbot.waitUntil(lambda: len(bars()) == 1)
    dock.jobs._activity._bar.events.description.connect(lambda _: dock.cancel())
    dock.jobs._activity.tell(0.5, "something else")
    qtbot.waitUntil(lambda: not dock.jobs.busy)
    assert not bars()  # and nothing was raised: pytest-qt would tell
    end.set()
    settle(dock)
