import math
from fractions import Fraction

import numpy as np
import pytest

from gmm.anomaly import (
    DensityThreshold,
    densest,
    density_threshold,
    held_out_parts,
    least_held_out,
)


def expected_scores(n: int) -> np.ndarray:
    """Expectations of n sorted uniform scores: the i-th is i / (n + 1).

    The threshold interpolates between sorted scores, so it is linear in them, and its expectation
    is the threshold of their expectations. That is the share of new uniform scores below it.
    """
    return np.arange(1, n + 1) / (n + 1)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 19, 20, 24, 40, 60, 99, 100, 1000, 12345])
@pytest.mark.parametrize(
    "percent", [0.01, 0.5, 1.0, 2.5, 4.0, 5.0, 10.0, 100 / 3, 50.0, 75.0, 95.0, 99.5]
)
def test_the_expected_share_of_new_samples_below_the_threshold_is_that_asked_for(n, percent):
    share = percent / 100
    flagged = density_threshold(expected_scores(n), percent).threshold_nats
    if share * (n + 1) < 1:
        assert flagged == -math.inf
    elif share * (n + 1) > n:  # not even all scores but the largest would do
        assert flagged == n / (n + 1) < share
    else:
        assert flagged == pytest.approx(share, rel=1e-12)


def test_the_usual_percentile_would_flag_more():
    assert np.percentile(expected_scores(40), 4) > 0.06
    assert density_threshold(expected_scores(40), 4.0).threshold_nats == pytest.approx(0.04)


@pytest.mark.parametrize("n", range(1, 60))
def test_a_share_is_resolved_from_the_first_number_of_samples_on_that_can(n):
    percent = float(100 * Fraction(1, n + 1))  # α (n + 1) is 1, but for rounding
    assert least_held_out(percent) == n
    flagged = density_threshold(expected_scores(n), percent).threshold_nats
    assert flagged == pytest.approx(1 / (n + 1), rel=1e-12)
    if n > 1:
        assert density_threshold(expected_scores(n - 1), percent).threshold_nats == -math.inf


def test_where_too_few_are_held_out_nothing_but_a_missing_density_is_flagged():
    threshold = density_threshold(np.arange(20.0), 4.0)
    assert threshold.flags([-1e300, -np.inf, np.nan, 3.0]).tolist() == [False, False, True, False]
    assert threshold.unresolved == "20 held-out samples cannot resolve 4 %; at least 24 can"
    assert str(threshold) == f"no outliers: {threshold.unresolved}"
    assert density_threshold(np.arange(24.0), 4.0).unresolved is None
    assert DensityThreshold(-math.inf).unresolved is None


def test_the_threshold_flags_the_given_share_of_the_held_out_samples():
    scores = np.random.default_rng(0).normal(size=1000)
    threshold = density_threshold(scores, 4.0)
    assert threshold.flags(scores).sum() == 40
    assert threshold.n_held_out == 1000


def test_a_score_at_the_threshold_is_kept_and_one_that_is_missing_is_flagged():
    threshold = density_threshold([1.0, 2.0, 3.0], 50.0)
    assert threshold.flags([1.9, 2.0, np.nan, -np.inf]).tolist() == [True, False, True, True]


def test_the_threshold_says_where_it_comes_from():
    assert str(density_threshold([-3.0], 50.0)) == (
        "outlier below -3 nats (50 % of 1 held-out samples)"
    )
    assert str(DensityThreshold(-3.5)) == "outlier below -3.5 nats"


@pytest.mark.parametrize(
    ("scores", "percent", "message"),
    [
        ([1.0], 0.0, "percent=0.0, expected a number between 0 and 100"),
        ([1.0], 100.0, "percent=100"),
        ([], 4.0, r"shape \(0,\), expected one log density per sample"),
        ([0.0, np.nan], 4.0, r"held_out_scores\[1\] is nan"),
    ],
)
def test_useless_scores_and_shares_are_refused(scores, percent, message):
    with pytest.raises(ValueError, match=message):
        density_threshold(scores, percent)


@pytest.mark.parametrize("cv", [2, 3, 10, 11])
def test_folds_hold_out_every_row_once_in_parts_of_almost_equal_size(cv):
    parts = held_out_parts(11, cv, np.random.RandomState(0))
    assert len(parts) == cv
    assert sorted(np.concatenate(parts)) == list(range(11))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("share", "n_held_out"), [(0.2, 2), (0.01, 1), (0.5, 5), (0.91, 10)])
def test_a_share_holds_out_that_many_rows_rounded_up(share, n_held_out):
    (part,) = held_out_parts(10, share, np.random.RandomState(0))
    assert len(set(part)) == n_held_out


def test_trimming_leaves_the_densest_samples_in_place():
    scores = np.array([3.0, -9.0, 1.0, -8.0, 2.0])
    assert densest(scores, 40.0).tolist() == [True, False, True, False, True]
    assert densest(scores, 19.9).all()
    assert densest(scores, 0.0).all()
