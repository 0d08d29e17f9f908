"""A window of a TIFF file, of which only the tiles or strips that it touches are decoded.

TIFF 6.0 (1992), sections 3 and 15. A file whose one strip is compressed has to be decoded whole,
and is refused above the size of a picture that may be.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage

from cellxai.data.frames.window import Box
from cellxai.data.image_formats import MAX_PIXELS, ImageFault, name_faults

TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
CHANNELS = {
    PHOTOMETRIC.MINISBLACK: 1, PHOTOMETRIC.MINISWHITE: 1, PHOTOMETRIC.RGB: 3, PHOTOMETRIC.YCBCR: 3,
}  # fmt: skip
MOST_BYTES_OF_SEGMENT = 2**28  # decoded; and as stored
TOP_LEFT = 1  # of Orientation
Segment = tuple[int, Box]


@dataclass(frozen=True)
class TiffPicture:
    """The one picture of an open TIFF file.

    Args:
        page: As tifffile describes it.
        shape: Height and width in pixels.
        n_channels: Colours, without alpha.
        segment: Height and width of its tiles, or of its strips; of the whole where nothing is
            compressed.
    """

    page: TiffPage
    shape: tuple[int, int]
    n_channels: int
    segment: tuple[int, int]

    @property
    def is_plain(self) -> bool:
        """Whether its pixels lie in the file as in memory, row behind row."""
        return self.segment == self.shape


def read_shape(path: Path) -> tuple[int, int]:
    """Height and width of the picture in a TIFF file.

    Raises:
        ImageFault: If no window of it can be read.
    """
    with open_picture(path) as picture:
        return picture.shape


def read_window(path: Path, window: Box) -> Integer[np.ndarray, "h w *c"]:
    """The pixels in a window that lies within the picture, as they are stored; RGB without alpha.

    Raises:
        ImageFault: If they cannot be read.
    """
    with open_picture(path) as picture:
        page, n_channels = picture.page, picture.n_channels
        pixels = read_plain(picture, window) if picture.is_plain else join(picture, window)
        pixels = pixels[..., 0] if n_channels == 1 else pixels[..., :n_channels]
        native = np.ascontiguousarray(pixels).astype(page.dtype, copy=False)
        if page.photometric == PHOTOMETRIC.MINISWHITE:
            return np.iinfo(native.dtype).max - native
        return native


@contextmanager
def open_picture(path: Path) -> Iterator[TiffPicture]:
    """The picture of a TIFF file, looked at closely enough that its windows can be read.

    Raises:
        ImageFault: If it is not one picture of whole numbers, grey or RGB, or its segments are not
            as many as its header says or larger than they may be.
    """
    with name_faults(path), TiffFile(path) as file:
        page = file.pages[0]
        if not isinstance(page, TiffPage):
            raise ImageFault("the first picture cannot be described; save it again")
        yield describe_picture(page, file.pages)


def describe_picture(page: TiffPage, pages: Any) -> TiffPicture:
    """What is known of a page, checked.

    Raises:
        ImageFault: As :func:`open_picture`.
    """
    height, width = page.imagelength, page.imagewidth
    n_channels = CHANNELS.get(PHOTOMETRIC(page.photometric), 0)
    dtype = page.dtype
    if dtype is None or dtype.kind not in "ui" or page.bitspersample != 8 * dtype.itemsize:
        raise ImageFault("pixels that are not whole numbers of 8, 16 or 32 bits; convert it")
    n_extra = page.samplesperpixel - n_channels
    if not n_channels or n_extra not in (0, 1) or page.imagedepth != 1:
        raise ImageFault(f"{page.samplesperpixel} channels; windows are read of grey and RGB alone")
    if page.samplesperpixel > 1 and page.planarconfig != 1:
        raise ImageFault("planes that lie apart; save it with the channels side by side")
    if page.tags.valueof(274, TOP_LEFT) != TOP_LEFT:
        raise ImageFault("stored turned or mirrored (tag Orientation); save it upright")
    if len(pages) > 1 and pages[1].shape == page.shape:
        raise ImageFault("several pictures of one size in one file, expected one; save them apart")
    return TiffPicture(page, (height, width), n_channels, segment_of(page))


def segment_of(page: TiffPage) -> tuple[int, int]:
    """Height and width of the segments of a page, or of all where it can be mapped.

    Raises:
        ImageFault: If the segments are not as many as the header says, or too large.
    """
    height, width = page.imagelength, page.imagewidth
    if page.compression == COMPRESSION.NONE and not page.is_tiled and page.is_contiguous:
        return height, width
    shape = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, width)
    shape = min(shape[0], height) if not page.is_tiled else shape[0], shape[1]
    if min(shape) < 1:
        raise ImageFault(f"segments of {shape[0]}×{shape[1]} pixels, expected some")
    n_bytes = shape[0] * shape[1] * page.samplesperpixel * (page.bitspersample // 8)
    if shape[0] * shape[1] > MAX_PIXELS or n_bytes > MOST_BYTES_OF_SEGMENT:
        raise ImageFault(
            f"one compressed piece of {shape[0]}×{shape[1]} pixels, which would be decoded whole; "
            "save it in tiles of 256 to 1024 pixels"
        )
    expected = -(-height // shape[0]) * -(-width // shape[1])
    if len(page.dataoffsets) != expected or len(page.databytecounts) != expected:
        raise ImageFault(f"{len(page.dataoffsets)} pieces, expected {expected}; copy it again")
    return shape


def read_plain(picture: TiffPicture, window: Box) -> Integer[np.ndarray, "h w c"]:
    """A window of pixels that are not compressed, by mapping the file."""
    page = picture.page
    assert page.dtype is not None
    handle = page.parent.filehandle
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    shape = (*picture.shape, page.samplesperpixel)
    pixels = np.memmap(handle.path, dtype, "r", page.dataoffsets[0], shape)
    return np.array(pixels[window.top : window.bottom, window.left : window.right])


def join(picture: TiffPicture, window: Box) -> Integer[np.ndarray, "h w c"]:
    """A window put together of the segments that it touches."""
    page = picture.page
    joined = np.full((*window.shape, page.samplesperpixel), page.nodata, page.dtype)
    for index, box in segments_in(picture, window):
        decoded = decode(page, index)
        if decoded is None:
            continue
        top, left = max(box.top, window.top), max(box.left, window.left)
        bottom = min(box.top + decoded.shape[0], window.bottom)
        right = min(box.left + decoded.shape[1], window.right)
        part = decoded[top - box.top : bottom - box.top, left - box.left : right - box.left]
        joined[top - window.top : bottom - window.top, left - window.left : right - window.left] = (
            part
        )
    return joined


def segments_in(picture: TiffPicture, window: Box) -> Iterator[Segment]:
    """The number and the place of each segment that a window touches."""
    height, width = picture.segment
    n_columns = -(-picture.shape[1] // width)
    for row in range(window.top // height, -(-window.bottom // height)):
        for column in range(window.left // width, -(-window.right // width)):
            top, left = row * height, column * width
            yield row * n_columns + column, Box(top, left, top + height, left + width)


def decode(page: TiffPage, index: int) -> Integer[np.ndarray, "h w c"] | None:
    """The pixels of a segment; ``None`` where the file leaves it out.

    Raises:
        ImageFault: If it is cut, or has more bytes than it may.
    """
    n_bytes = page.databytecounts[index]
    if not n_bytes:
        return None
    if n_bytes > MOST_BYTES_OF_SEGMENT:
        raise ImageFault(f"a piece of {n_bytes:,} bytes; save it in smaller tiles")
    handle = page.parent.filehandle
    handle.seek(page.dataoffsets[index])
    content = handle.read(n_bytes)
    if len(content) != n_bytes:
        raise ImageFault(f"cut: {len(content):,} of {n_bytes:,} bytes of a piece; copy it again")
    segment = page.decode(content, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0]
    return None if segment is None else np.asarray(segment[0])  # of one depth
