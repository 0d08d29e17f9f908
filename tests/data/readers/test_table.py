import numpy as np
import pytest

from cellxai.data.readers.table import Manifest

COLUMNS = ("path", "label", "mask", "group")


@pytest.fixture
def table(tmp_path, write_image, write_table):
    """Writes the images a.png and sub/b.png, the mask m.png, and a table of the given rows."""

    def write(*rows):
        for name in ("a.png", "sub/b.png", "m.png"):
            write_image(tmp_path / name)
        return write_table(tmp_path / "cells.csv", COLUMNS, rows)

    return write


def test_rows_become_records_with_paths_relative_to_the_table(table, tmp_path):
    rows = [
        {"path": "a.png", "label": "x", "mask": "m.png", "group": "plate 1"},
        {"path": "sub/b.png", "label": "y"},
    ]
    a, b = Manifest(table(*rows)).scan().records
    assert (a.id, a.path, a.label, a.group) == ("a", tmp_path / "a.png", "x", "plate 1")
    assert (b.id, b.label, b.group, b.load_mask) == ("sub__b", "y", None, None)
    assert a.load_mask().dtype == np.int32


def test_another_root_can_be_given(table, tmp_path, write_table):
    table()
    elsewhere = write_table(
        tmp_path / "lists" / "cells.csv", ("path", "label"), [{"path": "a.png", "label": "x"}]
    )
    assert Manifest(elsewhere, root=tmp_path).scan().records[0].path == tmp_path / "a.png"


def test_a_table_without_the_optional_columns_is_enough(table, tmp_path, write_table):
    table()
    write_table(tmp_path / "cells.csv", ("path", "label"), [{"path": "a.png", "label": "x"}])
    assert len(Manifest(tmp_path / "cells.csv").scan().records) == 1


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"path": "gone.png", "label": "x"}, "path 'gone.png': no such file"),
        ({"path": "sub/b.png", "label": ""}, "label of 'sub/b.png' is blank"),
        ({"path": "", "label": "x"}, "path is blank"),
        ({"path": "sub", "label": "x"}, "path 'sub': a folder, expected a file"),
        ({"path": "sub/b.png", "label": "x", "mask": "gone.png"}, "mask 'gone.png': no such file"),
        ({"path": "a.png", "label": "y"}, "'y' here and 'x' in cells.csv row 2"),
        ({"path": "a.png", "label": "x"}, "in cells.csv row 2 already"),
    ],
)
def test_every_fault_names_its_row(table, row, what):
    scan = Manifest(table({"path": "a.png", "label": "x"}, row)).scan()
    assert [record.id for record in scan.records] == ["a"]
    assert [fault.where for fault in scan.faults] == ["cells.csv row 3"]
    assert what in scan.faults[0].what


def test_a_missing_table_or_column_is_named(tmp_path, write_table):
    with pytest.raises(FileNotFoundError, match=r"cells\.csv"):
        Manifest(tmp_path / "cells.csv").scan()
    write_table(tmp_path / "cells.csv", ("file", "label"), [])
    with pytest.raises(ValueError, match="no column 'path', got file, label"):
        Manifest(tmp_path / "cells.csv").scan()


def test_every_further_column_stays_with_its_image(table, tmp_path, write_table):
    table()
    columns = ("path", "label", "mask", "group", "plate", "well", "dose")
    rows = [
        {"path": "a.png", "label": "x", "plate": "P1", "well": " A01 ", "group": "g"},
        {"path": "sub/b.png", "label": "y", "plate": "P1", "well": "A02", "dose": "5"},
    ]
    a, b = Manifest(write_table(tmp_path / "cells.csv", columns, rows)).scan().records
    assert a.columns == {"plate": "P1", "well": "A01", "dose": ""}
    assert b.columns == {"plate": "P1", "well": "A02", "dose": "5"}
    assert a.files == (a.path,)
