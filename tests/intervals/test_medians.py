import numpy as np
import pytest
from scipy.stats import binom, quantile_test

from cellxai.intervals.medians import median_interval


@pytest.mark.parametrize("n", [6, 7, 20, 41, 300])
def test_the_interval_of_a_median_is_scipys(n):
    values = np.random.default_rng(n).lognormal(size=n)
    expected = quantile_test(values, p=0.5).confidence_interval(0.95)
    assert median_interval(values) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n", [6, 9, 20, 57])
def test_fewer_values_lie_beyond_each_end_than_is_probable(n):
    low, _ = median_interval(np.arange(float(n))) or (-1, -1)
    assert binom.cdf(low, n, 0.5) <= 0.025 < binom.cdf(low + 1, n, 0.5)


def test_five_values_do_not_say_where_the_median_is():
    assert median_interval(np.arange(5.0)) is None
    assert median_interval(np.zeros(0)) is None
