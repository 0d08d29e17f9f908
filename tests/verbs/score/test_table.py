import csv
import os

import pytest
from score_rows import rows_in

from cellxai.files.folder import write_csv
from cellxai.verbs.score import score
from cellxai.verbs.score.table import (
    ScoreRow,
    append_rows,
    encode_header,
    encode_rows,
    fill_in,
    mend_table,
    probability_columns,
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


CLASSES = ["cort", 'a, "b"']
SHARES = {"p_cort": "0.900000", 'p_a, "b"': "0.100000"}
BLANK = dict.fromkeys(SHARES, "")
ROWS = [
    ScoreRow("a", "a.png", "1", "cort", "0.900000", unfamiliar="0", probabilities=SHARES),
    ScoreRow(
        "b", "b.png", "2", fault="image b: a\nbroken, \"file\"", probabilities=BLANK
    ),
    ScoreRow("c", "c.png", "3", 'a, "b"', "0.500000", probabilities=SHARES),
]  # fmt: skip


def test_rows_come_back_as_they_went_and_a_line_break_is_a_blank(tmp_path):
    path = tmp_path / "scores.csv"
    assert mend_table(path, [], CLASSES) == []
    append_rows(path, ROWS[:2], CLASSES)
    append_rows(path, ROWS[2:], CLASSES)
    assert path.read_bytes().count(b"\n") == 4
    rows = read_scores(path)
    assert [rows[0], rows[2]] == [ROWS[0], ROWS[2]]
    assert rows[1].fault == 'image b: a broken, "file"'


def test_wherever_a_table_is_cut_no_row_is_read_that_is_not_whole():
    whole = (encode_header(CLASSES) + encode_rows(ROWS, CLASSES)).decode()
    for end in range(len(whole)):
        kept = list(read_whole_rows(whole[:end].splitlines(keepends=True)))
        n_lines = whole[:end].count("\n")
        assert [row.id for row in kept] == ["a", "b", "c"][: max(n_lines - 1, 0)]


def test_a_row_of_the_same_file_in_another_state_is_out_of_date(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_bytes(encode_header(CLASSES) + encode_rows(ROWS, CLASSES))
    kept = mend_table(path, {("a.png", "1"), ("c.png", "4")}, CLASSES)
    assert [row.id for row in kept] == ["a", "b"]
    assert [row.id for row in read_scores(path)] == ["a", "b"]
    before = path.stat().st_mtime_ns
    mend_table(path, {("a.png", "1")}, CLASSES)
    assert path.stat().st_mtime_ns == before


def test_a_table_without_the_probabilities_of_all_classes_is_made_anew(run, plate, tmp_path):
    score(run, str(plate), tmp_path / "out", device="cpu")
    new = rows_in(tmp_path / "out")
    old = [{name: row[name] for name in row if not name.startswith("p_")} for row in new]
    write_csv(tmp_path / "out" / "scores.csv", old)
    assert score(run, str(plate), tmp_path / "out", device="cpu").n_before == 0
    assert rows_in(tmp_path / "out") == new


def test_columns_of_probabilities_are_clear_whatever_a_class_is_called():
    assert probability_columns(["path", "=1+1", "a\nb"]) == ["p_path", "p_=1+1", "p_a\\nb"]


def test_a_name_that_is_no_utf_8_is_kept_byte_by_byte(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    row = ScoreRow("caf", name, "1", "cort", "0.900000", probabilities=SHARES)
    mend_table(tmp_path / "scores.csv", [], CLASSES)
    append_rows(tmp_path / "scores.csv", [row], CLASSES)
    assert b"caf\xe9.png" in (tmp_path / "scores.csv").read_bytes()
    assert read_scores(tmp_path / "scores.csv") == [row]


def test_rows_are_not_added_to_a_file_that_is_linked(tmp_path):
    mine, table = tmp_path / "mine.csv", tmp_path / "scores.csv"
    mine.write_bytes(encode_header(CLASSES))
    table.symlink_to(mine)
    mend_table(table, set(), CLASSES)
    append_rows(table, [ScoreRow("a", "a.png", "1", fault="no image")], CLASSES)
    assert mine.read_bytes() == encode_header(CLASSES)
    assert [row.id for row in read_scores(table)] == ["a"]


def test_q_values_are_those_of_benjamini_and_hochberg_among_the_rows_of_the_call(tmp_path):
    path, shares = tmp_path / "scores.csv", dict.fromkeys(SHARES, "0.5")
    p_values = [0.04, 0.001, 0.03, 0.9]
    rows = [
        ScoreRow(f"{i}", f"{i}.png", "1", "cort", "0.5", known_p=f"{p:.6f}", probabilities=shares)
        for i, p in enumerate(p_values)
    ]
    of_another_call = ScoreRow("z", "z.png", "1", "cort", "0.5", known_p="0.5", q_value="0.7",
                               probabilities=shares)  # fmt: skip
    mend_table(path, [], CLASSES)
    append_rows(path, [*rows, of_another_call], CLASSES)
    filled = fill_in(path, {row.key for row in rows}, CLASSES)
    # Each p · m / rank, and the least of those at the same rank or a higher one.
    by_hand = [0.04 * 4 / 3, 0.001 * 4, 0.04 * 4 / 3, 0.9]
    assert [float(row.q_value) for row in filled] == pytest.approx(by_hand, abs=1e-6)
    assert read_scores(path) == [*filled, of_another_call]


def test_further_columns_are_filled_in_for_the_images_of_the_call_and_others_keep_theirs(tmp_path):
    path = tmp_path / "scores.csv"
    mend_table(path, [], CLASSES)
    append_rows(path, ROWS, CLASSES)
    fill_in(path, {ROWS[0].key}, CLASSES, {ROWS[0].key: {"well": "A01", "p_cort": "x", "id": "7"}})
    said = {"well": "A01", "data: p_cort": "x", "data: id": "7"}
    assert [row.columns for row in read_scores(path)] == [said, *[dict.fromkeys(said, "")] * 2]
    # Another call adds rows under the same header, and says something of its own.
    mend_table(path, {ROWS[2].key}, CLASSES)
    append_rows(path, [ScoreRow("d", "d.png", "4", fault="no image")], CLASSES)
    fill_in(path, {("d.png", "4")}, CLASSES, {("d.png", "4"): {"dose": "5"}})
    rows = read_scores(path)
    assert [row.id for row in rows] == ["a", "b", "c", "d"]
    assert [row.columns["well"] for row in rows] == ["A01", "", "", ""]
    assert [row.columns["dose"] for row in rows] == ["", "", "", "5"]
    assert rows[0].probabilities == ROWS[0].probabilities
