"""The dock "Matte from trimap"."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QCheckBox

from napari_softlayers._bridge import (
    Over,
    identity_of,
    over,
    record_of,
    show,
)
from napari_softlayers._recipes import EditNote, Recipe

from ..parts.layout import row
from ..parts.picture_dock import NO_IMAGE, PictureWidget
from ..parts.picture_request import PictureRequest, input_of
from ..parts.settings import preference, result_dtype
from .jobs import LiveSolver, MatteRequest, Result
from .label_table import LabelTable
from .method_picker import MethodPicker
from .trimap_layers import how_well, may_serve, show_repaired_trimap
from .trimap_tools import TrimapTools, plane_of
from .trimap_watch import TrimapWatch


class MatteWidget(PictureWidget):
    """Alpha and clean colours of an object from a painted trimap."""

    kind = "matte"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "Solve")
        self._live_solver = LiveSolver()
        self._watch = TrimapWatch(self, self._on_trimap_changed)
        self.leaving.append(self._watch.release)
        self._fill_form()
        self.shortcuts |= {
            "n": self.new_or_next_label,
            "u": self.tools.toggle_unknown,
            "q": self.live.toggle,
        }
        self.attach()

    def _fill_form(self) -> None:
        self.trimap = self.combo(
            "Trimap",
            lambda layer: may_serve(layer, self.image.layer),
            lambda layer: how_well(layer, self.image.layer),
            "0 unknown, 1 background, 2 foreground, further labels further layers",
        )
        self.image.layer_changed.connect(self._on_image)
        self.tools = TrimapTools(
            self,
            self.image,
            self.trimap,
            lambda: PictureRequest(**self.picture_settings()).picture(),
        )
        self.body.addWidget(self.tools)
        self.table = LabelTable()
        self.table.setToolTip("Labels of the trimap; names can be edited")
        self.body.addWidget(self.table)
        self.method = MethodPicker(self.form)
        self.live = QCheckBox("Live")
        self.live.setToolTip("Solve after every stroke (key: Q)")
        self.live.setChecked(bool(preference("live", "enabled")))
        self.live.toggled.connect(self._on_live)
        self.body.addLayout(row(self.live, self.tools.unknown_button))
        self.show_trimap = QCheckBox("Show trimap")
        self.show_trimap.setChecked(True)
        self.show_trimap.toggled.connect(self._on_show_trimap)
        self.after.addWidget(self.view)
        self.after.addWidget(self.show_trimap)

    # ---- trimaps ------------------------------------------------------------------------

    def _on_image(self) -> None:
        """Offer the trimaps of another image, and take its own one."""
        self.trimap.refresh()
        self.trimap.choose_best()

    def new_trimap(self) -> None:
        """Add an empty trimap over the image and paint on it."""
        self.tools.new_trimap()

    def new_or_next_label(self) -> None:
        """Key N: the next label to paint with, or a new trimap where there is none."""
        self.tools.next_label(max([2, *self.table.labels]))

    # ---- solving ------------------------------------------------------------------------

    def primary(self) -> None:
        """Solve for the layers and show them."""
        request = self._request()
        if request is not None:
            self.compute(request.solve, self._show_final, sources=self._layers())

    def _layers(self) -> tuple[Any, ...]:
        return (self.image.layer, self.trimap.layer)

    def _problem(self) -> str:
        """Why nothing can be solved now; empty when all is there."""
        image, trimap = self._layers()
        if image is None:
            return NO_IMAGE
        if trimap is None:
            return (
                "There is no trimap: press 'New trimap' and paint, or choose one above."
            )
        return ""

    def _over(self) -> Over:
        """A copy of what lies of the trimap over the picture.

        Raises TypeError, ValueError when the picture cannot be taken, or the trimap is
        turned out of its plane.
        """
        grid = PictureRequest(**self.picture_settings()).grid()
        return over(self.trimap.layer, grid)

    def _request(self) -> MatteRequest | None:
        """The settings as they are now; None, and a message, when they do not fit."""
        problem = self._problem()
        if problem:
            self.say(problem, "error")
            return None
        request: MatteRequest | None = self.tried(self._settings)
        return request

    def _settings(self) -> MatteRequest:
        return MatteRequest(
            **self.picture_settings(),
            trimap=self._over(),
            method=self.method.method,
            names=self.table.names(),
            options=self.method.options(),
        )

    def settings_recipe(self) -> Recipe | None:
        """The recipe of the settings as they are now."""
        image, trimap = self._layers()
        if image is None or trimap is None:
            return None
        request = PictureRequest(**self.picture_settings())
        names = {"names": self.table.all_names()} if self.table.names() else None
        return Recipe(
            kind=self.kind,
            method=self.method.method,
            device=request.device,
            options=self.method.options(),
            inputs={"image": input_of(image), "trimap": input_of(trimap)},
            frame=request.frame(),
            edits=(EditNote(name="renamed", arguments=names),) if names else (),
        )

    def _show_final(self, result: Result) -> None:
        """Show the layers without the trimap over them."""
        self._show(result)
        self.show_trimap.setChecked(False)

    def _show(self, result: Result) -> None:
        """Show layers, unless their image has gone meanwhile; say what they are."""
        layers, picture = result
        shown = self._put(result)
        if not shown:
            self.say("The image was removed meanwhile; nothing was added.", "warning")
            return
        shares = ", ".join(
            f"{name} {share:.0%}"
            for name, share in zip(layers.names, layers.coverage, strict=True)
        )
        plane = plane_of(picture)
        where = f", computed on {plane}" if plane else ""
        said = [f"Done: {shares}{where}."]
        changed = layers.extras.get("changed", 0.0)
        if changed:
            made = show_repaired_trimap(
                self.viewer, picture, layers.extras["trimap"], self.trimap.layer
            )
            said.append(f"{changed:.1%} of the trimap was changed: '{made.name}'.")
        record = record_of(shown[0])
        hidden = 0 if record is None else len(record.hidden)
        if hidden:
            layers_are = "layer below is" if hidden == 1 else "layers below are"
            said.append(f"{hidden} {layers_are} hidden.")
        self.say(" ".join(said))

    def _show_partial(self, result: Result) -> None:
        self._put(result)

    def _put(self, result: Result) -> list[Any]:
        """Put layers into the viewer; none when their image has gone meanwhile."""
        layers, picture = result
        if picture.layer not in self.viewer.layers:
            return []
        shown = show(self.viewer, layers, like=picture, dtype=result_dtype())
        self.view.after_show()
        return shown

    # ---- live ---------------------------------------------------------------------------

    def _on_live(self, on: bool) -> None:
        self._live_solver.clear()
        if on:
            self.show_trimap.setChecked(True)
            self._solve_live()

    def _on_trimap_changed(self) -> None:
        self._count_labels()
        if self.live.isChecked():
            self._solve_live()

    def _solve_live(self) -> None:
        """Preview at once, then the full matte; a newer stroke takes over."""
        if self._problem() or len(self.table.labels) < 2:
            self.say("Live: paint with at least two labels, 1 and 2.")
            return
        request = self._request()
        if request is not None:
            job = self._live_solver.job(request)
            self.compute(job, self._show, self._show_partial, self._layers())

    # ---- looking ------------------------------------------------------------------------

    def _on_show_trimap(self, on: bool) -> None:
        layer = self.trimap.layer
        if layer is not None:
            layer.visible = on

    # ---- state ---------------------------------------------------------------------------

    def refresh_state(self, *_: Any) -> None:
        """Follow the chosen layers."""
        if not hasattr(self, "show_trimap"):
            return
        image, trimap = self._layers()
        self.channels.follow(image)
        watched = (
            trimap if trimap is not None and hasattr(trimap, "selected_label") else None
        )
        if self._watch.layer is not watched:
            self._watch.watch(watched)
            self._count_labels()
        self.primary_button.setEnabled(image is not None and trimap is not None)
        self.show_trimap.setEnabled(trimap is not None)
        if not self.jobs.busy:
            self.hint(self._problem())

    def _count_labels(self) -> None:
        """List the labels that lie over the picture."""
        layer = self._watch.layer
        values = None
        if layer is not None and self.image.layer is not None:
            try:
                values = self._over().values
            except (TypeError, ValueError):
                values = None  # said when it is to be solved
        self.table.show_trimap(values, "" if layer is None else identity_of(layer))

    def detach(self) -> None:
        """Let viewer and layers go."""
        self._watch.release()
        self._live_solver.clear()
        super().detach()

    def attach(self) -> None:
        """Follow the viewer."""
        if not self._attached:
            self._links.undo.append(self._watch.release)
        super().attach()
