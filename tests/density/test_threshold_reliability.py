import pytest

from cellxai.density.threshold_reliability import measure_reliability


def test_what_a_threshold_flags_is_counted_on_judged_images(fitted_rounds):
    known, rounds = fitted_rounds(40, 4)
    (row,) = [row for row in measure_reliability(known, rounds) if row["nominal_percent"] == 10]
    own = 0
    for fitted in rounds:
        verdicts = fitted.pipeline.judge(known.every.some(fitted.roles.judged).rows)
        own += int(verdicts.flagged.sum())
    assert float(row["measured_share"]) == pytest.approx(own / 40)
    assert row["n"] == 40
    assert float(row["low"]) <= own / 40 <= float(row["high"])


def test_shares_that_so_few_images_cannot_resolve_flag_nothing(fitted_rounds):
    # 30 images set each threshold: α (n + 1) is below 1 for 1 % to 2 %, and above it from 4 % on.
    rows = {row["nominal_percent"]: row for row in measure_reliability(*fitted_rounds(40, 4))}
    assert [float(rows[percent]["measured_share"]) for percent in (1.0, 2.0)] == [0.0, 0.0]
    assert float(rows[50.0]["measured_share"]) > 0.2
