"""The verb ``check``."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.readers.table import Manifest
from cellxai.data.readers.wbc import WhiteBloodCells
from cellxai.data.records import Record, Scan, Source
from cellxai.verbs.check import check

COLUMNS = ("id", "annotation", "width", "height", "cell_type")


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 16), dtype=np.uint8)


def write_sartorius(root: Path, cells: list[tuple[str, str, str]]) -> Sartorius:
    """A folder with a sound image for each id of ``cells`` (id, annotation, class)."""
    (root / "train").mkdir()
    for seed, image_id in enumerate(sorted({cell[0] for cell in cells})):
        Image.fromarray(pixels(seed)).save(root / "train" / f"{image_id}.png")
    with (root / "train.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows((image_id, rle, 16, 12, label) for image_id, rle, label in cells)
    return Sartorius(root)


@pytest.fixture
def faulty(tmp_path) -> Sartorius:
    """One of each fault that a folder of cell images can have, and two sound images."""
    data = write_sartorius(
        tmp_path,
        [
            ("sound1", "1 2", "cort"),  # row 2
            ("missing", "1 2", "cort"),
            ("unknown", "1 2", "hela"),  # row 4
            ("truncated", "1 2", "astro"),
            ("deep", "1 2", "astro"),  # row 6
            ("bad-rle", "1 2", "astro"),
            ("bad-rle", "190 9", "astro"),  # row 8
            ("two", "1 2", "cort"),
            ("two", "5 2", "astro"),  # row 10
            ("sound2", "1 2", "astro"),
        ],
    )
    images = tmp_path / "train"
    (images / "missing.png").unlink()
    whole = (images / "truncated.png").read_bytes()
    (images / "truncated.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(pixels(0).astype(np.int32)).save(images / "deep.png", format="TIFF")
    return data


def test_check_lists_all_faults_each_in_one_line_that_names_file_or_row(faulty):
    report = check(faulty)
    lines = str(report).splitlines()
    named = [
        ("missing.png", "no such file"),
        ("train.csv row 4", "unknown class 'hela'"),
        ("train.csv row 8", "start 190 length 9"),
        ("train.csv row 10", "'astro' here and 'cort' in train.csv row 9"),
        ("truncated.png", "truncated or corrupt"),
        ("deep.png", "signed pixels of 32 bits, expected ones without a sign"),
    ]
    assert len(lines) == len(named) + 1
    for where, what in named:
        assert len([line for line in lines if where in line and what in line]) == 1, where
    assert lines[-1] == "6 faults; 3 usable images (astro 2, cort 1)"
    assert report.exit_code == 3


def test_check_of_sound_data_says_so_and_exits_with_0(tmp_path):
    report = check(write_sartorius(tmp_path, [("a", "1 2", "cort"), ("b", "", "astro")]))
    assert str(report) == "no faults; 2 usable images (astro 1, cort 1)"
    assert report.exit_code == 0


def test_check_lists_a_table_without_its_columns(tmp_path):
    data = write_sartorius(tmp_path, [("a", "1 2", "cort")])
    (tmp_path / "train.csv").write_text("id,annotation,cell_type\na,1 2,cort\n")
    report = check(data)
    assert "train.csv: no column 'width', 'height'" in str(report)
    assert (report.exit_code, report.n_images) == (3, 0)


def test_check_finds_masks_and_causes_that_do_not_fit_their_image(tmp_path):
    data = write_sartorius(tmp_path, [("a", "1 2", "cort"), ("b", "1 2", "astro")])
    Image.fromarray(pixels(0)[:10]).save(tmp_path / "train" / "a.png")
    (tmp_path / "causes").mkdir()
    (tmp_path / "causes" / "b.png").write_bytes(b"broken")
    mask, cause = check(data).faults
    assert "mask of image a: 12×16 pixels, but " in str(mask)
    assert str(mask).endswith("a.png has 10×16")
    assert "cause of image b" in str(cause)
    assert "b.png: no image" in str(cause)


def test_check_finds_the_mistakes_of_a_source_of_ones_own(tmp_path):
    Image.fromarray(pixels(0)).save(tmp_path / "a.png")

    class Own(Source):
        def scan(self) -> Scan:
            records = [Record(name, tmp_path / "a.png", "x") for name in ("same", "same", "../up")]
            return Scan(tuple(records))

    lines = str(check(Own())).splitlines()
    assert lines[0] == "id 'same': 2 images have it, expected one"
    assert lines[1].startswith("id '../up': not a valid id")


def test_what_nothing_can_be_trained_on_is_a_fault(tmp_path):
    (tmp_path / "empty.csv").write_text("path,label\n")
    report = check(Manifest(tmp_path / "empty.csv"))
    assert str(report.faults[0]) == "empty.csv: no rows below the header, expected one per image"
    assert (report.exit_code, report.n_images) == (3, 0)
    (tmp_path / "only").mkdir()
    Image.fromarray(pixels(0)).save(tmp_path / "only" / "a.png")
    report = check(ImageFolder(tmp_path / "only"))
    assert "one class only (only), expected at least two" in str(report)
    assert (report.exit_code, report.n_images) == (3, 1)


def test_check_notes_images_that_are_odd_and_still_usable(tmp_path):
    for place, name in enumerate(("x/a", "x/b", "y/c", "x/deep", "x/dot", "x/flat", "y/twin")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        image = pixels(place if name != "y/twin" else 0)
        image = {"x/deep": image.astype(np.uint16), "x/dot": image[:1, :1]}.get(name, image)
        Image.fromarray(0 * image + 7 if name == "x/flat" else image).save(tmp_path / f"{name}.png")
    report = check(ImageFolder(tmp_path))
    assert (report.exit_code, report.n_images) == (0, 7)
    assert list(map(str, report.notes)) == [
        "image x__deep: 1 of 7 images have 16 bits, the others 8; transforms.sixteen_bit says how "
        "they are brought together",
        "image x__dot: 1×1 pixels, fewer than 8 on a side",
        "image x__flat: every pixel is 7",
        "image y__twin: the same pixels as image x__a, which is 'x' and this 'y'",
    ]
    assert str(report).endswith("no faults, 4 notes; 7 usable images (x 5, y 2)")


def test_check_notes_images_without_a_group_among_others_with_one(tmp_path):
    rows = "a.png,x,p1\nb.png,x,p1\nc.png,y,\n"
    (tmp_path / "t.csv").write_text("path,label,group\n" + rows)
    for place, name in enumerate("abc"):
        Image.fromarray(pixels(place)).save(tmp_path / f"{name}.png")
    (note,) = check(Manifest(tmp_path / "t.csv")).notes
    assert str(note).startswith("group: blank for 1 of 3 images (c): each is a group of its own")
    (tmp_path / "t.csv").write_text("path,label\na.png,x\nb.png,x\nc.png,y\n")
    assert check(Manifest(tmp_path / "t.csv")).notes == ()


def test_check_of_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        check(ImageFolder(tmp_path / "gone"))


def test_real_data_sets_are_sound(shared_data):
    report = check(Sartorius(shared_data / "sartorius", labels="labels.csv"))
    assert (report.n_images, report.faults) == (51, ())
    assert report.classes == {"astro": 14, "cort": 26, "shsy5y": 11}
    assert check(WhiteBloodCells(shared_data / "wbc")).n_images == 300


def test_images_that_show_the_same_are_named_with_both_classes(tmp_path):
    generator = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / label).mkdir()
        for name in ("x", "y"):
            noise = generator.integers(0, 256, (40, 40), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / label / f"{name}.png")
    with Image.open(tmp_path / "a" / "x.png") as image:
        image.rotate(90).save(tmp_path / "b" / "turned.png")
    report = check(ImageFolder(tmp_path))
    (note,) = report.notes
    assert report.exit_code == 0
    assert note.where == "image b__turned"
    assert "shows what image a__x" in note.what
    assert note.what.endswith("(correlation 1.00), which is 'a' and this 'b'")


def test_planes_are_looked_for_by_name_and_many_without_names_are_a_fault(tmp_path):
    for number, (label, n_planes) in enumerate((("a", 4), ("b", 4), ("b", 2), ("b", 1))):
        (tmp_path / label).mkdir(exist_ok=True)
        planes = np.random.default_rng(number).integers(0, 256, (n_planes, 20, 24), dtype=np.uint8)
        file = tmp_path / label / f"{number}.ome.tif"
        tifffile.imwrite(file, planes, metadata={"axes": "CYX"}, photometric="minisblack")
    plain = check(ImageFolder(tmp_path))
    assert (plain.exit_code, plain.n_images) == (3, 1)  # as many as `fit` would take
    *of_images, _ = plain.faults
    assert [fault.what.partition(",")[0] for fault in of_images] == [
        "got 4 planes", "got 4 planes", "got 2 planes",
    ]  # fmt: skip
    assert all("name them: transforms.planes=" in fault.what for fault in of_images)
    named = check(ImageFolder(tmp_path), Transforms(planes=["x", "y"]))
    assert (named.n_images, len(named.notes)) == (3, 0)
    (fault,) = named.faults
    assert fault.what == "got 1 plane, expected 2: x, y (transforms.planes)"
