"""Pictures as the page holds them."""

import io
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from cellxai.report.encoded_pictures import LARGE_PNG, MOST_PIXELS, SHOWN_WIDTH, png, shrink


def png_of(pixels: np.ndarray) -> bytes:
    return b64decode(png(pixels).partition(",")[2])


def decode(address: str) -> Image.Image:
    return Image.open(io.BytesIO(b64decode(address.partition(",")[2])))


def test_a_small_picture_stays_as_it_is():
    content = png_of(np.arange(200, dtype=np.uint8).reshape(10, 20))
    assert shrink(content) == png(np.arange(200, dtype=np.uint8).reshape(10, 20))


def test_a_large_one_is_webp_at_the_width_of_the_page_and_looks_the_same():
    generator = np.random.default_rng(0)
    smooth = np.kron(generator.integers(0, 256, (40, 100, 1)) * np.ones(3), np.ones((15, 15, 1)))
    noisy = (smooth + generator.normal(0, 5, smooth.shape)).clip(0, 255).astype(np.uint8)
    content = png_of(noisy)
    address = shrink(content)
    shown = decode(address)
    assert address.startswith("data:image/webp;")
    assert len(address) < len(content) / 3
    assert shown.size == (SHOWN_WIDTH, SHOWN_WIDTH * 600 // 1500 + 1)
    expected = np.array(Image.fromarray(noisy).resize(shown.size), float)
    assert np.abs(np.array(shown, float) - expected).mean() < 6


@pytest.mark.parametrize("size", [(10, 10), (MOST_PIXELS // 100 + 1, 100)])
def test_a_large_file_that_is_no_picture_or_too_many_pixels_is_refused(size):
    header = png_of(np.zeros((1, 1), np.uint8))[:16]
    content = header + b"".join(n.to_bytes(4, "big") for n in size) + bytes(LARGE_PNG)
    with pytest.raises(ValueError, match=r"too many|cannot be decoded"):
        shrink(content)
