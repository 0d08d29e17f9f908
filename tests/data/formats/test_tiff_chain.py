"""The chain of pages of a TIFF, walked with limits."""

import struct

import numpy as np
import pytest
import tifffile

from cellxai.data.formats import tiff_chain
from cellxai.data.image_formats import ImageFault, read_image


def page(next_page: int, entries=((256, 3, 1, 4),)) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", next_page)


def fault_of(path) -> str:
    with pytest.raises(ImageFault) as fault:
        read_image(path)
    return str(fault.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (page(26) + page(8), "a circle of pages"),
        (page(26) + page(44) + page(26), "a circle of pages"),
        (page(26) + page(0, [(273, 4, 2**31, 8)]) , "no image|2,147,483,648 values"),
        (page(26) + page(44) + page(0, [(273, 4, 2**31, 8)]), "2,147,483,648 values"),
        (page(26) + page(44) + page(0, [(34412, 7, 500, 8)]), "as Zeiss LSM writes it"),
        (page(26) + page(9999), "ends in a header"),
    ],
)  # fmt: skip
def test_a_chain_that_lies_is_refused(tmp_path, content, words):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + content)
    with pytest.raises(ImageFault, match=words):
        read_image(tmp_path / "a.tif")


def test_more_pages_than_the_limit_are_refused(tmp_path, monkeypatch):
    pages = np.zeros((9, 4, 5), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pages, metadata={"axes": "CYX"}, photometric="minisblack")
    assert read_image(tmp_path / "a.tif").shape == (4, 5, 9)
    monkeypatch.setattr(tiff_chain, "MAX_PAGES", 8)
    assert "more than 8 pages" in fault_of(tmp_path / "a.tif")


def test_a_stack_whose_planes_would_take_too_much_is_refused_before_they_do(tmp_path, monkeypatch):
    from cellxai.data.formats import pictures

    pages = np.zeros((9, 40, 50), np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pages, metadata={"axes": "CYX"}, photometric="minisblack")
    monkeypatch.setattr(pictures, "MAX_BYTES", 2 * 9 * 2000 - 1)
    assert "18,000 pixels of all planes are too many" in fault_of(path)
    tifffile.imwrite(path, pages, metadata={"axes": "ZYX"}, photometric="minisblack")
    assert read_image(path).shape == (40, 50)
    monkeypatch.setattr(pictures, "MAX_DECODED", 9 * 2000 - 1)
    assert "too many" in fault_of(path)


def test_a_tile_larger_than_an_image_may_be_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.float32), tile=(16, 16))
    content = bytearray(path.read_bytes())
    place = (
        content.index(struct.pack("<HHI", 322, 3, 1))
        if struct.pack("<HHI", 322, 3, 1) in content
        else content.index(struct.pack("<HHI", 322, 4, 1))
    )
    content[place + 2 : place + 12] = struct.pack("<HII", 4, 1, 2**31 - 16)
    path.write_bytes(content)
    assert "too large" in fault_of(path)
