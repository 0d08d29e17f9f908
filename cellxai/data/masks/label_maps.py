"""Label maps: read from an image file, or drawn from the pixels of each object."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int32

from cellxai.data.image_formats import ImageFault, load_strictly, name_faults
from cellxai.data.records import MaskLoader


def read_mask(path: Path) -> Int32[np.ndarray, "h w"]:
    """A label map: the grey values, of 8 or 16 bits, or the palette's indices, as they are stored.

    Raises:
        ImageFault: As :func:`cellxai.data.image_formats.read_image`, or if the file has colours.
    """
    with name_faults(path):
        image = load_strictly(path.read_bytes())
        if len(image.getbands()) != 1:
            raise ImageFault(f"a mask in {image.mode}, expected one plane of labels, 0 outside")
        return np.array(image).astype(np.int32)


def mask_loader(path: Path) -> MaskLoader:
    """Reads a label map when called."""
    return lambda: read_mask(path)


def draw_label_map(
    objects: Iterable[Int[np.ndarray, " _"]], shape: tuple[int, int]
) -> Int32[np.ndarray, "h w"]:
    """The map in which the first object has label 1, the next 2; later ones lie on top.

    Args:
        objects: Places of the pixels of each object, counted from 0 row by row.
        shape: Height and width in pixels.
    """
    label_map = np.zeros(shape[0] * shape[1], dtype=np.int32)
    for label, places in enumerate(objects, start=1):
        label_map[places] = label
    return label_map.reshape(shape)
