"""The suffixes of image files that are read, and how the files are decoded: one table."""

from pathlib import Path
from typing import Literal

Family = Literal["pillow", "tiff", "numpy", "zarr", "bio"]

FAMILIES: dict[str, Family] = {
    ".png": "pillow", ".jpg": "pillow", ".jpeg": "pillow", ".bmp": "pillow",
    ".npy": "numpy", ".npz": "numpy",
    ".tif": "tiff", ".tiff": "tiff", ".btf": "tiff", ".tf8": "tiff", ".tf2": "tiff",
    ".zarr": "zarr", ".czi": "bio", ".lif": "bio",
}  # fmt: skip
SUFFIXES = frozenset(FAMILIES)
FOLDER = ".zarr"  # an image of this suffix is a folder
BESIDE_IMAGES = "_seg.npy"  # what Cellpose writes beside each image, pickled


def is_image(path: Path) -> bool:
    """Whether a path is an image by its suffix: a file, or a folder of OME-Zarr.

    Also broken links and what only looks like a file: whoever reads them says what they are.
    """
    suffix, name = path.suffix.lower(), path.name
    known = suffix in SUFFIXES and not name.startswith(".") and not name.endswith(BESIDE_IMAGES)
    return known and (suffix == FOLDER or not path.is_dir())


def is_image_folder(path: Path) -> bool:
    """Whether a path is a folder that is one image."""
    return path.suffix.lower() == FOLDER and path.is_dir()
