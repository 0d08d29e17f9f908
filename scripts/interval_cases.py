"""The laws that `bench_intervals.py` draws from, with the true figure of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import norm

from cellxai.density.separation import false_positive_rate
from cellxai.evaluation.curves import weighted_auroc
from cellxai.evaluation.scores import resampled_scores

Generator = np.random.Generator
Scores = tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]
Statistics = Callable[[Float[np.ndarray, "r n"]], dict[str, Float[np.ndarray, " r"]]]


@dataclass(frozen=True)
class Law:
    """A distribution of scores of one image.

    Args:
        draw: Draws an array of a shape.
        mean: The true mean.
        ends: The smallest and largest score that is possible.
    """

    draw: Callable[[Generator, tuple[int, ...]], Float[np.ndarray, "..."]]
    mean: float
    ends: tuple[float, float] = (-np.inf, np.inf)


def draw_ties(generator: Generator, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """Scores of 0, ½ or 1."""
    return generator.choice([0, 0.5, 1], p=[0.2, 0.3, 0.5], size=shape)


LAWS: Mapping[str, Law] = {
    "normal": Law(lambda g, shape: g.normal(size=shape), 0.0),
    "exponential": Law(lambda g, shape: g.exponential(size=shape), 1.0),
    "lognormal, σ ½": Law(lambda g, shape: g.lognormal(sigma=0.5, size=shape), exp(1 / 8)),
    "lognormal, σ 1": Law(lambda g, shape: g.lognormal(size=shape), exp(1 / 2)),
    "beta(2, 5)": Law(lambda g, shape: g.beta(2, 5, shape), 2 / 7, (0.0, 1.0)),
    "beta(8, 0.8)": Law(lambda g, shape: g.beta(8, 0.8, shape), 8 / 8.8, (0.0, 1.0)),
    "0, ½ or 1": Law(draw_ties, 0.65, (0.0, 1.0)),
    "two humps": Law(
        lambda g, shape: 0.3 * g.normal(size=shape) + 2.0 * (g.random(shape) < 0.5), 1.0
    ),
}


@dataclass(frozen=True)
class Task:
    """Images that a classifier or a detector is judged on, with one figure of it.

    Args:
        draw: Draws so many images, and returns the figure of weighted images, their units, the
            units of the rarest class, and the scores with what is positive where there are some.
        truth: The figure of infinitely many images; ``None`` where that has no closed form.
    """

    draw: Callable[[Generator, int], "Drawn"]
    truth: float | None


@dataclass(frozen=True)
class Drawn:
    """See :class:`Task`."""

    statistics: Statistics
    units: Int[np.ndarray, " n"]
    n_surest: int
    scores: Scores | None = None


def classified(recalls: tuple[float, ...], figure: str, group_size: int = 1) -> Task:
    """Classes of equal frequency with their recalls; what is wrong goes to another at random.

    Args:
        recalls: Of each class.
        figure: ``balanced_accuracy`` or ``macro_f1``.
        group_size: Images in a group, whose recalls scatter about these.
    """
    k = len(recalls)
    confusion = (1 - np.array(recalls))[:, None] / (k - 1) * np.ones((k, k))
    confusion[np.diag_indices(k)] = recalls
    f1 = float(np.mean(2 * np.diag(confusion) / (1 + confusion.sum(0))))
    truth = float(np.mean(recalls)) if figure == "balanced_accuracy" else f1

    def draw(generator: Generator, n_units: int) -> Drawn:
        units = np.repeat(np.arange(n_units), group_size)
        n = len(units)
        labels = np.arange(n) % k
        p = np.array(recalls)[labels]
        if group_size > 1:  # a group is easy or difficult in all of its classes
            ease = generator.normal(size=n_units)[units]
            p = norm.cdf(norm.ppf(p) * sqrt(2) + ease)
        right = generator.random(n) < p
        other = (labels + 1 + generator.integers(k - 1, size=n)) % k
        predicted = np.where(right, labels, other)
        in_class = min(len(np.unique(units[labels == c])) for c in range(k))
        return Drawn(
            lambda w: {figure: resampled_scores(labels, predicted, k, w)[figure]},
            units, in_class,
        )  # fmt: skip

    return Task(draw, truth)


def separated(auroc: float, share: float, group_size: int = 1, figure: str = "auroc") -> Task:
    """Two normal laws of equal spread, of which the positive one is shifted.

    Args:
        auroc: The true area.
        share: Share of the positive images.
        group_size: Images in a group, which share half of their variance.
        figure: ``auroc`` or ``fpr95``.
    """
    shift = norm.ppf(auroc) * sqrt(2)
    truth = auroc if figure == "auroc" else float(norm.sf(shift - norm.ppf(0.95)))
    measure = weighted_auroc if figure == "auroc" else false_positive_rate

    def draw(generator: Generator, n_units: int) -> Drawn:
        units = np.repeat(np.arange(n_units), group_size)
        positive = units < max(2, round(share * n_units))
        noise = generator.normal(size=len(units))
        if group_size > 1:
            noise = (noise + generator.normal(size=n_units)[units]) / sqrt(2)
        scores = noise + shift * positive
        rarest = min(len(np.unique(units[positive == which])) for which in (True, False))
        return Drawn(
            lambda w: {figure: measure(scores, positive, w)}, units, rarest, (scores, positive)
        )

    return Task(draw, truth)


TASKS: Mapping[str, Task] = {
    "balanced accuracy 0.85 of 2": classified((0.9, 0.8), "balanced_accuracy"),
    "balanced accuracy 0.95 of 2": classified((0.95, 0.95), "balanced_accuracy"),
    "balanced accuracy 0.77 of 3": classified((0.6, 0.8, 0.9), "balanced_accuracy"),
    "macro F1 of 3": classified((0.6, 0.8, 0.9), "macro_f1"),
    "AUROC 0.7": separated(0.7, 0.5),
    "AUROC 0.9": separated(0.9, 0.5),
    "AUROC 0.9, 1 in 5": separated(0.9, 0.2),
    "AUROC 0.97": separated(0.97, 0.5),
    "FPR at 95 %, AUROC 0.9": separated(0.9, 0.5, figure="fpr95"),
    "balanced accuracy 0.85, groups of 10": classified((0.9, 0.8), "balanced_accuracy", 10),
    "AUROC 0.9, groups of 10": separated(0.9, 0.5, 10),
}
