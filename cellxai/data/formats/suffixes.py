"""The suffixes of image files that are read, and how the files are decoded: one table."""

from pathlib import Path
from typing import Literal

Family = Literal["pillow", "tiff", "numpy"]

FAMILIES: dict[str, Family] = {
    ".png": "pillow", ".jpg": "pillow", ".jpeg": "pillow", ".bmp": "pillow",
    ".npy": "numpy", ".npz": "numpy",
    ".tif": "tiff", ".tiff": "tiff", ".btf": "tiff", ".tf8": "tiff", ".tf2": "tiff",
}  # fmt: skip
SUFFIXES = frozenset(FAMILIES)


def family_of(path: Path) -> Family | None:
    """How a file is decoded; ``None`` by a suffix that is not in the table."""
    return FAMILIES.get(path.suffix.lower())
