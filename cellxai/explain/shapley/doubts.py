"""What speaks against Shapley values, measured from their own coalitions."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.lime.doubts import doubts_of_scores
from cellxai.explain.shapley.coalitions import ENDS
from cellxai.explain.shapley.interactions import n_terms
from cellxai.explain.shapley.regression import Fit, Game
from cellxai.explain.shapley.rounds import Played
from cellxai.explain.shapley.stopping import StopAtError
from cellxai.explain.status import Doubt


def doubts_of(
    game: Game,
    per_image: Sequence[Played],
    fit: Fit,
    pair_fit: Fit | None,
    stop: StopAtError | None,
) -> tuple[Doubt, ...]:
    """All doubts that coalitions and scores raise, none where there is nothing to doubt."""
    doubts = [
        *doubts_of_scores(game.scores),
        _doubt_of_rank(fit, per_image),
        None if pair_fit is None else _doubt_of_pairs(pair_fit, per_image),
        None if stop is None else _doubt_of_error(per_image, stop),
    ]
    return tuple(doubt for doubt in doubts if doubt is not None)


def _doubt_of_rank(fit: Fit, per_image: Sequence[Played]) -> Doubt | None:
    """Whether an image has too few coalitions for its values."""
    i = _worst(fit, per_image)
    if i is None:
        return None
    few, n_players = per_image[i].n_rows, per_image[i].coalitions.n_players
    return Doubt("degraded", f"{few} samples for {n_players} superpixels have no unique answer")


def _doubt_of_pairs(fit: Fit, per_image: Sequence[Played]) -> Doubt | None:
    """Whether an image has too few coalitions for its pairs."""
    i = _worst(fit, per_image)
    if i is None:
        return None
    few, n_players = per_image[i].n_rows, per_image[i].coalitions.n_players
    wanted = ENDS + 2 * n_terms(n_players)
    reason = f"{few} samples for the pairs of {n_players} superpixels have no unique answer"
    return Doubt("degraded", f"{reason}; pass n_samples>={wanted}")


def _worst(fit: Fit, per_image: Sequence[Played]) -> int | None:
    """The image of the most superpixels that has no unique answer; None where all have one."""
    without = [i for i, unique in enumerate(fit.has_unique_answer.tolist()) if not unique]
    return max(without, key=lambda i: per_image[i].coalitions.n_players, default=None)


def _doubt_of_error(per_image: Sequence[Played], stop: StopAtError) -> Doubt | None:
    """Whether sampling ended before the values were as certain as asked for."""
    reached = max(_bound(played.error_bound) for played in per_image)
    if reached <= stop.error:
        return None
    most = max(played.n_rows for played in per_image)
    return Doubt(
        "degraded",
        f"after {most} samples the error is at most {reached:.2f} with {stop.confidence:.0%} "
        f"confidence, {stop.error} was asked for; raise n_samples",
    )


def _bound(error_bound: Float[Tensor, " t"] | None) -> float:
    return torch.inf if error_bound is None else float(error_bound.max())
