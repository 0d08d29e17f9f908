"""The interval of a share: the binomial law itself, its published forms, and groups."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from cellxai.intervals.shares import (
    effective_size,
    grouped_share_interval,
    interval_of_share,
    share_interval,
)

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=30)
@given(COUNTS)
def test_from_its_ends_the_count_and_half_of_it_are_just_that_unlikely(counts):
    n_right, n_images = counts
    low, high = share_interval(n_right, n_images) or (-1, -1)
    if n_right:
        more = binom.sf(n_right, n_images, low) + binom.pmf(n_right, n_images, low) / 2
        assert more == pytest.approx(0.025, rel=1e-6)
    if n_right < n_images:
        fewer = binom.cdf(n_right - 1, n_images, high) + binom.pmf(n_right, n_images, high) / 2
        assert fewer == pytest.approx(0.025, rel=1e-6)
    assert low <= n_right / n_images <= high


@pytest.mark.parametrize(("n_right", "n_images"), [(0, 5), (5, 5), (11, 12), (190, 200)])
def test_it_lies_within_clopper_and_pearsons(n_right, n_images):
    low, high = share_interval(n_right, n_images) or (-1, -1)
    exact = binomtest(n_right, n_images).proportion_ci(0.95, method="exact")
    assert exact.low <= low <= high <= exact.high


def test_twenty_right_of_twenty_are_no_certainty_and_none_of_none_says_nothing():
    low, high = share_interval(20, 20) or (-1, -1)
    assert low == pytest.approx(0.05 ** (1 / 20))  # half of its probability is 2.5 %
    assert high == 1
    assert share_interval(0, 0) is None


def test_what_is_wrong_is_as_certain_as_what_is_right():
    low, high = share_interval(17, 20) or (0, 0)
    assert share_interval(3, 20) == pytest.approx((1 - high, 1 - low))


def test_between_whole_numbers_of_images_it_lies_between():
    ends = np.array([interval_of_share(0.8, n) for n in (10.0, 10.5, 11.0)])
    assert (np.diff(ends[:, 0]) > 0).all()
    assert (np.diff(ends[:, 1]) < 0).all()


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_of_images_without_groups_it_is_that_of_the_count(right):
    right = np.array(right)
    expected = share_interval(int(right.sum()), len(right))
    assert grouped_share_interval(right, np.arange(len(right))) == expected


@settings(max_examples=40)
@given(st.integers(2, 30), st.integers(2, 9), st.integers(0, 99))
def test_equal_cells_of_an_image_say_what_the_image_alone_says(n_groups, n_cells, seed):
    of_image = np.random.default_rng(seed).random(n_groups) < 0.7
    right, units = np.repeat(of_image, n_cells), np.repeat(np.arange(n_groups), n_cells)
    constant = of_image.all() or not of_image.any()
    alone = n_groups if constant else effective_size(of_image, np.arange(n_groups))
    assert effective_size(right, units) == pytest.approx(alone)


def test_cells_that_have_nothing_to_do_with_each_other_count_almost_each_by_itself():
    random = np.random.default_rng(0)
    sizes = [
        effective_size(random.random(1000) < 0.8, np.repeat(np.arange(200), 5)) for _ in range(50)
    ]
    assert 850 < np.mean(sizes) <= 1000


def test_a_share_of_one_is_as_certain_as_by_the_number_of_groups():
    right, units = np.ones(500, bool), np.repeat(np.arange(10), 50)
    assert grouped_share_interval(right, units) == share_interval(10, 10)


def test_one_group_is_one_image():
    assert effective_size(np.array([True, False, True]), np.zeros(3, int)) == 1


def test_the_numbers_of_the_groups_do_not_matter():
    right = np.random.default_rng(1).random(60) < 0.6
    units = np.repeat(np.arange(12), 5)
    renamed = (units * 7 + 3) % 100
    assert grouped_share_interval(right, renamed) == grouped_share_interval(right, units)


def test_without_images_there_is_none():
    assert grouped_share_interval(np.zeros(0, bool), np.zeros(0, int)) is None


@pytest.mark.parametrize("n_images", [5, 8, 20, 50])
def test_whatever_the_share_it_holds_it_in_92_percent_or_more(n_images):
    counts, shares = np.arange(n_images + 1), np.linspace(0.001, 0.999, 999)[:, None]
    low, high = np.array([share_interval(int(k), n_images) for k in counts]).T
    covered = (binom.pmf(counts, n_images, shares) * ((low <= shares) & (shares <= high))).sum(1)
    assert covered.min() >= 0.92
    assert 0.95 <= covered.mean() <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [5, 20])
def test_of_groups_it_holds_the_share_as_often_as_it_says(n_groups):
    random, held, n_drawn = np.random.default_rng(2), 0, 1000
    units = np.repeat(np.arange(n_groups), 30)
    for _ in range(n_drawn):
        of_image = random.beta(8, 2, n_groups)  # cells of an image share its difficulty
        right = random.random(len(units)) < of_image[units]
        low, high = grouped_share_interval(right, units) or (0, 0)
        held += low <= 0.8 <= high
    assert 0.93 <= held / n_drawn <= 0.985
