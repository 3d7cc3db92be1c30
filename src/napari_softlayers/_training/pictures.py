"""Where the photographs are that networks learn from."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


def find_pictures(*folders: str | Path) -> list[Path]:
    """All picture files under each folder in turn, sorted.

    Raises
    ------
    ValueError
        When a folder is missing or holds no picture.
    """
    found: list[Path] = []
    for folder in folders:
        files = [p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES]
        if not files:
            raise ValueError(
                f"{folder} holds no pictures ({', '.join(SUFFIXES)}); give a folder that "
                "does"
            )
        found += sorted(files)
    return found
