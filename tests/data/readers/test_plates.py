"""Sites of plates whose channels are files of their own, found by name or by a table."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellxai.data.image_formats import ImageFault, read_pixels
from cellxai.data.loading.cache import cache_key
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.cellprofiler import CellProfilerImages, to_path
from cellxai.data.readers.channel_files import ChannelFiles, compile_pattern
from cellxai.data.readers.plate_map import read_plate_map
from cellxai.training.environment import hash_records

LEVELS = {"1": 10, "2": 200, "3": 90}
CHANNELS: dict[str, str | int] = {"nuclei": "2", "actin": 1}


def write_plane(path: Path, level: int, shape: tuple[int, int] = (6, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, level, np.uint8)).save(path)


@pytest.fixture
def plates(tmp_path) -> Path:
    """Two plates of two wells of two sites of three channels, and a map with two classes."""
    for plate in ("BR_1", "BR_2"):
        for well in ("A01", "B2"):
            for site in "12":
                for channel, level in LEVELS.items():
                    name = f"{plate}_{well}_s{site}_w{channel}.tif"
                    write_plane(tmp_path / "images" / name, level)
    (tmp_path / "map.csv").write_text("Well,label,dose\nA1,calm,0\nB02,wild,5\n")
    return tmp_path


def by_name(plates: Path, **options) -> ChannelFiles:
    given = {"channels": CHANNELS, "labels": plates / "map.csv"} | options
    return ChannelFiles(plates / "images", **given)


def test_files_that_differ_in_the_channel_alone_are_one_image_of_planes_in_the_stated_order(plates):
    scan = by_name(plates).scan()
    assert scan.faults == ()
    first = scan.records[0]
    assert [r.id for r in scan.records][:3] == ["BR_1_A01_1", "BR_1_A01_2", "BR_1_B2_1"]
    assert len(scan.records) == 8
    assert (first.label, first.planes) == ("calm", ("nuclei", "actin"))
    assert first.columns == {"plate": "BR_1", "well": "A01", "site": "1", "dose": "0"}
    assert first.load_image is not None
    pixels = first.load_image()
    assert (pixels.shape, pixels.dtype) == ((6, 8, 2), np.uint8)
    assert pixels[0, 0].tolist() == [LEVELS["2"], LEVELS["1"]]


def test_all_channels_are_found_where_none_is_named(plates):
    record = by_name(plates, channels=None).scan().records[0]
    assert record.planes == ("1", "2", "3")
    assert read_pixels(record)[0, 0].tolist() == [*LEVELS.values()]
    alone = by_name(plates, channels={"dna": 3}).scan().records[0]
    assert (read_pixels(alone).shape, alone.more_files) == ((6, 8), ())


def test_the_class_may_be_a_field_or_a_folder(plates, tmp_path):
    scan = by_name(plates, labels=None, label="plate").scan()
    assert scan.classes == ("BR_1", "BR_2")
    write_plane(tmp_path / "other" / "calm" / "A1_w1.tif", 3)
    scan = ChannelFiles(tmp_path / "other", "{label}/{well}_w{channel}.tif").scan()
    said = [(record.id, record.label, dict(record.columns)) for record in scan.records]
    assert said == [("A1", "calm", {"well": "A1"})]
    with pytest.raises(ValueError, match="label='class': expected some of plate, well, site"):
        by_name(plates, label="class").scan()
    with pytest.raises(ValueError, match="or pass labels, a table with a row for each well"):
        by_name(plates, labels=None).scan()


def test_a_missing_channel_is_a_fault_that_names_file_and_channel(plates):
    (plates / "images" / "BR_1_A01_s2_w1.tif").unlink()
    scan = by_name(plates).scan()
    assert len(scan.records) == 7
    (fault,) = map(str, scan.faults)
    assert fault.startswith("BR_1_A01_s2_w*.tif: channel 'actin': no such file as ")
    assert fault.endswith("BR_1_A01_s2_w1.tif")


def test_channels_that_differ_in_size_or_bits_or_have_colour_are_refused_by_name(plates):
    images = plates / "images"
    write_plane(images / "BR_1_A01_s1_w1.tif", 5, (6, 9))
    Image.fromarray(np.full((6, 8), 300, np.uint16)).save(images / "BR_1_A01_s2_w1.tif")
    Image.new("RGB", (8, 6)).save(images / "BR_1_B2_s1_w1.tif")
    (images / "BR_1_B2_s2_w1.tif").write_bytes(b"no picture")
    records = by_name(plates).scan().records
    for record, what in (
        (records[0], r"s1_w1.tif: channel 'actin' has 6×9 pixels, but 'nuclei' 6×8 \(.*s1_w2.tif"),
        (records[1], r"s2_w1.tif: channel 'actin' has 16 bits, but 'nuclei' 8 bits"),
        (records[2], r"s1_w1.tif: 3 planes in the file of channel 'actin', expected one"),
        (records[3], r"s2_w1.tif: no image"),
    ):
        with pytest.raises(ImageFault, match=what):
            read_pixels(record)


def test_wells_without_a_row_and_rows_that_contradict_are_faults(plates):
    (plates / "map.csv").write_text("well,label\nA1,calm\nA01,wild\n")
    scan = by_name(plates).scan()
    assert [str(fault).split(": ", 1)[1] for fault in scan.faults] == [
        "says of well 'A01' what map.csv row 2 says",
        "no row for well 'B2' (4 image(s)); add one",
    ]
    assert {record.label for record in scan.records} == {"calm"}
    (plates / "map.csv").write_text("dose,label\n1,a\n")
    with pytest.raises(ValueError, match="shares no column with the images, expected some of plat"):
        by_name(plates).scan()
    assert read_plate_map(plates / "map.csv", ["dose"]).look_up({"dose": "1"}) == {"label": "a"}


def test_names_of_another_kind_are_noted_and_a_folder_without_any_is_refused(plates):
    write_plane(plates / "images" / "thumbnail.png", 1)
    (note,) = map(str, by_name(plates).scan().notes)
    assert "1 image(s) not named {plate}_{well}_s{site}_w{channel}.tif are passed over" in note
    with pytest.raises(FileNotFoundError, match=r"no file is named .*; the first image is BR_1"):
        by_name(plates, pattern="{plate}-{channel}.tif").scan()
    with pytest.raises(ValueError, match=r"no field \{channel\}"):
        by_name(plates, pattern="{plate}.tif").scan()


def test_a_channel_that_is_in_two_files_is_a_fault(plates):
    write_plane(plates / "images" / "BR_1_A01_s1_w1_thumb.tif", 1)
    scan = by_name(plates, pattern="{plate}_{well}_s{site}_w{channel}*.tif").scan()
    assert "channel '1' is in two files" in str(scan.faults[0])


@pytest.mark.parametrize(
    ("pattern", "name", "fields"),
    [
        ("{plate}_{well}_s{site}_w{channel}.tif", "a_b_C04_s12_wDAPI.tif",
         ("a_b", "C04", "12", "DAPI")),
        ("{plate}/{plate}_{well}_s{site}_w{channel}*.tif", "p/p_A1_s1_w2F3-9.tif",
         ("p", "A1", "1", "2")),
    ],
)  # fmt: skip
def test_a_pattern_reads_what_microscopes_write(pattern, name, fields):
    match = compile_pattern(pattern, ["2", "DAPI"]).fullmatch(name)
    assert match is not None
    assert tuple(match[key] for key in ("plate", "well", "site", "channel")) == fields
    assert compile_pattern(pattern, []).fullmatch("x") is None


def test_whatever_file_of_an_image_changes_its_cache_and_the_fingerprint_change(plates):
    data = by_name(plates)
    before = cache_key(data.scan().records, Transforms()), hash_records(data.scan().records)
    write_plane(plates / "images" / "BR_2_B2_s2_w1.tif", 11)
    after = cache_key(data.scan().records, Transforms()), hash_records(data.scan().records)
    assert before[0] != after[0]
    assert before[1] != after[1]
    other = by_name(plates, channels={"actin": 1, "nuclei": 2}).scan().records
    assert cache_key(other, Transforms()) != after[0]


def write_image_csv(plates: Path, folder: str) -> Path:
    """The table that CellProfiler would write of the plates, with a row that names no file."""
    names = ["ImageNumber", "Count_Cells", "Metadata_Plate", "Metadata_Well", "Metadata_Site"]
    names += [f"{what}_{name}" for name in ("DNA", "AGP") for what in ("FileName", "PathName")]
    lines = [",".join(names)]
    for path in sorted((plates / "images").glob("*_w1.tif")):
        plate, well, site = path.stem.removesuffix("_w1").rsplit("_", 2)
        files = [f"{path.stem[:-1]}{channel}.tif" for channel in "21"]
        where = folder.replace("PLATE", plate)
        lines.append(",".join(["1", "40", plate, well, site[1:], files[0], where, files[1], where]))
    table = plates / "Image.csv"
    table.write_text("\n".join([*lines, "9,0,BR_1,A01,9,,,x.tif,"]) + "\n")
    return table


@pytest.mark.parametrize("folder", ["images", "C:\\scope\\run 1", "/old/place"])
def test_a_table_of_cellprofiler_is_read_wherever_its_files_are_now(plates, folder):
    root = None if folder == "images" else plates / "images"
    table = write_image_csv(plates, folder)
    channels = {"actin": "AGP", "nuclei": "DNA"}
    scan = CellProfilerImages(table, channels, plates / "map.csv", root=root).scan()
    blank = "Image.csv row 10: FileName_DNA is blank, expected a file"
    assert list(map(str, scan.faults)) == [blank]
    assert len(scan.records) == 8
    first = scan.records[0]
    assert (first.id, first.label, first.planes) == ("BR_1_A01_1", "calm", ("actin", "nuclei"))
    assert first.columns == {"plate": "BR_1", "well": "A01", "site": "1", "dose": "0"}
    assert first.load_image is not None
    assert first.load_image()[0, 0].tolist() == [LEVELS["1"], LEVELS["2"]]


def test_folders_of_plates_keep_their_place_below_the_new_root(plates):
    table = write_image_csv(plates, "/old/PLATE/raw")
    for path in [*(plates / "images").glob("*.tif")]:
        moved = plates / "new" / path.name[:4] / "raw" / path.name
        moved.parent.mkdir(parents=True, exist_ok=True)
        path.rename(moved)
    data = CellProfilerImages(table, label="plate", root=plates / "new")
    assert len(data.scan().records) == 8
    lost = CellProfilerImages(table, label="plate").scan()
    assert len(lost.faults) == 17
    assert "channel 'DNA': no such file as /old/BR_1/raw/BR_1_A01_s1_w2.tif" in str(lost.faults[1])


def test_channels_that_a_table_has_not_are_named(plates):
    table = write_image_csv(plates, "images")
    with pytest.raises(ValueError, match="no column 'FileName_ER'; its channels are DNA, AGP"):
        CellProfilerImages(table, {"er": "ER"}).scan()
    (plates / "Image.csv").write_text("ImageNumber\n1\n")
    with pytest.raises(ValueError, match="no column FileName_…, expected one per channel"):
        CellProfilerImages(table).scan()
    assert to_path("D:\\a").parts != to_path("/a").parts
