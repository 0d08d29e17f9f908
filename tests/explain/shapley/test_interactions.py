import pytest
import torch
from games import curved_game, pairs_by_subsets, played

from cellxai.explain.shapley.interactions import fit_pairs
from cellxai.explain.shapley.rounds import game_of


def off_diagonal(worth):
    return worth - torch.diag_embed(worth.diagonal(dim1=-2, dim2=-1))


@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
@pytest.mark.parametrize("n_players", [2, 3, 5])
def test_pairs_of_all_coalitions_are_those_of_the_closed_form(n_players, paired):
    worth = curved_game(n_players)
    pairs, _ = fit_pairs(game_of([played(worth, n_players, 2**n_players, paired)]))
    expected = pairs_by_subsets(worth, n_players)
    torch.testing.assert_close(off_diagonal(pairs[0, 0]), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_rows", [20, 80, 2**9])
def test_single_players_and_pairs_sum_to_the_change(n_rows):
    worth = curved_game(9)
    pairs, _ = fit_pairs(game_of([played(worth, 9, n_rows)]))
    ends = worth(torch.stack([torch.ones(9), torch.zeros(9)]).bool())
    torch.testing.assert_close(pairs[0, 0].triu().sum(), ends[0] - ends[1], rtol=0, atol=1e-11)


def test_a_game_of_pairs_is_answered_exactly_by_a_part_of_its_coalitions():
    couples = torch.randn(12, 12, generator=torch.Generator().manual_seed(1)).double()
    couples = couples.triu()

    def worth(masks):
        return (masks.double() @ couples * masks.double()).sum(-1)

    pairs, fit = fit_pairs(game_of([played(worth, 12, 2 + 12 * 13)]))
    torch.testing.assert_close(pairs[0, 0].triu(), couples, rtol=0, atol=1e-8)
    assert fit.has_unique_answer.all()


def test_pairs_of_a_batch_are_those_of_its_images_alone():
    ends = [played(curved_game(n, n), n, 60, seed=n) for n in (4, 7)]
    together, _ = fit_pairs(game_of(ends))
    for i, end in enumerate(ends):
        n_players = end.coalitions.n_players
        alone, _ = fit_pairs(game_of([end]))
        torch.testing.assert_close(together[i, :, :n_players, :n_players], alone[0])
        assert (together[i, :, n_players:] == 0).all()
