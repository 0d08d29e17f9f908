"""What was read before comes out as Pillow and OpenCV decode it, turned as EXIF data say."""

import io
import itertools

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from cellxai.data.formats.stack import Stack
from cellxai.data.image_formats import ImageFault, read_image
from cellxai.data.masks.label_maps import read_mask

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (24, 31), dtype=np.uint8)
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "YCbCr")
WRITTEN = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "jpeg": ("L", "RGB", "CMYK", "YCbCr"),
    "bmp": ("1", "L", "P", "RGB"),
    "tiff": MODES,
}
KINDS = [(suffix, mode) for suffix, modes in WRITTEN.items() for mode in modes]


def image_of(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(RNG.integers(0, 65536, (24, 31), dtype=np.uint16))
    colour = Image.fromarray(RNG.integers(0, 256, (24, 31, 3), dtype=np.uint8))
    return colour.quantize(20) if mode == "P" else colour.convert("RGB").convert(mode)


def judge(content: bytes) -> np.ndarray:
    """The pixels by Pillow alone; it turns TIFF when it loads."""
    image = Image.open(io.BytesIO(content))
    image.load()
    if image.format != "TIFF":
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return np.array(image).astype(np.uint16)
    return np.array(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))


@pytest.mark.parametrize(("suffix", "mode"), KINDS)
def test_pixels_are_those_of_pillow(tmp_path, suffix, mode):
    compressions = [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "group4"]
    for compression, orientation in itertools.product(
        compressions if suffix == "tiff" else [None], [1, 6]
    ):
        if compression == "group4" and mode != "1":
            continue
        options = {"compression": compression} if compression else {}
        exif = Image.Exif()
        exif[274] = orientation
        turned = {"exif": exif} if suffix in ("png", "jpeg") else {}
        turned |= {"tiffinfo": {274: orientation}} if suffix == "tiff" else {}
        path = tmp_path / f"a.{suffix}"
        image_of(mode).save(path, **options, **turned)
        np.testing.assert_array_equal(read_image(path), judge(path.read_bytes()))


@pytest.mark.parametrize(("suffix", "n_planes"), [("png", 3), ("png", 4), ("tiff", 3)])
def test_16_bit_colours_are_those_of_opencv(tmp_path, suffix, n_planes):
    pixels = RNG.integers(0, 65536, (24, 31, n_planes), dtype=np.uint16)
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), pixels)
    expected = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., 2::-1]
    np.testing.assert_array_equal(read_image(path), expected)


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_as_their_exif_data_say(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(GREY).save(path, exif=exif)
    np.testing.assert_array_equal(read_image(path), judge(path.read_bytes()))


def test_broken_exif_data_turn_nothing(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / "a.jpeg"
    Image.fromarray(GREY).save(path, exif=exif)
    content = bytearray(path.read_bytes())
    content[content.index(b"II*") if b"II*" in content else content.index(b"MM\0*")] = 0
    path.write_bytes(content)
    assert read_image(path).shape == GREY.shape


def test_a_mask_is_turned_as_its_own_file_says(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(GREY).save(tmp_path / "m.png", exif=exif)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), np.rot90(GREY, -1))


def test_a_file_of_one_picture_has_no_second_time_point(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.png", Stack(axes="ZCYX", z="mean", time=0, series=0)), GREY
    )
    for stack in (Stack(time=1), Stack(series=1), Stack(z=1)):
        with pytest.raises(ImageFault, match="counted from 0"):
            read_image(tmp_path / "a.png", stack)
