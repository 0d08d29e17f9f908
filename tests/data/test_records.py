from dataclasses import replace
from pathlib import Path

from cellxai.data.records import Fault, Record, Scan, without_partial_groups

RECORDS = [Record("1", Path("x"), "b", "p"), Record("2", Path("x"), "a", "q")]


def test_classes_are_in_alphabetical_order():
    assert Scan(tuple(RECORDS)).classes == ("a", "b")


def test_groups_are_kept_only_where_every_image_has_one():
    assert without_partial_groups(RECORDS) == RECORDS
    partial = [*RECORDS, Record("3", Path("x"), "a")]
    assert without_partial_groups(partial) == [replace(r, group=None) for r in partial]


def test_a_fault_is_one_line_that_begins_with_its_place():
    assert str(Fault("train.csv row 17", "no such file")) == "train.csv row 17: no such file"
