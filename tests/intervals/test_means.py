"""The interval of a mean: Student's, a slow loop over resamples, and simulation."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from cellxai.intervals.means import (
    MOST_RESAMPLED,
    mean_interval,
    resampled_counts,
    studentised_means,
)
from cellxai.intervals.shares import share_interval


def of_student(values):
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    return interval.low, interval.high


def test_resamples_are_studentised_as_by_a_loop_over_them():
    values = np.random.default_rng(0).gamma(2.0, size=7)
    ordered, expected = np.sort(values), []
    for counts in resampled_counts(7):
        drawn = np.repeat(ordered, counts.astype(int))
        if np.ptp(drawn):
            expected.append((drawn.mean() - values.mean()) / (drawn.std(ddof=1) / np.sqrt(7)))
    np.testing.assert_allclose(studentised_means(values), expected, rtol=1e-6, atol=1e-9)


def test_its_ends_are_the_mean_less_the_quantiles_in_standard_errors():
    values = np.random.default_rng(1).lognormal(size=30)
    error = values.std(ddof=1) / np.sqrt(30)
    low, high = np.quantile(studentised_means(values), [0.025, 0.975])
    expected = values.mean() - high * error, values.mean() - low * error
    student = of_student(values)
    assert mean_interval(values) == pytest.approx(
        (min(expected[0], student[0]), max(expected[1], student[1]))
    )


@pytest.mark.parametrize("n", [2, 3, 5, 8, 20, 50])
def test_it_is_never_narrower_than_students(n):
    for seed in range(20):
        values = np.random.default_rng(seed).exponential(size=n)
        (low, high), student = mean_interval(values) or (0, 0), of_student(values)
        assert low <= student[0] + 1e-12
        assert high >= student[1] - 1e-12


def test_of_two_or_of_thousands_it_is_students():
    for n in (2, MOST_RESAMPLED + 1):
        values = np.random.default_rng(n).gamma(2.0, size=n)
        assert mean_interval(values) == pytest.approx(of_student(values))


def test_a_long_tail_draws_the_interval_to_its_side():
    values = np.random.default_rng(3).lognormal(size=40)
    low, high = mean_interval(values) or (0, 0)
    assert high - values.mean() > 1.2 * (values.mean() - low)


def test_one_unit_or_equal_ones_say_nothing_of_the_spread():
    assert mean_interval(np.array([4.0])) is None
    assert mean_interval(np.full(5, 0.1 + 0.2)) is None
    assert mean_interval(np.zeros(5)) is None


def test_hits_and_misses_are_a_share_and_all_hits_no_certainty():
    hits = np.array([1.0, 0.0, 1.0, 1.0])
    assert mean_interval(hits, 0.0, 1.0) == share_interval(3, 4)
    assert mean_interval(np.ones(20), 0.0, 1.0) == share_interval(20, 20)
    assert mean_interval(np.ones(20), -1.0, 1.0) is None  # a correlation is no share


def test_it_keeps_to_what_is_possible():
    values = np.array([0.9, 0.2, 0.95])
    low, high = mean_interval(values) or (0, 0)
    assert (low < 0, high > 1) == (True, True)
    assert mean_interval(values, 0.0, 1.0) == (0, 1)


def test_order_and_unit_of_the_values_do_not_matter():
    values = np.random.default_rng(4).gamma(2.0, size=17)
    ends = np.array(mean_interval(values))
    np.testing.assert_allclose(np.array(mean_interval(values[::-1])), ends, rtol=1e-12)
    np.testing.assert_allclose(np.array(mean_interval(1e-9 * values)), 1e-9 * ends, rtol=1e-9)
    np.testing.assert_allclose(np.array(mean_interval(100 - values)), 100 - ends[::-1], rtol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("n", [8, 20])
@pytest.mark.parametrize(("law", "mean"), [("normal", 0.0), ("exponential", 1.0), ("uniform", 0.5)])
def test_it_holds_the_true_mean_as_often_as_it_says(n, law, mean):
    samples = getattr(np.random.default_rng(5), law)(size=(2000, n))
    ends = np.array([mean_interval(sample) for sample in samples])
    covered = ((ends[:, 0] <= mean) & (mean <= ends[:, 1])).mean()
    assert 0.935 <= covered <= 0.98
