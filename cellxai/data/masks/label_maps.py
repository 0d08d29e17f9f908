"""Label maps: read from an image file, or drawn from the pixels of each object."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, Int32, Num
from PIL import Image

from cellxai.data.formats import pillow_tags
from cellxai.data.formats.faults import ImageFault, name_faults
from cellxai.data.formats.orientation import orientation_of, turn
from cellxai.data.formats.pictures import StackFile, check_size
from cellxai.data.formats.pillow_files import bits_per_channel, load_strictly, read_content
from cellxai.data.image_formats import AS_STORED, count_pixels, open_stack
from cellxai.data.memory_budget import room_for
from cellxai.data.records import MaskLoader
from cellxai.files.identity import describe_file

CELLPOSE_LABELS, CELLPOSE_STATE = "_cp_masks", "_seg.npy"  # behind the name of the image


def read_mask(path: Path) -> Int32[np.ndarray, "h w"]:
    """A label map: the grey values, of 8 to 32 bits, or the palette's indices, as they are stored.

    It is turned as its own file says, not as that of its image.

    Raises:
        ImageFault: If the file cannot be read, has colours or fractions, or a label is negative or
            above 2³¹ - 1.
    """
    refuse_program(path)
    with room_for(count_pixels(path)), name_faults(path):
        with open_stack(path, AS_STORED) as file:
            if file is not None:
                return as_labels(read_only_frame(file))
        image = load_strictly(read_content(path), check_labels)
        if len(image.getbands()) != 1:
            raise ImageFault(f"a mask in {image.mode}, expected one plane of labels, 0 outside")
        labels = np.array(image)
        if labels.dtype == np.uint8 and pillow_tags.has_sign(image):
            labels = labels.view(np.int8)  # Pillow does not look at the sign of 8 bits
        # Pillow reads 32 bits as signed, whatever they are: what is above them is below 0.
        return as_labels(turn(labels, orientation_of(image)))


def as_labels(labels: Num[np.ndarray, "h w"] | Bool[np.ndarray, "h w"]) -> Int32[np.ndarray, "h w"]:
    """Labels as int32.

    Raises:
        ImageFault: If one does not fit.
    """
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= 2**31:
        raise ImageFault(f"a label below 0 or above {2**31 - 1}, expected 0 outside cells")
    return labels.astype(np.int32)


def read_only_frame(file: StackFile) -> Num[np.ndarray, "h w"] | Bool[np.ndarray, "h w"]:
    """The labels of a file that Pillow does not read.

    Raises:
        ImageFault: If it has several planes, fractions, or is too large.
    """
    layout = file.layouts[0]
    n_planes = len(file.layouts) * math.prod(layout.size(axis) for axis in "TCZS")
    if layout.dtype.kind not in "biu":
        raise ImageFault("a mask of fractions, expected whole numbers; save it as 16 or 32 bits")
    if n_planes > 1:
        raise ImageFault(f"a mask of {n_planes} planes, expected one of labels, 0 outside")
    check_size(layout, AS_STORED, 1)
    return file.frame(0, 0, 0, 0)


def check_labels(image: Image.Image, content: bytes) -> None:
    """Refuses, from its header, what is not a map of whole numbers of up to 32 bits."""
    if pillow_tags.has_fractions(image) or image.mode == "F":
        raise ImageFault("a mask of fractions, expected whole numbers; save it as 16 or 32 bits")
    bits = bits_per_channel(image, content)
    if bits > 32:
        raise ImageFault(f"a mask of {bits} bits, expected 8, 16 or 32; save it as one of them")


def refuse_program(path: Path) -> None:
    """Refuses cellpose's own file, a pickle: to read one is to run what it holds.

    Raises:
        ImageFault: With the way out.
    """
    if path.name.endswith(CELLPOSE_STATE):
        raise ImageFault(
            f"{path}: cellpose's {CELLPOSE_STATE} is a pickle, which may hold a program, so it is "
            "not read; let cellpose write label images (--save_tif or --save_png: <name>_cp_masks)"
        )


@dataclass(frozen=True)
class KnownMask:
    """A label map that is read when called, and what tells it from others before it is read.

    Args:
        read: Reads it.
        identify: Text that is another one where the map may be another one.
        path: The label file; ``None`` where there is none of it alone.
    """

    read: MaskLoader
    identify: Callable[[], str]
    path: Path | None = None

    def __call__(self) -> Int32[np.ndarray, "h w"]:
        """The labels, 0 where there is no cell."""
        return self.read()


def path_of_mask(load: MaskLoader | None) -> Path | None:
    """The label file that a mask is read from, if it is one."""
    return load.path if isinstance(load, KnownMask) else None


def mask_loader(path: Path) -> KnownMask:
    """Reads a label map when called."""
    return KnownMask(partial(read_mask, path), lambda: json.dumps(describe_file(path)), path)


def draw_label_map(
    objects: Iterable[Int[np.ndarray, " _"]], shape: tuple[int, int]
) -> Int32[np.ndarray, "h w"]:
    """The map in which the first object has label 1, the next 2; later ones lie on top.

    Args:
        objects: Places of the pixels of each object, counted from 0 row by row.
        shape: Height and width in pixels.
    """
    with room_for(shape[0] * shape[1]):
        label_map = np.zeros(shape[0] * shape[1], dtype=np.int32)
        for label, places in enumerate(objects, start=1):
            label_map[places] = label
        return label_map.reshape(shape)
