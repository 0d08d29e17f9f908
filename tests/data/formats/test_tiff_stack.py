"""TIFF of many planes, slices and time points: written by tifffile and Pillow, judged by arrays."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellxai.data.formats.stack import Stack
from cellxai.data.image_formats import ImageFault, read_image

RNG = np.random.default_rng(0)
ZC = RNG.integers(0, 65536, (3, 4, 20, 30), dtype=np.uint16)
PLANES = ZC[0].transpose(1, 2, 0)


def fault_of(path, stack: Stack = Stack()) -> str:
    with pytest.raises(ImageFault) as fault:
        read_image(path, stack)
    assert str(fault.value).startswith(f"{path}: ")
    assert "\n" not in str(fault.value)
    return str(fault.value)


def planes_first(stack: np.ndarray) -> np.ndarray:
    """[z c y x] as planes, all slices of the first channel first."""
    return stack.transpose(1, 0, 2, 3).reshape(-1, *stack.shape[2:]).transpose(1, 2, 0)


PICTURES = {
    "max": ZC.max(0).transpose(1, 2, 0),
    "mean": np.rint(ZC.mean(0)).astype(np.uint16).transpose(1, 2, 0),
    "middle": ZC[1].transpose(1, 2, 0),
    "planes": planes_first(ZC),
    2: ZC[2].transpose(1, 2, 0),
}


@pytest.mark.parametrize("z", PICTURES)
@pytest.mark.parametrize("kind", ["ome", "imagej", "one header", "json", "big, by end"])
def test_slices_become_a_picture_as_told_and_channels_planes(tmp_path, kind, z):
    path = tmp_path / ("s.ome.tif" if kind == "ome" else "s.tif")
    options = {
        "ome": {"ome": True},
        "imagej": {"imagej": True},
        "one header": {"imagej": True, "truncate": True},
        "json": {},
        "big, by end": {"bigtiff": True, "byteorder": ">"},
    }[kind]
    tifffile.imwrite(path, ZC, metadata={"axes": "ZCYX"}, photometric="minisblack", **options)
    np.testing.assert_array_equal(read_image(path, Stack(z=z)), PICTURES[z])


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd", "packbits", "lzma"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("predictor", [False, True])
def test_every_storage_gives_the_same_pixels(tmp_path, compression, tile, predictor):
    if predictor and compression in (None, "packbits"):
        pytest.skip("not written by tifffile")
    tifffile.imwrite(
        tmp_path / "s.tif", ZC[0], compression=compression, tile=tile, predictor=predictor,
        photometric="minisblack", metadata={"axes": "CYX"}, rowsperstrip=None if tile else 7,
    )  # fmt: skip
    np.testing.assert_array_equal(read_image(tmp_path / "s.tif"), PLANES)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("predictor", [False, True])
def test_fractions_come_as_float32(tmp_path, kind, predictor):
    fractions = RNG.normal(size=(20, 30)).astype(kind)
    compression = "zlib" if predictor else None
    tifffile.imwrite(tmp_path / "f.tif", fractions, predictor=predictor, compression=compression)
    image = read_image(tmp_path / "f.tif")
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, fractions.astype(np.float32))


@pytest.mark.parametrize("odd", [np.nan, np.inf, 1e300])
def test_what_is_no_finite_number_is_refused(tmp_path, odd):
    fractions = RNG.normal(size=(20, 30))
    fractions[3, 4] = odd
    tifffile.imwrite(tmp_path / "f.tif", fractions)
    assert "1 pixels are NaN, infinite or beyond float32" in fault_of(tmp_path / "f.tif")


def test_jpeg_tiles_are_those_that_tifffile_reads(tmp_path):
    smooth = np.kron(RNG.integers(0, 256, (2, 4, 5, 3)), np.ones((1, 16, 16, 1))).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "j.tif", smooth, compression="jpeg", photometric="rgb", tile=(32, 32),
        metadata={"axes": "ZYXS"},
    )  # fmt: skip
    expected = tifffile.imread(tmp_path / "j.tif").max(0)
    np.testing.assert_array_equal(read_image(tmp_path / "j.tif"), expected)


def test_dark_and_light_palettes_and_bits_are_shown_as_the_file_says(tmp_path):
    path, grey = tmp_path / "s.tif", (ZC[:, 0] // 256).astype(np.uint8)
    tifffile.imwrite(path, ZC[0], photometric="miniswhite", metadata={"axes": "CYX"})
    np.testing.assert_array_equal(read_image(path), 65535 - PLANES)
    colours = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
    options = {"photometric": "palette", "colormap": colours, "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(path, grey, **options)
    shown = (colours.T >> 8).astype(np.uint8)[grey]
    np.testing.assert_array_equal(read_image(path, Stack(z=1)), shown[1])
    bits = ZC[:, 0] > 32768
    tifffile.imwrite(path, bits, photometric="minisblack", metadata={"axes": "CYX"})
    np.testing.assert_array_equal(read_image(path), 255 * bits.astype(np.uint8).transpose(1, 2, 0))


@pytest.mark.parametrize("n", [3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_channels_that_tifffile_calls_colours_and_alpha_are_all_kept(tmp_path, n, kind):
    channels = ZC[0, :n].astype(kind)
    tifffile.imwrite(tmp_path / "c.tif", channels, planarconfig="separate", photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "c.tif"), channels.transpose(1, 2, 0))


@pytest.mark.parametrize("axes", ["ZYX", None])
def test_three_slices_that_tifffile_calls_colours_are_slices_where_it_is_said(tmp_path, axes):
    said = {"metadata": {"axes": axes}} if axes else {}
    tifffile.imwrite(
        tmp_path / "z.tif", ZC[:, 0], planarconfig="separate", photometric="rgb", **said
    )
    stack = Stack() if axes else Stack(axes="ZYX")
    np.testing.assert_array_equal(read_image(tmp_path / "z.tif", stack), ZC[:, 0].max(0))


def write_pages(path, n: int = 12) -> None:
    """Pages and no word of what they are."""
    pages = [Image.fromarray(page) for page in ZC.reshape(-1, 20, 30)[:n]]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def test_pages_of_which_nothing_is_said_are_refused_with_the_way_out(tmp_path):
    write_pages(tmp_path / "p.tif")
    assert fault_of(tmp_path / "p.tif").endswith(
        "12 pages, and the file does not say what they are: pass transforms.stack.axes=CYX for "
        "channels, ZYX for slices or TYX for time points"
    )
    assert "pass ZCnYX with a number" in fault_of(tmp_path / "p.tif", Stack(axes="ZCYX"))
    assert "12 pages do not fit to transforms.stack.axes=ZC5YX" in fault_of(
        tmp_path / "p.tif", Stack(axes="ZC5YX")
    )
    assert "expected YX at the end" in fault_of(tmp_path / "p.tif", Stack(axes="YXC"))


def test_axes_of_the_config_order_the_pages(tmp_path):
    write_pages(tmp_path / "p.tif")
    np.testing.assert_array_equal(
        read_image(tmp_path / "p.tif", Stack(axes="ZC4YX")), PICTURES["max"]
    )
    np.testing.assert_array_equal(
        read_image(tmp_path / "p.tif", Stack(axes="TC4YX", time=2)), PICTURES[2]
    )
    np.testing.assert_array_equal(
        read_image(tmp_path / "p.tif", Stack(axes="CYX")),
        ZC.reshape(12, 20, 30).transpose(1, 2, 0),
    )


def test_a_time_point_or_series_has_to_be_named(tmp_path):
    path = tmp_path / "t.ome.tif"
    tifffile.imwrite(path, ZC, metadata={"axes": "TCYX"}, ome=True, photometric="minisblack")
    assert "3 time points in one file, expected one: pass transforms.stack.time" in fault_of(path)
    np.testing.assert_array_equal(read_image(path, Stack(time=2)), PICTURES[2])
    assert "the file has 3 time points" in fault_of(path, Stack(time=3))
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(ZC[0], metadata={"axes": "CYX"}, photometric="minisblack")
        writer.write(ZC[1, :2, :9], metadata={"axes": "CYX"}, photometric="minisblack")
    assert "2 series in one file" in fault_of(path)
    expected = ZC[1, :2, :9].transpose(1, 2, 0)
    np.testing.assert_array_equal(read_image(path, Stack(series=1)), expected)


def test_a_thumbnail_is_no_picture(tmp_path):
    with tifffile.TiffWriter(tmp_path / "t.tif") as writer:
        writer.write(ZC[0, 0], metadata=None)
        writer.write(ZC[0, 0, ::4, ::4], metadata=None, subfiletype=1)
    np.testing.assert_array_equal(read_image(tmp_path / "t.tif"), ZC[0, 0])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pages_are_turned_as_pillow_turns_them(tmp_path, orientation):
    page = Image.fromarray(ZC[0, 0] // 256)
    options = {"tiffinfo": {274: orientation}}
    page.save(tmp_path / "one.tif", **options)
    page.save(tmp_path / "two.tif", save_all=True, append_images=[page], **options)
    upright = read_image(tmp_path / "one.tif")
    # From bytes: a file that it maps into memory Pillow 13 turns to the wrong shape.
    judge = Image.open(io.BytesIO((tmp_path / "one.tif").read_bytes()))
    judge.load()
    np.testing.assert_array_equal(upright, np.array(judge))
    np.testing.assert_array_equal(read_image(tmp_path / "two.tif", Stack(axes="ZYX")), upright)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(np.int16, "signed pixels of 16 bits"), (np.uint32, "32-bit pixels are not read"),
     (np.complex64, "expected whole numbers from 0, or fractions")],
)  # fmt: skip
def test_numbers_of_other_kinds_are_refused(tmp_path, kind, reason):
    tifffile.imwrite(
        tmp_path / "k.tif", ZC[0].astype(kind), metadata={"axes": "CYX"}, photometric="minisblack"
    )
    assert reason in fault_of(tmp_path / "k.tif")


def test_a_compression_that_is_not_on_the_list_is_refused(tmp_path):
    tifffile.imwrite(
        tmp_path / "c.tif", ZC[0], compression="jpeg2000", metadata={"axes": "CYX"},
        photometric="minisblack",
    )  # fmt: skip
    assert "is not read, expected none, LZW, JPEG" in fault_of(tmp_path / "c.tif")
