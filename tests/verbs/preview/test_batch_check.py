"""Columns of a table: which are told from the image, which go with the class, which are neither."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellxai.data.plane_statistics import N_NUMBERS, image_numbers, read_plane_statistics
from cellxai.data.records import Columns, Record
from cellxai.evaluation import batch_effect
from cellxai.verbs.preview.batch_check import PIXELS, check_batches, unit_of

WELLS = [f"{row}{column}" for row in "ABCD" for column in range(1, 7)]


@pytest.fixture(autouse=True)
def few_permutations(monkeypatch) -> None:
    monkeypatch.setattr(batch_effect, "N_PERMUTATIONS", 99)


def on_plates(together: float, brighter: float, seed: int = 0):
    """Records of two plates and their numbers; the second plate may be brighter.

    Args:
        together: Share of the wells whose plate is that of their class.
        brighter: By how many standard deviations.
        seed: Of the draw.
    """
    random = np.random.default_rng(seed)
    records, rows = [], []
    for plate in (0, 1):
        for well in WELLS:
            label = plate if random.random() < together else 1 - plate
            for site in "12":
                columns = {
                    "plate": f"P{plate}", "well": well, "site": site, "operator": "me",
                    "dose": f"{label}",
                }  # fmt: skip
                name = f"{plate}-{well}-{site}"
                records.append(Record(name, Path(name), "ab"[label], columns=Columns(columns)))
                rows.append(random.normal([brighter * plate, 0, 0, 3 * label], 1))
    return {PIXELS: (records, np.array(rows))}


def checked(**given: float):
    check = check_batches(on_plates(**given))
    return check, {column.column: column for column in check.columns}


def test_a_bright_plate_that_goes_with_the_class_is_a_warning():
    check, columns = checked(together=0.85, brighter=4)
    plate = columns["plate"]
    assert (plate.is_told, plate.is_confounded, plate.unit, plate.n_units) == (
        True,
        True,
        "well",
        48,
    )
    (line,) = [line for line in check.lines if line.startswith("warning: plate ")]
    assert "split.group_by: [plate]" in line
    assert "permutation p 0.010" in str(plate)
    assert plate.as_json()["warning"] == line.removeprefix("warning: ")


def test_a_bright_plate_that_has_every_class_is_told_and_no_warning():
    plate = checked(together=0.5, brighter=4)[1]["plate"]
    assert (plate.is_told, plate.is_confounded, plate.warning) == (True, False, "")


def test_a_plate_that_looks_like_the_other_is_not_told():
    plate = checked(together=0.5, brighter=0)[1]["plate"]
    assert (plate.is_told, plate.warning) == (False, "")
    assert "cannot be told from the image" in str(plate)


def test_what_is_the_class_by_another_name_is_said_to_be():
    dose = checked(together=0.5, brighter=0)[1]["dose"]
    assert dose.is_told
    assert dose.is_confounded
    assert "each of its values has one class; each class has one of its values" in str(dose)
    assert "class and all" in str(dose)


def test_columns_that_cannot_be_asked_for_say_why():
    check, columns = checked(together=0.5, brighter=0)
    assert {*columns} == {"plate", "well", "site", "dose"}
    assert check.not_checked == ("operator: 1 value(s), expected at least 2",)
    assert columns["well"].unit == "image"
    assert columns["site"].unit == "well"
    assert any("pixel statistics alone" in line for line in check.lines)


def test_the_unit_is_the_well_or_else_the_group_and_never_the_column_itself():
    record = Record("x", Path("x"), "a", "g", columns=Columns({"well": "A1", "plate": "P"}))
    assert unit_of(record, "well", "plate") == ("P", "A1")
    assert unit_of(record, "well", "well") == ("image", "x")
    assert unit_of(record, "group", "plate") == ("group", "g")
    assert unit_of(record, "group", "group") == ("image", "x")


def test_numbers_of_planes_are_of_the_pixels_as_stored(tmp_path):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 60_000, (40, 30, 2), dtype=np.uint16)
    numbers = image_numbers(pixels)
    assert numbers.shape == (2 * N_NUMBERS,)
    plane = pixels[..., 1].astype(float)
    assert numbers[N_NUMBERS : N_NUMBERS + 2] == pytest.approx(
        [plane.mean(), plane.std()], rel=1e-4
    )
    middle = np.percentile(plane, (1, 25, 50, 75, 99))
    assert numbers[N_NUMBERS + 2 : -1] == pytest.approx(middle, rel=1e-4)
    assert numbers[-1] == pytest.approx(2, abs=0.2)  # of neighbours that know nothing of another
    smooth = np.add.outer(np.arange(40), np.arange(30)).astype(np.uint8)
    assert image_numbers(smooth)[-1] < 0.05
    Image.fromarray(smooth).save(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    records = [Record(name, tmp_path / f"{name}.png", "x") for name in ("a", "b", "gone")]
    known, rows = read_plane_statistics(records)
    assert [record.id for record in known] == ["a", "b"]
    assert rows.shape == (2, N_NUMBERS)
    assert read_plane_statistics([])[1].shape[0] == 0
