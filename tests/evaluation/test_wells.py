"""Wells against Arrow's group-by, and intervals whose unit is the well against simulation."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.data.wells import Well
from cellxai.evaluation.well_tables import draw_wells, plate_row, well_row
from cellxai.evaluation.wells import WellImages, judge_plates, judge_wells, report_wells
from cellxai.intervals import mean_interval

CLASSES = ["a", "b", "c"]


def draw_images(n: int, n_plates: int, seed: int) -> WellImages:
    """Images of random wells; every seventh has none."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([1, 1, 1], n)
    wells = [
        None if i % 7 == 6 else Well(f"P{random.integers(n_plates)}", f"A{random.integers(1, 5)}")
        for i in range(n)
    ]
    return WellImages(wells, probabilities, random.random(n) < 0.3, random.integers(0, 3, n))


@given(n=st.integers(1, 60), n_plates=st.integers(1, 3), seed=st.integers(0, 999))
@settings(max_examples=25)
def test_wells_and_plates_are_what_arrow_groups_by(n, n_plates, seed):
    images = draw_images(n, n_plates, seed)
    assert images.labels is not None
    columns: dict[str, object] = {
        f"p_{name}": images.probabilities[:, k] for k, name in enumerate(CLASSES)
    }
    columns["accuracy"] = (images.probabilities.argmax(1) == images.labels).astype(float)
    columns["share_unknown"] = np.asarray(images.unknown, float)
    names, placed = list(columns), [i for i, well in enumerate(images.wells) if well is not None]
    columns |= {key: [well and getattr(well, key) for well in images.wells] for key in Well._fields}
    of_wells = average(pa.table(columns).take(placed), ["plate", "well"], names)
    judged = judge_wells(images)
    assert [tuple(well.well) for well in judged] == [(r["plate"], r["well"]) for r in of_wells]
    assert sum(well.n_images for well in judged) == len(placed)
    for well, expected in zip(judged, of_wells, strict=True):
        assert list(well.probabilities) == pytest.approx([expected[f"p_{c}"] for c in CLASSES])
        assert well.accuracy == pytest.approx(expected["accuracy"])
        assert well.share_unknown == pytest.approx(expected["share_unknown"])
    of_plates = average(pa.Table.from_pylist(of_wells), ["plate"], names)
    of_all = average(pa.Table.from_pylist(of_plates), [], names)
    plates = judge_plates(judged, CLASSES)
    several = of_all if len(of_plates) > 1 else []
    for plate, expected in zip(plates, [*of_plates, *several], strict=True):
        assert plate.plate == expected.get("plate", "(all)")
        values = {name: plate.figures[name].value for name in names}
        assert values == pytest.approx({name: expected[name] for name in names})


def average(table: pa.Table, keys: list[str], names: list[str]) -> list[dict]:
    """Means by group, in the order of the groups' names."""
    grouped = table.group_by(keys).aggregate([(name, "mean") for name in names])
    rows = [{key.removesuffix("_mean"): x for key, x in r.items()} for r in grouped.to_pylist()]
    return sorted(rows, key=lambda row: [row[key] for key in keys])


def test_a_well_is_right_if_its_mean_is_and_one_of_two_labels_is_neither():
    wells = [Well("P", "A1")] * 3 + [Well("P", "A2")] * 2
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    judged = judge_wells(WellImages(wells, p, None, np.array([0, 0, 0, 0, 1])))
    assert [well.is_right for well in judged] == [True, None]
    assert judged[0].agreeing == pytest.approx(2 / 3)
    report = report_wells(judged, judge_plates(judged, ["a", "b"]))
    assert report["accuracy_of_wells"]["n_wells"] == 1
    assert (report["n_wells"], report["n_plates"], report["unit"]) == (2, 1, "well")
    assert report_wells([], []) == {}


def test_the_plate_is_the_unit_where_there_are_several():
    images = draw_images(50, 3, 0)
    judged = judge_wells(images)
    *plates, of_all = judge_plates(judged, CLASSES)
    values = np.array([plate.figures["p_a"].value for plate in plates])
    assert (of_all.unit, of_all.n_units, of_all.n_wells) == ("plate", 3, len(judged))
    low, high = mean_interval(values) or (0, 0)
    assert of_all.figures["p_a"].interval == pytest.approx((max(low, 0), min(high, 1)))


def test_rows_say_what_was_judged_and_leave_blank_what_was_not():
    wells = [Well("P", "A1")] * 2
    (judged,) = judge_wells(WellImages(wells, np.array([[0.9, 0.1], [0.7, 0.3]])))
    row = well_row(judged, ["a", "b"])
    assert (row["predicted"], row["probability"], row["p_b"]) == ("a", "0.800000", "0.200000")
    assert (row["share_unknown"], "label" in row, "accuracy" in row) == ("", False, False)
    assert (mean_interval(np.array([0.9, 0.7])) or (0, 0))[0] < 0
    assert (row["probability_low"], row["probability_high"]) == ("0.000000", "1.000000")
    (plate,) = judge_plates([judged], ["a", "b"])
    assert plate_row(plate) | {"p_a": "0.800000", "p_a_low": "", "n_units": 1} == plate_row(plate)


def test_wells_that_are_no_places_are_not_drawn(tmp_path):
    judged = judge_wells(WellImages([Well("P", "control")], np.array([[0.9, 0.1]])))
    (tmp_path / "plates.png").write_text("old")
    draw_wells(judged, ["a", "b"], tmp_path / "plates.png", "test")
    assert not (tmp_path / "plates.png").exists()


@pytest.mark.slow
def test_intervals_by_well_cover_and_those_by_image_do_not():
    random, n_draws, n_wells, n_images = np.random.default_rng(0), 2000, 8, 6
    covered = {"well": 0, "image": 0}
    for _ in range(n_draws):
        of_well = random.normal(0.5, 0.1, (n_wells, 1))
        p = of_well + random.normal(0, 0.05, (n_wells, n_images))
        wells = [Well("P", f"A{i + 1}") for i in range(n_wells) for _ in range(n_images)]
        both = np.column_stack([p.ravel(), 1 - p.ravel()])
        (plate,) = judge_plates(judge_wells(WellImages(wells, both)), ["a", "b"])
        for unit, interval in (
            ("well", plate.figures["p_a"].interval), ("image", mean_interval(p.ravel())),
        ):  # fmt: skip
            assert interval is not None
            covered[unit] += interval[0] <= 0.5 <= interval[1]
    # Images of a well that are taken for independent miss.
    assert 0.935 <= covered["well"] / n_draws <= 0.975
    assert covered["image"] / n_draws < 0.75
