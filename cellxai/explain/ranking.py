"""Ranks of methods over images: Friedman's test, critical differences, and what is on the front.

There is no magic score: ranks are averaged within a family of metrics, and families stand side by
side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import chi2, rankdata, studentized_range

from cellxai.explain.metrics.base import Direction


@dataclass(frozen=True)
class Friedman:
    """Whether any of several methods ranks differently from the others.

    Args:
        mean_ranks: Of each method over the images; 1 is the best.
        statistic: Chi-squared with k − 1 degrees of freedom, corrected for ties.
        p: NaN with fewer than two images or methods; 1 where no image tells methods apart.
        n: Images on which at least one method has a score.
        critical_difference: Mean ranks that lie further apart differ (Nemenyi).
    """

    mean_ranks: dict[str, float]
    statistic: float
    p: float
    n: int
    critical_difference: float


def friedman(
    scores: Mapping[str, Float[np.ndarray, " n"]], direction: Direction, level: float = 0.95
) -> Friedman:
    """Friedman's (1937) rank test, and Nemenyi's critical difference (Demšar 2006, section 3.2.2).

    Args:
        scores: Of each method, one per image, seeds averaged; the same images in the same order.
        direction: Whether a ``higher`` or a ``lower`` score is better.
        level: Confidence of the critical difference.
    """
    values = np.stack(list(scores.values()), 1)
    ranks = image_ranks(values[~np.isnan(values).all(1)], direction)
    n, k = ranks.shape
    mean_ranks = ranks.mean(0) if n else np.full(k, np.nan)
    statistic, p = _friedman_test(ranks)
    difference = critical_difference(k, n, level)
    return Friedman(
        dict(zip(scores, mean_ranks.tolist(), strict=True)), statistic, p, n, difference
    )


def image_ranks(scores: Float[np.ndarray, "n k"], direction: Direction) -> Float[np.ndarray, "n k"]:
    """Rank of each method on each image, 1 the best, ties at their mean.

    A method without a score on an image ranks last there: to leave the image out would reward
    methods that fail where it is difficult.
    """
    costs = scores if direction == "lower" else -scores
    return rankdata(np.where(np.isnan(costs), np.inf, costs), axis=1)


def critical_difference(n_methods: int, n_images: int, level: float = 0.95) -> float:
    """Nemenyi's: q √(k (k + 1) / 6n), q the studentised range over √2; NaN where none exists."""
    if n_methods < 2 or n_images < 1:
        return float("nan")
    q = float(studentized_range.ppf(level, n_methods, np.inf)) / sqrt(2)
    return q * sqrt(n_methods * (n_methods + 1) / (6 * n_images))


def cliques(mean_ranks: Mapping[str, float], difference: float) -> list[tuple[str, ...]]:
    """Largest groups of methods that lie within a critical difference: the bars of the picture."""
    order = sorted(mean_ranks, key=lambda name: mean_ranks[name])
    found: list[tuple[str, ...]] = []
    for start, first in enumerate(order):
        near = tuple(m for m in order[start:] if mean_ranks[m] - mean_ranks[first] <= difference)
        if len(near) > 1 and not (found and near[-1] == found[-1][-1]):
            found.append(near)
    return found


def family_ranks(
    mean_ranks: Mapping[str, Mapping[str, float]], families: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Mean rank of each method in each family; NaN where no metric of the family ranks it.

    Args:
        mean_ranks: By metric, then by method.
        families: Of each metric.
    """
    methods = list(dict.fromkeys(method for ranks in mean_ranks.values() for method in ranks))
    grouped: dict[str, list[Mapping[str, float]]] = {}
    for metric, ranks in mean_ranks.items():
        grouped.setdefault(families[metric], []).append(ranks)
    return {
        family: {m: _mean([ranks[m] for ranks in members if m in ranks]) for m in methods}
        for family, members in grouped.items()
    }


def pareto_front(
    quality: Float[np.ndarray, " m"], cost: Float[np.ndarray, " m"], direction: Direction
) -> Bool[np.ndarray, " m"]:
    """Methods that no other beats in one of quality and cost without losing in the other.

    Args:
        quality: Of each method; a NaN is never on the front and beats nothing.
        cost: Of each method, lower is better; likewise.
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


def _mean(values: Sequence[float]) -> float:
    kept = [value for value in values if not np.isnan(value)]
    return float(np.mean(kept)) if kept else float("nan")
