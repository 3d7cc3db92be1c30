"""The dock "Layers & export"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy import QtWidgets as qt

from napari_softlayers._bridge import edits, layers_from_napari, record_of
from napari_softlayers._bridge.record import remove_helpers
from napari_softlayers._bridge.results import stored_frame
from napari_softlayers._bridge.view_modes import COMPOSITE, put_preview
from napari_softlayers._core.layers.compositing import composite_over
from napari_softlayers._core.layers.edit import Adjustment
from napari_softlayers._recipes import recipe_of
from napari_softlayers._recipes.code import code_of

from ..parts.base import LayersWidget
from ..parts.layout import choice, fill, push_button, row
from ..parts.picture_dock import namer
from .formats import FORMATS, file_filter, save_code, taken_code, target_path
from .panels import AdjustPanel, PreviewBar
from .result_picker import ResultPicker

MODES = ("additive", "normal")


class ExportWidget(LayersWidget):
    """Look at a result, change its layers, and save them for other programs."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer, "Export …")
        self._fill()
        self.shortcuts |= {
            "h": self.preview.next_choice,
            "j": lambda: self.table.step(-1),
            "k": lambda: self.table.step(1),
        }
        self.attach()

    def _fill(self) -> None:
        self.result = ResultPicker(self.viewer)
        self.table = self.result.table
        self.result.set_changed.connect(self._on_set)
        self.result.selection_changed.connect(self._on_selection)
        merge = push_button("Merge", self.merge, "Join the selected layers into one")
        double = push_button(
            "Duplicate",
            self.duplicate,
            "Split the selected layer into two halves that add up to it",
        )
        clean = push_button(
            "Clean colours",
            self.clean,
            "Of the RGBA layer that is selected in the layer list: takes away what shines "
            "through its soft edges; makes a new layer",
        )
        self.radius = qt.QDoubleSpinBox()
        self.radius.setRange(0.1, 200)
        self.radius.setValue(2)
        self.radius.setSuffix(" px")
        soften = push_button(
            "Feather", self.feather, "Soften the selected layer's edge; the sum stays"
        )
        self.on_set = [merge, double, soften]
        self.mode = choice(
            MODES,
            "additive: hiding a layer takes its light away; normal: hiding it reveals "
            "what lies below, as in other programs",
        )
        self.mode.activated.connect(lambda *_: self._switch())
        self.preview = PreviewBar(self.viewer)
        self.combos.append(self.preview.picture)
        self.preview.changed.connect(self._show_preview)
        self.adjust = AdjustPanel()
        self.adjust.changed.connect(self._adjust)
        self.adjust.baked.connect(self._bake)
        group = qt.QGroupBox("Adjust the selected layer")
        qt.QVBoxLayout(group).addWidget(self.adjust)
        self.format = choice(FORMATS)
        self.only = qt.QCheckBox("Only the selected layers")
        self.only.setToolTip("The rest stays transparent: a cut-out")
        edit, feather = row(merge, double, clean), row(soften, self.radius)
        stack, target = row("Stack", self.mode), row("Save as", self.format)
        parts = (self.result, edit, feather, stack, self.preview, group, target)
        fill(self.body, *parts, self.only)

    def refresh_state(self) -> None:
        """Follow the results in the viewer."""
        if hasattr(self, "only"):
            self.result.refresh()

    def _on_set(self) -> None:
        layers = self.result.layers
        parts = (*self.on_set, self.primary_button, self.mode, self.preview)
        for part in parts:
            part.setEnabled(bool(layers))
        if layers:
            self.mode.setCurrentIndex(MODES.index(edits.stack_mode(layers)))
        elif not self.jobs.busy:
            self.hint(
                "There is no result yet: make one with another dock, or open a file."
            )

    def _on_selection(self) -> None:
        one = self.result.selected[0] if len(self.result.selected) == 1 else None
        self.adjust.setEnabled(one is not None)
        self.adjust.show_value(edits.adjustment_of(one))
        if self.preview.is_on:
            self._show_preview()

    def _one(self) -> int | None:
        """Number of the one selected layer; a message when it is not one."""
        if len(self.result.selected) == 1:
            return self.result.rows[0]
        self.say("Select one layer in the table.", "warning")
        return None

    def merge(self) -> None:
        """Join the selected layers."""
        rows = self.result.rows
        if len(rows) < 2:
            self.say("Select two or more layers in the table to merge them.", "warning")
            return
        self._edit(lambda soft, _run: soft.merge([rows]), "Merged.")

    def duplicate(self) -> None:
        """Split the selected layer into two halves."""
        line = self._one()
        if line is not None:
            self._edit(lambda soft, _run: soft.duplicate(line), "Duplicated.")

    def feather(self) -> None:
        """Soften the edge of the selected layer."""
        line, radius = self._one(), self.radius.value()
        if line is not None:
            self._edit(lambda soft, run: soft.feather(line, radius, run), "Feathered.")

    def _edit(self, change: Any, message: str) -> None:
        """Change the set in a thread; adjustments are baked by it."""
        family = list(self.result.layers)
        mode = edits.stack_mode(family)
        baked = any(not edits.adjustment_of(layer).is_neutral for layer in family)
        soft = self.tried(layers_from_napari, family)
        if soft is None:
            return

        def done(edited: Any) -> None:
            if any(layer not in self.viewer.layers for layer in family):
                self.say(
                    "The result has gone meanwhile; nothing was changed.", "warning"
                )
                return
            shown = edits.replace_set(self.viewer, family, edited)
            edits.set_stack_mode(self.viewer, shown, mode)
            self.refresh_state()
            self._on_selection()
            self.say(message + (" The adjusted colours are its own now." * baked))

        self.compute(lambda run, _post: change(soft, run), done, sources=tuple(family))

    def _switch(self) -> None:
        if self.result.layers:
            mode = self.mode.currentText()
            self.tried(edits.set_stack_mode, self.viewer, self.result.layers, mode)
            self.result.show_checks()

    def _adjust(self, adjustment: Adjustment) -> None:
        """Show the sliders' adjustment on the selected layer; the latest one wins."""
        if len(self.result.selected) != 1:
            return
        family, layer = self.result.layers, self.result.selected[0]

        def done(colors: Any) -> None:
            if layer in self.viewer.layers:
                edits.show_adjusted(layer, adjustment, colors)
                self.result.show_checks()
                self._show_preview()
                self.say("Adjusted; it can be changed until it is baked.")

        self.compute(
            lambda _run, _post: edits.adjusted_colors(family, layer, adjustment),
            done,
            sources=(layer,),
        )

    def _bake(self) -> None:
        """Make the adjusted colours of the set its own, for good."""
        if self.result.layers:
            self._edit(lambda soft, _run: soft, "Baked.")

    def clean(self) -> None:
        """Clean the colours of the active RGBA layer; the result is a new layer."""
        from napari_softlayers._core.layers.decontaminate import decontaminate

        layer = self.viewer.layers.selection.active
        if not edits.is_rgba(layer):
            self.say("Select an RGBA layer in the layer list first.", "warning")
            return
        data = stored_frame(layer)

        def done(cleaned: Any) -> None:
            if layer in self.viewer.layers:
                edits.add_cleaned(self.viewer, layer, cleaned)
                self.say(
                    f"'{layer.name}' was cleaned; the layer it came from is hidden."
                )

        self.compute(
            lambda run, _post: decontaminate(data, run), done, sources=(layer,)
        )

    def _show_preview(self) -> None:
        if not self.preview.is_on or not self.result.layers:
            remove_helpers(self.viewer, COMPOSITE)
            return
        layers = self.result.layers
        which = self.result.rows or list(range(len(layers)))[1:] or [0]
        try:
            soft = layers_from_napari(layers)
            picture = composite_over(soft, which, self.preview.background())
        except (TypeError, ValueError) as error:
            self.say(str(error), "warning")
            return
        put_preview(self.viewer, picture, layers[0])

    def detach(self) -> None:
        """Take the preview away and let the viewer go."""
        if self._attached:
            remove_helpers(self.viewer, COMPOSITE)
        self.result.forget()
        super().detach()

    def primary(self) -> None:
        """Ask where to, and export."""
        if not self.result.layers:
            self.say("There is no result to export yet.", "warning")
            return
        kind = self.format.currentText()
        record = record_of(self.result.layers[0])
        name = (record.source if record is not None else "") or "layers"
        path, _ = qt.QFileDialog.getSaveFileName(
            self, "Export layers", str(target_path(name, kind)), file_filter(kind)
        )
        if path:
            self.export(path)

    def export(self, path: str) -> None:
        """Save the set, or its selected layers, in the chosen format."""
        from napari_softlayers._io import save_layers

        kind = self.format.currentText()
        target, options = target_path(path, kind), FORMATS[kind][1]
        if target != Path(path) and target.exists():
            self.say(
                f"'{target.name}' is there already; type its whole name to replace it.",
                "warning",
            )
            return
        rows = self.result.rows
        if self.only.isChecked() and not rows:
            self.say("Select the layers to export in the table.", "warning")
            return
        soft = self.tried(layers_from_napari, self.result.layers)
        if soft is None:
            return
        if self.only.isChecked():
            soft = soft.subset(rows)
        self.compute(
            lambda _run, _post: save_layers(soft, target, **options),
            lambda written: self.say(f"Saved to '{written}'."),
        )

    def code(self) -> str:
        """The export as a call for the console."""
        if not self.result.layers:
            return ""
        rows = self.result.rows if self.only.isChecked() else None
        return self._layers_code() + save_code(self.format.currentText(), rows)

    def _layers_code(self) -> str:
        """The layers from what they were made of, else from the viewer."""
        names = [layer.name for layer in self.result.layers]
        try:
            recipe = recipe_of(layers_from_napari(self.result.layers))
        except (TypeError, ValueError):
            recipe = None
        if recipe is None or recipe.live:
            return taken_code(names)
        name_of = namer(self.viewer)
        for given in recipe.inputs.values():
            gone = given.name is not None and name_of(given) not in self.viewer.layers
            if gone or given.value == "array":
                return taken_code(names)
        return code_of(recipe, name_of)
