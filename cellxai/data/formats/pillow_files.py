"""PNG, JPEG, BMP, and TIFF of one picture in grey or colours, decoded by Pillow."""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt, UInt16
from PIL import Image

from cellxai.data.formats import pillow_tags
from cellxai.data.formats.faults import MAX_BYTES, ImageFault, check_area, check_kind_of_number
from cellxai.data.formats.orientation import orientation_of, turn

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
GREY_MODES = ("1", "L", "LA")
WHITE_IS_ZERO = 0
PNG_BITS, PNG_COLOUR_TYPE = 24, 25  # places in the header, which always comes first
GREY_WITH_ALPHA = 4

# MAX_PIXELS is the limit here; Pillow's own is another, and only a warning. For good: a filter of a
# block is that of all threads, and is lost where two of them set it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Of a file that is cut off there is a line that names it; Pillow's names none.
warnings.filterwarnings("ignore", "Truncated File Read", UserWarning)

PixelCheck = Callable[[Image.Image, bytes], None]


def read_picture(content: bytes) -> UInt[np.ndarray, "h w"] | UInt[np.ndarray, "h w 3"]:
    """The pixels of a file's bytes as they are stored: of 8 bits, or else of 16.

    Grey stays one plane, and black-and-white becomes 0 and 255. Colour is RGB; a palette is looked
    up, and gives RGB too. Alpha is dropped, not blended with a background that no file names. A
    picture that is to be seen turned, as its EXIF data say, is turned.

    Raises:
        ImageFault: If it is broken anywhere, of more than 16 bits or signed, or has 16-bit colours
            that cannot be decoded for certain.
    """
    image = load_strictly(content, check_intensities)
    orientation = orientation_of(image)
    if bits_per_channel(image, content) > 8:
        return turn(decode_deep_pixels(image, content), orientation)
    return turn(np.array(image.convert("L" if image.mode in GREY_MODES else "RGB")), orientation)


def read_content(path: Path) -> bytes:
    """The bytes of a file that is one picture of a size and kind that are read.

    Its kind is known before it is read whole, which of a file from elsewhere may take all memory.

    Raises:
        ImageFault: If it is none of the formats, too large, or not one picture.
    """
    with path.open("rb") as file:
        check_kind(open_header(file))
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise ImageFault(f"{size:,} bytes are too large, expected at most {MAX_BYTES:,}")
        file.seek(0)
        return file.read()


def decode_deep_pixels(
    image: Image.Image, content: bytes
) -> UInt16[np.ndarray, "h w"] | UInt16[np.ndarray, "h w 3"]:
    """The 16-bit pixels of an image.

    Raises:
        ImageFault: If they are signed, or cannot be decoded for certain.
    """
    if image.mode.startswith("I;16"):
        pixels = np.array(image).astype(np.uint16)  # in this machine's order of bytes
        return 65535 - pixels if pillow_tags.photometric(image) == WHITE_IS_ZERO else pixels
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


def load_strictly(content: bytes, check_pixels: PixelCheck) -> Image.Image:
    """The image in a file's bytes, decoded to its last pixel and every checksum right.

    Args:
        content: The file.
        check_pixels: Refuses, from the header, a type of pixels that is of no use.
    """
    # Pillow, because OpenCV answers None, which dies later and without the file's name, and one
    # flipped byte of a PNG can end the whole process in torchvision.io.
    image = open_header(io.BytesIO(content))
    check_pixels(image, content)
    # Loading alone accepts a file that was cut after its last pixel; this reads all checksums.
    image.verify()
    image = open_header(io.BytesIO(content))
    image.load()
    return image


def open_header(file: io.BytesIO | io.BufferedReader) -> Image.Image:
    """What the header of a file says, no pixel decoded.

    Raises:
        UnidentifiedImageError: If it is none of the formats.
    """
    try:
        return Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageFault(f"too large ({error})") from None


def count_pictures(image: Image.Image) -> int:
    """Pictures in a file, as its chain of headers or ImageJ says."""
    return max(getattr(image, "n_frames", 1), pillow_tags.count_imagej_pictures(image))


def check_kind(image: Image.Image) -> None:
    """Refuses, from its header, a file that is not one picture of which every channel is read."""
    check_area(image.height, image.width)
    n_pictures = count_pictures(image)
    if n_pictures > 1:
        raise ImageFault(f"{n_pictures} pictures in one file, expected one; save them apart")
    n_channels, n_read = pillow_tags.count_channels(image)
    if n_channels != n_read:
        raise ImageFault(
            f"{n_channels} channels in one file, of which {n_read} would be read; expected 1 or 3 "
            "with no other than alpha beside them: save each as an image of its own"
        )


def check_intensities(image: Image.Image, content: bytes) -> None:
    """Refuses pixels that are not whole numbers from 0, of 8 or 16 bits."""
    bits = bits_per_channel(image, content)
    sign = pillow_tags.has_sign(image)
    if sign or bits > 16:
        check_kind_of_number(np.dtype(f"{'i' if sign else 'u'}{max(bits // 8, 1)}"))


def bits_per_channel(image: Image.Image, content: bytes) -> int:
    """Bits of one channel as stored; Pillow's mode hides 16-bit colour behind ``RGB``."""
    if image.format == "PNG":
        return content[PNG_BITS]
    if image.format == "TIFF":
        return pillow_tags.bits_per_sample(image)
    return 8
