"""Ranks of methods over images: Friedman's test, critical differences, and what is on the front.

There is no magic score: ranks are averaged within a family of metrics, and families stand side by
side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import chi2, rankdata, studentized_range

from cellxai.explain.metrics.base import Direction


@dataclass(frozen=True)
class Friedman:
    """Whether any of several methods ranks differently from the others.

    Args:
        mean_ranks: Mean rank of each method over the images; 1 is the best.
        statistic: Chi-squared with k − 1 degrees of freedom, corrected for ties.
        p: NaN with fewer than two images or methods; 1 where no image tells methods apart.
        n: Images on which the methods were ranked.
        critical_difference: Mean ranks that lie further apart differ (Nemenyi).
    """

    mean_ranks: dict[str, float]
    statistic: float
    p: float
    n: int
    critical_difference: float


def friedman(
    methods: Sequence[str], ranks: Float[np.ndarray, "n k"], level: float = 0.95
) -> Friedman:
    """Friedman's (1937) rank test, and Nemenyi's critical difference (Demšar 2006, section 3.2.2).

    Args:
        methods: Names of the columns.
        ranks: Rank of each method on each image, as :func:`image_ranks` gives them.
        level: Confidence of the critical difference.
    """
    n, k = ranks.shape
    mean_ranks = ranks.mean(0) if n else np.full(k, np.nan)
    statistic, p = _friedman_test(ranks)
    difference = critical_difference(k, n, level)
    return Friedman(
        dict(zip(methods, mean_ranks.tolist(), strict=True)), statistic, p, n, difference
    )


def image_ranks(scores: Float[np.ndarray, "n k"], direction: Direction) -> Float[np.ndarray, "n k"]:
    """Rank of each method on each image, 1 the best, ties at their mean.

    A method without a score on an image ranks last there: to leave the image out would reward
    methods that fail where it is difficult.
    """
    costs = scores if direction == "lower" else -scores
    return rankdata(np.where(np.isnan(costs), np.inf, costs), axis=1)


def joint_ranks(by_metric: Float[np.ndarray, "m n k"]) -> Float[np.ndarray, "judged k"]:
    """Rank of each method on each image over the metrics of a family: that of its mean rank.

    Metrics of one image are not independent evidence, so Friedman's test must see the image once:
    its ranks are averaged over the metrics, and the averages are ranked again.

    Args:
        by_metric: Ranks under each metric; rows of NaN where an image was not judged by a metric.
            An image without any is left out.
    """
    known = ~np.isnan(by_metric)
    count = known.sum(0)
    judged = (count > 0).all(1)
    mean = np.where(known, by_metric, 0).sum(0)[judged] / count[judged]
    # Rounded: the same ranks averaged in another order must remain a tie.
    return rankdata(mean.round(9), axis=1)


def critical_difference(n_methods: int, n_images: int, level: float = 0.95) -> float:
    """Nemenyi's: q √(k (k + 1) / 6n), q the studentised range over √2; NaN where none exists."""
    if n_methods < 2 or n_images < 1:
        return float("nan")
    q = range_quantile(n_methods, level) / sqrt(2)
    return q * sqrt(n_methods * (n_methods + 1) / (6 * n_images))


@lru_cache(maxsize=64)  # SciPy integrates for 20 ms, and every family and metric asks the same
def range_quantile(n_methods: int, level: float) -> float:
    """Quantile of the studentised range of so many independent values, of known spread."""
    return float(studentized_range.ppf(level, n_methods, np.inf))


def cliques(mean_ranks: Mapping[str, float], difference: float) -> list[tuple[str, ...]]:
    """Largest groups of methods that lie within a critical difference: the bars of the picture."""
    order = sorted(mean_ranks, key=lambda name: mean_ranks[name])
    groups: list[tuple[str, ...]] = []
    for start, first in enumerate(order):
        near = tuple(m for m in order[start:] if mean_ranks[m] - mean_ranks[first] <= difference)
        if len(near) > 1 and not (groups and near[-1] == groups[-1][-1]):
            groups.append(near)
    return groups


def pareto_front(
    quality: Float[np.ndarray, " m"], cost: Float[np.ndarray, " m"], direction: Direction
) -> Bool[np.ndarray, " m"]:
    """Methods that no other beats in one of quality and cost without losing in the other.

    Args:
        quality: Quality of each method; a NaN is never on the front and beats no method.
        cost: Cost of each method, lower is better; a NaN is treated in the same way.
        direction: Whether a ``higher`` or a ``lower`` quality is better.
    """
    loss = -quality if direction == "higher" else quality
    known = ~np.isnan(loss + cost)
    no_worse = (loss[:, None] <= loss) & (cost[:, None] <= cost)
    better = (loss[:, None] < loss) | (cost[:, None] < cost)
    return known & ~(no_worse & better & known[:, None]).any(0)


def _friedman_test(ranks: Float[np.ndarray, "n k"]) -> tuple[float, float]:
    n, k = ranks.shape
    if n < 2 or k < 2:
        return float("nan"), float("nan")
    between = ((ranks.sum(0) - n * (k + 1) / 2) ** 2).sum()
    within = ((ranks - (k + 1) / 2) ** 2).sum()  # n k (k² − 1) / 12 without ties
    if not within:
        return 0.0, 1.0
    statistic = float((k - 1) * between / within)
    return statistic, float(chi2.sf(statistic, k - 1))
