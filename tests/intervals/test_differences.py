"""Differences of shares: published tables, and what must hold of any pair."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import binomtest

from cellxai.intervals.differences import difference_interval, paired_difference_interval


def wilson(n_right, n):
    interval = binomtest(n_right, n).proportion_ci(0.95, method="wilson")
    return n_right / n, (interval.low, interval.high)


@pytest.mark.parametrize(
    ("own", "other", "interval"),
    # Newcombe (1998), table II, method 10: 56/70 less 48/80, 9/10 less 3/10, 10/10 less 0/20.
    [
        ((48, 80), (56, 70), (0.0524, 0.3339)),
        ((3, 10), (9, 10), (0.1705, 0.8090)),
        ((0, 20), (10, 10), (0.6791, 1.0)),
    ],
)
def test_of_wilsons_intervals_it_is_that_of_newcombes_table(own, other, interval):
    actual = difference_interval(*wilson(*own), *wilson(*other))
    assert actual == pytest.approx(interval, abs=5e-5)


def test_pairs_are_those_of_bonett_and_prices_formula():
    first = np.array([True] * 9 + [False] + [True] * 20)
    second = np.array([False] * 9 + [True] + [True] * 20)
    lost, gained = 10 / 32, 2 / 32  # one is added to each
    half = 1.959963984540054 * sqrt((lost + gained - (gained - lost) ** 2) / 32)
    expected = gained - lost - half, gained - lost + half
    assert paired_difference_interval(first, second, np.arange(30)) == pytest.approx(expected)


def test_the_reverse_difference_has_the_reverse_interval():
    random = np.random.default_rng(0)
    first, second, units = random.random(40) < 0.8, random.random(40) < 0.6, np.arange(40) // 4
    low, high = paired_difference_interval(first, second, units)
    assert paired_difference_interval(second, first, units) == pytest.approx((-high, -low))


def test_copies_of_an_image_add_nothing():
    random = np.random.default_rng(1)
    first, second = random.random(20) < 0.8, random.random(20) < 0.5
    alone = paired_difference_interval(first, second, np.arange(20))
    copied = [np.repeat(x, 5) for x in (first, second, np.arange(20))]
    low, high = paired_difference_interval(*copied)
    assert low == pytest.approx(alone[0], abs=0.05)
    assert high == pytest.approx(alone[1], abs=0.05)
    naive = paired_difference_interval(*copied[:2], np.arange(100))
    assert high - low > 1.8 * (naive[1] - naive[0])


def test_pairs_without_a_difference_are_no_certainty():
    right = np.ones(10, bool)
    low, high = paired_difference_interval(right, right, np.arange(10))
    assert low == -high < -0.1
