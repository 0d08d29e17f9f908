from collections import Counter

import numpy as np
import pytest

from cellxai.data.image_formats import ImageFault
from cellxai.data.readers.sartorius import Sartorius

COLUMNS = ("id", "annotation", "width", "height", "cell_type", "plate_time", "sample_id")


def cell(image_id: str, annotation: str = "1 2", cell_type: str = "cort", **changes: object):
    row = {"id": image_id, "annotation": annotation, "width": 16, "height": 12}
    return row | {"cell_type": cell_type} | changes


@pytest.fixture
def layout(tmp_path, write_image, write_table):
    """Writes a folder of the images a, b, c and a table of the given cells."""

    def write(*cells):
        for name in "abc":
            write_image(tmp_path / "train" / f"{name}.png")
        write_table(tmp_path / "train.csv", COLUMNS, cells)
        return tmp_path

    return write


def test_one_row_per_cell_becomes_one_record_per_image(layout):
    scan = Sartorius(layout(cell("a"), cell("a", "5 3"), cell("b", cell_type="astro"))).scan()
    assert [(record.id, record.label) for record in scan.records] == [("a", "cort"), ("b", "astro")]
    assert scan.classes == ("astro", "cort")
    assert scan.faults == ()


def test_cells_are_numbered_in_the_order_of_their_rows_and_later_ones_lie_on_top(layout):
    scan = Sartorius(layout(cell("a", "1 4 17 1"), cell("b"), cell("a", "4 2"))).scan()
    expected = np.zeros((12, 16), dtype=np.int32)
    expected[0, :5] = [1, 1, 1, 2, 2]
    expected[1, 0] = 1
    np.testing.assert_array_equal(scan.records[0].load_mask(), expected)
    assert scan.records[0].load_mask().dtype == np.int32


def test_a_blank_annotation_is_an_image_without_cells(layout):
    record = Sartorius(layout(cell("a", ""))).scan().records[0]
    assert not record.load_mask().any()


def test_a_labels_table_adds_images_without_masks(layout, write_table):
    root = layout(cell("a"))
    labels = [{"id": "a", "cell_type": "cort"}, {"id": "b", "cell_type": "astro"}]
    write_table(root / "labels.csv", ("id", "cell_type"), labels)
    a, b = Sartorius(root, labels="labels.csv").scan().records
    assert a.load_mask is not None
    assert (b.id, b.label, b.load_mask) == ("b", "astro", None)


def test_the_two_tables_must_agree_on_the_class(layout, write_table):
    root = layout(cell("a"))
    write_table(root / "labels.csv", ("id", "cell_type"), [{"id": "a", "cell_type": "astro"}])
    scan = Sartorius(root, labels="labels.csv").scan()
    assert scan.records == ()
    assert str(scan.faults[0]) == (
        "labels.csv row 2: id 'a' is 'astro' here and 'cort' in train.csv row 2, "
        "expected one class per image"
    )


def test_groups_are_wells_and_times_if_every_image_names_them(layout):
    wells = [cell(name, sample_id="w1", plate_time="11h") for name in "ab"]
    other = cell("c", sample_id="w2", plate_time="11h")
    groups = [record.group for record in Sartorius(layout(*wells, other)).scan().records]
    assert groups == ["w1/11h", "w1/11h", "w2/11h"]


def test_an_image_without_a_group_leaves_the_groups_of_the_others(layout):
    known = [cell(name, sample_id="w1", plate_time="11h") for name in "ab"]
    scan = Sartorius(layout(*known, cell("c", sample_id="w2"))).scan()
    assert [record.group for record in scan.records] == ["w1/11h", "w1/11h", None]


def test_planted_causes_are_read_where_they_lie(layout, write_image):
    root = layout(cell("a"), cell("b"))
    write_image(root / "causes" / "a.png", seed=1)
    a, b = Sartorius(root).scan().records
    assert a.load_cause().shape == (12, 16)
    assert a.load_cause().dtype == np.int32
    assert b.load_cause is None


@pytest.mark.parametrize(
    ("rows", "where", "what"),
    [
        ([cell("gone")], "gone.png", "no such file, but train.csv row 2 names it"),
        ([cell("a", cell_type="hela")], "train.csv row 2", "unknown class 'hela' of id 'a'"),
        ([cell("a"), cell("a", cell_type="astro")], "train.csv row 3", "'astro' here and 'cort'"),
        ([cell("../a")], "train.csv row 2", "id '../a', expected letters"),
        ([cell("")], "train.csv row 2", "id ''"),
        ([cell("a", width=17), cell("a")], "train.csv row 3", "width 16 of id 'a', but train.csv"),
        ([cell("a", height="")], "train.csv row 2", "height '' and width '16'"),
        ([cell("a", width="16.0")], "train.csv row 2", "width '16.0'"),
        ([cell("a"), cell("a", "190 4")], "train.csv row 3", "start 190 length 4"),
        ([cell("a", "1 2 3")], "train.csv row 2", "annotation of id 'a'"),
    ],
)
def test_every_fault_is_one_line_that_names_file_or_row(layout, rows, where, what):
    scan = Sartorius(layout(*rows, cell("c"))).scan()
    assert len(scan.faults) == 1
    assert where in scan.faults[0].where
    assert what in scan.faults[0].what
    assert "\n" not in str(scan.faults[0])
    assert "c" in {record.id for record in scan.records}


def test_an_image_with_a_broken_cell_keeps_its_class_and_loses_its_incomplete_mask(layout):
    record = Sartorius(layout(cell("a"), cell("a", "x"))).scan().records[0]
    assert (record.label, record.load_mask) == ("cort", None)


def test_other_classes_can_be_named(layout):
    scan = Sartorius(layout(cell("a", cell_type="hela")), classes=["hela"]).scan()
    assert scan.classes == ("hela",)


def test_a_missing_folder_table_or_column_is_named(tmp_path, layout, write_table):
    with pytest.raises(FileNotFoundError, match="train: no such folder"):
        Sartorius(tmp_path).scan()
    root = layout(cell("a"))
    with pytest.raises(FileNotFoundError, match=r"other\.csv"):
        Sartorius(root, table="other.csv").scan()
    write_table(root / "train.csv", ("id", "annotation", "cell_type"), [])
    with pytest.raises(ValueError, match="no column 'width', 'height'"):
        Sartorius(root).scan()


def test_a_cause_that_cannot_be_read_says_so_when_it_is_asked_for(layout):
    root = layout(cell("a"))
    (root / "causes").mkdir()
    (root / "causes" / "a.png").write_bytes(b"")
    with pytest.raises(ImageFault, match=r"a\.png"):
        Sartorius(root).scan().records[0].load_cause()


def test_the_real_images_are_51_with_their_labels_and_47_without(shared_data):
    labelled = Sartorius(shared_data / "sartorius", labels="labels.csv").scan()
    counts = Counter(record.label for record in labelled.records)
    assert counts == {"shsy5y": 11, "astro": 14, "cort": 26}
    assert labelled.faults == ()
    annotated = Sartorius(shared_data / "sartorius").scan()
    assert len(annotated.records) == 47
    assert all(record.load_mask is not None for record in annotated.records)


def test_a_real_mask_has_one_label_per_row_of_its_image(shared_data):
    record = Sartorius(shared_data / "sartorius").scan().records[0]
    assert record.id == "0030fd0e6378"
    mask = record.load_mask()
    assert mask.shape == (520, 704)
    assert mask.max() == 395
