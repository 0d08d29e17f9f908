"""A record of each series and time point of a file."""

import numpy as np
import pytest
import tifffile

from cellxai.data.image_formats import read_pixels
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.table import Manifest

RNG = np.random.default_rng(0)
TC = RNG.integers(0, 65535, (3, 2, 20, 30), dtype=np.uint16)


@pytest.fixture
def folder(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        tifffile.imwrite(
            tmp_path / label / "film.ome.tif", TC, ome=True, metadata={"axes": "TCYX"},
            photometric="minisblack",
        )  # fmt: skip
        with tifffile.TiffWriter(tmp_path / label / "sites.ome.tif", ome=True) as writer:
            for site in TC[:2]:
                writer.write(site, metadata={"axes": "CYX"}, photometric="minisblack")
        tifffile.imwrite(tmp_path / label / "one.tif", TC[0, 0])
    (tmp_path / "t.csv").write_text("path,label\na/film.ome.tif,a\nb/sites.ome.tif,b\n")
    return tmp_path


def test_each_time_point_is_a_record_of_its_file(folder):
    records = ImageFolder(folder, each=("time",)).scan().records
    names = ["film.ome-t0", "film.ome-t1", "film.ome-t2", "one", "sites.ome"]
    assert [record.id for record in records] == [f"{x}__{name}" for x in "ab" for name in names]
    for time, record in enumerate(records[:3]):
        np.testing.assert_array_equal(read_pixels(record), TC[time].transpose(1, 2, 0))
    assert {record.group for record in records[:3]} == {"a__film.ome"}
    assert records[3].group is None


def test_each_series_is_too_and_both_of_both(folder):
    records = ImageFolder(folder, each=("series",)).scan().records
    assert [r.id for r in records if "sites" in r.id][:2] == ["a__sites.ome-s0", "a__sites.ome-s1"]
    assert len(ImageFolder(folder, each=("series", "time")).scan().records) == 2 * (3 + 2 + 1)
    table = Manifest(folder / "t.csv", each=("series",)).scan().records
    assert [record.id for record in table] == [
        "a__film.ome", "b__sites.ome-s0", "b__sites.ome-s1"
    ]  # fmt: skip
    np.testing.assert_array_equal(read_pixels(table[2]), TC[1].transpose(1, 2, 0))


def test_without_it_a_file_is_one_record(folder):
    assert len(ImageFolder(folder).scan().records) == 6


def test_a_file_that_cannot_be_read_stays_one_record(folder):
    (folder / "a" / "film.ome.tif").write_bytes(b"II*\0 and no more")
    assert "a__film.ome" in [r.id for r in ImageFolder(folder, each=("time",)).scan().records]


def test_a_word_that_comes_twice_is_refused(folder):
    with pytest.raises(ValueError, match=r"each=\['time', 'time'\]: expected \[\], \[series\]"):
        ImageFolder(folder, each=("time", "time"))
