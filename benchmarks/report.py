"""What the benchmarks write alike: the machine in a line, and tables in Markdown."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path


def processor() -> str:
    """Name of the processor and its number of cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        models = [line for line in lines if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    return f"{name}, {os.cpu_count()} cores"


def machine(*packages: str) -> str:
    """A line about the processor and the versions of what computes.

    ``packages`` are named beside Python, NumPy, SciPy and PyTorch.
    """
    names = {"NumPy": "numpy", "SciPy": "scipy", "PyTorch": "torch"}
    names |= {package: package for package in packages}
    versions = (f"{name} {version(package)}" for name, package in names.items())
    python = platform.python_version()
    return f"{processor()}; Python {python}, {', '.join(versions)}.\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table with a line break at its end."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
