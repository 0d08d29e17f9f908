"""The same games by shapiq, an independent implementation; skipped where it is not installed."""

import numpy as np
import pytest
import torch
from games import curved_game, played

from cellxai.explain.shapley.exact import all_coalitions, exact_shapley_values
from cellxai.explain.shapley.interactions import fit_pairs
from cellxai.explain.shapley.regression import fit_players
from cellxai.explain.shapley.rounds import game_of

shapiq = pytest.importorskip("shapiq", reason="shapiq, the second judge, is not installed")


def game_of_shapiq(n_players: int):
    worth = curved_game(n_players)
    nobody = float(worth(torch.zeros(1, n_players, dtype=torch.bool))[0])

    class Curved(shapiq.Game):
        def value_function(self, coalitions):
            return worth(torch.from_numpy(np.asarray(coalitions, dtype=bool))).numpy()

    return Curved(n_players=n_players, normalize=True, normalization_value=nobody)


@pytest.mark.parametrize("n_players", [3, 8])
def test_values_and_pairs_of_all_coalitions_are_shapiqs(n_players):
    worth, judge = curved_game(n_players), shapiq.ExactComputer(game_of_shapiq(n_players))
    by_shapley, by_faith = judge("SV", order=1), judge("FSII", order=2)
    values = exact_shapley_values(worth(all_coalitions(n_players)))
    pairs, _ = fit_pairs(game_of([played(worth, n_players, 2**n_players)]))
    for first in range(n_players):
        assert values[first].item() == pytest.approx(by_shapley[(first,)], abs=1e-9)
        for second in range(first, n_players):
            term = (first,) if first == second else (first, second)
            assert pairs[0, 0, first, second].item() == pytest.approx(by_faith[term], abs=1e-7)


def test_the_error_is_below_that_of_shapiqs_kernel_shap_with_as_many_coalitions():
    worth = curved_game(10)
    exact = exact_shapley_values(worth(all_coalitions(10)))
    ours, theirs = [], []
    for seed in range(8):
        fit = fit_players(game_of([played(worth, 10, 100, seed=seed)]))
        ours.append((fit.terms[0, 0] - exact).norm())
        estimate = shapiq.KernelSHAP(n=10, random_state=seed).approximate(100, game_of_shapiq(10))
        values = torch.tensor([estimate[(player,)] for player in range(10)])
        theirs.append((values - exact).norm())
    assert sum(ours) < sum(theirs)
