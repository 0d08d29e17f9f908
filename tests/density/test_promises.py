import numpy as np
import pytest
from scipy.stats import beta, binom

from cellxai.density.promises import Promise


def test_on_average_the_share_is_kept_as_far_as_ranks_allow():
    assert Promise(4.0, 24).rank == 1
    assert Promise(4.0, 23).rank == 0
    assert Promise(10.0, 49).level == pytest.approx(0.1)
    assert Promise(99.0, 5).rank == 5


def test_a_guarantee_is_that_of_the_binomial_distribution():
    # The r-th most surprising of n flags more than α iff fewer than r of the n are beyond the
    # quantile of α: an exact identity of order statistics.
    for n in (60, 100, 400):
        rank = Promise(4.0, n, 0.95).rank
        assert binom.cdf(rank - 1, n, 0.04) <= 0.05 < binom.cdf(rank, n, 0.04)


def test_the_interval_holds_the_rates_of_drawn_thresholds():
    promise = Promise(10.0, 99)
    generator = np.random.default_rng(0)
    scores = np.sort(generator.random((4000, 99)), axis=1)
    rates = scores[:, promise.rank - 1]  # uniform scores: the rate is the threshold itself
    low, high = promise.interval
    assert np.mean((rates >= low) & (rates <= high)) == pytest.approx(0.95, abs=0.02)
    assert rates.mean() == pytest.approx(promise.level, abs=0.005)
    assert low == pytest.approx(beta.ppf(0.025, 10, 90))


def test_too_few_images_are_said_with_how_many_would_do():
    assert str(Promise(4.0, 6)) == (
        "6 known images cannot keep a promise of 4 % false alarms, so no image is flagged; at "
        "least 24 can"
    )
    assert "with a certainty of 95 %" in str(Promise(4.0, 40, 0.95)).replace("95%", "95 %")
    assert Promise(4.0, Promise(4.0, 40, 0.95).least_images, 0.95).rank == 1
    assert str(Promise(4.0, 72)).startswith("72 known images allow 0.3% to 7.5% ")
