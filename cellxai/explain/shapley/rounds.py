"""Coalitions are asked about, and no more of them than the values need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.shapley.coalitions import ENDS, Coalitions
from cellxai.explain.shapley.errors import relative_error_bound, sampling_covariance
from cellxai.explain.shapley.regression import Fit, Game, fit_players
from cellxai.explain.shapley.stopping import StopAtError

Evaluate = Callable[[Int64[Tensor, " n"], Bool[Tensor, "n s"]], Float[Tensor, "n t"]]
"""Owners and masks of perturbed images to their scores."""

ROUND_ROWS = 64  # coalitions between two looks of a stop


@dataclass(frozen=True)
class Played:
    """Coalitions of one image, and what those asked about are worth.

    Args:
        coalitions: In the order in which they are asked about.
        scores: Score of each coalition and class; NaN where not asked.
        n_rows: How many were asked about, from the first on.
        error_bound: Bound of the relative error of each class's values; None without a stop.
    """

    coalitions: Coalitions
    scores: Float[Tensor, "n t"]
    n_rows: int = 0
    error_bound: Float[Tensor, " t"] | None = None

    @property
    def total(self) -> Float[Tensor, " t"]:
        """What all players together are worth: the change of the score from the baseline."""
        return self.scores[0] - self.scores[1]

    @property
    def degrees(self) -> int:
        """Units that were asked, less the values that are fitted to them."""
        return self.coalitions.units_in(self.n_rows) - (self.coalitions.n_players - 1)


def play(
    per_image: Sequence[Coalitions], evaluate: Evaluate, n_classes: int, stop: StopAtError | None
) -> list[Played]:
    """The scores of all coalitions; with a stop, round by round while an image needs more."""
    done = [
        Played(coalitions, torch.full((coalitions.n_rows, n_classes), torch.nan).double())
        for coalitions in per_image
    ]
    pending = list(range(len(done)))
    while pending:
        ends = [_next_end(done[i], stop) for i in pending]
        for i, played in zip(pending, _play_up_to(ends, done, pending, evaluate), strict=True):
            done[i] = replace(played, error_bound=_error_bound(played, stop)) if stop else played
        pending = [i for i in pending if not _has_ended(done[i], stop)]
    return done


def game_of(per_image: Sequence[Played]) -> Game:
    """The used coalitions of all images; an image with fewer repeats its first, at weight 0."""
    n = max(played.n_rows for played in per_image)
    width = max(played.coalitions.n_players for played in per_image)
    masks, scores, weights = [], [], []
    for played in per_image:
        coalitions, n_rows = played.coalitions, played.n_rows
        row = torch.arange(n, device=coalitions.masks.device)
        row = torch.where(row < n_rows, row, 0)
        masks.append(_widen(coalitions.masks[row], width))
        scores.append(played.scores.to(row.device)[row])
        weights.append(F.pad(coalitions.weights(n_rows), (0, n - n_rows)))
    shown = torch.stack(masks)
    return Game(shown, torch.stack(scores), torch.stack(weights), shown[:, 0])


def covariance_of(game: Game, fit: Fit, per_image: Sequence[Played]) -> Float[Tensor, "b t s s"]:
    """Covariance of the values over the draws of coalitions."""
    return sampling_covariance(game, fit, [(p.coalitions, p.n_rows) for p in per_image])


def bound_of(
    fit: Fit, covariance: Float[Tensor, "b t s s"], per_image: Sequence[Played], confidence: float
) -> Float[Tensor, "b t"]:
    """Bound of the relative error of the values."""
    degrees = [float(played.degrees) for played in per_image]
    return relative_error_bound(
        fit.terms, covariance, torch.tensor(degrees, dtype=torch.float64), confidence
    )


def _next_end(played: Played, stop: StopAtError | None) -> int:
    """Up to which row to ask: one round further, or at once to where a stop may begin."""
    coalitions = played.coalitions
    if stop is None:
        return coalitions.n_rows
    n_together = coalitions.rows_per_unit
    n_least = ENDS + 2 * n_together * coalitions.n_players
    return min(max(n_least, played.n_rows + ROUND_ROWS), coalitions.n_rows)


def _play_up_to(
    ends: Sequence[int], per_image: Sequence[Played], pending: Sequence[int], evaluate: Evaluate
) -> list[Played]:
    """Asks about the next coalitions of the pending images in common batches."""
    asked = [per_image[i] for i in pending]
    width = max(played.coalitions.n_players for played in asked)
    rows = [slice(p.n_rows, end) for p, end in zip(asked, ends, strict=True)]
    masks = [_widen(p.coalitions.masks[which], width) for p, which in zip(asked, rows, strict=True)]
    counts = torch.tensor([len(m) for m in masks])
    owners = torch.tensor(pending).repeat_interleave(counts).to(masks[0].device)
    scores = evaluate(owners, torch.cat(masks)).cpu().split(counts.tolist())
    return [
        replace(p, scores=torch.cat([p.scores[: p.n_rows], new, p.scores[end:]]), n_rows=end)
        for p, new, end in zip(asked, scores, ends, strict=True)
    ]


def _widen(masks: Bool[Tensor, "n s"], width: int) -> Bool[Tensor, "n w"]:
    return F.pad(masks, (0, width - masks.shape[1]))


def _error_bound(played: Played, stop: StopAtError) -> Float[Tensor, " t"]:
    """The bound so far; infinite where a score is no finite number."""
    game = game_of([played])
    if not game.scores.isfinite().all():
        return game.scores.new_full(game.scores.shape[-1:], torch.inf)
    fit = fit_players(game)
    covariance = covariance_of(game, fit, [played])
    return bound_of(fit, covariance, [played], stop.confidence)[0]


def _has_ended(played: Played, stop: StopAtError | None) -> bool:
    if stop is None or played.error_bound is None or played.n_rows == played.coalitions.n_rows:
        return True
    return bool((played.error_bound <= stop.error).all())
