"""The small table that functions give back."""

import csv

import pytest

from cellxai.files.frame import Frame

ROWS = [
    {"name": "a", "value": 1.5, "fits": True},
    {"name": "<b>", "value": float("nan"), "fits": False},
    {"name": "c", "value": None, "fits": True},
]


def test_rows_and_columns_are_read_by_number_and_name():
    frame = Frame(ROWS)
    assert frame.columns == ("name", "value", "fits")
    assert (len(frame), frame[0], frame[-1]["name"]) == (3, ROWS[0], "c")
    assert frame["name"] == ["a", "<b>", "c"]
    assert frame[1:]["name"] == ["<b>", "c"]
    assert [row["name"] for row in frame] == frame.to_dict()["name"]
    assert frame.where(fits=True)["name"] == ["a", "c"]
    assert frame.where(fits=True, name="a")[0] == ROWS[0]


def test_a_column_that_is_not_there_names_those_that_are():
    with pytest.raises(KeyError, match="no column 'nmae'; there are name, value, fits"):
        Frame(ROWS)["nmae"]
    with pytest.raises(ValueError, match=r"row 1 has columns \('b',\)"):
        Frame([{"a": 1}, {"b": 2}])


def test_its_text_is_aligned_and_its_page_escaped():
    assert repr(Frame(ROWS)).splitlines() == [
        "name  value  fits",
        "a       1.5  yes",
        "<b>          no",
        "c            yes",
    ]
    page = Frame(ROWS)._repr_html_()
    assert "<td>&lt;b&gt;</td>" in page
    assert page.count("<tr>") == 4


def test_a_long_frame_prints_its_beginning_and_counts_the_rest():
    lines = repr(Frame([{"n": n} for n in range(100)])).splitlines()
    assert (len(lines), lines[-1]) == (32, "… and 70 more rows")


def test_an_empty_frame_has_its_columns():
    assert repr(Frame([], ["a", "b"])) == "a  b"
    assert Frame([], ["a"])["a"] == []


def test_what_is_saved_is_read_back(tmp_path):
    path = Frame(ROWS).save(str(tmp_path / "table.csv"))
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["name", "value", "fits"], ["a", "1.5", "True"], ["<b>", "", "False"],
                    ["c", "", "True"]]  # fmt: skip


def test_pandas_takes_it_as_it_is():
    pandas = pytest.importorskip("pandas")
    assert list(pandas.DataFrame(Frame(ROWS)).columns) == ["name", "value", "fits"]
    assert Frame(ROWS).to_pandas()["name"].tolist() == ["a", "<b>", "c"]
