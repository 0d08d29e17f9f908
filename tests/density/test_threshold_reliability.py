import numpy as np
import pytest

from cellxai.density.threshold_reliability import measure_reliability


def test_what_a_threshold_flags_is_counted_on_judged_images(fitted_rounds):
    known, rounds = fitted_rounds(40, 4)
    rows = measure_reliability(known, rounds)
    (row,) = [row for row in rows if row["nominal_percent"] == 10]
    own, naive = 0, 0
    for fitted in rounds:
        scores = fitted.pipeline.score_samples(known.features[fitted.roles.judged])
        own += int((scores < fitted.pipeline.threshold.threshold_nats).sum())
        cut = np.percentile(fitted.pipeline.fitted_.fit_log_density, 10, method="weibull")
        naive += int((scores < cut).sum())
    assert float(row["measured_share"]) == pytest.approx(own / 40)
    assert float(row["naive_share"]) == pytest.approx(naive / 40)


def test_shares_that_the_held_out_images_cannot_resolve_flag_nothing(fitted_rounds):
    # 30 images set each threshold: α (n + 1) is below 1 for 1 % to 2 %, and above it from 4 % on.
    rows = {row["nominal_percent"]: row for row in measure_reliability(*fitted_rounds(40, 4))}
    assert [float(rows[percent]["measured_share"]) for percent in (1.0, 2.0)] == [0.0, 0.0]
    assert float(rows[50.0]["measured_share"]) > 0.2
