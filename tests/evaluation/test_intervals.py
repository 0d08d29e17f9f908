"""Wilson's interval and the bootstrap."""

from math import comb, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cellxai.data.records import Record
from cellxai.evaluation import intervals
from cellxai.evaluation.intervals import bootstrap, percentile_interval, sampling_units, wilson


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_ends_are_the_shares_from_which_the_count_is_just_that_unlikely(counts):
    n_right, n_images = counts
    interval = wilson(n_right, n_images)
    assert interval is not None
    for end in interval:
        if 1e-9 < end < 1 - 1e-9:
            distance = abs(n_right / n_images - end) / sqrt(end * (1 - end) / n_images)
            assert distance == pytest.approx(1.959963984540054, rel=1e-6)
    assert interval[0] <= n_right / n_images <= interval[1]


@pytest.mark.parametrize(("n_right", "n_images"), [(0, 5), (5, 5), (11, 12), (190, 200)])
def test_the_interval_is_that_of_scipy(n_right, n_images):
    expected = binomtest(n_right, n_images).proportion_ci(0.95, method="wilson")
    assert wilson(n_right, n_images) == pytest.approx(tuple(expected))


def test_twenty_right_of_twenty_are_no_certainty():
    interval = wilson(20, 20)
    assert interval == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert wilson(0, 0) is None


def always_right(weights):
    return {"accuracy": weights.sum(1) / weights.sum(1), "sum": weights.sum(1) * 0.1 * 3}


def test_a_bootstrap_in_which_all_resamples_agree_says_nothing():
    assert bootstrap(always_right, np.arange(20)) == {"accuracy": None, "sum": None}


def test_the_bootstrap_of_a_mean_is_that_of_the_binomial_distribution():
    # Resampling 10 images of which 4 are right draws a binomial: its quantiles are known.
    right = np.arange(10) < 4
    found = bootstrap(lambda w: {"share": w @ right / w.sum(1)}, np.arange(10), 20_000)["share"]
    cumulated = np.cumsum([comb(10, k) * 0.4**k * 0.6 ** (10 - k) for k in range(11)])
    expected = np.searchsorted(cumulated, [0.025, 0.975]) / 10
    assert found == pytest.approx(tuple(expected))


def test_images_of_a_group_are_drawn_together(monkeypatch):
    groups = np.array([0, 0, 0, 1, 1, 2])
    seen = []

    def spy(weights):
        seen.append(weights)
        return {"n": weights.sum(1)}

    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 60)
    bootstrap(spy, groups, 25)
    drawn = np.concatenate(seen)
    assert [len(one) for one in seen] == [10, 10, 5]
    for group in range(3):
        members = drawn[:, groups == group]
        assert (members == members[:, :1]).all()
    assert (drawn[:, [0, 3, 5]].sum(1) == 3).all()


def test_the_unit_is_the_image_unless_it_has_a_group_and_a_group_is_never_an_image():
    records = [
        Record(name, Path(), "x", group=group)
        for name, group in [("a", "p"), ("b", None), ("c", "p"), ("d", "b"), ("e", None)]
    ]
    assert sampling_units(records).tolist() == [0, 1, 0, 2, 3]


def test_the_same_seed_gives_the_same_interval_in_whatever_chunks(monkeypatch):
    right = np.random.default_rng(0).random(50)

    def found(seed):
        return bootstrap(lambda w: {"mean": w @ right / 50}, np.arange(50), 300, seed)

    whole = found(3)
    assert found(4) != whole
    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 50 * 7)
    # A matrix product of other rows may round its last digit otherwise.
    assert found(3)["mean"] == pytest.approx(whole["mean"], rel=1e-13)


def test_draws_without_a_value_are_left_out():
    draws = np.append(np.linspace(0, 1, 41), [np.nan] * 9)
    assert percentile_interval(draws) == pytest.approx((0.025, 0.975))
    assert percentile_interval(np.full(5, np.nan)) is None
