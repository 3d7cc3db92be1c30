"""The click mode: clicks become objects at once, mattes when the user pauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_softlayers._bridge import clear_results, results_for, show, step_of
from napari_softlayers._bridge.pictures import ChangedError
from napari_softlayers._bridge.prompts import (
    ADD,
    MOST_OBJECTS,
    REMOVE,
    add_click,
    add_prompts,
    next_click,
    pixel_at,
    restore,
    snapshot_of,
)
from napari_softlayers._bridge.show import hidden_words
from napari_softlayers._core.layers.soft_layers import SoftLayers
from napari_softlayers._recipes import Recipe

from ..parts.desk import Desk
from ..parts.jobs import Job, Jobs
from ..parts.layout import single_shot
from ..parts.links import Keys, Links
from ..parts.settings import result_dtype
from .canvas import ClickCanvas, ClickView
from .engine import ClickEngine
from .state import ClickState

SETTLE_MS = 30
PAUSE_MS = 400
"""After so long without a click the fine matte is computed."""


class ClickMode(QObject):
    """Follows the clicks on one picture, from `start` to `stop`."""

    changed = Signal()

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.desk = desk
        self.viewer = desk.viewer
        self.engine: ClickEngine | None = None
        self.prompts: Any = None
        self.state = ClickState((0, 0))
        self.layers: SoftLayers | None = None
        self._fine = False
        self.jobs = Jobs(self)
        self.jobs.failed.connect(self._failed)
        self.canvas = ClickCanvas(self.viewer, self)
        self.canvas.clicked.connect(self.click)
        self.canvas.moved.connect(self.hover)
        self.canvas.turned.connect(self.grow)
        self.shortcuts: dict[str, Callable[[], Any]] = {
            "u": self.undo,
            "n": self.accept,
            "Shift-q": self.toggle_role,
            "Shift-j": lambda: self.grow(-1),
            "Shift-k": lambda: self.grow(1),
        }
        self._links = Links()
        self._settle = single_shot(self, self._follow, SETTLE_MS)
        self._pause = single_shot(self, self._refine, PAUSE_MS)

    @property
    def image(self) -> Any:
        """The image that is clicked on; None while the mode is off."""
        return None if self.engine is None else self.engine.picture.layer

    def start(self, engine: ClickEngine) -> None:
        """Follow the clicks on a picture; those of earlier stay."""
        self.stop()
        self.engine = engine
        self.view = ClickView(self.viewer, engine.picture)
        self._take_prompts()
        self._links.connect(self.viewer.layers.events.removed, self._on_removed)
        self._links.connect(self.viewer.events.mouse_over_canvas, self._on_left)
        self.state = ClickState(engine.picture.shape, snapshot_of(self.prompts))
        self.state.current = max(self.state.prompts.objects, default=1)
        next_click(self.prompts, self.state.role, self.state.current)
        self.canvas.start()
        keys = Keys(self.viewer)
        for key, action in self.shortcuts.items():
            keys.bind(key, action)
        self._links.undo.append(keys.release)
        self.changed.emit()
        if len(self.prompts.data):
            self._solve()
        else:
            self.desk.say("Click on an object.")

    def release(self) -> None:
        """Let go of the viewer; works after Qt has deleted this object as well."""
        self.canvas.stop()
        self._links.close()
        self.jobs.abandon()

    def stop(self) -> None:
        """Leave nothing behind but the prompts, and not even them when empty."""
        engine, self.engine = self.engine, None
        self.release()
        self._settle.stop()
        self._pause.stop()
        prompts, self.prompts = self.prompts, None
        self.layers = None
        if engine is None:
            return
        self.view.clear()
        if prompts in self.viewer.layers and len(prompts.data) == 0:
            self.viewer.layers.remove(prompts)
        self.changed.emit()

    def _take_prompts(self) -> None:
        if self.engine is not None and self.prompts is None:
            self.prompts = add_prompts(self.viewer, self.engine.picture)
            for name in ("data", "features", "set_data"):
                self._links.connect(getattr(self.prompts.events, name), self._touched)

    def _on_removed(self, event: Any) -> None:
        if event.value is self.prompts:
            self.prompts = None
            self._settle.start()

    def _failed(self, error: Exception) -> None:
        """Tell of an error; where the picture is another one, the mode ends."""
        if isinstance(error, ChangedError):
            self.stop()
        self.desk.failed(error)

    def recipe(self) -> Recipe | None:
        """How the objects so far are made; None without one."""
        if self.engine is None or not self.state.prompts.objects:
            return None
        return self.engine.recipe(self.state.prompts, self.state.grown)

    def _point_at(self, engine: ClickEngine, position: Any) -> Any:
        """Row and column of the picture at a place in the world; None outside."""
        point = engine.grid.pixels_of([position])[0]
        return None if pixel_at(point, self.state.shape) is None else tuple(point)

    def click(self, position: Any, remove: bool = False) -> None:
        """Add to the object, or take away from it, at a place in the world."""
        if self.engine is None or self._elsewhere(self.engine):
            return
        point = self._point_at(self.engine, position)
        if point is None:
            self.desk.say("This is outside the picture; nothing was added.", "warning")
            return
        self._take_prompts()
        self._follow()
        role, number = self.state.role, self.state.current
        if remove or role == REMOVE:
            role, number = self.state.taken_from(point)
        add_click(self.prompts, point, role, number)
        next_click(self.prompts, self.state.role, self.state.current)
        self._follow()

    def _elsewhere(self, engine: ClickEngine) -> bool:
        """Tell, also the user, whether the picture that is clicked on is not in sight."""
        grid = engine.grid
        try:
            if step_of(self.viewer, self.image)[: len(grid.step)] == grid.step:
                return False
            problem = (
                f"The clicks belong to {grid.words()}; go back there, or switch Click "
                "off and on for the plane you see."
            )
        except ValueError as error:
            problem = str(error)
        self.desk.say(problem, "warning")
        return True

    def toggle_role(self) -> None:
        """Choose what a plain click does: add or remove."""
        self._set_role(ADD if self.state.role == REMOVE else REMOVE)

    def _set_role(self, role: str) -> None:
        self.state.role = role
        if self.prompts is not None:
            next_click(self.prompts, role, self.state.current)
        self.changed.emit()

    def grow(self, steps: int) -> None:
        """Go up (1) or down (-1) the merge tree with the object."""
        clicked = self.state.current in self.state.prompts.objects
        if clicked and self.state.grow(steps, *self.level_range()):
            self._solve()

    def level_range(self) -> tuple[int, int]:
        """How far the object can shrink (0 or less) and grow (0 or more)."""
        if self.engine is None:
            return 0, 0
        return self.engine.level_range(self.state.prompts, self.state.current)

    def undo(self) -> None:
        """Go back before the last click, edit or step of the tree."""
        if self.engine is None:
            return
        self._follow()
        if not self.state.back():
            self.desk.say("There is nothing to undo.")
            return
        self._put_back()

    def _put_back(self) -> None:
        """Show the prompts as the state has them, and answer them."""
        self._take_prompts()
        restore(self.prompts, self.state.clicks)
        next_click(self.prompts, self.state.role, self.state.current)
        self._solve()

    def _touched(self, *_: Any) -> None:
        """Notice edits of the points themselves."""
        self._settle.start()

    def _follow(self) -> None:
        if self.engine is not None and self.state.follow(snapshot_of(self.prompts)):
            self._solve()

    def _solve(self) -> None:
        """Answer the clicks: the fast way now, the fine way after a pause."""
        self._pause.stop()
        self.changed.emit()
        if self.state.prompts.objects:
            self._answer(fine=False)
        elif self.engine is not None:  # there is no object: say what to do
            self.jobs.cancel()
            self.layers = None
            self.view.show_object(None, self.state.current)
            self.desk.say(
                "So far there are only removals; click on an object first."
                if len(self.state.clicks[0])
                else "Click on an object."
            )

    def _refine(self) -> None:
        self._answer(fine=True)

    def _answer(self, fine: bool, then: Callable[[], None] | None = None) -> None:
        """Compute the answer to the present clicks, and show it."""
        engine, prompts, grown = self.engine, self.state.prompts, self.state.grown
        if engine is None or not prompts.objects:
            return
        compute, key = engine.fine if fine else engine.quick, self.state.key

        def done(layers: SoftLayers) -> None:
            self._show(layers, key, fine)
            if then is not None:
                then()

        self.jobs.submit(Job(lambda run, _post: compute(prompts, grown, run), done))

    def _show(self, layers: SoftLayers, key: object, fine: bool) -> None:
        if self.engine is None or key != self.state.key:
            return
        self.layers, self._fine = layers, fine
        prompts, number = self.state.prompts, self.state.current
        label = prompts.label_of(number)
        alpha = None if label is None else layers.alphas[label]
        self.view.show_object(alpha, number)
        self.changed.emit()
        if label is None:
            self.desk.say(f"Click on the next object (number {number}).")
        else:
            self.desk.say(*self.state.news(float(layers.coverage[label])))
        if not fine:
            self._pause.start()

    def hover(self, position: Any) -> None:
        """Lighten the segment below the cursor."""
        if self.engine is None:
            return
        point = self._point_at(self.engine, position)
        if point is None:
            self.view.show_hover(None, None)
            return
        segmenter = self.engine.segmenter
        node = segmenter.core.node_at(point)
        if node != self.view.hovered:
            self.view.show_hover(node, segmenter.segment_at(point))

    def _on_left(self, *_: Any) -> None:
        """Nothing is below the cursor once it has left the canvas."""
        if self.engine is not None and not self.viewer.mouse_over_canvas:
            self.canvas.forget()
            self.view.show_hover(None, None)

    def accept(self) -> None:
        """Make the objects a layer set and start the next one."""
        if self.state.current not in self.state.prompts.objects:
            self.desk.say("There is no object yet: click on one first.", "error")
            return
        self._when_fine(self._accept_now)

    def _when_fine(self, then: Callable[[], None]) -> None:
        """Call back as soon as the fine matte of the present clicks is there."""
        self._pause.stop()
        self.desk.say("Computing the matte …")
        self._answer(fine=True, then=then)

    def _accept_now(self) -> None:
        engine, layers, prompts = self.engine, self.layers, self.state.prompts
        if engine is None or layers is None:
            return
        shown = show(self.viewer, layers, like=engine.picture, dtype=result_dtype())
        self.state.accepted = layers.alphas.argmax(axis=0), prompts.objects
        number = self.state.current
        self.state.current = min(max(prompts.objects) + 1, MOST_OBJECTS)
        self._set_role(ADD)
        self.view.show_object(None, self.state.current)
        words = engine.grid.words()
        self.desk.say(
            f"Object {number} is a layer now{words and f' on {words}'}. Click on the "
            f"next object. {hidden_words(shown)}".strip()
        )

    def clear(self) -> None:
        """Remove the objects and the prompts, and show the picture again."""
        if self.engine is None:
            return
        clear_results(self.viewer, results_for(self.viewer, self.image, "clicks"))
        self.state.start_over()
        self._put_back()

    def with_matte(self, then: Callable[[Any, Any], None]) -> None:
        """Call ``then(picture, alpha)`` with the fine matte of the present object.

        After Accept, the present object is the one accepted last.
        """
        prompts = self.state.prompts
        if not prompts.objects:
            self.desk.say("There is no object yet: click on one first.", "error")
            return
        if self.engine is None or self._elsewhere(self.engine):
            return
        label = prompts.label_of(self.state.current) or len(prompts.objects)

        def ready() -> None:
            if self.engine is not None and self.layers is not None:
                then(self.engine.picture, self.layers.alphas[label])

        self._when_fine(ready)
