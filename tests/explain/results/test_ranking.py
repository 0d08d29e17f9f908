import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from cellxai.explain.results.ranking import (
    cliques,
    critical_difference,
    friedman,
    image_ranks,
    joint_ranks,
    pareto_front,
)

SCORES = {
    name: np.random.default_rng(seed).integers(0, 8, 20) + seed  # with ties
    for seed, name in enumerate("abcd")
}
SCORES = {name: scores.astype(float) for name, scores in SCORES.items()}


def friedman_of(scores, direction):
    return friedman(list(scores), image_ranks(np.stack(list(scores.values()), 1), direction))


def test_the_test_is_that_of_scipy_with_ties():
    actual = friedman_of(SCORES, "lower")
    expected = friedmanchisquare(*SCORES.values())
    assert actual.statistic == pytest.approx(expected.statistic)
    assert actual.p == pytest.approx(expected.pvalue)
    assert actual.n == 20


def test_higher_is_better_turns_the_ranks_round():
    low, high = friedman_of(SCORES, "lower"), friedman_of(SCORES, "higher")
    assert high.statistic == pytest.approx(low.statistic)
    for name in SCORES:
        assert low.mean_ranks[name] + high.mean_ranks[name] == pytest.approx(5)
    assert low.mean_ranks["a"] < low.mean_ranks["d"]


def test_ranks_of_an_image_are_1_for_the_best_and_last_for_what_has_no_score():
    scores = np.array([[0.3, 0.9, 0.3], [np.nan, 0.1, 0.2]])
    assert image_ranks(scores, "higher").tolist() == [[2.5, 1, 2.5], [3, 2, 1]]
    assert image_ranks(scores, "lower").tolist() == [[1.5, 3, 1.5], [3, 1, 2]]


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_has_the_q_of_demsar_table_5(k, q):
    expected = q * np.sqrt(k * (k + 1) / (6 * 30))
    assert critical_difference(k, 30) == pytest.approx(expected, rel=1e-3)


def test_nothing_to_compare_has_no_critical_difference():
    assert np.isnan(critical_difference(1, 30))
    assert np.isnan(critical_difference(3, 0))
    alone = friedman(["a"], np.ones((5, 1)))
    assert np.isnan(alone.p)
    empty = friedman(["a", "b"], np.empty((0, 2)))
    assert empty.n == 0
    assert np.isnan([*empty.mean_ranks.values(), empty.p]).all()


def test_methods_that_never_differ_are_not_told_apart():
    same = friedman_of({"a": np.arange(5.0), "b": np.arange(5.0)}, "higher")
    assert (same.p, same.mean_ranks) == (1.0, {"a": 1.5, "b": 1.5})


def test_cliques_are_the_largest_groups_within_the_difference():
    ranks = {"c": 3.0, "a": 1.0, "b": 1.8, "d": 3.5, "e": 9.0}
    assert cliques(ranks, 1.0) == [("a", "b"), ("c", "d")]
    assert cliques(ranks, 2.0) == [("a", "b", "c"), ("b", "c", "d")]
    assert cliques(ranks, 0.1) == []
    assert cliques(ranks, 9.0) == [("a", "b", "c", "d", "e")]


def test_ranks_of_a_family_are_those_of_the_mean_rank_of_each_image():
    first = np.array([[1.0, 2, 3], [3, 1, 2], [1, 2, 3]])
    second = np.array([[1.0, 2, 3], [1, 2, 3], [np.nan] * 3])
    joint = joint_ranks(np.stack([first, second]))
    assert joint.tolist() == [[1, 2, 3], [2, 1, 3], [1, 2, 3]]


def test_equal_mean_ranks_stay_a_tie_and_unjudged_images_are_left_out():
    thirds = np.array([[[1.0, 2, 3]], [[2, 3, 1]], [[3, 1, 2]]])
    assert joint_ranks(thirds).tolist() == [[2, 2, 2]]
    assert joint_ranks(np.full((2, 4, 3), np.nan)).shape == (0, 3)


def test_the_front_holds_what_nobody_beats():
    quality = np.array([0.9, 0.9, 0.5, 0.4, np.nan, 0.5])
    seconds = np.array([9.0, 8.0, 1.0, 2.0, 0.1, 1.0])
    front = pareto_front(quality, seconds, "higher")
    assert front.tolist() == [False, True, True, False, False, True]
    assert (pareto_front(-quality, seconds, "lower") == front).all()
