import pytest
import torch
from games import curved_game, played, values_by_subsets

from cellxai.explain.shapley.exact import all_coalitions, exact_shapley_values
from cellxai.explain.shapley.regression import fit_players
from cellxai.explain.shapley.rounds import game_of


def values_of(worth, n_players, n_rows, paired=True, seed=0):
    return fit_players(game_of([played(worth, n_players, n_rows, paired, seed)])).terms[0, 0]


@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("n_players", [1, 2, 3, 6])
def test_all_coalitions_give_the_values_of_the_definition(n_players, paired):
    worth = curved_game(n_players)
    expected = values_by_subsets(worth, n_players)
    torch.testing.assert_close(
        values_of(worth, n_players, 2**n_players, paired), expected, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("n_rows", [8, 30, 64, 200])
def test_values_sum_to_the_change_whatever_is_drawn(n_rows):
    worth = curved_game(12)
    ends = worth(torch.stack([torch.ones(12), torch.zeros(12)]).bool())
    total = values_of(worth, 12, n_rows).sum()
    torch.testing.assert_close(total, ends[0] - ends[1], rtol=0, atol=1e-12)


def test_an_additive_game_is_answered_exactly_by_as_many_pairs_as_unknowns():
    weights = torch.randn(20, generator=torch.Generator().manual_seed(1)).double()
    values = values_of(lambda masks: 3 + masks.double() @ weights, 20, 2 + 2 * 30)
    torch.testing.assert_close(values, weights, rtol=0, atol=1e-10)


def test_pairs_of_players_are_shared_evenly_by_paired_coalitions():
    couples = torch.randn(20, 20, generator=torch.Generator().manual_seed(1)).double()

    def worth(masks):
        return (masks.double() @ couples * masks.double()).sum(-1)

    expected = (couples + couples.T).sum(1) / 2
    torch.testing.assert_close(values_of(worth, 20, 70), expected, rtol=0, atol=1e-9)


def test_estimates_are_linear_in_the_game():
    one, other = curved_game(10, 1), curved_game(10, 2)
    both = values_of(lambda masks: 2 * one(masks) - 3 * other(masks), 10, 100)
    apart = 2 * values_of(one, 10, 100) - 3 * values_of(other, 10, 100)
    torch.testing.assert_close(both, apart, rtol=0, atol=1e-10)


def test_twins_share_alike_and_a_dummy_gets_what_it_adds_where_all_coalitions_are_asked():
    rest = curved_game(5)

    def worth(masks):  # 0 and 1 are twins, 6 adds 2.5 to whatever it joins
        twins = masks[:, :1].double() + masks[:, 1:2].double()
        return rest(torch.cat([twins, masks[:, 2:6].double()], 1)) + 2.5 * masks[:, 6].double()

    values = values_of(worth, 7, 2**7)
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=1e-10)
    torch.testing.assert_close(values[6].item(), 2.5, rtol=0, atol=1e-10)


def test_the_error_shrinks_with_the_coalitions_and_its_mean_is_far_smaller():
    worth = curved_game(11)
    exact = exact_shapley_values(worth(all_coalitions(11)))
    few, many = (
        torch.stack([values_of(worth, 11, n, seed=seed) for seed in range(24)]) - exact
        for n in (62, 402)
    )
    lengths = [misses.norm(dim=1).mean() for misses in (few, many)]
    assert lengths[1] < 0.45 * lengths[0]
    for misses, length in zip((few, many), lengths, strict=True):
        assert misses.mean(0).norm() < 0.4 * length  # 1 / √24 is 0.2


def test_a_batch_of_games_equals_the_games_one_by_one():
    games = [played(curved_game(n, n), n, rows, seed=n) for n, rows in ((5, 24), (9, 60), (1, 8))]
    together = fit_players(game_of(games))
    for i, single in enumerate(games):
        n_players = single.coalitions.n_players
        alone = fit_players(game_of([single])).terms[0]
        torch.testing.assert_close(together.terms[i, :, :n_players], alone, rtol=0, atol=1e-12)
        assert (together.terms[i, :, n_players:] == 0).all()
    assert together.has_unique_answer.all()


def test_too_few_coalitions_have_no_unique_answer_and_still_sum_to_the_change():
    fit = fit_players(game_of([played(curved_game(12), 12, 14)]))
    assert not fit.has_unique_answer.any()
    assert fit.terms.isfinite().all()
