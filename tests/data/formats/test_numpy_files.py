"""Arrays on disk: written by NumPy, judged by the arrays themselves."""

import io
import zipfile

import numpy as np
import pytest

from cellxai.data.formats import faults, numpy_files
from cellxai.data.formats.stack import Stack
from cellxai.data.image_formats import ImageFault, read_image

RNG = np.random.default_rng(0)
ZC = RNG.integers(0, 65535, (3, 4, 20, 30), dtype=np.uint16)
BRIGHTEST = ZC.max(0).transpose(1, 2, 0)


def fault_of(path, stack: Stack = Stack()) -> str:
    with pytest.raises(ImageFault) as fault:
        read_image(path, stack)
    assert str(fault.value).startswith(f"{path}: ")
    assert "\n" not in str(fault.value)
    return str(fault.value)


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axes", ["ZCYX", "CZYX", "YXCZ", "ZYXC", "XYZC", "CYZX", "ZYXS"])
@pytest.mark.parametrize("kind", [">u2", "<u2"])
def test_every_order_of_the_axes_is_the_same_picture(tmp_path, save, order, axes, kind):
    places = ["ZCYX".index(letter.replace("S", "C")) for letter in axes]
    array = np.asarray(ZC.transpose(places), dtype=kind, order=order)
    save(tmp_path / "a.npz" if save is not np.save else tmp_path / "a.npy", array)
    path = next(tmp_path.iterdir())
    image = read_image(path, Stack(axes=axes))
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, BRIGHTEST)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float16, np.float64])
def test_two_axes_are_rows_and_columns(tmp_path, kind):
    array = (ZC[0, 0] > 99).astype(kind) if kind is bool else ZC[0, 0].astype(kind)
    np.save(tmp_path / "a.npy", array)
    expected = array * np.uint8(255) if kind is bool else array.astype(np.float32)
    if not np.isfinite(expected).all():
        assert "infinite" in fault_of(tmp_path / "a.npy")
        return
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy", Stack(axes="ZCYX")), expected)


def test_more_axes_have_to_be_named(tmp_path):
    np.save(tmp_path / "a.npy", ZC)
    fault = fault_of(tmp_path / "a.npy")
    assert "3×4×20×30, and nothing says what its axes are: pass transforms.stack.axes" in fault
    for axes in ("CYX", "ZC5YX"):
        assert "does not fit" in fault_of(tmp_path / "a.npy", Stack(axes=axes))


def test_arrays_of_a_zip_file_are_series_and_lists_beside_them_are_none(tmp_path):
    np.savez(tmp_path / "a.npz", image=ZC[0, 0], other=ZC[1, 1], names=np.arange(4), n=np.array(3))
    assert "2 series in one file" in fault_of(tmp_path / "a.npz")
    np.testing.assert_array_equal(read_image(tmp_path / "a.npz", Stack(series=1)), ZC[1, 1])
    np.savez(tmp_path / "a.npz", names=np.arange(4))
    assert "no array of two axes" in fault_of(tmp_path / "a.npz")


class Bomb:
    """Would write a file if it were unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("save", [np.save, np.savez])
def test_nothing_is_unpickled(tmp_path, save):
    array = np.array([[Bomb(tmp_path / "ran")]], dtype=object)
    save(tmp_path / ("a.npy" if save is np.save else "a.npz"), array, allow_pickle=True)
    path = next(tmp_path.glob("a.*"))
    assert "holds Python objects, which could run code" in fault_of(path)
    assert not (tmp_path / "ran").exists()


def header(shape: str, dtype: str = "'|u1'") -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header("(99999, 99999)"),
        header("(9999999999999999999, 9999999999)"),
        header("(-3, -4)"),
        header("(" * 3000 + ")" * 3000),
        header("(3, 4)", "[('a', '<u1'), ('b', '<f4')]") + bytes(60),
        header("(3, 4)", "'<M8[s]'") + bytes(96),
        header("(3, 4)", "'<U2'") + bytes(96),
        b"\x93NUMPY\3\0" + bytes(50),
        header("(3, 4)") + bytes(11),
        header("(0, 4)"),
    ],
)
def test_headers_that_lie_are_refused_before_memory_is_taken(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    fault_of(tmp_path / "a.npy", Stack(axes="YX"))
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", content)
    fault_of(tmp_path / "b.npz", Stack(axes="YX"))


def test_a_zip_bomb_is_refused_by_the_size_that_it_announces(tmp_path, monkeypatch):
    content = header("(4000, 4000)") + bytes(4000 * 4000)
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", content)
    assert (tmp_path / "b.npz").stat().st_size < 50_000
    monkeypatch.setattr(numpy_files, "MAX_BYTES", 10**6)
    assert "16,000,000 bytes" in fault_of(tmp_path / "b.npz")
    assert faults.MAX_BYTES > 10**6


def test_a_flipped_bit_of_a_zipped_array_is_found(tmp_path):
    file = io.BytesIO()
    np.savez(file, image=ZC[0, 0])
    content = bytearray(file.getvalue())
    content[len(content) // 2] ^= 4
    (tmp_path / "a.npz").write_bytes(content)
    assert "corrupt" in fault_of(tmp_path / "a.npz")
