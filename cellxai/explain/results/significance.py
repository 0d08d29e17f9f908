"""Intervals and tests over images: the image is the unit, its seeds are averaged first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from cellxai.explain.metrics.base import Direction
from cellxai.explain.results.signed_rank import signed_rank_p
from cellxai.intervals.means import mean_interval

LEVEL = 0.05
"""Level of every test in a table: a p-value above it settles nothing."""

BeatsControls = Literal["yes", "no", "untestable"]


@dataclass(frozen=True)
class Interval:
    """A mean over images and its 95 % interval.

    Args:
        mean: NaN without images.
        low: Lower end; NaN with fewer than two images, as one says nothing of the spread, and where
            all are equal, which is no certainty.
        high: Upper end; NaN where the lower end is.
        n: Images with a score.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class PairedTest:
    """Wilcoxon's signed-rank test of two methods on the images that both were judged on.

    Args:
        first: Name of one method.
        second: Name of the other.
        median_difference: Median of first − second where both have a score.
        n: Images compared: those where at least one has a score; the other has lost there.
        p: Two-sided p-value of this pair alone; 1 without any difference.
        p_holm: Corrected for all pairs compared.
        ahead: The one with the larger sum of signed ranks; empty where they are equal.
    """

    first: str
    second: str
    median_difference: float
    n: int
    p: float
    p_holm: float
    ahead: str


@dataclass(frozen=True)
class Verdict:
    """Whether a method beats every control: a method that does not has explained nothing.

    Args:
        answer: ``untestable`` where no control has a score, or where so few images could not
            settle it even if the method won on all of them.
        p: One-sided, against the control that is hardest to beat; NaN without one.
        p_holm: Corrected for all methods that were asked.
        n: Images compared with that control.
    """

    answer: BeatsControls
    p: float
    p_holm: float
    n: int


def mean_over_images(
    scores: Float[np.ndarray, " n"], least: float = -np.inf, most: float = np.inf
) -> Interval:
    """Mean with the interval of :func:`cellxai.intervals.means.mean_interval`.

    Args:
        scores: One per image; NaN is left out here and must be counted by the caller.
        least: The smallest mean that is possible.
        most: The largest.
    """
    kept = np.sort(_complete(scores))  # the order of the images must not matter
    if not len(kept):
        return Interval(np.nan, np.nan, np.nan, 0)
    low, high = mean_interval(kept, least, most) or (np.nan, np.nan)
    return Interval(float(kept.mean()), low, high, len(kept))


def paired_tests(
    scores: Mapping[str, Float[np.ndarray, " n"]],
    direction: Direction = "higher",
    judged: Mapping[str, Bool[np.ndarray, " n"]] | None = None,
) -> list[PairedTest]:
    """Every pair of methods, Holm-corrected; each array holds the same images in the same order.

    A method without a score on an image has lost there to one that has, by more than anything that
    was measured, as in :func:`beat_controls`.

    Args:
        scores: Scores of every method, one per image; NaN where there is none.
        direction: Whether a ``higher`` or a ``lower`` score is better.
        judged: Where a method was judged at all, with a score or without; everywhere by default.
    """
    gains = {name: values if direction == "higher" else -values for name, values in scores.items()}
    judged = judged or {name: np.ones(len(values), dtype=bool) for name, values in scores.items()}
    pairs = list(combinations(scores, 2))
    leads = [
        _complete(lead_over_equal(gains[first], gains[second])[judged[first] & judged[second]])
        for first, second in pairs
    ]
    medians = [_median(_complete(scores[first] - scores[second])) for first, second in pairs]
    p_values = np.array([signed_rank_p(lead) for lead in leads])
    return [
        PairedTest(*pair, median, len(lead), float(p), float(p_holm), _ahead(pair, lead))
        for pair, median, lead, p, p_holm in zip(
            pairs, medians, leads, p_values, holm(p_values), strict=True
        )
    ]


def _ahead(pair: tuple[str, str], lead: Float[np.ndarray, " n"]) -> str:
    balance = float((np.sign(lead) * rankdata(np.abs(lead))).sum())
    return "" if not balance else pair[0] if balance > 0 else pair[1]


def holm(p_values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Holm's (1979) step-down correction of m p-values."""
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def beat_controls(
    scores: Mapping[str, Float[np.ndarray, " n"]],
    controls: Collection[str],
    direction: Direction,
    level: float = LEVEL,
    judged: Mapping[str, Bool[np.ndarray, " n"]] | None = None,
) -> dict[str, Verdict]:
    """Whether each method that is not a control beats all controls.

    One-sided signed-rank tests. To beat *every* control is an intersection-union test (Berger
    1982): its p-value is the largest of them and needs no correction for their number; Holm
    corrects for the methods.

    A method without a score on an image has lost there, by more than anything that was measured:
    to leave the image out would reward methods that fail where it is difficult. Where a control has
    none nothing can be beaten, and the image is left out.

    Args:
        scores: Scores of every method and control, one per image; the same images in the same
            order. NaN where there is none.
        controls: Names of those that know nothing of the model.
        direction: Whether a ``higher`` or a ``lower`` score is better.
        level: Level of the test.
        judged: Where a method or control was judged at all, with a score or without; everywhere by
            default. What was not computed yet is left out.
    """
    gains = {name: values if direction == "higher" else -values for name, values in scores.items()}
    judged = judged or {name: np.ones(len(values), dtype=bool) for name, values in gains.items()}
    leads = {
        name: [
            lead_over(gains[name], gains[rival])[judged[name] & judged[rival]]
            for rival in controls
            if rival in gains
        ]
        for name in scores
        if name not in controls
    }
    return verdicts_of(leads, level)


def verdicts_of(
    leads: Mapping[str, Sequence[Float[np.ndarray, " _n"]]], level: float = LEVEL
) -> dict[str, Verdict]:
    """Whether each method beats all controls, from its lead over each of them on each image.

    Args:
        leads: By method, one array for each control; NaN where nothing can be said.
        level: Level of the test.
    """
    hardest = {name: _hardest(own) for name, own in leads.items()}
    tested = [name for name in hardest if hardest[name][1]]
    corrected = holm(np.array([hardest[name][0] for name in tested]))
    p_holm = dict(zip(tested, corrected.tolist(), strict=True))
    return {
        name: _verdict(*hardest[name], p_holm.get(name, np.nan), len(tested), level)
        for name in hardest
    }


def lead_over_equal(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """By how much one method is ahead of another: ∓∞ where only the other, or only it, has a score.

    NaN where neither has.
    """
    return np.where(np.isnan(second) & ~np.isnan(first), np.inf, lead_over(first, second))


def lead_over(
    gain: Float[np.ndarray, " n"], rival: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """By how much a method is ahead of a control: −∞ where only the control has a score.

    NaN where the control has none.
    """
    return np.where(np.isnan(gain) & ~np.isnan(rival), -np.inf, gain - rival)


def _hardest(leads: Sequence[Float[np.ndarray, " _n"]]) -> tuple[float, int]:
    """Largest p-value against a control, and the images it rests on."""
    known = [_complete(lead) for lead in leads]
    tests = [(signed_rank_p(lead, "greater"), len(lead)) for lead in known if len(lead)]
    return max(tests, default=(float("nan"), 0))


def _verdict(p: float, n: int, p_holm: float, n_tested: int, level: float) -> Verdict:
    if p_holm <= level:
        return Verdict("yes", p, p_holm, n)
    # The smallest p-value that n images allow is 2⁻ⁿ: a method that wins on every one of them.
    hopeless = n == 0 or n_tested * 2.0**-n > level
    return Verdict("untestable" if hopeless else "no", p, p_holm, n)


def _complete(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    return values[~np.isnan(values)]


def _median(values: Float[np.ndarray, " n"]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
