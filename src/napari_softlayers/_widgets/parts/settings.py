"""Preferences of the plugin, with defaults where napari does not know them."""

from __future__ import annotations

import sys
from typing import Any

DEFAULTS: dict[str, dict[str, Any]] = {
    "compute": {"device": "auto", "working_megapixels": 1.0, "cache_mb": 1024},
    "live": {"enabled": False, "delay_ms": 150},
    "layers": {"dtype": "source"},
}


def preference(section: str, name: str) -> Any:
    """A preference, named as in the manifest: what the user set, else its default."""
    default = DEFAULTS[section][name]
    if "napari" not in sys.modules:
        return default
    try:
        from napari.settings import get_plugin_settings

        settings = get_plugin_settings("napari-softlayers")
    except (ImportError, KeyError):
        return default
    return getattr(getattr(settings, section, None), name, default)


def result_dtype() -> str | None:
    """Dtype for result layers; None keeps the source's."""
    chosen = str(preference("layers", "dtype"))
    return None if chosen == "source" else chosen
