"""A picture of the procedural mattes: docs/images/procedural_mattes.jpg.

Every row is a kind; run it with ``make docs-mattes``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from napari_softlayers._training.mattes import KINDS, make_matte

SIDE, COUNT = 160, 6
TARGET = Path(__file__).resolve().parents[1] / "docs" / "images"


def main() -> None:
    rows = []
    for kind in KINDS:
        mattes = [
            make_matte(kind, SIDE, np.random.default_rng(seed)).alpha
            for seed in range(COUNT)
        ]
        rows.append(np.hstack(mattes))
    grey = (np.vstack(rows) * 255 + 0.5).astype(np.uint8)
    TARGET.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(TARGET / "procedural_mattes.jpg", quality=80)
    print("docs/images/procedural_mattes.jpg:", ", ".join(KINDS))


if __name__ == "__main__":
    main()
