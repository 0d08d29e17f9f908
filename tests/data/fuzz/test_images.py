"""Image files changed at random are images, or are refused in one line with their name."""

import io
import resource

import cv2
import numpy as np
import pytest
from mutations import mutate_bytes, refused
from PIL import Image

from cellxai.data.image_formats import read_image
from cellxai.data.masks.label_maps import read_mask

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 255, (24, 31), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 255, (24, 31, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65535, (24, 31), dtype=np.uint16)
DEEP_COLOUR = RANDOM.integers(0, 65535, (24, 31, 3), dtype=np.uint16)
MOST_BYTES = 3 * 10**9  # that a file of a few thousand bytes may take


def save(pixels: np.ndarray, suffix: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, suffix, **options)
    return file.getvalue()


def save_deep(suffix: str) -> bytes:
    return cv2.imencode(suffix, DEEP_COLOUR)[1].tobytes()


def save_palette() -> bytes:
    file = io.BytesIO()
    Image.fromarray(COLOUR).quantize(16).save(file, "png")
    return file.getvalue()


SOUND = {
    "grey.png": save(GREY, "png"),
    "colour.png": save(COLOUR, "png"),
    "deep.png": save(DEEP, "png"),
    "deepcolour.png": save_deep(".png"),
    "palette.png": save_palette(),
    "grey.jpg": save(GREY, "jpeg"),
    "colour.jpg": save(COLOUR, "jpeg", progressive=True),
    "grey.bmp": save(GREY, "bmp"),
    "colour.bmp": save(COLOUR, "bmp"),
    "grey.tif": save(GREY, "tiff"),
    "colour.tif": save(COLOUR, "tiff", compression="tiff_lzw"),
    "deep.tif": save(DEEP, "tiff", compression="tiff_deflate"),
    "deepcolour.tif": save_deep(".tif"),
    "packed.tif": save(GREY, "tiff", compression="packbits"),
    "jpeg.tif": save(COLOUR, "tiff", compression="jpeg"),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, of tags that are odd
@pytest.mark.parametrize("name", SOUND)
def test_a_changed_file_is_an_image_or_refused_with_its_name(tmp_path, name):
    path = tmp_path / name
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_refused = 0
    for content in mutate_bytes(SOUND[name], 600):
        path.write_bytes(content)
        for read in (read_image, read_mask):
            message = refused(lambda read=read: read(path))
            n_refused += message is not None
            assert message is None or message.startswith(f"{path}: ")
            assert "\n" not in (message or "")
    assert n_refused > 100
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < MOST_BYTES
