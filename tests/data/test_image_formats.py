import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from written_tiff import write_tiff

from cellxai.data.image_formats import ImageFault, read_image
from cellxai.data.masks.label_maps import read_mask

GREY = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff", "bmp"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_lossless_files_come_back_pixel_for_pixel(tmp_path, suffix, pixels):
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_image(path), pixels)


def test_colour_is_in_the_order_red_green_blue(tmp_path):
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 2] = 255  # OpenCV writes blue first
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert read_image(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]


def test_grey_jpeg_stays_one_plane(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "image.jpg")
    assert read_image(tmp_path / "image.jpg").shape == (12, 16)


def test_alpha_is_dropped_and_not_blended(tmp_path):
    alpha = np.zeros((12, 16, 1), dtype=np.uint8)
    Image.fromarray(np.concatenate([COLOUR, alpha], -1)).save(tmp_path / "rgba.png")
    Image.fromarray(np.stack([GREY, GREY * 0], -1)).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png"), COLOUR)
    np.testing.assert_array_equal(read_image(tmp_path / "la.png"), GREY)


def test_a_palette_is_looked_up(tmp_path):
    Image.fromarray(COLOUR).quantize(4).save(tmp_path / "palette.png")
    expected = np.array(Image.open(tmp_path / "palette.png").convert("RGB"))
    np.testing.assert_array_equal(read_image(tmp_path / "palette.png"), expected)


def test_black_and_white_becomes_0_and_255(tmp_path):
    Image.fromarray(GREY > 90).save(tmp_path / "bits.png")
    assert np.unique(read_image(tmp_path / "bits.png")).tolist() == [0, 255]


def fault_of(path, read=read_image) -> str:
    with pytest.raises(ImageFault) as fault:
        read(path)
    assert str(fault.value).startswith(str(path))
    assert "\n" not in str(fault.value)
    return str(fault.value)


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in fault_of(tmp_path / "gone.png")


def test_a_folder_is_no_image(tmp_path):
    (tmp_path / "folder.png").mkdir()
    fault_of(tmp_path / "folder.png")


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "text.png").write_text("not an image")
    assert "no image" in fault_of(tmp_path / "text.png")


def test_a_png_cut_anywhere_is_refused(tmp_path):
    content = io.BytesIO()
    Image.fromarray(GREY).save(content, "PNG")
    whole = content.getvalue()
    for length in range(len(whole) - 4):  # of the last 4 bytes, the end mark's checksum, all agree
        (tmp_path / "cut.png").write_bytes(whole[:length])
        fault_of(tmp_path / "cut.png")


def test_a_png_with_one_flipped_bit_of_its_pixels_is_refused(tmp_path):
    content = io.BytesIO()
    Image.fromarray(GREY).save(content, "PNG")
    start = content.getvalue().index(b"IDAT") + 4
    for position in range(start, len(content.getvalue()) - 12):
        damaged = bytearray(content.getvalue())
        damaged[position] ^= 1
        (tmp_path / "flipped.png").write_bytes(damaged)
        assert "corrupt" in fault_of(tmp_path / "flipped.png")


@pytest.mark.parametrize("suffix", ["jpg", "tif", "bmp"])
def test_other_formats_cut_in_half_are_refused(tmp_path, suffix):
    content = io.BytesIO()
    large = np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)
    Image.fromarray(large).save(content, {"jpg": "JPEG", "tif": "TIFF", "bmp": "BMP"}[suffix])
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(content.getvalue()[: len(content.getvalue()) // 2])
    fault_of(path)


DEEP = RNG.integers(0, 65536, (12, 16), dtype=np.uint16)
DEEP_COLOUR = RNG.integers(0, 65536, (12, 16, 3), dtype=np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("writer", ["pillow", "opencv"])
def test_16_bit_grey_comes_back_pixel_for_pixel(tmp_path, suffix, writer):
    path = tmp_path / f"deep.{suffix}"
    if writer == "pillow":
        Image.fromarray(DEEP).save(path)
    else:
        cv2.imwrite(str(path), DEEP)
    np.testing.assert_array_equal(read_image(path), DEEP)
    assert read_image(path).dtype == np.uint16


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_colour_keeps_all_16_although_pillow_shows_8(tmp_path, suffix):
    path = tmp_path / f"deep.{suffix}"
    cv2.imwrite(str(path), DEEP_COLOUR[..., ::-1])  # OpenCV writes blue first
    np.testing.assert_array_equal(read_image(path), DEEP_COLOUR)


def png_of(pixels: np.ndarray, colour_type: int) -> bytes:
    """A 16-bit PNG written by its specification: 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("colour_type", [0, 2, 4, 6])
def test_16_bit_pixels_are_those_of_the_specification_and_alpha_is_dropped(tmp_path, colour_type):
    n_planes = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    pixels = RNG.integers(0, 65536, (12, 16, n_planes), dtype=np.uint16)
    (tmp_path / "deep.png").write_bytes(png_of(pixels, colour_type))
    expected = pixels[..., 0] if colour_type in (0, 4) else pixels[..., :3]
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), expected)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_16_bit_colour_is_refused(tmp_path, damage):
    content = bytearray(png_of(DEEP_COLOUR, 2))
    if damage == "flipped":
        content[200] ^= 1
    (tmp_path / "deep.png").write_bytes(
        content[: len(content) // 2] if damage == "cut" else content
    )
    assert "corrupt" in fault_of(tmp_path / "deep.png")


@pytest.mark.parametrize("colour", [None, np.zeros((12, 16, 3), dtype=np.uint16)])
def test_16_bit_colour_that_opencv_cannot_decode_for_certain_is_refused(
    tmp_path, monkeypatch, colour
):
    (tmp_path / "deep.png").write_bytes(png_of(DEEP_COLOUR, 2))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: colour)
    assert "stored in an unusual way" in fault_of(tmp_path / "deep.png")


def test_kinds_of_16_bit_tiff(tmp_path):
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, DEEP, byteorder=">")
    np.testing.assert_array_equal(read_image(path), DEEP)
    tifffile.imwrite(path, DEEP, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(path), 65535 - DEEP)
    tifffile.imwrite(path, DEEP_COLOUR, photometric="rgb", compression="zlib")
    np.testing.assert_array_equal(read_image(path), DEEP_COLOUR)
    tifffile.imwrite(path, (DEEP // 2).astype(np.int16))
    assert "signed pixels of 16 bits" in fault_of(path)
    planes = np.ascontiguousarray(DEEP_COLOUR.transpose(2, 0, 1))
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(path), DEEP_COLOUR)


def test_fractions_that_pillow_writes_are_read_as_they_are(tmp_path):
    fractions = RNG.normal(size=(12, 16)).astype(np.float32)
    Image.fromarray(fractions).save(tmp_path / "float.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "float.tif"), fractions)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32])
def test_pixels_with_a_sign_are_refused(tmp_path, kind):
    write_tiff(tmp_path / "signed.tif", (GREY // 2).astype(kind)[..., None], 1, ())
    assert "signed pixels" in fault_of(tmp_path / "signed.tif")


@pytest.mark.parametrize(
    ("n_channels", "photometric", "extra"),
    [(2, 1, [0]), (2, 1, []), (5, 2, [0, 0]), (4, 2, [0]), (5, 2, [2, 0])],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_every_channel_but_alpha_is_a_plane(tmp_path, n_channels, photometric, extra, kind):
    pixels = RNG.integers(0, 256, (12, 16, n_channels)).astype(kind)
    write_tiff(tmp_path / "many.tif", pixels, photometric, extra)
    first = n_channels - len(extra)
    kept = [i for i in range(n_channels) if i < first or extra[i - first] == 0]
    np.testing.assert_array_equal(read_image(tmp_path / "many.tif"), pixels[..., kept])


@pytest.mark.parametrize(("n_channels", "photometric", "alpha"), [(2, 1, 2), (4, 2, 1), (4, 2, 2)])
def test_alpha_is_no_channel_that_is_missed(tmp_path, n_channels, photometric, alpha):
    pixels = np.stack([GREY] * (n_channels - 1) + [0 * GREY + 255], -1)
    write_tiff(tmp_path / "alpha.tif", pixels, photometric, [alpha])
    expected = np.squeeze(pixels[..., : n_channels - 1])
    np.testing.assert_array_equal(read_image(tmp_path / "alpha.tif"), expected)


def test_a_png_of_several_pictures_is_refused(tmp_path):
    path = tmp_path / "stack.png"
    others = [Image.fromarray(GREY + 1), Image.fromarray(GREY + 2)]
    Image.fromarray(GREY).save(path, save_all=True, append_images=others)
    assert "3 pictures" in fault_of(path)


def png_header(width: int, height: int) -> bytes:
    """A PNG of this size, 8-bit grey, whose pixels never come."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1000) + b"IDAT"


@pytest.mark.parametrize("size", [(11_000, 10_000), (20_000, 20_000)])
def test_an_absurd_size_is_refused_before_its_pixels_are_read(tmp_path, size):
    (tmp_path / "bomb.png").write_bytes(png_header(*size))
    assert "too large" in fault_of(tmp_path / "bomb.png")


def test_real_tiff_frames_and_their_16_bit_masks_are_read(shared_data):
    folder = shared_data / "phc_u373"
    image = read_image(folder / "images" / "01_t000.tif")
    mask = read_mask(folder / "masks_silver" / "01_t000.tif")
    assert image.shape == mask.shape == (520, 696)
    assert image.dtype == np.uint8
