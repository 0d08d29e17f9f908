"""Files of microscopes; what they hold was tried with their own writers, outside these tests."""

import sys

import imagecodecs
import numpy as np
import pytest

from cellxai.data.formats.vendor_files import decode_zstd, names_of_axes
from cellxai.data.image_formats import ImageFault, read_image

LIF = b"\x70\0\0\0" + bytes(9)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"ZISRAWFILE" + bytes(90), "CZI needs czifile: pip install 'cellxai"), (LIF, "container")],
)
def test_without_the_extra_a_line_says_what_to_install(tmp_path, monkeypatch, content, words):
    monkeypatch.setitem(sys.modules, "czifile", None)
    (tmp_path / "a.czi").write_bytes(content)
    with pytest.raises(ImageFault, match=words):
        read_image(tmp_path / "a.czi")


def test_a_lif_with_a_document_type_is_refused_before_it_is_parsed(tmp_path):
    text = '<LMSDataContainerHeader><!DOCTYPE a [<!ENTITY b "c">]>'.encode("utf-16-le")
    header = b"\x70\0\0\0" + bytes(4) + b"\x2a" + (len(text) // 2).to_bytes(4, "little")
    (tmp_path / "a.lif").write_bytes(header + text)
    with pytest.raises(ImageFault, match="XML is not that of a container"):
        read_image(tmp_path / "a.lif")


def test_low_and_high_bytes_of_zstd_are_put_together():
    pixels = np.random.default_rng(0).integers(0, 65536, 60, dtype="<u2").tobytes()
    apart = pixels[::2] + pixels[1::2]
    assert decode_zstd(imagecodecs.zstd_encode(pixels), 5, 120) == pixels
    assert decode_zstd(b"\1" + imagecodecs.zstd_encode(pixels), 6, 120) == pixels
    assert decode_zstd(b"\3\1\1" + imagecodecs.zstd_encode(apart), 6, 120) == pixels
    assert decode_zstd(b"\3\1\0" + imagecodecs.zstd_encode(pixels), 6, 120) == pixels
    with pytest.raises(ImageFault, match="another length"):
        decode_zstd(imagecodecs.zstd_encode(pixels[:-1]), 5, 120)


def test_rows_of_depth_are_rows_and_wavelengths_channels():
    assert names_of_axes({"T": 2, "C": 2, "Z": 9, "X": 8})["Z"] == "Y"
    assert names_of_axes({"λ": 20, "Y": 9, "X": 8})["λ"] == "C"
    assert names_of_axes({"Z": 2, "Y": 9, "X": 8}) == {"Z": "Z", "Y": "Y", "X": "X"}
