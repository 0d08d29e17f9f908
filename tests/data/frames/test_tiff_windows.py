import numpy as np
import pytest
import tifffile
from cell_scenes import noise

from cellxai.data.frames.tiff_windows import read_shape, read_window
from cellxai.data.frames.window import Box
from cellxai.data.image_formats import ImageFault, read_image

GREY, RGB, DEEP = noise((150, 210)), noise((150, 210, 3)), noise((150, 210), most=4096)
WINDOWS = [Box(0, 0, 150, 210), Box(0, 0, 1, 1), Box(149, 209, 150, 210), Box(30, 60, 97, 131)]
STORED = {
    "plain": {},
    "strips": {"rowsperstrip": 7, "compression": "zlib"},
    "tiles": {"tile": (32, 48)},
    "deflated tiles": {"tile": (32, 48), "compression": "zlib", "predictor": True},
    "LZW strips": {"rowsperstrip": 16, "compression": "lzw"},
    "packed bits": {"tile": (16, 16), "compression": "packbits"},
    "zstandard": {"tile": (64, 64), "compression": "zstd"},
    "big": {"tile": (64, 64), "bigtiff": True},
    "high byte first": {"rowsperstrip": 9, "byteorder": ">"},
}


@pytest.mark.parametrize("how", STORED)
@pytest.mark.parametrize("pixels", [GREY, RGB, DEEP], ids=["grey", "rgb", "deep"])
def test_a_window_is_a_slice_of_what_was_written(tmp_path, how, pixels):
    options = dict(STORED[how])
    order = {"byteorder": options.pop("byteorder")} if "byteorder" in options else {}
    path = tmp_path / "image.tif"
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, photometric=photometric, **options, **order)
    assert read_shape(path) == (150, 210)
    for window in WINDOWS:
        shown = read_window(path, window)
        expected = pixels[window.top : window.bottom, window.left : window.right]
        np.testing.assert_array_equal(shown, expected)
        assert shown.dtype == pixels.dtype


def test_white_is_zero_and_alpha_are_read_as_a_whole_image_is(tmp_path):
    inverted, alpha = tmp_path / "white.tif", tmp_path / "alpha.tif"
    tifffile.imwrite(inverted, GREY, photometric="miniswhite", tile=(32, 32))
    with_alpha = np.dstack([RGB, GREY])
    tifffile.imwrite(alpha, with_alpha, photometric="rgb", extrasamples=[2], tile=(32, 32))
    for path in (inverted, alpha):
        np.testing.assert_array_equal(read_window(path, WINDOWS[0]), read_image(path))


def test_only_what_a_window_touches_is_decoded(tmp_path):
    path, window = tmp_path / "image.tif", Box(33, 50, 65, 96)
    tifffile.imwrite(path, GREY, tile=(32, 48), compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        for index in {*range(len(page.dataoffsets))} - {1 * 5 + 1, 2 * 5 + 1}:
            start = page.dataoffsets[index]
            content[start : start + page.databytecounts[index]] = bytes(page.databytecounts[index])
    path.write_bytes(content)
    np.testing.assert_array_equal(read_window(path, window), GREY[33:65, 50:96])
    with pytest.raises(ImageFault):
        read_window(path, WINDOWS[0])


def test_an_image_larger_than_what_is_decoded_whole_is_read_where_it_is_asked(tmp_path):
    path = tmp_path / "large.tif"
    tifffile.memmap(path, shape=(20_000, 10_000), dtype=np.uint8)[19_990:, 5:9] = 7
    with pytest.raises(ImageFault, match="too large"):
        read_image(path)
    assert read_window(path, Box(19_989, 4, 20_000, 10)).sum() == 7 * 10 * 4


class TestARefusal:
    @pytest.mark.parametrize(
        ("write", "message"),
        [
            (lambda p: tifffile.imwrite(p, np.zeros((9, 9), np.float32)), "not whole numbers"),
            (lambda p: tifffile.imwrite(p, np.zeros((5, 9, 9), np.uint8), photometric="minisblack"),
             "several pictures of one size"),
            (lambda p: tifffile.imwrite(p, noise((9, 9, 5)), photometric="minisblack",
                                        planarconfig="contig"), "5 channels"),
            (lambda p: tifffile.imwrite(p, RGB.transpose(2, 0, 1), photometric="rgb",
                                        planarconfig="separate"), "planes that lie apart"),
            (lambda p: tifffile.imwrite(p, GREY, extratags=[(274, 3, 1, 6, True)]), "turned"),
            (lambda p: p.write_bytes(b"no tiff at all"), "truncated or corrupt"),
        ],
    )  # fmt: skip
    def test_names_the_file_and_the_way_out(self, tmp_path, write, message):
        path = tmp_path / "image.tif"
        write(path)
        with pytest.raises(ImageFault, match=rf"image\.tif: .*{message}"):
            read_shape(path)

    def test_is_that_of_one_large_compressed_piece(self, tmp_path, monkeypatch):
        from cellxai.data.frames import tiff_windows

        monkeypatch.setattr(tiff_windows, "MAX_PIXELS", 1000)
        path = tmp_path / "image.tif"
        tifffile.imwrite(path, GREY, rowsperstrip=150, compression="zlib")
        with pytest.raises(
            ImageFault, match=r"one compressed piece of 150×210 pixels, .* in tiles"
        ):
            read_shape(path)

    def test_is_that_of_a_file_that_was_cut(self, tmp_path):
        path = tmp_path / "image.tif"
        tifffile.imwrite(path, GREY, tile=(32, 48), compression="zlib")
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(ImageFault, match=r"image\.tif"):
            read_window(path, WINDOWS[0])

    @pytest.mark.parametrize("seed", range(60))
    def test_or_pixels_answer_any_change_of_a_byte(self, tmp_path, seed):
        path, random = tmp_path / "image.tif", np.random.default_rng(seed)
        tifffile.imwrite(path, GREY[:40, :60], tile=(16, 16), compression="zlib")
        content = bytearray(path.read_bytes())
        # The first half of the changes hit the header, where sizes and offsets are.
        end = 300 if seed % 2 else len(content)
        content[int(random.integers(end))] = int(random.integers(256))
        path.write_bytes(content)
        outcome = ""
        outcome = ""
        try:
            height, width = read_shape(path)
            read_window(path, Box(0, 0, min(height, 40), min(width, 60)))
        except ImageFault as fault:
            outcome = str(fault)
        assert not outcome or outcome.startswith(str(path))
