"""How far Shapley values of some coalitions may be from those of all: standard errors and bounds.

The coalitions are a stratified sample without replacement, so that the linearised variance of such
samples applies (Binder 1983), with what each unit moves the values divided by 1 − its leverage: a
fit follows the units that it was made from (MacKinnon and White 1985, HC3). A stratum that was
asked to its end adds nothing. ``scripts/bench_shapley.py`` measures how often the bounds hold.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from scipy.stats import f as f_distribution
from torch import Tensor

from cellxai.explain.shapley.coalitions import ENDS, Coalitions
from cellxai.explain.shapley.regression import Fit, Game

MOST_LEVERAGE = 1 - 1e-6  # of a unit that alone decides a value: its error is then huge, not 1 / 0


def sampling_covariance(
    game: Game, fit: Fit, per_image: Sequence[tuple[Coalitions, int]]
) -> Float[Tensor, "b t s s"]:
    """Covariance of the values over the draws of coalitions, of each class.

    Args:
        game: Coalitions and scores of all images.
        fit: The values.
        per_image: The coalitions of each image, and how many of them were used.
    """
    covariances = [
        _covariance_of_image(game, fit, i, coalitions, n_rows)
        for i, (coalitions, n_rows) in enumerate(per_image)
    ]
    return torch.stack(covariances)


def _covariance_of_image(
    game: Game, fit: Fit, i: int, coalitions: Coalitions, n_rows: int
) -> Float[Tensor, "t s s"]:
    influence = _unit_influence(game, fit, i, coalitions, n_rows)
    strata = coalitions.strata[: influence.shape[1]].to(influence.device)
    counts = coalitions.units_of_strata(n_rows).to(influence.device)
    sums = influence.new_zeros(len(influence), len(counts), influence.shape[2])
    means = sums.index_add(1, strata, influence) / counts.clamp(min=1)[:, None]
    centred = torch.where(counts[strata, None] > 1, influence - means[:, strata], influence)
    left_out = 1 - coalitions.sampled_shares(n_rows).to(influence.device)
    factor = (left_out * counts / (counts - 1).clamp(min=1))[strata, None]
    return (factor * centred).mT @ centred


def _unit_influence(
    game: Game, fit: Fit, i: int, coalitions: Coalitions, n_rows: int
) -> Float[Tensor, "t u s"]:
    """By how much the values change with each unit: Σ (A⁻¹ z w r) / (1 − leverage)."""
    rows = slice(ENDS, n_rows)
    n_together = coalitions.rows_per_unit
    pulls = game.weights[i, rows, None] * (fit.design[i, rows] @ fit.inverse[i])
    leverage = (pulls * fit.design[i, rows]).sum(1).unflatten(0, (-1, n_together)).sum(1)
    per_row = pulls[None] * fit.residuals[i, rows].mT[..., None]
    per_unit = per_row.unflatten(1, (-1, n_together)).sum(2)
    return per_unit / (1 - leverage.clamp(max=MOST_LEVERAGE))[:, None]


def relative_error_bound(
    values: Float[Tensor, "b t s"],
    covariance: Float[Tensor, "b t s s"],
    degrees: Float[Tensor, " b"],
    confidence: float,
) -> Float[Tensor, "b t"]:
    """What ‖values − exact‖ / ‖exact‖ does not exceed, with some confidence.

    The squared distance is a sum of normal squares, Σ λ χ², over the mean of which it is taken as F
    with the degrees of freedom (Σ λ)² / Σ λ² (Satterthwaite 1946) and those of the residuals.
    Infinite where there are too few coalitions to tell.

    Args:
        values: Estimated values, 0 for padding.
        covariance: Their covariance.
        degrees: Units that were asked, less the values that were fitted to them.
        confidence: How often the bound is to hold.
    """
    spread = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    own_degrees = spread.square() / covariance.square().sum((-2, -1)).clamp(min=1e-300)
    known = (degrees[:, None] > 0).expand_as(spread)
    quantile = f_distribution.ppf(
        confidence,
        own_degrees.clamp(min=1).cpu().numpy(),
        degrees[:, None].clamp(min=1).cpu().numpy(),
    )
    squared = spread * torch.as_tensor(quantile).to(spread)
    length = (values.square().sum(-1) - spread).clamp(min=0)
    bound = torch.where(spread > 0, (squared / length).sqrt(), 0.0)
    return torch.where(known | (spread == 0), bound, torch.inf)
