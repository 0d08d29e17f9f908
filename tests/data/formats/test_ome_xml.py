"""OME-XML from anywhere: read as data, or refused in a line."""

import numpy as np
import pytest
import tifffile

from cellxai.data.formats.faults import ImageFault
from cellxai.data.formats.ome_xml import MISSING, OmeImage, TiffData, pages_of_image, parse_ome
from cellxai.data.image_formats import read_image

SAID = {"SizeT": "1", "SizeC": "2", "SizeZ": "3", "DimensionOrder": "XYZCT"}


def image(blocks: list[TiffData], **said: str) -> OmeImage:
    return OmeImage(SAID | said, [], blocks)


def test_pages_follow_the_order_of_the_dimensions():
    for order in ("XYZCT", "XYCZT", "XYTCZ"):
        pages = pages_of_image(image([], DimensionOrder=order), "", "a.tif", 6)
        for page in range(6):
            z, c = (page % 3, page // 3) if order == "XYZCT" else (page // 2, page % 2)
            assert pages[0, c, z] == page


def test_blocks_put_pages_where_they_say():
    blocks = [
        TiffData({"IFD": "4", "FirstC": "1", "FirstZ": "0", "PlaneCount": "2"}),
        TiffData({"IFD": "0", "FirstC": "0", "FirstZ": "1"}),
    ]
    pages = pages_of_image(image(blocks), "", "a.tif", 6)
    assert pages[0].tolist() == [[MISSING, 0, MISSING], [4, 5, MISSING]]


def test_pages_of_other_files_are_missing():
    here = TiffData({"IFD": "0"}, "a.tif", "urn:uuid:1")
    there = TiffData({"IFD": "0", "FirstZ": "1"}, "b.tif", "urn:uuid:2")
    for identity, name in (("urn:uuid:1", "renamed.tif"), ("", "a.tif")):
        pages = pages_of_image(image([here, there]), identity, name, 1)
        assert pages[0, 0].tolist() == [0, MISSING, MISSING]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE OME [<!ENTITY a "b">]><OME><Image/></OME>',
        '<!DOCTYPE lolz [<!ENTITY l "lol"><!ENTITY m "&l;&l;">]><OME>&m;</OME>',
        "<OME>" * 5000,
        "<OME><Image></OME>",
        "<OME>\0</OME>",
        "<OME",
    ],
)
def test_text_that_could_do_harm_is_refused(text):
    with pytest.raises(ImageFault, match="OME-XML"):
        parse_ome(text)


@pytest.mark.parametrize(
    "said",
    [{"SizeZ": "999999999"}, {"SizeZ": "0"}, {"SizeC": "-1"}, {"SizeT": "x"}, {"SizeT": "²"},
     {"DimensionOrder": "XYZ"}, {"SizeZ": "9" * 5000}],
)  # fmt: skip
def test_absurd_numbers_are_refused(said):
    with pytest.raises(ImageFault, match="OME-XML"):
        pages_of_image(image([], **said), "", "a.tif", 6)


def test_no_file_that_it_names_is_opened(tmp_path):
    pixels = np.arange(600, dtype=np.uint16).reshape(2, 15, 20)
    tifffile.imwrite(tmp_path / "b.ome.tif", pixels, metadata={"axes": "CYX"}, ome=True)
    xml = (
        '<OME><Image><Pixels DimensionOrder="XYCZT" Type="uint16" SizeX="20" SizeY="15" SizeC="2" '
        'SizeZ="1" SizeT="1"><TiffData IFD="0"><UUID FileName="a.ome.tif">urn:uuid:1</UUID>'
        '</TiffData><TiffData FirstC="1" IFD="1"><UUID FileName="b.ome.tif">urn:uuid:2</UUID>'
        "</TiffData></Pixels></Image></OME>"
    )
    pages = np.zeros((2, 15, 20), np.uint16)
    tifffile.imwrite(tmp_path / "a.ome.tif", pages, description=xml, metadata=None)
    with pytest.raises(ImageFault, match="channel 1, slice 0 is not in this file"):
        read_image(tmp_path / "a.ome.tif")
