"""What is wrong with a file, in one line that names it, and how much may be decoded."""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import UnidentifiedImageError

from gmm.files.regular import explain_permission

MAX_PIXELS = 100_000_000  # a microscope's field of view has a tenth of it or less
MAX_BYTES = 8 * MAX_PIXELS + 2**20  # colour and alpha of 16 bits, not compressed
MAX_DECODED = 20 * MAX_PIXELS  # samples of a stack that one picture is made of: half a minute

EXPECTED = "PNG, JPEG, TIFF, BMP, arrays of NumPy, OME-Zarr, CZI or LIF"

# What decoders raise at damaged files, found by changing files at random: a tag of another type
# ends in a TypeError, and NumPy reads an odd header as Python's tokens.
DECODING = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError,
    AttributeError, RuntimeError, MemoryError, struct.error, zlib.error, cv2.error,
    zipfile.BadZipFile, tokenize.TokenError,
)  # fmt: skip


class ImageFault(ValueError):  # noqa: N818 - the file is at fault, not the program
    """An image file that cannot be read: one line that names it and says why."""


def damage(reason: str) -> ImageFault:
    """The fault of a file that is not whole."""
    return ImageFault(f"truncated or corrupt ({reason}); copy it again")


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
        raise ImageFault(f"{path}: no image, expected {EXPECTED}") from None
    except ImageFault as fault:
        raise ImageFault(f"{path}: {fault}") from None
    except DECODING as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageFault(f"{path}: {damage(reason)}") from None


def check_area(height: int, width: int) -> None:
    """Refuses a picture that is too large to be a field of view, before it takes memory."""
    if height * width > MAX_PIXELS:
        raise ImageFault(
            f"{width}×{height} pixels are too large, expected at most {MAX_PIXELS:,}; tile it"
        )


def check_kind_of_number(dtype: np.dtype) -> None:
    """Refuses pixels that are not whole numbers from 0, of 8 or 16 bits, nor fractions."""
    bits = 8 * dtype.itemsize
    if dtype.kind == "i":
        raise ImageFault(
            f"signed pixels of {bits} bits, expected ones without a sign; add an offset that you "
            "state, and save them again"
        )
    if dtype.kind not in "bfu":
        raise ImageFault(f"pixels of type {dtype}, expected whole numbers from 0, or fractions")
    if dtype.kind == "u" and bits > 16:
        raise ImageFault(
            f"{bits}-bit pixels are not read: convert to 8 or 16 bits by a rule that you state, "
            "such as dividing by the camera's full scale"
        )
