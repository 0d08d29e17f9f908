import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.evaluation.grouped_shares import effective_size, share_interval
from cellxai.evaluation.intervals import wilson


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_of_images_without_groups_it_is_wilsons(right):
    right = np.array(right)
    expected = wilson(int(right.sum()), len(right))
    assert share_interval(right, np.arange(len(right))) == expected


@settings(max_examples=40)
@given(st.integers(2, 30), st.integers(2, 9), st.integers(0, 99))
def test_equal_cells_of_an_image_say_what_the_image_alone_says(n_groups, n_cells, seed):
    of_image = np.random.default_rng(seed).random(n_groups) < 0.7
    right, units = np.repeat(of_image, n_cells), np.repeat(np.arange(n_groups), n_cells)
    share = of_image.mean()
    # Up to the degree of freedom that is lost to the mean.
    lost = (n_groups - 1) / n_groups if 0 < share < 1 else 1
    assert effective_size(right, units) == pytest.approx(n_groups * lost)


def test_cells_that_have_nothing_to_do_with_each_other_count_almost_each_by_itself():
    random = np.random.default_rng(0)
    sizes = [
        effective_size(random.random(1000) < 0.8, np.repeat(np.arange(200), 5)) for _ in range(50)
    ]
    assert 850 < np.mean(sizes) <= 1000


def test_a_share_of_one_is_as_certain_as_by_the_number_of_groups():
    right, units = np.ones(500, bool), np.repeat(np.arange(10), 50)
    assert share_interval(right, units) == wilson(10, 10)


def test_one_group_is_one_image():
    assert effective_size(np.array([True, False, True]), np.zeros(3, int)) == 1


def test_the_numbers_of_the_groups_do_not_matter():
    right = np.random.default_rng(1).random(60) < 0.6
    units = np.repeat(np.arange(12), 5)
    renamed = (units * 7 + 3) % 100
    assert share_interval(right, renamed) == share_interval(right, units)


def test_the_interval_holds_the_share_as_often_as_it_says():
    random, held = np.random.default_rng(2), 0
    units = np.repeat(np.arange(20), 30)
    for _ in range(400):
        of_image = random.beta(8, 2, 20)  # cells of an image share its difficulty; the mean is 0.8
        right = random.random(600) < np.repeat(of_image, 30)
        low, high = share_interval(right, units) or (0, 0)
        held += low <= 0.8 <= high
    assert 0.90 < held / 400 <= 0.99
    naive = wilson(480, 600)
    assert naive is not None
    assert high - low > 1.5 * (naive[1] - naive[0])


def test_without_images_there_is_none():
    assert share_interval(np.zeros(0, bool), np.zeros(0, int)) is None
