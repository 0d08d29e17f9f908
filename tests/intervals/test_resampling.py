"""Figures of resampled images: a share as the known case, groups, ends, and simulation."""

import numpy as np
import pytest

from cellxai.evaluation.curves import weighted_auroc
from cellxai.intervals import resampling
from cellxai.intervals.level import NORMAL_QUANTILE
from cellxai.intervals.resampling import draw_figures, interval_of_figure, resampled_intervals
from cellxai.intervals.shares import interval_of_share, size_for_variance


def share_of(right):
    return lambda weights: {"share": weights @ right / weights.sum(1)}


def test_the_resamples_of_a_share_vary_as_the_binomial_law():
    right = np.arange(50) < 40
    drawn = draw_figures(share_of(right), np.arange(50), 20_000, 0)["share"]
    assert drawn.mean() == pytest.approx(0.8, abs=0.002)
    assert drawn.var() == pytest.approx(0.8 * 0.2 / 50, rel=0.03)


def test_the_interval_is_that_of_a_share_as_variable_as_the_figure():
    right = np.arange(50) < 40
    found = resampled_intervals(share_of(right), np.arange(50), 10)["share"]
    expected = interval_of_share(0.8, 49.0)
    assert found == pytest.approx(expected, abs=0.01)


def test_of_many_groups_the_size_is_that_of_the_variance_and_of_few_it_is_less():
    assert size_for_variance(0.16, 0.002) == pytest.approx(80)
    assert size_for_variance(0.16, 0.002, 10**6) == pytest.approx(80, rel=1e-5)
    student = 2.7764451052  # four degrees of freedom
    expected = 80 * (NORMAL_QUANTILE / student) ** 2
    assert size_for_variance(0.16, 0.002, 5) == pytest.approx(expected)


def test_images_of_a_group_are_drawn_together(monkeypatch):
    groups = np.array([0, 0, 0, 1, 1, 2])
    seen = []

    def spy(weights):
        seen.append(weights)
        return {"n": weights.sum(1)}

    monkeypatch.setattr(resampling, "CELLS_AT_ONCE", 60)
    draw_figures(spy, groups, 25, 0)
    drawn = np.concatenate(seen)
    assert [len(chunk) for chunk in seen] == [10, 10, 5]
    for group in range(3):
        members = drawn[:, groups == group]
        assert (members == members[:, :1]).all()
    assert (drawn[:, [0, 3, 5]].sum(1) == 3).all()


def test_the_same_seed_gives_the_same_draws_in_whatever_chunks(monkeypatch):
    right = np.random.default_rng(0).random(50) < 0.5

    def drawn(seed):
        return draw_figures(share_of(right), np.arange(50), 300, seed)["share"]

    whole = drawn(3)
    assert (drawn(4) != whole).any()
    monkeypatch.setattr(resampling, "CELLS_AT_ONCE", 50 * 7)
    # A matrix product of other rows may round its last digit otherwise.
    np.testing.assert_allclose(drawn(3), whole, rtol=1e-13)


def test_a_perfect_figure_is_as_certain_as_a_share_of_the_rarest_class():
    scores, positive = np.arange(20.0), np.arange(20) >= 12
    found = resampled_intervals(
        lambda w: {"auroc": weighted_auroc(scores, positive, w)}, np.arange(20), n_surest=8
    )
    assert found["auroc"] == interval_of_share(1.0, 8.0)


def test_draws_without_a_value_are_left_out_and_no_value_has_no_interval():
    drawn = np.random.default_rng(0).normal(0.5, 0.1, 40)
    units = np.arange(10)
    expected = interval_of_figure(0.5, drawn, units, 5)
    assert interval_of_figure(0.5, np.append(drawn, [np.nan] * 9), units, 5) == expected
    assert interval_of_figure(np.nan, drawn, units, 5) is None
    assert interval_of_figure(0.5, np.full(5, np.nan), units, 5) is None
    assert interval_of_figure(0.5, np.full(5, 0.5), units, 5) is None  # all agree on no end


def test_copies_of_the_images_add_nothing():
    right = np.arange(30) < 24
    (alone,) = resampled_intervals(share_of(right), np.arange(30), 30).values()
    units = np.repeat(np.arange(30), 4)
    (copied,) = resampled_intervals(share_of(np.repeat(right, 4)), units, 30).values()
    assert alone is not None
    assert copied is not None
    assert 1 < (copied[1] - copied[0]) / (alone[1] - alone[0]) < 1.08  # by Student's quantile


@pytest.mark.slow
def test_an_area_is_held_as_often_as_is_said():
    random, held, n_drawn = np.random.default_rng(0), 0, 400
    positive = np.arange(40) % 2 == 0
    for _ in range(n_drawn):
        scores = random.normal(size=40) + 1.81238 * positive  # the true area is 0.9
        interval = resampled_intervals(
            lambda w, s=scores: {"auroc": weighted_auroc(s, positive, w)}, np.arange(40), 20
        )["auroc"]
        assert interval is not None
        held += interval[0] <= 0.9 <= interval[1]
    assert 0.92 <= held / n_drawn <= 0.98
