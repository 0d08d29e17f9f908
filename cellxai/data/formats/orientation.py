"""Pictures turned as the file says that they are to be seen (tag 274 of EXIF and TIFF)."""

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from cellxai.data.formats.faults import DECODING

ORIENTATION = 274


def turn(pixels: Shaped[np.ndarray, "h w *s"], orientation: object) -> Shaped[np.ndarray, "y x *s"]:
    """The picture upright; as it is where the tag says 1, or nothing that is defined."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def orientation_of(image: Image.Image) -> int:
    """What the EXIF data of a JPEG or PNG say; 1 where there are none, or broken ones."""
    if image.format == "TIFF":
        return 1  # Pillow has turned it by then
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except DECODING:
        return 1
