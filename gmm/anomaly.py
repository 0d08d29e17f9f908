"""A threshold on log density, below which a sample is an outlier, and what to set it on."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.random import RandomState
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class DensityThreshold:
    """A log density below which samples are flagged.

    Args:
        threshold_nats: The least log density that is not flagged.
        percent: Percentage of held-out samples below it; None where it was given in nats.
        n_held_out: Held-out samples that it was taken from.
    """

    threshold_nats: float
    percent: float | None = None
    n_held_out: int = 0

    def flags(self, scores: ArrayLike) -> Bool[np.ndarray, " n"]:
        """Which samples are outliers, from their log densities in nats; NaN is one."""
        # Not <: what has no density is nothing that the mixture knows.
        return ~(np.asarray(scores) >= self.threshold_nats)

    def __str__(self) -> str:
        """The threshold and where it comes from."""
        said = f"outlier below {self.threshold_nats:.6g} nats"
        if self.percent is None:
            return said
        return f"{said} ({self.percent:g} % of {self.n_held_out} held-out samples)"


def density_threshold(
    held_out_scores: Float[np.ndarray, " n"] | ArrayLike, percent: float = 4.0
) -> DensityThreshold:
    """The percentile of held-out log densities, so that ``percent`` of known samples are flagged.

    On the samples of the fit the threshold would be too high: a mixture remembers them, and flags
    every new sample.

    Args:
        held_out_scores: Log densities in nats of samples that the mixture was not fitted to.
        percent: Between 0 and 100, exclusive.

    Raises:
        ValueError: If ``percent`` is outside, or a score is missing or not finite.
    """
    scores = np.asarray(held_out_scores, dtype=np.float64)
    if not 0 < percent < 100:
        raise ValueError(f"percent={percent}, expected a number between 0 and 100 such as 4")
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
    return DensityThreshold(float(np.percentile(scores, percent)), float(percent), len(scores))


def held_out_parts(
    n_samples: int, cv: int | float, random: RandomState
) -> list[Int[np.ndarray, " part"]]:
    """Rows to hold out of one fit each: of folds every row once, of a share one part.

    Args:
        n_samples: Rows in all, at least ``cv``.
        cv: Number of folds if an integer, share of the rows if between 0 and 1.
        random: Assigns the rows.
    """
    order = random.permutation(n_samples)
    if cv < 1:
        return [np.sort(order[: math.ceil(cv * n_samples)])]
    return [np.sort(part) for part in np.array_split(order, int(cv))]


def densest(scores: Float[np.ndarray, " n"], trim_percent: float) -> Bool[np.ndarray, " n"]:
    """Which samples are left without the ``trim_percent`` of least log density, rounded down."""
    kept = np.ones(len(scores), dtype=bool)
    kept[np.argsort(scores, kind="stable")[: int(len(scores) * trim_percent / 100)]] = False
    return kept
