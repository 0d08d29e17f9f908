"""Pictures as the page holds them: ``data:`` addresses, no larger than what is looked at."""

import io
from base64 import b64encode
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from PIL import Image

LARGE_PNG = 150_000  # bytes; a plot is smaller, and stays sharp to the pixel
SHOWN_WIDTH = 1152  # pixels: the page is no wider
MOST_HEIGHT = 8000  # pixels
MOST_PIXELS = 50_000_000  # of a picture that is decoded
QUALITY = 85  # of WebP: differences are not seen, letters stay sharp


def address_of(content: bytes, kind: str) -> str:
    """Bytes as a ``data:`` address of an image of this kind, such as ``png``."""
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def png(pixels: UInt8[np.ndarray, "h w *c"]) -> str:
    """Pixels as the ``data:`` address of a PNG, without loss."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return address_of(buffer.getvalue(), "png")


# The pages of two runs side by side, and each page that is made again, have pictures in common.
@lru_cache(maxsize=64)
def shrink(content: bytes) -> str:
    """A PNG as an address: a small one as it is, a large one as WebP at the width of the page.

    Raises:
        ValueError: If it has more than ``MOST_PIXELS`` or cannot be decoded.
    """
    if len(content) <= LARGE_PNG:
        return address_of(content, "png")
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"{picture.width} × {picture.height} pixels are too many")
            picture = picture.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"a PNG that cannot be decoded, {error}") from None
    picture.thumbnail((SHOWN_WIDTH, MOST_HEIGHT))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=2)
    webp = buffer.getvalue()
    return address_of(webp, "webp") if len(webp) < len(content) else address_of(content, "png")
