"""The regression behind Shapley values, for all images and classes at once.

Shapley values are the weighted least squares fit of the game by a sum over players that gives all
of them together what they are worth (Charnes et al. 1988; arXiv:1705.07874, th. 2). That side
condition is fulfilled exactly: the fit is made among the deviations from an equal share.

Everything is float64. Images with fewer players than others are padded with columns of 0, images
with fewer coalitions with rows of weight 0.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Game:
    """What coalitions of players are worth, in all images.

    Args:
        masks: Players of each coalition; the first has all, the second none.
        scores: Score of each coalition and class.
        weights: What each coalition counts, 0 for padding.
        exists: The players that an image has.
    """

    masks: Bool[Tensor, "b n s"]
    scores: Float[Tensor, "b n t"]
    weights: Float[Tensor, "b n"]
    exists: Bool[Tensor, "b s"]

    @property
    def total(self) -> Float[Tensor, "b t"]:
        """What all players together are worth: the change of the score from the baseline."""
        return self.scores[:, 0] - self.scores[:, 1]


@dataclass(frozen=True)
class Fit:
    """A sum over terms, fitted to games.

    Args:
        terms: Value of each term; a term is a player, or a set of players.
        design: Which terms each coalition has, minus the mean over the image's terms.
        inverse: Inverse of the normal equations, in the space of deviations from equal shares.
        residuals: What the fit misses of each coalition.
        has_unique_answer: Whether the coalitions suffice for the terms; the shortest deviation from
            equal shares stands for all answers where they do not.
    """

    terms: Float[Tensor, "b t p"]
    design: Float[Tensor, "b n p"]
    inverse: Float[Tensor, "b p p"]
    residuals: Float[Tensor, "b n t"]
    has_unique_answer: Bool[Tensor, " b"]


def fit_players(game: Game) -> Fit:
    """Shapley values: a term for each player."""
    return fit_terms(game, game.masks.double(), game.exists)


def fit_terms(game: Game, terms: Float[Tensor, "b n p"], exists: Bool[Tensor, "b p"]) -> Fit:
    """The weighted least squares fit whose terms sum to what all players are worth.

    Args:
        game: Coalitions and their scores.
        terms: Which terms each coalition has.
        exists: The terms that an image has.
    """
    share = exists.double() / exists.sum(1, keepdim=True).clamp(min=1)
    # A fit x = total · share + P q has the design Z P, whose rows are centred, for q.
    design = torch.where(exists[:, None], terms - (terms @ share[..., None]), 0)
    equal_share = (terms @ share[..., None]) * game.total[:, None]
    wanted = game.scores - game.scores[:, 1:2] - equal_share
    weighted = game.weights[..., None] * design
    inverse, rank = _pseudo_inverse(weighted.mT @ design)
    deviation = (inverse @ (weighted.mT @ wanted)).mT
    residuals = wanted - design @ deviation.mT
    # What rounding left beside the side condition, and in terms that an image does not have.
    deviation = torch.where(exists[:, None], deviation, 0)
    deviation = deviation - deviation.sum(2, keepdim=True) * share[:, None]
    values = game.total[..., None] * share[:, None] + deviation
    return Fit(values, design, inverse, residuals, rank >= exists.sum(1) - 1)


RANK_TOLERANCE = 1e-10  # of the largest eigenvalue: smaller ones are rounding


def _pseudo_inverse(
    normal: Float[Tensor, "b p p"],
) -> tuple[Float[Tensor, "b p p"], Float[Tensor, " b"]]:
    """The inverse on the space that the rows of the design span, and the rank of that space."""
    eigenvalues, vectors = torch.linalg.eigh(normal)
    spanned = eigenvalues > RANK_TOLERANCE * eigenvalues[:, -1:].clamp(min=1e-300)
    inverse = torch.where(spanned, 1 / eigenvalues, 0)
    return (vectors * inverse[:, None]) @ vectors.mT, spanned.sum(1).double()
