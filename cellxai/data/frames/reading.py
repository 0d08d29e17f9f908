"""The pixels of whole images that are cut into cells: as stored, and levelled for the network.

Sixteen bits are scaled by the levels of the whole image, and CLAHE sees its surroundings: a cell
then looks as bright beside another as it is, and its crop is that of the prepared image.
"""

import json
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Num, UInt8

from cellxai.data.formats.stack import Stack
from cellxai.data.image_formats import AS_STORED, read_pixels
from cellxai.data.memory_budget import room_to_decode
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record
from cellxai.files.config import as_config
from cellxai.files.identity import describe_file

Pixels = Num[np.ndarray, "h w *c"]
# Done after the resize, or anew in each epoch: they decide no pixel of a whole image.
LATER = ("image_size", "crop", "horizontal_flip", "vertical_flip", "random_clahe", "brightness",
         "augmentations")  # fmt: skip


class ImagePart(ABC):
    """Reads a part of an image: called, it gives the pixels, as ``Record.load_image``."""

    @abstractmethod
    def __call__(self) -> Pixels:
        """The pixels as they are stored.

        Raises:
            ImageFault: If they cannot be read.
        """

    @property
    @abstractmethod
    def identity(self) -> str:
        """Text that is another one where the part of the file may be another one."""

    @property
    @abstractmethod
    def mask_path(self) -> Path | None:
        """The label file of the image, if it has one of its own."""


def describe_pixels(record: Record) -> str:
    """Text that is another one where the pixels of a record may be others."""
    return json.dumps([describe_file(record.path), describe_changes(record)])


def describe_changes(record: Record) -> str:
    """The same beside the file itself; empty of a file as it is."""
    seeded = [record.id, as_config(record.corruptions)] if record.corruptions else []
    part = identity_of(record)
    return json.dumps([seeded, part]) if seeded or part else ""


def identity_of(record: Record) -> str | None:
    """What its reader says of the part of the file that a record is; ``None`` of a whole file."""
    return record.load_image.identity if isinstance(record.load_image, ImagePart) else None


def describe_level(transforms: Transforms) -> str:
    """Text that is another one where :func:`level` may give other pixels."""
    settings = as_config({"kept": transforms})["kept"]
    for name in LATER:
        settings.pop(name, None)
    return json.dumps(settings, sort_keys=True)


def read_frame(record: Record, stack: Stack = AS_STORED) -> Pixels:
    """The pixels of a whole image as stored, once there is memory for them.

    Args:
        record: The image.
        stack: Which picture is taken of a file of several.

    Raises:
        ImageFault: If it cannot be read.
    """
    with room_to_decode(record, stack):
        return read_pixels(record, stack)


def level(pixels: Pixels, transforms: Transforms) -> UInt8[np.ndarray, "h w *planes"]:
    """Everything that is done to a whole image before it is resized: 8 bits, planes, CLAHE.

    Raises:
        ImageFault: If the image has 16 bits and the rule for them refuses it.
    """
    height, width = pixels.shape[:2]
    planes = replace(transforms, image_size=(height, width), crop=None).prepare(pixels)
    return planes[..., 0] if planes.shape[-1] == 1 else planes
