"""A threshold on log density, below which a sample is an outlier, and what to set it on."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.random import RandomState
from numpy.typing import ArrayLike

ROUNDING = 1e-9  # 100 / 49 percent is rounded in binary and still needs 48 samples, not 49


@dataclass(frozen=True)
class DensityThreshold:
    """A log density below which samples are flagged.

    Args:
        threshold_nats: The least log density that is not flagged; -inf where too few samples were
            held out, so that nothing is flagged for being rare.
        percent: Percentage of new samples that should be below it; None where it was given in nats.
        n_held_out: Number of held-out samples that it was taken from.
    """

    threshold_nats: float
    percent: float | None = None
    n_held_out: int = 0

    @property
    def unresolved(self) -> str | None:
        """Why nothing is flagged, as one line; None where the threshold flags what it should."""
        if self.percent is None or self.threshold_nats > -math.inf:
            return None
        return (
            f"{self.n_held_out} held-out samples cannot resolve {self.percent:g} %; "
            f"at least {least_held_out(self.percent)} can"
        )

    def flags(self, scores: ArrayLike) -> Bool[np.ndarray, " n"]:
        """Which samples are outliers, from their log densities in nats; NaN is one."""
        # Not <: a sample without a density is not one that the mixture knows.
        return ~(np.asarray(scores) >= self.threshold_nats)

    def __str__(self) -> str:
        """The threshold and where it comes from."""
        if self.unresolved is not None:
            return f"no outliers: {self.unresolved}"
        threshold = f"outlier below {self.threshold_nats:.6g} nats"
        if self.percent is None:
            return threshold
        return f"{threshold} ({self.percent:g} % of {self.n_held_out} held-out samples)"


def density_threshold(
    held_out_scores: Float[np.ndarray, " n"] | ArrayLike, percent: float = 4.0
) -> DensityThreshold:
    """The log density below which ``percent`` of new samples are expected.

    A new sample scores below the i-th least of n held-out ones with probability i / (n + 1). So the
    threshold lies at place α (n + 1) among the sorted scores, α = percent / 100, interpolated
    between two of them: Weibull's plotting position, definition 6 of Hyndman and Fan (1996,
    doi:10.1080/00031305.1996.10473566). The usual percentile flags more: 6 % instead of 4 % with 40
    scores. On the samples of the fit it would be too high, since a mixture remembers them.

    The share cannot be met in two cases, and is then smaller than asked for. Where α (n + 1) < 1,
    even the least score has more than ``percent`` of new samples below it; the threshold is -inf.
    Where α (n + 1) > n, it is the largest score.

    Args:
        held_out_scores: Log densities in nats of samples that the mixture was not fitted to.
        percent: Between 0 and 100, exclusive.

    Raises:
        ValueError: If ``percent`` is outside, or a score is missing or not finite.
    """
    scores = np.asarray(held_out_scores, dtype=np.float64)
    check_percent(percent)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(
            f"held_out_scores has shape {scores.shape}, expected one log density per sample "
            f"and at least one; hold samples out of the fit and score them"
        )
    if not np.isfinite(scores).all():
        row = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(
            f"held_out_scores[{row}] is {scores[row]}, expected finite log densities in nats; "
            f"remove that sample"
        )
    resolved = len(scores) >= least_held_out(percent)
    nats = float(np.percentile(scores, percent, method="weibull")) if resolved else -math.inf
    return DensityThreshold(nats, float(percent), len(scores))


def check_percent(percent: Any) -> None:
    """Refuses what is no percentage.

    Raises:
        ValueError: If it is no number between 0 and 100, exclusive.
    """
    number = isinstance(percent, Real) and not isinstance(percent, bool)
    if not number or not 0 < float(percent) < 100:
        raise ValueError(f"percent={percent!r}, expected a number between 0 and 100 such as 4")


def least_held_out(percent: float) -> int:
    """The least n with α (n + 1) ≥ 1: as many held-out samples resolve a share of α."""
    return math.ceil(100 / percent - 1 - ROUNDING)


def held_out_parts(
    n_samples: int,
    cv: int | float,
    random: RandomState,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> list[Int[np.ndarray, " part"]]:
    """Rows to hold out, one part per fit: folds hold out every row once, a share is one part.

    Rows of one group are held out together, so that parts are of about as many groups.

    Args:
        n_samples: Number of all rows, at least ``cv``.
        cv: Number of folds if an integer, share of the rows if between 0 and 1.
        random: Source of the random assignment of rows, or of groups.
        groups: The group of each row; None for rows that have nothing to do with each other.
    """
    if groups is not None:
        kinds, member = np.unique(groups, return_inverse=True)
        parts = held_out_parts(len(kinds), cv, random)
        return [np.flatnonzero(np.isin(member, part)) for part in parts]
    order = random.permutation(n_samples)
    if cv < 1:
        return [np.sort(order[: math.ceil(cv * n_samples)])]
    return [np.sort(part) for part in np.array_split(order, int(cv))]


def mark_densest(scores: Float[np.ndarray, " n"], trim_percent: float) -> Bool[np.ndarray, " n"]:
    """True for the samples that remain without the ``trim_percent`` of least log density.

    The number to leave out is rounded down.
    """
    kept = np.ones(len(scores), dtype=bool)
    kept[np.argsort(scores, kind="stable")[: int(len(scores) * trim_percent / 100)]] = False
    return kept
