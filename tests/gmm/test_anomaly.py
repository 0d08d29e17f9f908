import numpy as np
import pytest

from gmm.anomaly import density_threshold


def test_the_threshold_flags_the_given_share_of_the_held_out_samples():
    scores = np.random.default_rng(0).normal(size=1000)
    threshold = density_threshold(scores, 4.0)
    assert threshold.flags(scores).sum() == 40
    assert threshold.n_held_out == 1000


def test_a_score_at_the_threshold_is_kept_and_one_that_is_missing_is_flagged():
    threshold = density_threshold([1.0, 2.0, 3.0], 50.0)
    assert threshold.flags([1.9, 2.0, np.nan, -np.inf]).tolist() == [True, False, True, True]


def test_the_threshold_says_where_it_comes_from():
    assert str(density_threshold([-3.0], 4.0)) == (
        "outlier below -3 nats (4 % of 1 held-out samples)"
    )


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
