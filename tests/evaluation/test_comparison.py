import numpy as np
import pytest

from cellxai.evaluation.comparison import compare_pairs, compare_shares
from cellxai.intervals import difference_interval, paired_difference_interval, share_interval


def test_pairs_are_judged_by_the_binomial_distribution_of_those_that_differ():
    own = np.array([True] * 9 + [False] + [True] * 20)
    other = np.array([False] * 9 + [True] + [True] * 20)
    result = compare_pairs(own, other, np.arange(30))
    assert (result["right_in_run_alone"], result["right_here_alone"]) == (9, 1)
    assert result["p_value"] == pytest.approx(2 * (1 + 10) / 2**10)  # both tails, by hand
    assert result["difference"] == pytest.approx(-8 / 30)
    assert result["interval"] == paired_difference_interval(own, other, np.arange(30))


def test_equal_pairs_tell_nothing():
    right = np.array([True, False, True])
    assert compare_pairs(right, right, np.arange(3))["p_value"] == 1.0


def test_unrelated_images_are_compared_by_both_accuracies_and_their_intervals():
    own, other = (0.6, share_interval(48, 80)), (0.8, share_interval(56, 70))
    result = compare_shares(*own, *other, 70)
    assert (result["kind"], result["n_images"]) == ("unpaired", 70)
    assert result["difference"] == pytest.approx(0.2)
    assert result["interval"] == difference_interval(*own, *other)
    assert result["interval"][0] > 0
