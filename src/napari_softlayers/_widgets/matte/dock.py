"""The dock "Matte from trimap"."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QCheckBox, QLabel, QSpinBox

from napari_softlayers._bridge import labels_of, show, step_of
from napari_softlayers._bridge.places import frame_shape

from ..commands import add_trimap, show_repaired_trimap, trimap_from_layer
from ..parts.base import row
from ..parts.combos import is_trimap
from ..parts.picture_dock import NO_IMAGE, PictureWidget
from ..parts.settings import preference, result_dtype
from .jobs import LiveSolver, MatteRequest, Result
from .label_table import LabelTable
from .method_picker import MethodPicker
from .trimap_watch import TrimapWatch


class MatteWidget(PictureWidget):
    """Alpha and clean colours of an object from a painted trimap.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    kind = "matte"

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "Solve")
        self._live_solver = LiveSolver()
        self._watch = TrimapWatch(self, self._on_trimap_changed)
        self._fill_form()
        self.shortcuts |= {
            "n": self.new_or_next_label,
            "u": self.toggle_unknown,
            "q": self.live.toggle,
        }
        self.attach()

    def _fill_form(self) -> None:
        self.trimap = self.combo(
            "Trimap",
            is_trimap,
            self._fits_image,
            "0 unknown, 1 background, 2 foreground, further labels further layers",
        )
        self.image.layer_changed.connect(self.trimap.choose_best)
        new = self.button(
            "New trimap", self.new_trimap, "An empty trimap over the image (key: N)"
        )
        made = self.button(
            "Trimap from selection",
            self.trimap_from_selection,
            "From the selected Labels, Shapes, mask or RGBA layer: a band along the "
            "boundary stays unknown",
        )
        self.band = QSpinBox()
        self.band.setRange(0, 500)
        self.band.setSpecialValueText("adaptive")
        self.band.setSuffix(" px")
        self.band.setToolTip("Half width of the unknown band")
        self.body.addLayout(row(new, made))
        self.body.addLayout(row(QLabel("Unknown band"), self.band))
        self.table = LabelTable()
        self.table.setToolTip("Labels of the trimap; names can be edited")
        self.body.addWidget(self.table)
        self.method = MethodPicker(self.form)
        self.live = QCheckBox("Live")
        self.live.setToolTip("Solve after every stroke (key: Q)")
        self.live.setChecked(bool(preference("live", "enabled")))
        self.live.toggled.connect(self._on_live)
        self.unknown_button = self.button(
            "Paint unknown",
            self.toggle_unknown,
            "Paint label 0 (key: U)",
            checkable=True,
        )
        self.body.addLayout(row(self.live, self.unknown_button))
        self.show_trimap = QCheckBox("Show trimap")
        self.show_trimap.setChecked(True)
        self.show_trimap.toggled.connect(self._on_show_trimap)
        self.after.addWidget(self.view)
        self.after.addWidget(self.show_trimap)

    # ---- trimaps ------------------------------------------------------------------------

    def _fits_image(self, layer: Any) -> bool:
        image = self.image.layer
        same = image is not None and frame_shape(layer) == frame_shape(image)
        return same and hasattr(layer, "selected_label")

    def new_trimap(self) -> None:
        """Add an empty trimap over the image and paint on it."""
        image = self.image.layer
        if image is None:
            self.say(
                "Choose an image first; then a trimap can be painted over it.", "error"
            )
            return
        self.trimap.layer = add_trimap(self.viewer, image)
        self.say("Paint 1 on the background and 2 on the object, then Solve.")

    def trimap_from_selection(self) -> None:
        """Make a trimap from the active layer."""
        active = self.viewer.layers.selection.active
        if active is None or active is self.image.layer and active.data.shape[-1] != 4:
            self.say(
                "Select a Labels, Shapes, mask or RGBA layer that marks the object first.",
                "error",
            )
            return
        try:
            made = trimap_from_layer(
                self.viewer, active, self.image.layer, self.band.value() or None
            )
        except (TypeError, ValueError) as error:
            self.say(str(error), "error")
            return
        self.trimap.layer = made
        self.say(f"Trimap made from '{active.name}'.")

    def new_or_next_label(self) -> None:
        """Key N: the next label to paint with, or a new trimap where there is none."""
        layer = self.trimap.layer
        if layer is None or not hasattr(layer, "selected_label"):
            self.new_trimap()
            return
        most = max(2, *self.table.labels) if self.table.labels else 2
        layer.selected_label = layer.selected_label % (most + 1) + 1

    def toggle_unknown(self) -> None:
        """Key U: paint label 0, or the label before that again."""
        layer = self.trimap.layer
        if layer is None or not hasattr(layer, "selected_label"):
            self.unknown_button.setChecked(False)
            return
        if layer.selected_label != 0:
            self._painted_label = int(layer.selected_label)
            layer.selected_label = 0
        else:
            layer.selected_label = getattr(self, "_painted_label", 2)
        self.unknown_button.setChecked(layer.selected_label == 0)

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
        if trimap is image:
            return f"'{image.name}' is image and trimap at once; choose two layers."
        have, want = frame_shape(trimap), frame_shape(image)
        if have != want:
            return (
                f"'{image.name}' is {want[0]}x{want[1]} but trimap '{trimap.name}' is "
                f"{have[0]}x{have[1]}. Press 'New trimap' to make one for this image."
            )
        return ""

    def _request(self) -> MatteRequest | None:
        """The settings as they are now; None, and a message, when they do not fit."""
        problem = self._problem()
        if problem:
            self.say(problem, "error")
            return None
        trimap = self.trimap.layer
        names = self.table.names()
        try:
            return MatteRequest(
                **self.picture_settings(),
                trimap=np.array(labels_of(trimap, step=step_of(self.viewer, trimap))),
                trimap_name=trimap.name,
                is_labels=hasattr(trimap, "selected_label"),
                method=self.method.method,
                names=tuple(names) if names else None,
                options=self.method.options(),
            )
        except ValueError as error:
            self.say(str(error), "error")
            return None

    def _show_final(self, result: Result) -> None:
        """Show the layers without the trimap over them."""
        self._show(result)
        self.show_trimap.setChecked(False)

    def _show(self, result: Result) -> None:
        """Show layers, unless their image has gone meanwhile."""
        layers, picture = result
        if picture.layer not in self.viewer.layers:
            self.say("The image was removed meanwhile; nothing was added.", "warning")
            return
        show(self.viewer, layers, like=picture, dtype=result_dtype())
        self.view.after_show()
        shares = ", ".join(
            f"{name} {share:.0%}"
            for name, share in zip(layers.names, layers.coverage, strict=True)
        )
        changed = layers.extras.get("changed", 0.0)
        if changed:
            made = show_repaired_trimap(
                self.viewer, picture.layer, layers.extras["trimap"]
            )
            shares += f". {changed:.1%} of the trimap was changed: '{made.name}'"
        self.say(f"Done: {shares}.")

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

    def _show_partial(self, result: Result) -> None:
        layers, picture = result
        if picture.layer in self.viewer.layers:
            show(self.viewer, layers, like=picture, dtype=result_dtype())
            self.view.after_show()

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
        layer = self._watch.layer
        if layer is None:
            self.table.show_trimap(None)
            return
        self.table.show_trimap(labels_of(layer, step=step_of(self.viewer, layer)))

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

    def code(self) -> str:
        """The present settings as a call for the console."""
        image, trimap = self._layers()
        if image is None or trimap is None:
            return ""
        device = str(preference("compute", "device"))
        given = {
            "method": self.method.method,
            "device": device,
        } | self.method.options()
        options = ", ".join(f"{key}={value!r}" for key, value in given.items())
        return (
            "import napari_softlayers as nsl\n\n"
            f"picture = viewer.layers[{image.name!r}]\n"
            f"trimap = viewer.layers[{trimap.name!r}]\n"
            f"layers = nsl.matte(picture, trimap, {options})\n"
            "layers.to_napari(viewer, like=picture)\n"
        )
