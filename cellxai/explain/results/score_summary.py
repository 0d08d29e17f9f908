"""What the scores of each explainer amount to, from stored rows alone: no model is needed."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.score_arrays import Results, Scores, mean, score_arrays
from cellxai.explain.results.significance import (
    Interval,
    PairedTest,
    Verdict,
    beat_controls,
    mean_over_images,
    paired_tests,
)
from cellxai.explain.status import SEVERITY, Status

UNTESTED = Verdict("untestable", math.nan, math.nan, 0)


@dataclass(frozen=True)
class Counts:
    """What became of the rows of one explainer under one metric; none is dropped uncounted.

    Args:
        rows: Rows in the store; each is scored, degenerate, unsupported or failed.
        scored: Rows with a score.
        degenerate: Rows without one although there is a map, which ranks nothing or has no positive
            part.
        unsupported: Rows of a method that cannot explain this model.
        failed: Rows where the method or the metric stopped with an error.
        missing: Rows that are not in the store because they were not computed yet.
        inapplicable: Rows that will never be there: the image lacks the truth that the metric
            needs.
        degraded: Rows, scored or not, of maps that are not what their method's name says.
    """

    rows: int
    scored: int
    degenerate: int
    unsupported: int
    failed: int
    missing: int
    inapplicable: int
    degraded: int


@dataclass(frozen=True)
class Summary:
    """One explainer under one metric, over all images.

    Args:
        explainer: Name of the explainer.
        measure: What the metric is.
        control: Whether the explainer is one.
        score: Mean and interval over the images on which every seed has a score; seeds averaged.
        chance: Mean score of a map that knows nothing; NaN where theory has no answer.
        verdict: Whether it beats every control under this metric; ``None`` for a control.
        counts: What became of its rows.
        status: The worst of its attributions' statuses.
        reason: One reason for that status.
        forwards: Mean number of images sent through the model, per attribution.
        backwards: Mean number of images sent back, per attribution.
        seconds: Mean time, per attribution.
    """

    explainer: str
    measure: Measure
    control: bool
    score: Interval
    chance: float
    verdict: Verdict | None
    counts: Counts
    status: Status
    reason: str
    forwards: float
    backwards: float
    seconds: float


def summarise(results: Results) -> list[Summary]:
    """One line per metric and explainer, by family; those that were not judged at all included."""
    cells: dict[tuple[str, str], list[ScoreRow]] = {}
    for row in results.rows:
        cells.setdefault((row.metric, row.explainer), []).append(row)
    planned, lines = results.planned, []
    for scores in score_arrays(results):
        metric = scores.measure.metric
        inapplicable = sum((image, metric) in results.inapplicable for image, _ in planned)
        scored = scores.scored
        verdicts = beat_controls(
            scores.of(scored), results.controls, scores.direction, judged=scores.judged_of(scored)
        )
        for name in scores.explainers:
            verdict = None if name in results.controls else verdicts.get(name, UNTESTED)
            own = cells.get((metric, name), [])
            counts = count(own, len(planned), inapplicable)
            lines.append(_summary(name, scores, verdict, counts, own))
    return lines


def compare(results: Results) -> dict[str, list[PairedTest]]:
    """By metric, every pair of explainers that have a score at all, where both were judged.

    Holm corrects for the pairs of one metric.
    """
    return {
        scores.measure.metric: paired_tests(
            scores.of(scores.scored), scores.direction, scores.judged_of(scores.scored)
        )
        for scores in score_arrays(results)
    }


def count(rows: Sequence[ScoreRow], planned: int, inapplicable: int) -> Counts:
    """What became of the rows of one explainer under one metric.

    Args:
        rows: Its rows.
        planned: Images × seeds of the whole benchmark.
        inapplicable: How many of them lack the truth which the metric needs.
    """
    fates = Counter(_fate(row) for row in rows)
    return Counts(
        len(rows),
        fates["scored"],
        fates["degenerate"],
        fates["unsupported"],
        fates["failed"],
        planned - inapplicable - len(rows),
        inapplicable,
        sum(row.status == "degraded" for row in rows),
    )


def _fate(row: ScoreRow) -> str:
    if not math.isnan(row.value):
        return "scored"
    return row.status if row.status in ("unsupported", "failed") else "degenerate"


def _summary(
    name: str, scores: Scores, verdict: Verdict | None, counts: Counts, rows: Sequence[ScoreRow]
) -> Summary:
    worst = max(rows, key=lambda row: (SEVERITY.index(row.status), row.reason), default=None)
    return Summary(
        explainer=name,
        measure=scores.measure,
        control=verdict is None,
        score=_mean(scores.of([name])[name], scores.measure),
        chance=mean(row.chance for row in rows),
        verdict=verdict,
        counts=counts,
        status=worst.status if worst else "ok",
        reason=worst.reason if worst else "",
        forwards=mean(row.forwards for row in rows),
        backwards=mean(row.backwards for row in rows),
        seconds=mean(row.seconds for row in rows),
    )


def _mean(values: Float[np.ndarray, " n"], measure: Measure) -> Interval:
    """The mean score, within the range of the metric wherever the scores are."""
    known = values[~np.isnan(values)]
    least = min(measure.low, known.min(initial=np.inf))
    return mean_over_images(values, least, max(measure.high, known.max(initial=-np.inf)))
