import pickle
from pathlib import Path

import pytest

from cellxai.data.grouping import (
    column_names,
    group_records,
    strata_of,
    value_of,
    with_columns,
)
from cellxai.data.records import Columns, Record


def image(name: str, label: str = "a", group: str | None = None, **columns: str) -> Record:
    return Record(name, Path(f"{name}.png"), label, group, columns=Columns(columns))


PLATES = [
    image("1", plate="P1", well="A01"),
    image("2", plate="P1", well="B01"),
    image("3", plate="P2", well="A01", dose="5"),
]


def test_columns_cannot_be_changed_and_survive_a_process():
    columns = Columns({"plate": "P1", "well": "A01"})
    with pytest.raises(TypeError):
        columns["plate"] = "P2"  # pyright: ignore[reportIndexIssue]
    assert pickle.loads(pickle.dumps(columns)) == columns == {"well": "A01", "plate": "P1"}
    assert len({columns, Columns({"well": "A01", "plate": "P1"}), Columns()}) == 2


def test_images_that_are_equal_in_all_columns_are_a_group():
    assert [r.group for r in group_records(PLATES, ["plate"])] == ["P1", "P1", "P2"]
    groups = [r.group for r in group_records(PLATES, ["plate", "well"])]
    assert groups == ["plate=P1, well=A01", "plate=P1, well=B01", "plate=P2, well=A01"]
    assert group_records(PLATES, []) == PLATES


def test_the_group_of_the_reader_can_be_named_too():
    records = [image("1", group="x", plate="P"), image("2", group="y", plate="P")]
    assert [r.group for r in group_records(records, ["group"])] == ["x", "y"]
    assert value_of(records[0], "label") == "a"


def test_a_column_that_is_not_there_is_an_error_that_names_those_that_are():
    with pytest.raises(ValueError, match=r"split.group_by: no column 'Plate' in the data, expected "
                       "some of label, group, plate, well, dose"):  # fmt: skip
        group_records(PLATES, ["Plate"])
    with pytest.raises(ValueError, match=r"split.stratify_by: no column 'doze'"):
        strata_of(PLATES, ["label", "doze"])


def test_a_group_that_is_blank_is_an_error_that_names_the_images():
    with pytest.raises(ValueError, match=r"'dose' is blank for 2 of 3 images \(1, 2\)"):
        group_records(PLATES, ["dose"])
    with pytest.raises(ValueError, match=r"'group' is blank for all 3 images"):
        group_records(PLATES, ["group"])


def test_strata_are_of_one_class_and_a_blank_is_a_value():
    records = [*PLATES, image("4", "b", dose="5")]
    strata = strata_of(records, ["dose"])
    assert strata == strata_of(records, ["label", "dose"])
    assert len(set(strata.values())) == 3
    assert strata["1"] == strata["2"] != strata["3"] != strata["4"]
    assert strata_of(records, ["label"]) == strata_of(records, []) == {}


def test_tables_of_results_carry_the_columns_along_and_lose_none_of_their_own():
    assert column_names(PLATES) == ("plate", "well", "dose")
    records = [image("1", label="true", confidence="low")]
    rows = with_columns([{"id": "1", "confidence": "0.9"}], records)
    assert rows == [{"id": "1", "confidence": "0.9", "data: confidence": "low"}]
    assert with_columns([], []) == []
