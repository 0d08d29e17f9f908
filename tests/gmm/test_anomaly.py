import numpy as np
import pytest

from gmm.anomaly import DensityThreshold, densest, density_threshold, held_out_parts


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
