"""A drawer of options, made by magicgui from a model of `_recipes`."""

from __future__ import annotations

from typing import Any, get_args

from magicgui.widgets import bases, create_widget
from qtpy.QtWidgets import QFormLayout, QWidget
from superqt import QCollapsible

from napari_softlayers._recipes import Options

STEPS = 20
"""A spin box goes through the range of a float in so many steps."""


class OptionsForm(QWidget):
    """The controls of a model's options; those that are elsewhere are left out."""

    def __init__(self, model: type[Options], leave_out: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.model = model
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.controls: dict[str, bases.ValueWidget[Any]] = {}
        for name in model.shown():
            if name not in leave_out:
                self.controls[name] = add_option(self.form, model, name)

    def values(self) -> dict[str, Any]:
        """All options as they are set."""
        return {name: control.value for name, control in self.controls.items()}

    def changed(self) -> dict[str, Any]:
        """Those options that differ from their default."""
        return self.model(**self.values()).changed()

    def set(self, name: str, value: Any) -> None:
        """Set one option."""
        self.controls[name].value = value


class OptionsDrawer(QCollapsible):
    """Advanced options, closed at first."""

    def __init__(self, model: type[Options], leave_out: tuple[str, ...] = ()) -> None:
        super().__init__("Advanced")
        self.options = OptionsForm(model, leave_out)
        self.form = self.options.form
        self.values, self.set = self.options.values, self.options.set
        self.addWidget(self.options)
        self.collapse(animate=False)


def add_option(
    form: QFormLayout, model: type[Options], name: str
) -> bases.ValueWidget[Any]:
    """Add a row with a control to a form: with a field's range, choices and default."""
    field = model.model_fields[name]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    choices = extra.get("choices") or (
        get_args(field.annotation) if "Literal" in str(field.annotation) else None
    )
    settings: dict[str, Any] = {}
    if choices:
        settings["choices"] = [(str(value), value) for value in choices]  # type: ignore[union-attr]
    else:
        low, high = (
            next((getattr(m, end) for m in field.metadata if hasattr(m, end)), None)
            for end in ("ge", "le")
        )
        if low is not None and high is not None:
            settings |= {"min": low, "max": high}
            if field.annotation is float:
                settings["step"] = (high - low) / STEPS
    made = create_widget(
        value=field.default,
        annotation=None if choices else field.annotation,
        widget_type="ComboBox" if choices else None,
        options=settings,
    )
    if not isinstance(made, bases.ValueWidget):
        raise TypeError(f"'{name}' of {model.__name__} has no control.")
    made.native.setToolTip(field.description or "")
    form.addRow(field.title or name, made.native)
    return made
