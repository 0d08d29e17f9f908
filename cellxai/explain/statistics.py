"""Intervals and tests over images: the image is the unit, its seeds are averaged first."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import wilcoxon


@dataclass(frozen=True)
class Interval:
    """A mean over images and its bootstrap interval.

    Args:
        mean: NaN without images.
        low: Lower end; NaN with fewer than two images, as one says nothing of the spread.
        high: Upper end, likewise.
        n: Images with a score.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class PairedTest:
    """Wilcoxon's signed-rank test of two methods on the images that both have a score for.

    Args:
        first: Name of one method.
        second: Name of the other.
        median_difference: Of first − second.
        n: Images compared.
        p: Two-sided p-value of this pair alone; 1 without any difference.
        p_holm: Corrected for all pairs compared.
    """

    first: str
    second: str
    median_difference: float
    n: int
    p: float
    p_holm: float


def bootstrap_mean(
    scores: Float[np.ndarray, " n"],
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Mean and percentile bootstrap interval (Efron and Tibshirani 1993, ch. 13).

    Args:
        scores: One per image; NaN is left out here and must be counted by the caller.
        level: Coverage aimed at.
        n_resamples: Bootstrap samples.
        seed: Makes the interval repeatable.
    """
    kept = scores[~np.isnan(scores)]
    if len(kept) < 2:
        return Interval(float(kept.sum()) if len(kept) else np.nan, np.nan, np.nan, len(kept))
    drawn = np.random.default_rng(seed).integers(len(kept), size=(n_resamples, len(kept)))
    tail = (1 - level) / 2
    low, high = np.quantile(kept[drawn].mean(1), [tail, 1 - tail])
    return Interval(float(kept.mean()), float(low), float(high), len(kept))


def paired_tests(scores: Mapping[str, Float[np.ndarray, " n"]]) -> list[PairedTest]:
    """Every pair of methods, Holm-corrected; each array holds the same images in the same order."""
    pairs = list(combinations(scores, 2))
    differences = [_complete(scores[first] - scores[second]) for first, second in pairs]
    p_values = np.array([_wilcoxon_p(difference) for difference in differences])
    return [
        PairedTest(*pair, _median(difference), len(difference), float(p), float(p_holm))
        for pair, difference, p, p_holm in zip(
            pairs, differences, p_values, holm(p_values), strict=True
        )
    ]


def holm(p_values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Holm's (1979) step-down correction of m p-values."""
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def _complete(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    return values[~np.isnan(values)]


def _median(values: Float[np.ndarray, " n"]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _wilcoxon_p(differences: Float[np.ndarray, " n"]) -> float:
    if not differences.any():
        return 1.0
    result: Any = wilcoxon(differences)  # typed as a bare tuple
    return float(result.pvalue)
