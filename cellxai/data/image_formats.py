"""Reading one image file, or saying in one line why it cannot be read.

What each kind of file needs is in ``formats/``, one file per family.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt
from PIL import UnidentifiedImageError

from cellxai.data.corruption import corrupt_image
from cellxai.data.formats import pillow_tags
from cellxai.data.formats.faults import MAX_PIXELS, ImageFault, check_area, name_faults
from cellxai.data.formats.numpy_files import ZIP_START, open_arrays
from cellxai.data.formats.ome_zarr import OmeZarr
from cellxai.data.formats.pictures import StackFile, choose, choose_slices, take_picture
from cellxai.data.formats.pillow_files import (
    count_pictures,
    open_header,
    read_content,
    read_picture,
)
from cellxai.data.formats.stack import Stack
from cellxai.data.formats.suffixes import SUFFIXES, is_image_folder
from cellxai.data.formats.tiff_chain import has_second_page
from cellxai.data.formats.tiff_stack import open_tiff_stack
from cellxai.data.formats.vendor_files import CZI_START, LIF_START, open_vendor_file
from cellxai.data.records import Record
from gmm.files.regular import explain_unreadable

__all__ = ["MAX_PIXELS", "SUFFIXES", "ImageFault", "count_pixels", "read_image", "read_pixels"]

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NUMPY_START = b"\x93NUMPY"
AS_STORED = Stack()

Pixels = UInt[np.ndarray, "h w *p"] | Float32[np.ndarray, "h w *p"]


def read_pixels(record: Record, stack: Stack = AS_STORED) -> Pixels:
    """The pixels of a record: those of its file, after what the record says corrupts them.

    Args:
        record: The record; where it names a series or a time point, that is read.
        stack: Which picture is taken of a file of several, otherwise.

    Raises:
        ImageFault: As :func:`read_image`.
    """
    chosen = stack.at(record.series, record.time)
    image = read_image(record.path, chosen) if record.load_image is None else record.load_image()
    return corrupt_image(image, record.id, record.corruptions)


def read_image(path: Path, stack: Stack = AS_STORED) -> Pixels:
    """The pixels of an image file as they are stored: of 8 bits, of 16, or float32.

    [h w] of one plane, otherwise [h w plane]. Black-and-white becomes 0 and 255. Colour is RGB; a
    palette is looked up, and gives RGB too. Alpha is dropped, not blended with a background that no
    file names. What a file says of its orientation is followed.

    Args:
        path: The file; its first bytes say what it is.
        stack: Which picture is taken of a file of several.

    Raises:
        ImageFault: If the file is missing, broken anywhere, signed or of too many bits, of several
            pictures of which none is named, or too large to be a field of view.
    """
    with name_faults(path):
        with open_stack(path, stack) as file:
            if file is not None:
                return take_picture(file, stack)
        check_single(stack)
        return read_picture(read_content(path))


@contextmanager
def open_stack(path: Path, stack: Stack) -> Iterator[StackFile | None]:
    """A file of frames, closed at the end of the block; ``None`` of one that Pillow reads.

    Raises:
        ImageFault: If there is no file, or not one of frames that is understood.
    """
    if is_image_folder(path):
        yield OmeZarr(path, stack.axes)
        return
    if (reason := explain_unreadable(path)) is not None:
        raise ImageFault(reason)
    with path.open("rb") as file:
        start = file.read(10)
    if start == CZI_START or start.startswith(LIF_START):
        with open_vendor_file(path, start) as pictures:
            yield pictures
    elif start.startswith(NUMPY_START) or start.startswith(ZIP_START):
        with open_arrays(path, stack.axes) as arrays:
            yield arrays
    elif is_stack(path):
        with open_tiff_stack(path, stack) as tiff:
            yield tiff
    else:
        yield None


def check_single(stack: Stack) -> None:
    """Refuses numbers of series, time points and slices that a file of one picture does not have.

    Raises:
        ImageFault: Naming the setting.
    """
    choose("series", stack.series, 1)
    choose("time", stack.time, 1)
    choose_slices(stack.z, 1)


def is_stack(path: Path) -> bool:
    """Whether a file is a TIFF that Pillow does not read whole.

    Pillow keeps what it has always read, so that no pixel changes: one picture of 8 or 16 bits
    without a sign, in grey or colours with alpha at most. Of 16-bit colours it shows 8.
    """
    with path.open("rb") as file:
        if file.read(4) not in TIFF_STARTS:
            return False
        if has_second_page(file):
            return True
        file.seek(0)
        try:
            image = open_header(file)
        except UnidentifiedImageError:
            return True
        check_area(image.height, image.width)
        n_channels, n_read = pillow_tags.count_channels(image)
        is_deep = pillow_tags.bits_per_sample(image) > 8
        return (
            count_pictures(image) > 1
            or n_channels != n_read
            or (is_deep and n_channels > 1)
            or pillow_tags.has_fractions(image)
            or pillow_tags.has_own_axes(image)
        )


def count_parts(path: Path) -> list[int]:
    """Time points of each series of a file, by its own word, none of its pixels decoded.

    Raises:
        ImageFault: If it cannot be read, or does not say what its axes are.
    """
    with name_faults(path), open_stack(path, AS_STORED) as file:
        return [1] if file is None else [layout.size("T") for layout in file.layouts]


def count_pixels(path: Path, stack: Stack = AS_STORED) -> int:
    """Pixels whose memory reading an image takes, as its header promises; 0 where it cannot be.

    A pixel is one of 16-bit colour here: of a stack two samples of whole numbers, or one fraction.
    """
    try:
        with name_faults(path):
            with open_stack(path, stack) as file:
                if file is not None:
                    return min(count_as_colour(file, stack), MAX_PIXELS)
            with path.open("rb") as file:
                width, height = open_header(file).size
            return min(width * height, MAX_PIXELS)
    except ImageFault:
        pass
    return 0


def count_as_colour(file: StackFile, stack: Stack) -> int:
    """Pixels of 16-bit colour that take as much memory as a picture of the stack."""
    layout = file.layouts[choose("series", stack.series, len(file.layouts))]
    n_slices = len(choose_slices(stack.z, layout.size("Z")))
    frame = layout.size("Y") * layout.size("X") * layout.size("S")
    kept = frame * layout.size("C") * (n_slices if stack.z == "planes" else 1)
    return kept if layout.dtype.kind == "f" else max(frame, kept // 2)
