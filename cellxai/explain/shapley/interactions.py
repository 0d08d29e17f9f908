"""What pairs of superpixels are worth beyond each alone: Faith-Shap of order two.

The faithful Shapley interaction index (Tsai et al. 2023, arXiv:2203.00870) is the weighted least
squares fit of the game by players and pairs of players, with the weights and the side condition of
Shapley values: it sums to what all players together are worth. In a fit to pairs of complements,
what is odd under complement tells players, what is even tells pairs.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.shapley.regression import Fit, Game, fit_terms


def fit_pairs(game: Game) -> tuple[Float[Tensor, "b t s s"], Fit]:
    """Worth of each pair of players, and of each player alone on the diagonal, with the fit.

    Symmetric; the upper triangle with the diagonal sums to what all players together are worth.
    """
    n_players = game.masks.shape[2]
    first, second = torch.triu_indices(n_players, n_players, device=game.masks.device)
    shown = game.masks[..., first] & game.masks[..., second]
    exists = game.exists[:, first] & game.exists[:, second]
    fit = fit_terms(game, shown.double(), exists)
    worth = fit.terms.new_zeros(*fit.terms.shape[:2], n_players, n_players)
    worth[..., first, second] = fit.terms
    worth[..., second, first] = fit.terms
    return worth, fit


def n_terms(n_players: int) -> int:
    """How many values a fit of players and pairs has."""
    return n_players * (n_players + 1) // 2


def pairs_exist(exists: Bool[Tensor, "b s"]) -> Bool[Tensor, "b s s"]:
    """Which pairs an image has."""
    return exists[:, :, None] & exists[:, None]
