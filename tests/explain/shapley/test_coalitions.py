from math import comb

import pytest
import torch

from cellxai.explain.shapley.coalitions import (
    apportion,
    distinct_sets,
    draw_coalitions,
    strata_of,
)

BOTH = pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])


def kernel_of(n_players: int, size: int) -> float:
    return (n_players - 1) / (comb(n_players, size) * size * (n_players - size))


@BOTH
@pytest.mark.parametrize("n_players", [2, 3, 8, 9])
def test_leverages_of_the_strata_are_those_of_the_weighted_regression(n_players, paired):
    everyone = draw_coalitions(n_players, 2**n_players, False, 0).masks[2:]
    sizes = everyone.sum(1)
    root = torch.tensor([kernel_of(n_players, int(size)) for size in sizes]).double().sqrt()
    design = root[:, None] * (everyone.double() - sizes[:, None].double() / n_players)
    hat = (design @ torch.linalg.pinv(design)).diagonal()
    for stratum in strata_of(n_players, paired):
        inside = sizes == stratum.size
        if paired:
            inside |= sizes == n_players - stratum.size
        torch.testing.assert_close(hat[inside].sum().item(), stratum.leverage)
        torch.testing.assert_close(root[inside].square().sum().item(), stratum.kernel)


@BOTH
@pytest.mark.parametrize("n_players", [1, 2, 3, 7, 8])
def test_with_enough_rows_every_coalition_is_drawn_once_and_weighs_its_kernel(n_players, paired):
    coalitions = draw_coalitions(n_players, 2**n_players + 3, paired, 1)
    assert coalitions.n_rows == len(coalitions.masks.unique(dim=0)) == 2**n_players
    weights = coalitions.weights(coalitions.n_rows)
    expected = [kernel_of(n_players, int(size)) for size in coalitions.masks[2:].sum(1)]
    torch.testing.assert_close(weights[2:], torch.tensor(expected).double())
    assert coalitions.masks[0].all()
    assert not coalitions.masks[1].any()
    assert weights[:2].sum() == 0


@pytest.mark.parametrize("n_players", [40, 41])
def test_pairs_are_complements_and_no_coalition_comes_twice(n_players):
    coalitions = draw_coalitions(n_players, 1000, True, 3)
    masks = coalitions.masks
    assert len(masks) == len(masks.unique(dim=0)) == 1000
    assert torch.equal(masks[2::2], ~masks[3::2])


@BOTH
@pytest.mark.parametrize("n_rows", [50, 96, 214, 400])
def test_any_first_part_has_all_sizes_by_leverage_and_the_whole_kernel_in_its_weights(
    paired, n_rows
):
    coalitions = draw_coalitions(24, 400, paired, 0)
    counts = coalitions.units_of_strata(n_rows)
    shares = torch.tensor([stratum.leverage for stratum in coalitions.of_sizes])
    free = counts < torch.tensor([float(stratum.n_units) for stratum in coalitions.of_sizes])
    per_leverage = (counts / shares)[free]
    assert per_leverage.max() - per_leverage.min() <= 1
    kernel = sum(stratum.kernel for stratum in coalitions.of_sizes)
    torch.testing.assert_close(coalitions.weights(n_rows).sum().item(), kernel)


def test_the_same_seed_draws_the_same_and_another_does_not():
    first, again, other = (draw_coalitions(30, 200, True, seed).masks for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("n_wanted", [5, 12, 60])
def test_sets_of_a_size_are_distinct_and_each_player_is_in_them_alike(n_wanted):
    generator = torch.Generator().manual_seed(0)
    drawn = [distinct_sets(7, 3, n_wanted, generator) for _ in range(600)]
    for sets in drawn[:20]:
        assert len(sets) == len(sets.unique(dim=0)) == min(n_wanted, 35)
        assert (sets.sum(1) == 3).all()
    share = torch.cat(drawn).double().mean(0)
    torch.testing.assert_close(share, torch.full_like(share, 3 / 7), rtol=0, atol=0.03)


def test_a_stratum_that_is_drawn_to_its_end_leaves_the_rest_to_the_others():
    order = apportion(strata_of(20, True), 500)
    counts = order.bincount().tolist()
    assert counts[0] == 20
    assert sum(counts) == 500


def test_more_players_than_any_integer_counts_coalitions_of_are_drawn():
    assert draw_coalitions(300, 700, True, 0).masks.shape == (700, 300)
