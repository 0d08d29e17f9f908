"""What the exported tables hold: long and tidy, one thing measured per line, nothing left out."""

from dataclasses import dataclass
from typing import Literal

from cellxai.explain.status import Status


@dataclass(frozen=True)
class ScoreLine:
    """``table.csv`` and ``table.parquet``: one explainer under one metric.

    Args:
        family: Family of the metric.
        metric: Its name in the config.
        direction: Whether a ``higher`` or a ``lower`` score is better.
        explainer: Its name in the config.
        control: Whether it is one: a map that knows nothing of the model.
        mean: Mean over the images on which every seed has a score; seeds averaged first.
        low: Lower end of its 95 % interval; none with fewer than two images, or equal ones.
        high: Upper end of that interval.
        n_images: Number of images with a score.
        chance: Mean score of a map that knows nothing; none where theory has no answer.
        beats_controls: ``yes``, ``no`` or ``untestable``; empty for a control.
        p_controls: One-sided, against the hardest control, Holm-corrected over the explainers.
        n_rows: Images × seeds that are done: scored, degenerate, unsupported or failed.
        n_degenerate: Rows without a score although there is a map.
        n_unsupported: Rows where the method cannot explain the model.
        n_failed: Rows where the method or the metric stopped with an error.
        n_missing: Images × seeds that are not done yet.
        n_inapplicable: Images × seeds that lack the truth which the metric needs.
        n_degraded: Rows of a method that is not what its name says on this model.
        status: The worst of its rows.
        reason: One reason for that status.
        forwards: Mean number of images through the model, per attribution.
        backwards: Mean number of images back through it, per attribution.
        seconds: Mean time, per attribution.
    """

    family: str
    metric: str
    direction: str
    explainer: str
    control: bool
    mean: float
    low: float
    high: float
    n_images: int
    chance: float
    beats_controls: str
    p_controls: float
    n_rows: int
    n_degenerate: int
    n_unsupported: int
    n_failed: int
    n_missing: int
    n_inapplicable: int
    n_degraded: int
    status: Status
    reason: str
    forwards: float
    backwards: float
    seconds: float


@dataclass(frozen=True)
class ComparisonLine:
    """``comparisons.csv``: two explainers under one metric, Wilcoxon's signed-rank test.

    Args:
        metric: Its name in the config.
        first: One explainer.
        second: The other.
        median_difference: Median of first − second over the images on which both have a score.
        n_images: Number of images compared: who has no score on one has lost to who has.
        p: Two-sided p-value.
        p_holm: Corrected for all pairs of this metric.
        better: The one that is better at the 5 % level; empty where that is not settled.
    """

    metric: str
    first: str
    second: str
    median_difference: float
    n_images: int
    p: float
    p_holm: float
    better: str


@dataclass(frozen=True)
class RankLine:
    """``ranks.csv``: one explainer in one family or under one metric.

    Args:
        level: ``family`` or ``metric``.
        family: The family, or that of the metric.
        name: Name of the family or metric.
        explainer: Its name in the config.
        control: Whether it is one.
        mean_rank: Mean over the complete images, 1 the best; none for an explainer without a score.
        n_ranked: Explainers that were ranked.
        n_images: Number of complete images: every ranked explainer was judged on them.
        n_left_out: Number of images that are not complete.
        friedman_chi2: Statistic of Friedman's test.
        friedman_p: Its p-value.
        critical_difference: Nemenyi's, at 5 %: mean ranks further apart than this differ.
        beats_controls: As in :class:`ScoreLine`; for a family, by the ranks of the images.
        p_controls: As in :class:`ScoreLine`, too.
    """

    level: Literal["family", "metric"]
    family: str
    name: str
    explainer: str
    control: bool
    mean_rank: float
    n_ranked: int
    n_images: int
    n_left_out: int
    friedman_chi2: float
    friedman_p: float
    critical_difference: float
    beats_controls: str
    p_controls: float


@dataclass(frozen=True)
class AgreementLine:
    """``agreement.csv``: two explainers, over the images where neither map is degenerate.

    Args:
        similarity: ``rank correlation``, ``top-k overlap`` or ``sign agreement``, by superpixels.
        first: One explainer.
        second: The other.
        mean: Mean over the images on which every seed has a score; seeds averaged first.
        low: Lower end of its 95 % interval.
        high: Upper end of that interval.
        n_images: Number of images compared.
    """

    similarity: str
    first: str
    second: str
    mean: float
    low: float
    high: float
    n_images: int


@dataclass(frozen=True)
class CostLine:
    """``cost.csv``: one explainer per attribution that ran, or one metric per score.

    Args:
        kind: ``explainer`` or ``metric``.
        name: Its name in the config.
        control: Whether it is one.
        n: Number of attributions or scores.
        n_degraded: How many of them are not what the name says.
        n_unsupported: How many of them are impossible on this model.
        n_failed: How many of them stopped with an error.
        reason: One reason of the worst of them.
        forwards: Mean number of images through the model.
        backwards: Mean number of images back through it.
        seconds: Mean time.
        seconds_low: Lower end of its 95 % interval over images.
        seconds_high: Upper end of that interval.
        peak_bytes: Most memory of any attribution, beyond what was held before; none where the
            system does not tell.
    """

    kind: Literal["explainer", "metric"]
    name: str
    control: bool
    n: int
    n_degraded: int
    n_unsupported: int
    n_failed: int
    reason: str
    forwards: float
    backwards: float
    seconds: float
    seconds_low: float
    seconds_high: float
    peak_bytes: float
