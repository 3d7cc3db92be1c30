"""Options of the command line, made from the models of `_recipes`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from ._recipes import Options, refusal

Models = Mapping[str, type[Options]]


def add_options(
    parser: argparse.ArgumentParser,
    models: Models,
    short: Mapping[str, str] | None = None,
) -> None:
    """Add every option that the models show; those not given are left to their defaults.

    ``models`` by method; one nameless model where there is no choice of method.
    ``short`` flags of some options.
    """
    shown = {name: model for model in models.values() for name in model.shown()}
    for name, model in shown.items():
        flags = [(short or {}).get(name), "--" + name.replace("_", "-")]
        settings = _settings(model, name, _methods_with(models, name))
        parser.add_argument(*filter(None, flags), dest=name, **settings)


def given_options(
    options: argparse.Namespace, models: Models, method: str = ""
) -> dict[str, Any]:
    """The options that were given, checked by the model of the method.

    Raises ValueError when one belongs to another method or has a value out of range.
    """
    names = {name for model in models.values() for name in model.shown()}
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    for name in sorted(set(given) - set(models[method].model_fields)):
        raise ValueError(
            f"--{name.replace('_', '-')} came with the method {method}; it belongs to "
            f"--method {' or '.join(_methods_with(models, name))}."
        )
    try:
        models[method](**given)
    except ValidationError as error:
        name, needed = refusal(models[method], error)
        flag = name.replace("_", "-")
        raise ValueError(f"--{flag} {given[name]} came; {needed}.") from error
    return given


def _methods_with(models: Models, name: str) -> list[str]:
    """Methods that have an option; none where there is only one model."""
    return [m for m, model in models.items() if m and name in model.shown()]


def _settings(model: type[Options], name: str, methods: list[str]) -> dict[str, Any]:
    """What argparse needs to know of one field."""
    field = model.model_fields[name]
    note = f" (method {' or '.join(methods)})" if methods else ""
    text = f"{field.title}: {field.description}{note}; {field.default} by default"
    settings: dict[str, Any] = {"help": text, "default": argparse.SUPPRESS}
    if field.annotation is bool:
        return settings | {"action": argparse.BooleanOptionalAction}
    if field.annotation in (int, float):
        return settings | {"type": field.annotation}
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    choices = extra.get("choices") or get_args(field.annotation)
    words = {str(choice).lower(): choice for choice in choices}  # type: ignore[union-attr]
    return settings | {
        "type": lambda text: words.get(text, text),
        "choices": words.values(),
    }
