import pytest

from cellxai.data.csv_rows import read_rows


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path):
    (tmp_path / "t.csv").write_text("id,part\na,train\nb,test\n")
    rows = read_rows(tmp_path / "t.csv", ("id", "part"))
    assert [row.where for row in rows] == ["t.csv row 2", "t.csv row 3"]
    assert [row["id"] for row in rows] == ["a", "b"]


def test_a_spreadsheets_mark_blanks_and_short_rows_do_no_harm(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffid , part\n a \nb,x,surplus\n", encoding="utf-8")
    first, second = read_rows(tmp_path / "t.csv", ("id", "part"))
    assert (first["id"], first["part"], first["none"]) == ("a", "", "")
    assert (second["id"], second["part"]) == ("b", "x")


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    (tmp_path / "t.csv").write_text("id,class\n")
    with pytest.raises(ValueError, match=r"t\.csv: no column 'part', got id, class"):
        read_rows(tmp_path / "t.csv", ("id", "part"))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"t\.csv: no such file"):
        read_rows(tmp_path / "t.csv", ())


def test_what_is_no_text_is_named(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00id")
    with pytest.raises(ValueError, match=r"t\.csv: .*expected a CSV table in UTF-8"):
        read_rows(tmp_path / "t.csv", ())
