import csv

import pytest

from cellxai.verbs.score import score
from cellxai.verbs.score.table import (
    ScoreRow,
    append_rows,
    encode_rows,
    mend_table,
    read_scores,
    read_whole_rows,
)


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_row_cut_anywhere_is_computed_again(run, plate, tmp_path, cut):
    score(run, str(plate), tmp_path / "out", device="cpu")
    table = tmp_path / "out" / "scores.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:-cut])
    result = score(run, str(plate), tmp_path / "out", device="cpu")
    assert (result.n_images, result.n_before) == (10, 9)
    with table.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 10
    assert table.read_bytes()[:200] == whole[:200]


ROWS = [
    ScoreRow("a", "a.png", "1", "cort", "0.900000", "0.5", "-3.000000", "0", "tones"),
    ScoreRow("b", "b.png", "2", fault="image b: a\nbroken, \"file\""),
    ScoreRow("c", "c.png", "3", "astro", "0.500000", "0.1", "-9.000000", "1", "pixels"),
]  # fmt: skip


def test_rows_come_back_as_they_went_and_a_line_break_is_a_blank(tmp_path):
    path = tmp_path / "scores.csv"
    assert mend_table(path, []) == []
    append_rows(path, ROWS[:2])
    append_rows(path, ROWS[2:])
    assert path.read_bytes().count(b"\n") == 4
    rows = read_scores(path)
    assert [rows[0], rows[2]] == [ROWS[0], ROWS[2]]
    assert rows[1].fault == 'image b: a broken, "file"'


def test_wherever_a_table_is_cut_no_row_is_read_that_is_not_whole():
    whole = encode_rows(ROWS, header=True).decode()
    for end in range(len(whole)):
        kept = list(read_whole_rows(whole[:end].splitlines(keepends=True)))
        n_lines = whole[:end].count("\n")
        assert [row.id for row in kept] == ["a", "b", "c"][: max(n_lines - 1, 0)]


def test_a_row_of_the_same_file_in_another_state_is_out_of_date(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_bytes(encode_rows(ROWS, header=True))
    kept = mend_table(path, {("a.png", "1"), ("c.png", "4")})
    assert [row.id for row in kept] == ["a", "b"]
    assert [row.id for row in read_scores(path)] == ["a", "b"]
    before = path.stat().st_mtime_ns
    mend_table(path, {("a.png", "1")})
    assert path.stat().st_mtime_ns == before
