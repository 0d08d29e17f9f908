"""What is made of a record's pixels: in 8 bits, or as the network sees them, cells included."""

import numpy as np
from jaxtyping import UInt8

from cellxai.data.cells.cut import CellCut
from cellxai.data.image_formats import read_pixels
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record


def read_8_bits(record: Record, transforms: Transforms) -> UInt8[np.ndarray, "h w *c"]:
    """The pixels of a record in 8 bits; of a cell, by the levels of its whole image.

    Raises:
        ImageFault: If it cannot be read, or the rule for 16 bits refuses it.
    """
    if isinstance(record.load_image, CellCut) and not record.corruptions:
        return record.load_image.in_8_bits(transforms)
    return transforms.in_8_bits(read_pixels(record, transforms.stack))


def prepare_record(record: Record, transforms: Transforms) -> UInt8[np.ndarray, "height width c"]:
    """What the network sees of a record; of a cell, a window of its whole image, levelled.

    Raises:
        ImageFault: If it cannot be read, or the rule for 16 bits refuses it.
    """
    if isinstance(record.load_image, CellCut):
        return record.load_image.prepare(record.id, record.corruptions, transforms)
    return transforms.prepare(read_pixels(record, transforms.stack))
