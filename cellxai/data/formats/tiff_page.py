"""One page of a TIFF, decoded by tifffile and imagecodecs where every number fits to the others."""

import logging
import math
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped
from tifffile import TiffFile, TiffPage

from cellxai.data.formats.faults import ImageFault, check_area, damage
from cellxai.data.formats.orientation import turn

MINISWHITE, MINISBLACK, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
ORIENTATION, COLOUR_MAP = 274, 320
ALPHA = (1, 2)  # of ExtraSamples: premultiplied or not; 0 is "unspecified data"
JPEG = 7
# Those that microscopes write. Others mean more foreign decoders in C that a file can reach.
COMPRESSIONS = {
    1: "none", 5: "LZW", JPEG: "JPEG", 8: "deflate", 32946: "deflate", 32773: "PackBits",
    50000: "zstd", 34926: "zstd", 34925: "LZMA",
}  # fmt: skip
MAX_SAMPLES = 1000  # planes in one page
APART = 2  # of PlanarConfiguration: the samples of a pixel lie in planes of their own
MOST_BITS = 16  # of whole numbers; 9 to 15 are packed

# It logs what it mends or leaves out. Here what is missing is a fault, found by checks of our own.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

Pixels = Shaped[np.ndarray, "h w *s"]


def open_page(tiff: TiffFile, offset: int, number: int) -> TiffPage:
    """The page whose directory lies there, none of its pixels read."""
    tiff.filehandle.seek(offset)
    return TiffPage(tiff, number)


def describe_page(page: TiffPage, alpha: bool = False) -> tuple[int, int, int, np.dtype]:
    """Height, width, planes and type of the pixels that :func:`read_page` will give.

    Args:
        page: The page.
        alpha: Whether what is called alpha is a plane like the others.

    Raises:
        ImageFault: If the page is of a kind that is not read, or too large.
    """
    check_storage(page)
    height, width = page.imagelength, page.imagewidth
    dtype = page.dtype
    if dtype is None:
        raise ImageFault(
            f"pixels of {page.bitspersample} bits (SampleFormat {page.sampleformat}), expected 8 "
            "or 16 without a sign, or fractions of 16, 32 or 64"
        )
    planes = len(kept_samples(page, alpha))
    if page.bitspersample not in (1, 8, 32, 64) and not 8 < page.bitspersample <= MOST_BITS:
        raise ImageFault(f"pixels of {page.bitspersample} bits in a stack, expected 1, 8 or 16")
    if page.photometric == PALETTE:
        planes, dtype = 3, np.dtype(np.uint8)
    if page.tags.valueof(ORIENTATION, 1) in (5, 6, 7, 8):
        height, width = width, height
    return height, width, planes, np.dtype(dtype.type)


def check_storage(page: TiffPage) -> None:
    """Refuses sizes and kinds of storage that are absurd or not read, before memory is taken."""
    if not all(isinstance(side, int) for side in (page.imagelength, page.imagewidth)):
        raise ImageFault("a page whose sides are no numbers")
    if min(page.imagelength, page.imagewidth) < 1:
        raise ImageFault("a page without pixels")
    check_area(page.imagelength, page.imagewidth)
    if page.imagedepth != 1 or page.tiledepth != 1:
        raise ImageFault("blocks of several slices (ImageDepth); save a page for each slice")
    if page.is_tiled:
        check_area(page.tilelength, page.tilewidth)
    if not 1 <= page.samplesperpixel <= MAX_SAMPLES:
        raise ImageFault(f"{page.samplesperpixel} samples, expected 1 to {MAX_SAMPLES}")
    if page.compression not in COMPRESSIONS:
        expected = ", ".join(dict.fromkeys(COMPRESSIONS.values()))
        raise ImageFault(
            f"compression {int(page.compression)} is not read, expected {expected}; save it anew"
        )
    if page.photometric not in (MINISWHITE, MINISBLACK, RGB, PALETTE) and not (
        page.photometric == YCBCR and page.compression == JPEG
    ):
        raise ImageFault(
            f"colours of kind {int(page.photometric)} in a stack are not read, expected grey, RGB "
            "or a palette; save it as RGB"
        )


def kept_samples(page: TiffPage, alpha: bool) -> list[int]:
    """Which samples are planes: all but alpha, which is dropped and not blended with anything."""
    n = page.samplesperpixel
    if alpha:
        return list(range(n))
    extra = page.extrasamples[-n:] if isinstance(page.extrasamples, tuple) else ()
    first = n - len(extra)
    return [i for i in range(n) if i < first or extra[i - first] not in ALPHA]


def read_page(page: TiffPage, file: BinaryIO, n_bytes: int, alpha: bool = False) -> Pixels:
    """The pixels [h w], or [h w s] of several samples, turned as the page says.

    Args:
        page: The page.
        file: The file that it is in.
        n_bytes: Size of the file.
        alpha: Whether what is called alpha is a plane like the others.

    Raises:
        ImageFault: If a strip or tile is missing, lies outside the file, or has another size.
    """
    describe_page(page, alpha)
    check_segments(page, n_bytes)
    if page.compression == JPEG:
        check_jpeg_segments(page, file)
    # One worker: threads decode images side by side already.
    pixels = page.asarray(maxworkers=1, squeeze=False)[:, 0]
    apart = page.planarconfig == APART
    pixels = np.moveaxis(pixels[..., 0], 0, -1) if apart else pixels[0]
    kept = kept_samples(page, alpha)
    if len(kept) < pixels.shape[-1]:
        pixels = pixels[..., kept]
    pixels = as_intensities(page, pixels)
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    return turn(pixels, page.tags.valueof(ORIENTATION, 1))


def as_intensities(page: TiffPage, pixels: Shaped[np.ndarray, "h w s"]) -> Pixels:
    """Grey of which 0 is black, or colours: of a palette the eight upper bits of its entries."""
    if page.photometric == PALETTE:
        colours = page.tags.valueof(COLOUR_MAP)
        if colours is None or pixels.dtype != np.uint8 or pixels.shape[-1] != 1:
            raise ImageFault("a palette of a kind that is not read, expected one of 8 bits")
        table = (np.asarray(colours).reshape(3, -1) >> 8).astype(np.uint8).T
        return table[pixels[..., 0]]
    if page.photometric != MINISWHITE:
        return pixels
    if pixels.dtype.kind == "f":
        raise ImageFault("fractions of which the smallest is white; save them the other way round")
    if pixels.dtype == bool:
        return ~pixels
    return (2**page.bitspersample - 1 - pixels).astype(pixels.dtype)


def check_segments(page: TiffPage, n_bytes: int) -> None:
    """Refuses a page whose strips or tiles are not all there, one after the other in the file."""
    expected = math.prod(page.chunked)
    offsets, lengths = np.array(page.dataoffsets, float), np.array(page.databytecounts, float)
    if not len(offsets) == len(lengths) == expected:
        raise damage(f"{len(offsets)} strips or tiles, expected {expected}")
    inside = (offsets > 0) & (lengths > 0) & (offsets + lengths <= n_bytes)
    if not inside.all() or lengths.sum() > n_bytes:
        raise damage("strips or tiles are empty or lie outside the file")
    row_bits = page.imagewidth * page.bitspersample * page.samplesperpixel
    whole = -(-row_bits // 8) * page.imagelength
    if page.compression == 1 and not page.is_tiled and lengths.sum() < whole:
        raise ImageFault(
            "truncated or corrupt (strips are shorter than the picture); copy it again"
        )


def check_jpeg_segments(page: TiffPage, file: BinaryIO) -> None:
    """Refuses JPEG data that say another size than the page: they would be decoded at theirs."""
    rows, columns = (
        (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    )
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        size = jpeg_size(file.read(min(length, 2**16)))
        if size is None or size[0] > max(rows, page.imagelength) or size[1] > columns:
            raise damage("JPEG data of another size")


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Height and width that a JPEG's frame header says (ITU-T T.81, B.2.2); ``None`` without."""
    place = 2
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = content[place + 5 : place + 7], content[place + 7 : place + 9]
            return int.from_bytes(height), int.from_bytes(width)
        place += 2 + max(length, 2)
    return None
