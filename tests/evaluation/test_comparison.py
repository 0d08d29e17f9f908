import numpy as np
import pytest

from cellxai.evaluation.comparison import compare_pairs, compare_shares


def test_pairs_are_judged_by_the_binomial_distribution_of_those_that_differ():
    own = np.array([True] * 9 + [False] + [True] * 20)
    other = np.array([False] * 9 + [True] + [True] * 20)
    result = compare_pairs(own, other)
    assert (result["right_in_run_alone"], result["right_here_alone"]) == (9, 1)
    assert result["p_value"] == pytest.approx(2 * (1 + 10) / 2**10)  # both tails, by hand
    assert result["difference"] == pytest.approx(-8 / 30)


def test_equal_pairs_tell_nothing():
    right = np.array([True, False, True])
    assert compare_pairs(right, right)["p_value"] == 1.0


@pytest.mark.parametrize(
    ("own", "other", "interval"),
    # Newcombe (1998), table II, method 10: 56/70 less 48/80, 9/10 less 3/10, 10/10 less 0/20.
    [
        ((48, 80), (56, 70), (0.0524, 0.3339)),
        ((3, 10), (9, 10), (0.1705, 0.8090)),
        ((0, 20), (10, 10), (0.6791, 1.0)),
    ],
)
def test_the_interval_of_a_difference_is_that_of_the_published_table(own, other, interval):
    result = compare_shares(*own, *other)
    assert result["interval"] == pytest.approx(interval, abs=5e-5)
