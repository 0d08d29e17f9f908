import pytest

from cellxai.data.wells import Well, in_plate_order, place_of, plate_shape, row_name, well_of


@pytest.mark.parametrize(
    ("name", "place"),
    [("A1", (0, 0)), ("A01", (0, 0)), ("h12", (7, 11)), ("P24", (15, 23)), ("AF48", (31, 47)),
     ("A00", None), ("A100", None), ("12", None), ("ctrl", None), ("A0١", None)],
)  # fmt: skip
def test_a_well_is_named_by_row_and_column(name, place):
    assert place_of(name) == place


def test_rows_are_named_as_they_are_read():
    assert [place_of(f"{row_name(row)}1") for row in range(60)] == [(row, 0) for row in range(60)]


def test_the_plate_is_the_smallest_usual_one_that_has_all_wells():
    assert plate_shape([(0, 0), (7, 11)]) == (8, 12)
    assert plate_shape([(8, 0)]) == (16, 24)
    assert plate_shape([(1, 2)]) == (2, 3)
    assert plate_shape([(31, 47)]) == (32, 48)
    assert plate_shape([(40, 3)]) == (41, 4)


def test_a_well_without_a_name_is_none():
    assert well_of({"Plate": "P1", "Well": "A01"}) == Well("P1", "A01")
    assert well_of({"well": "A01"}) == Well("", "A01")
    assert well_of({"plate": "P1", "well": ""}) is None
    assert well_of({"dose": "5"}) is None


def test_wells_are_in_the_order_of_the_plate_and_odd_names_last():
    names = ["B1", "A10", "A2", "x y", "A1"]
    wells = [Well("P", name) for name in names]
    ordered = [well.well for well in sorted(wells, key=in_plate_order)]
    assert ordered == ["A1", "A2", "A10", "B1", "x y"]
