import os

import pytest

from cellxai.data import csv_rows
from cellxai.data.csv_rows import read_rows, table_faults, table_notes


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path):
    (tmp_path / "t.csv").write_text("id,part\na,train\nb,test\n")
    rows = read_rows(tmp_path / "t.csv", ("id", "part"))
    assert [row.where for row in rows] == ["t.csv row 2", "t.csv row 3"]
    assert [row["id"] for row in rows] == ["a", "b"]


def test_a_spreadsheets_mark_blanks_and_short_rows_do_no_harm(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffid , part\n a \nb,x,surplus\n", encoding="utf-8")
    first, second = read_rows(tmp_path / "t.csv", ("id", "part"))
    assert (first["id"], first["part"], first["none"], first.damage) == ("a", "", "", "")
    assert (second["id"], second["part"]) == ("b", "x")
    assert second.damage == "3 cells, expected 2; put a cell with a comma into quotes"


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    (tmp_path / "t.csv").write_text("id,class\n")
    with pytest.raises(ValueError, match=r"t\.csv: no column 'part', got id, class"):
        read_rows(tmp_path / "t.csv", ("id", "part"))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"t\.csv: no such file"):
        read_rows(tmp_path / "t.csv", ())


def test_what_is_no_text_is_named(tmp_path):
    for content in (b"\xff\xfe\x00id", b"\xff\xfeid,part\n", "id,part\n".encode("utf-16")):
        (tmp_path / "t.csv").write_bytes(content)
        with pytest.raises(ValueError, match=r"t\.csv: .*expected a CSV table in UTF-8"):
            read_rows(tmp_path / "t.csv", ())


def damages(path) -> list[str]:
    """What is wrong with each row of a table of two columns."""
    return [row.damage for row in read_rows(path, ("id", "part"))]


def test_a_row_that_is_not_utf8_costs_itself_alone(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"id,part\na,train\nz\xfcrich,train\nb,test\n")
    assert damages(tmp_path / "t.csv") == [
        "",
        "'z\\udcfcrich' is not text in UTF-8; correct it, or save the table as UTF-8",
        "",
    ]


def test_a_quote_that_is_not_closed_costs_its_row_alone(tmp_path):
    (tmp_path / "t.csv").write_text('id,part\na,train\n"b,train\nc,test\nd,test\n')
    rows = read_rows(tmp_path / "t.csv", ("id", "part"))
    assert [row["id"] for row in rows if not row.damage] == ["a", "c", "d"]
    (fault,) = table_faults(tmp_path / "t.csv", rows)
    assert str(fault) == "t.csv row 3: a quote that is not closed; close it"


def test_cells_in_quotes_may_hold_commas_and_notes_may_hold_line_breaks(tmp_path):
    (tmp_path / "t.csv").write_text('id,part,note\n"a,b",train,"two\nlines"\nc,test,\n')
    rows = read_rows(tmp_path / "t.csv", ("id", "part"))
    assert [(row["id"], row["part"], row.damage) for row in rows] == [
        ("a,b", "train", ""), ("c", "test", ""),
    ]  # fmt: skip


def test_a_table_that_was_cut_says_so(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,part\na,train\nb")
    assert damages(path) == ["", "1 cells, expected 2: the table ends here; copy it again"]
    path.write_text("id,part\na,train\nb,tr")
    rows = read_rows(path, ("id", "part"))
    assert [str(note) for note in table_notes(rows)] == [
        "t.csv row 3: no line end after it: if the table was cut, its last cell is not whole"
    ]
    assert table_faults(path, rows) == []


def test_two_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("id,part, id\n")
    with pytest.raises(ValueError, match=r"t\.csv: two columns are called 'id'; rename"):
        read_rows(tmp_path / "t.csv", ("id", "part"))


def test_a_cell_longer_than_pythons_limit_is_read(tmp_path):
    (tmp_path / "t.csv").write_text(f"id,part\na,{'1 ' * 99_999}\n")
    assert len(read_rows(tmp_path / "t.csv", ("id", "part"))[0]["part"]) == 199_997


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path, said in ((tmp_path / "pipe.csv", "a pipe"), (tmp_path, "a folder")):
        with pytest.raises(ValueError, match=f"{path.name}: {said}, expected a file"):
            read_rows(path, ())


def test_a_table_larger_than_any_is_not_read(tmp_path):
    with (tmp_path / "t.csv").open("wb") as file:
        file.truncate(csv_rows.MOST_BYTES + 1)  # a hole: it takes no place on disk
    with pytest.raises(ValueError, match=r"t\.csv: above 2,147,483,648 bytes"):
        read_rows(tmp_path / "t.csv", ())
