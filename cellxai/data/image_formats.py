"""Reading one image file, or saying in one line why it cannot be read."""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt, UInt16
from PIL import Image, UnidentifiedImageError

from cellxai.data import tiff_tags
from cellxai.data.corruption import corrupt_image
from cellxai.data.records import Record
from gmm.files.regular import explain_permission, explain_unreadable

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
MAX_PIXELS = 100_000_000  # a microscope's field of view has a tenth of it or less
MAX_BYTES = 8 * MAX_PIXELS + 2**20  # colour and alpha of 16 bits, not compressed
GREY_MODES = ("1", "L", "LA")
WHITE_IS_ZERO = 0
PNG_BITS, PNG_COLOUR_TYPE = 24, 25  # places in the header, which always comes first
GREY_WITH_ALPHA = 4

# What decoders raise at damaged files; all but the last are Pillow's, found by changing files at
# random: a tag of another type ends in a TypeError.
DECODING = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError,
    AttributeError, RuntimeError, MemoryError, struct.error, zlib.error, cv2.error,
)  # fmt: skip

# MAX_PIXELS is the limit here; Pillow's own is another, and only a warning. For good: a filter of a
# block is that of all threads, and is lost where two of them set it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

PixelCheck = Callable[[Image.Image, bytes], None]


class ImageFault(ValueError):  # noqa: N818 - the file is at fault, not the program
    """An image file that cannot be read: one line that names it and says why."""


def read_pixels(record: Record) -> UInt[np.ndarray, "h w *p"]:
    """The pixels of a record: those of its file, after what the record says corrupts them.

    Raises:
        ImageFault: As :func:`read_image`.
    """
    image = read_image(record.path) if record.load_image is None else record.load_image()
    return corrupt_image(image, record.id, record.corruptions)


def read_image(path: Path) -> UInt[np.ndarray, "h w"] | UInt[np.ndarray, "h w 3"]:
    """The pixels of a PNG, JPEG, TIFF or BMP file as they are stored: of 8 bits, or else of 16.

    Grey stays one plane, and black-and-white becomes 0 and 255. Colour is RGB; a palette is looked
    up, and gives RGB too. Alpha is dropped, not blended with a background that no file names.

    Raises:
        ImageFault: If the file is missing, broken anywhere, of more than 16 bits or signed, of
            several pictures or of channels that are not read, or too large to be a field of view.
    """
    with name_faults(path):
        content = read_content(path)
        image = load_strictly(content, check_intensities)
        if bits_per_channel(image, content) > 8:
            return decode_deep_pixels(image, content)
        return np.array(image.convert("L" if image.mode in GREY_MODES else "RGB"))


def read_content(path: Path) -> bytes:
    """The bytes of an image file that is one picture of a size and kind that are read.

    Its kind is known before it is read whole, which of a file from elsewhere may take all memory.

    Raises:
        ImageFault: If it is no file, none of the formats, too large, or not one picture.
    """
    if (reason := explain_unreadable(path)) is not None:
        raise ImageFault(reason)
    with path.open("rb") as file:
        check_kind(_open(file))
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise ImageFault(f"{size:,} bytes are too large, expected at most {MAX_BYTES:,}")
        file.seek(0)
        return file.read()


def count_pixels(path: Path) -> int:
    """Pixels that the header of an image file promises; 0 where it cannot be read."""
    try:
        with name_faults(path):
            if explain_unreadable(path) is None:
                with path.open("rb") as file:
                    width, height = _open(file).size
                return min(width * height, MAX_PIXELS)
    except ImageFault:
        pass
    return 0


def decode_deep_pixels(
    image: Image.Image, content: bytes
) -> UInt16[np.ndarray, "h w"] | UInt16[np.ndarray, "h w 3"]:
    """The 16-bit pixels of an image.

    Raises:
        ImageFault: If they are signed, or cannot be decoded for certain.
    """
    if image.mode.startswith("I;16"):
        pixels = np.array(image).astype(np.uint16)  # in this machine's order of bytes
        return 65535 - pixels if tiff_tags.photometric(image) == WHITE_IS_ZERO else pixels
    if len(image.getbands()) == 1:
        raise ImageFault(f"grey of mode {image.mode}, expected 16 bits without a sign; convert it")
    # Of colour Pillow keeps the upper 8 bits alone. OpenCV reads all 16, of some files wrongly: it
    # has to agree with Pillow.
    blue_first = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    upper_bits = np.array(image.convert("RGB"))
    colour = None if blue_first is None else blue_first[..., 2::-1]
    if colour is None or not np.array_equal(colour // 256, upper_bits):
        raise ImageFault(
            f"16-bit colour of mode {image.mode}, stored in an unusual way; save it as PNG"
        )
    grey = image.format == "PNG" and content[PNG_COLOUR_TYPE] == GREY_WITH_ALPHA
    return np.ascontiguousarray(colour[..., 0] if grey else colour)


@contextmanager
def name_faults(path: Path) -> Iterator[None]:
    """Turns whatever goes wrong with a file into an :class:`ImageFault` that names it."""
    try:
        yield
    except FileNotFoundError:
        raise ImageFault(f"{path}: no such file") from None
    except PermissionError:
        raise ImageFault(f"{path}: {explain_permission(path)}") from None
    except UnidentifiedImageError:
        raise ImageFault(f"{path}: no image, expected {', '.join(FORMATS)}") from None
    except ImageFault as fault:
        raise ImageFault(f"{path}: {fault}") from None
    except DECODING as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageFault(f"{path}: truncated or corrupt ({reason}); copy it again") from None


def load_strictly(content: bytes, check_pixels: PixelCheck) -> Image.Image:
    """The image in a file's bytes, decoded to its last pixel and every checksum right.

    Args:
        content: The file.
        check_pixels: Refuses, from the header, a type of pixels that is of no use.
    """
    # Pillow, because OpenCV answers None, which dies later and without the file's name, and one
    # flipped byte of a PNG can end the whole process in torchvision.io.
    image = _open(io.BytesIO(content))
    check_pixels(image, content)
    # Loading alone accepts a file that was cut after its last pixel; this reads all checksums.
    image.verify()
    image = _open(io.BytesIO(content))
    image.load()
    return image


def _open(file: io.BytesIO | io.BufferedReader) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageFault(f"too large ({error})") from None


def check_kind(image: Image.Image) -> None:
    """Refuses, from its header, a file that is not one picture of which every channel is read."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageFault(
            f"{width}×{height} pixels are too large, expected at most {MAX_PIXELS:,}; tile it"
        )
    n_pictures = max(getattr(image, "n_frames", 1), tiff_tags.count_imagej_pictures(image))
    if n_pictures > 1:
        raise ImageFault(f"{n_pictures} pictures in one file, expected one; save them apart")
    n_channels, n_read = tiff_tags.count_channels(image)
    if n_channels != n_read:
        raise ImageFault(
            f"{n_channels} channels in one file, of which {n_read} would be read; expected 1 or 3 "
            "with no other than alpha beside them: save each as an image of its own"
        )


def check_intensities(image: Image.Image, content: bytes) -> None:
    """Refuses pixels that are not whole numbers from 0, of 8 or 16 bits."""
    bits = bits_per_channel(image, content)
    if tiff_tags.has_sign(image):
        raise ImageFault(
            f"signed pixels of {bits} bits, expected ones without a sign; add an offset that you "
            "state, and save them again"
        )
    if bits > 16:
        raise ImageFault(
            f"{bits}-bit pixels are not read: convert to 8 or 16 bits by a rule that you state, "
            "such as dividing by the camera's full scale"
        )


def bits_per_channel(image: Image.Image, content: bytes) -> int:
    """Bits of one channel as stored; Pillow's mode hides 16-bit colour behind ``RGB``."""
    if image.format == "PNG":
        return content[PNG_BITS]
    if image.format == "TIFF":
        return tiff_tags.bits_per_sample(image)
    return 8
