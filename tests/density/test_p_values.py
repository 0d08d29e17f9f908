import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from cellxai.density.p_values import (
    conformal_p,
    joint_log_p,
    joint_log_p_beside,
    log_p_beside,
    log_p_within,
    tail_log_p,
    tail_of,
    tail_size,
)

NUMBER = st.floats(0, 1e6)
SURPRISE = NUMBER | st.sampled_from([0.0, 1.0, np.inf, np.nan])  # ties, and no numbers


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def views_of(table: list[list[float]]) -> torch.Tensor:
    return torch.tensor(table, dtype=torch.float64)


def rows_strategy(least: int):
    return st.integers(1, 6).flatmap(
        lambda v: st.lists(st.lists(SURPRISE, min_size=v, max_size=v), min_size=least, max_size=10)
    )


@given(rows_strategy(2))
def test_over_all_choices_of_the_new_image_the_p_values_are_those_of_exchangeable_ones(table):
    # Each of n + 1 images is the new one in turn: with ranks that are uniform up to ties, at most
    # k of the n + 1 have a p-value of at most k / (n + 1). This is the theorem, without chance.
    rows = views_of(table)
    p = []
    for new in range(len(rows)):
        others = torch.arange(len(rows)) != new
        p.append(float(conformal_p(rows[others], rows[[new]])[0]))
    for k in range(1, len(rows) + 1):
        assert sum(value <= k / len(rows) + 1e-12 for value in p) <= k


@pytest.mark.parametrize("n_views", [1, 7])
def test_every_rank_comes_once_though_views_share_their_smallest_ranks(n_views):
    rows = draw(70, n_views)
    assert n_views == 1 or len(log_p_within(rows).unique()) < 70 * 7
    p = [float(conformal_p(rows[torch.arange(70) != i], rows[[i]])[0]) for i in range(70)]
    np.testing.assert_allclose(sorted(p), np.arange(1, 71) / 70)


def test_known_images_and_the_new_one_are_treated_alike():
    rows = draw(12, 3)
    of_known, of_new = joint_log_p_beside(rows[:11], rows[[11]])
    torch.testing.assert_close(torch.cat([of_known[0], of_new]), joint_log_p(log_p_within(rows)))


def test_the_p_value_of_a_view_is_a_share_and_beyond_the_edge_that_of_the_tail():
    rows = torch.arange(1.0, 101.0, dtype=torch.float64)[:, None]  # of 100, twenty are the tail
    log_p = log_p_within(rows)[:, 0]
    torch.testing.assert_close(log_p[:81].exp(), (100 - torch.arange(81.0).double()) / 100)
    # Pareto's law: twice as rare at log 2 widths beyond the edge.
    edge, scale = tail_of(rows[:, 0].flip(0)[:20].log())
    half = tail_log_p(edge + scale * np.log(2), edge, scale, 0.2)
    assert float(half.exp()) == pytest.approx(0.1)
    assert (log_p[81:].diff() < 0).all()


@pytest.mark.parametrize(("n", "size"), [(1, 1), (4, 3), (30, 15), (40, 20), (200, 20), (650, 65)])
def test_the_tail_is_a_tenth_of_many_images_and_half_of_few(n, size):
    assert tail_size(n) == size


def test_the_width_is_that_of_an_exponential_tail_and_no_image_sets_it():
    # The k-th highest of k + 1 exponential variables are spaced as the mean of the others.
    excess = -torch.rand(4000, 20, generator=torch.Generator().manual_seed(0)).double().log() / 3
    _, width = tail_of(excess.sort(1, descending=True).values)
    assert float(width.mean()) == pytest.approx(1 / 3, rel=0.05)
    highest = torch.linspace(2, 0, 20, dtype=torch.float64)
    far = torch.cat([torch.tensor([1e6], dtype=torch.float64), highest[1:]])
    assert float(tail_of(far)[1] / tail_of(highest)[1]) < 1.2


@given(st.lists(NUMBER, min_size=1, max_size=30), NUMBER)
def test_a_more_surprising_image_is_never_the_more_usual_one(known, surprise):
    rows = torch.tensor(known, dtype=torch.float64)[:, None]
    new = torch.tensor([[surprise], [surprise * 2 + 1], [torch.inf]], dtype=torch.float64)
    p, log_p = conformal_p(rows, new), log_p_beside(rows, new)[:, 0]
    assert p[0] >= p[1] >= p[2]
    assert 0 >= log_p[0] >= log_p[1] >= log_p[2] == -torch.inf


def test_what_is_no_number_surprises_most():
    known, new = draw(9, 2), torch.tensor([[torch.nan, 0.5]], dtype=torch.float64)
    assert float(conformal_p(known, new)[0]) == pytest.approx(1 / 10)
    assert log_p_beside(known, new)[0, 0] == -torch.inf


def test_one_known_image_allows_two_ranks():
    known = torch.tensor([[1.0]], dtype=torch.float64)
    p = conformal_p(known, torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64))
    assert p.tolist() == [1.0, 1.0, 0.5]
    assert tail_size(1) == 1


def test_many_images_at_once_have_the_p_values_of_one_by_one(monkeypatch):
    known, new = draw(30, 2), draw(17, 2, seed=1) * 1.5
    whole = conformal_p(known, new)
    monkeypatch.setattr("cellxai.density.p_values.CELLS_AT_ONCE", 1)
    assert torch.equal(conformal_p(known, new), whole)
    assert len(conformal_p(known, new[:0])) == 0


def test_of_few_views_the_smallest_decides_and_the_mean_between_equals():
    log_p = views_of([[-2.0, -1.0], [-2.0, -1.5], [-1.999, -1.9], [-torch.inf, 0.0]])
    assert joint_log_p(log_p).argsort().tolist() == [3, 1, 0, 2]


def test_of_many_views_the_mean_of_the_smallest_quarter_decides():
    log_p = draw(6, 11).log()
    expected = log_p.sort(1).values[:, :3].mean(1)
    torch.testing.assert_close(joint_log_p(log_p), expected, rtol=0, atol=1e-5)
    agreed, alone = torch.full((11,), -0.7), torch.full((11,), -0.7)
    agreed[4:8], alone[4] = -3.0, -5.0
    assert joint_log_p(agreed) < joint_log_p(alone)


@pytest.mark.parametrize("n_views", [1, 4, 12])
def test_an_image_that_is_no_number_in_any_view_is_as_strange_as_can_be(n_views):
    known, new = draw(30, n_views), draw(1, n_views, seed=1)
    new[0, 0] = torch.nan
    assert float(conformal_p(known, new)[0]) == pytest.approx(1 / 31)
    assert joint_log_p(log_p_beside(known, new))[0] == -torch.inf
