"""Reading one image file, or saying in one line why it cannot be read."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8
from PIL import Image, UnidentifiedImageError

from cellxai.data.records import MaskLoader

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
MAX_PIXELS = 100_000_000  # a microscope's field of view has a tenth of it or less
GREY_MODES = ("1", "L", "LA")
BITS_PER_SAMPLE = 258  # the TIFF tag


class ImageFault(ValueError):  # noqa: N818 - the file is at fault, not the program
    """An image file that cannot be read: one line that names it and says why."""


def read_image(path: Path) -> UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]:
    """The pixels of a PNG, JPEG, TIFF or BMP file of 8 bits.

    Grey stays one plane, and black-and-white becomes 0 and 255. Colour is RGB; a palette is looked
    up, and gives RGB too. Alpha is dropped, not blended with a background that no file names.

    Raises:
        ImageFault: If the file is missing, broken anywhere, of more than 8 bits, of several
            pictures, or too large to be a field of view.
    """
    with faults_named(path):
        image = load_strictly(path.read_bytes(), max_bits=8)
        return np.array(image.convert("L" if image.mode in GREY_MODES else "RGB"))


def read_mask(path: Path) -> Int32[np.ndarray, "h w"]:
    """A label map: the grey values, of 8 or 16 bits, or the palette's indices, as they are stored.

    Raises:
        ImageFault: As :func:`read_image`, or if the file has colours.
    """
    with faults_named(path):
        image = load_strictly(path.read_bytes(), max_bits=16)
        if len(image.getbands()) != 1:
            raise ImageFault(f"a mask in {image.mode}, expected one plane of labels, 0 outside")
        return np.array(image).astype(np.int32)


def mask_loader(path: Path) -> MaskLoader:
    """Reads a label map when called."""
    return lambda: read_mask(path)


@contextmanager
def faults_named(path: Path) -> Iterator[None]:
    """Turns whatever goes wrong with a file into an :class:`ImageFault` that names it."""
    try:
        yield
    except FileNotFoundError:
        raise ImageFault(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise ImageFault(f"{path}: no image, expected {', '.join(FORMATS)}") from None
    except ImageFault as fault:
        raise ImageFault(f"{path}: {fault}") from None
    # Pillow's decoders raise all of these on damaged files.
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageFault(f"{path}: truncated or corrupt ({reason}); copy it again") from None


def load_strictly(content: bytes, max_bits: int) -> Image.Image:
    """The image in a file's bytes, decoded to its last pixel and every checksum right."""
    # Pillow, because OpenCV answers None, which dies later and without the file's name, and one
    # flipped byte of a PNG can end the whole process in torchvision.io.
    image = _open(content)
    check_kind(image, content, max_bits)
    # Loading alone accepts a file that was cut after its last pixel; this reads all checksums.
    image.verify()
    image = _open(content)
    image.load()
    return image


def _open(content: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # MAX_PIXELS is the limit here; Pillow's own is another, and only a warning.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(io.BytesIO(content), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise ImageFault(f"too large ({error})") from None


def check_kind(image: Image.Image, content: bytes, max_bits: int) -> None:
    """Refuses, from its header, an image that cannot become 8-bit pixels without a choice."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageFault(
            f"{width}×{height} pixels are too large, expected at most {MAX_PIXELS:,}; tile it"
        )
    n_pictures = getattr(image, "n_frames", 1)
    if n_pictures > 1:
        raise ImageFault(f"{n_pictures} pictures in one file, expected one; save them apart")
    bits = bits_per_channel(image, content)
    if bits > max_bits:
        colour = "grey" if len(image.getbands()) == 1 else "colour"
        raise ImageFault(
            f"{bits}-bit {colour} is not read: convert to 8 bits by a rule that you state, "
            "such as dividing by the camera's full scale"
        )


def bits_per_channel(image: Image.Image, content: bytes) -> int:
    """Bits of one channel as stored; Pillow's mode hides 16-bit colour behind ``RGB``."""
    if image.format == "PNG":
        return content[24]  # the header chunk always comes first and has a fixed layout
    if image.format == "TIFF":
        return int(np.max(image.tag_v2.get(BITS_PER_SAMPLE, 1)))  # pyright: ignore
    return 8
