"""The dock "Matte from trimap"."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtWidgets import QCheckBox

from napari_softlayers._bridge import Over, Picture, identity_of, over
from napari_softlayers._bridge.show import hidden_words
from napari_softlayers._core.layers.edit import Edit
from napari_softlayers._recipes import Recipe

from ..parts.layout import row
from ..parts.picture_dock import PictureWidget
from ..parts.picture_request import PictureRequest
from ..parts.settings import preference
from .jobs import LiveSolver, MatteRequest, Result
from .label_table import LabelTable
from .method_picker import MethodPicker
from .trimap_layers import add_trimap, how_well, may_serve, show_repaired_trimap
from .trimap_tools import TrimapTools
from .trimap_watch import TrimapWatch

PLUGIN = "napari-softlayers"
MATTE = "Matte from trimap"


class MatteWidget(PictureWidget):
    """Alpha and clean colours of an object from a painted trimap."""

    kind = "matte"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "Solve")
        self._live_solver = LiveSolver()
        self._watch = TrimapWatch(self, self._on_trimap_changed)
        self.leaving += [self._watch.release, self._live_solver.clear]
        self._fill_form()
        self.shortcuts |= {
            "n": lambda: self.tools.next_label(max([2, *self.table.labels])),
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
            lambda: self._picture_request().picture(),
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

    def _on_image(self) -> None:
        """Offer the trimaps of another image, and take its own one."""
        self.trimap.refresh()
        self.trimap.choose_best()

    def new_trimap(self) -> None:
        """Add an empty trimap over the image and paint on it."""
        self.tools.new_trimap()

    def primary(self) -> None:
        """Solve for the layers and show them."""
        request = self.tried(self.settings)
        if request is not None:
            self.compute(request.solve, self._show_final, sources=self._layers())

    def _layers(self) -> tuple[Any, ...]:
        return (self.image.layer, self.trimap.layer)

    def problem(self) -> str:
        """Why nothing can be solved now; empty when all is there."""
        if self.image.layer is not None and self.trimap.layer is None:
            return (
                "There is no trimap: press 'New trimap' and paint, or choose one above."
            )
        return super().problem()

    def _picture_request(self) -> PictureRequest:
        return PictureRequest(**self.picture_settings())

    def _over(self) -> Over:
        """A copy of what lies of the trimap over the picture.

        Raises TypeError, ValueError when the picture cannot be taken, or the trimap is
        turned out of its plane.
        """
        return over(self.trimap.layer, self._picture_request().grid())

    def settings(self) -> MatteRequest:
        """What Solve takes; see the base."""
        problem = self.problem()
        if problem:
            raise ValueError(problem)
        return MatteRequest(
            **self.picture_settings(),
            trimap=self._over(),
            method=self.method.method,
            names=self.table.names(),
            options=self.method.options(),
        )

    def settings_recipe(self) -> Recipe | None:
        """The recipe of the settings as they are now."""
        if self.problem():
            return None
        names = {"names": self.table.all_names()} if self.table.names() else None
        return self._picture_request().recipe_of(
            {"trimap": self.trimap.layer},
            kind=self.kind,
            method=self.method.method,
            options=self.method.options(),
            edits=(Edit("renamed", names),) if names else (),
        )

    def _show_final(self, result: Result) -> None:
        """Show the layers without the trimap over them."""
        self._show(result)
        self.show_trimap.setChecked(False)

    def _show(self, result: Result) -> None:
        """Show layers, unless their image has gone meanwhile; say what they are."""
        layers, picture = result
        shown = self.put(layers, picture)
        if not shown:
            return
        shares = ", ".join(
            f"{name} {share:.0%}"
            for name, share in zip(layers.names, layers.coverage, strict=True)
        )
        where = f", computed on {picture.words}" if picture.words else ""
        said = [f"Done: {shares}{where}."]
        changed = layers.extras.get("changed", 0.0)
        if changed:
            made = show_repaired_trimap(
                self.viewer, picture, layers.extras["trimap"], self.trimap.layer
            )
            said.append(f"{changed:.1%} of the trimap was changed: '{made.name}'.")
        self.say(" ".join([*said, hidden_words(shown)]).strip())

    def _show_preview(self, result: Result) -> None:
        self.put(*result)

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
        if self.problem() or len(self.table.labels) < 2:
            self.say("Live: paint with at least two labels, 1 and 2.")
            return
        request = self.tried(self.settings)
        if request is not None:
            job = partial(self._live_solver.solve, request)
            self.compute(job, self._show, self._show_preview, self._layers())

    def _on_show_trimap(self, on: bool) -> None:
        layer = self.trimap.layer
        if layer is not None:
            layer.visible = on

    def refresh_state(self, *_: Any) -> None:
        """Follow the chosen layers."""
        super().refresh_state()
        trimap = self.trimap.layer
        if self._watch.watch(trimap if hasattr(trimap, "selected_label") else None):
            self._count_labels()
        self.show_trimap.setEnabled(trimap is not None)

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


def open_matte(viewer: Any, picture: Picture, alpha: Any) -> MatteWidget:
    """Make an adaptive trimap of an object and choose it in the matte dock.

    ``picture``: with its layer. ``alpha`` float ``(H, W)``: the object. Opens the dock,
    where it was not; image and trimap are chosen in it.
    """
    from napari_softlayers._core.matting import trimap_from_mask

    labels = trimap_from_mask(alpha, None, picture=picture.data)
    dock = _matte_dock(viewer)
    trimap = add_trimap(viewer, picture.layer, labels)
    dock.image.layer = picture.layer
    dock.trimap.layer = trimap
    return dock


def _matte_dock(viewer: Any) -> MatteWidget:
    """Find the matte dock of a viewer, or open it."""
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, MatteWidget):
            return widget
    try:
        opened = viewer.window.add_plugin_dock_widget(PLUGIN, MATTE, tabify=True)
    except (KeyError, ValueError):
        widget = MatteWidget(viewer)
        viewer.window.add_dock_widget(widget, name=MATTE, tabify=True)
        return widget
    made: MatteWidget = opened[1]
    return made
