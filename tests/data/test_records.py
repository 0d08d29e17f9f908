from pathlib import Path

from cellxai.data.records import Fault, Record, Scan, note_blank_groups

RECORDS = [Record("1", Path("x"), "b", "p"), Record("2", Path("x"), "a", "q")]


def test_classes_are_in_alphabetical_order():
    assert Scan(tuple(RECORDS)).classes == ("a", "b")


def test_a_blank_group_is_noted_only_where_other_images_have_one():
    assert note_blank_groups(RECORDS) == []
    assert note_blank_groups([Record("3", Path("x"), "a"), Record("4", Path("x"), "b")]) == []
    (fault,) = note_blank_groups([*RECORDS, Record("3", Path("x"), "a")])
    assert "blank for 1 of 3 images (3)" in str(fault)


def test_a_fault_is_one_line_that_begins_with_its_place():
    assert str(Fault("train.csv row 17", "no such file")) == "train.csv row 17: no such file"
