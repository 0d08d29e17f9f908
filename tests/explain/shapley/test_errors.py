import pytest
import torch
from games import curved_game, played
from scipy.stats import t

from cellxai.explain.shapley.exact import all_coalitions, exact_shapley_values
from cellxai.explain.shapley.regression import fit_players
from cellxai.explain.shapley.rounds import bound_of, covariance_of, game_of


def estimate(worth, n_players, n_rows, paired=True, seed=0):
    game = game_of([end := played(worth, n_players, n_rows, paired, seed)])
    fit = fit_players(game)
    covariance = covariance_of(game, fit, [end])
    bound = bound_of(fit, covariance, [end], 0.95)
    return fit.terms[0, 0], covariance[0, 0], float(bound), end.degrees


def test_nothing_is_uncertain_once_all_coalitions_are_asked():
    _, covariance, bound, _ = estimate(curved_game(7), 7, 2**7)
    assert covariance.abs().max() < 1e-20
    assert bound < 1e-10


def test_a_game_that_the_fit_follows_exactly_is_not_uncertain():
    weights = torch.arange(1.0, 16).double()
    _, covariance, bound, _ = estimate(lambda masks: masks.double() @ weights, 15, 80)
    assert covariance.abs().max() < 1e-18
    assert bound < 1e-9


def test_fewer_coalitions_than_unknowns_leave_the_error_unknown():
    assert estimate(curved_game(12), 12, 20)[2] == torch.inf


def test_the_sum_of_the_values_is_certain():
    covariance = estimate(curved_game(12), 12, 80)[1]
    assert covariance.sum(1).abs().max() < 1e-10 * covariance.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("paired", [True, False], ids=["paired", "unpaired"])
def test_intervals_and_bounds_hold_about_as_often_as_they_say(paired):
    worth = curved_game(10)
    exact = exact_shapley_values(worth(all_coalitions(10)))
    inside, held = [], []
    for seed in range(150):
        values, covariance, bound, degrees = estimate(worth, 10, 102, paired, seed)
        half = t.ppf(0.975, degrees) * covariance.diagonal().sqrt()
        inside.append(((values - exact).abs() <= half).double().mean())
        held.append(float((values - exact).norm() / exact.norm() <= bound))
    assert 0.92 < torch.stack(inside).mean() < 0.99
    assert sum(held) / len(held) > 0.88


def test_a_batch_has_the_covariance_of_its_images_alone():
    ends = [played(curved_game(n, n), n, rows, seed=n) for n, rows in ((5, 24), (9, 60))]
    game = game_of(ends)
    together = covariance_of(game, fit_players(game), ends)
    for i, end in enumerate(ends):
        n_players, single = end.coalitions.n_players, game_of([end])
        alone = covariance_of(single, fit_players(single), [end])
        torch.testing.assert_close(
            together[i : i + 1, :, :n_players, :n_players], alone, rtol=1e-9, atol=1e-12
        )
        assert (together[i, :, n_players:] == 0).all()
