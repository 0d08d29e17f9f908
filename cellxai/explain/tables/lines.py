"""The lines of every exported table, from the results of a benchmark."""

import math
from collections.abc import Sequence

import numpy as np

from cellxai.explain.results.method_agreement import agreements
from cellxai.explain.results.rows import Answer, ScoreRow
from cellxai.explain.results.score_arrays import Results, mean
from cellxai.explain.results.standings import Standing, standings
from cellxai.explain.results.statistics import LEVEL, PairedTest, Verdict, bootstrap_mean
from cellxai.explain.results.summary import Summary, compare, summarise
from cellxai.explain.status import SEVERITY
from cellxai.explain.tables.columns import (
    AgreementLine,
    ComparisonLine,
    CostLine,
    RankLine,
    ScoreLine,
)


def score_lines(results: Results) -> list[ScoreLine]:
    """By family, metric and explainer, the controls last."""
    return [_score(one) for one in summarise(results)]


def comparison_lines(results: Results) -> list[ComparisonLine]:
    """Every pair of explainers that have a score, by metric."""
    return [
        _comparison(metric, results.measures[metric].direction, test)
        for metric, tests in compare(results).items()
        for test in tests
    ]


def rank_lines(results: Results) -> list[RankLine]:
    """Every explainer in every family, each followed by its metrics."""
    return [
        _rank(standing, name, name in results.controls)
        for standing in standings(results)
        for name in results.explainers
    ]


def agreement_lines(results: Results) -> list[AgreementLine]:
    """Every pair of explainers under every similarity."""
    return [
        AgreementLine(one.similarity, *pair, score.mean, score.low, score.high, score.n)
        for one in agreements(results.answers, results.explainers)
        for pair, score in one.pairs().items()
    ]


def cost_lines(results: Results) -> list[CostLine]:
    """Every explainer, then every metric."""
    answers: dict[str, list[Answer]] = {name: [] for name in results.explainers}
    for answer in results.answers:
        answers[answer.explainer].append(answer)
    rows: dict[str, list[ScoreRow]] = {}
    for row in results.rows:
        rows.setdefault(row.metric, []).append(row)
    made = [
        _cost_of_explainer(name, own, name in results.controls) for name, own in answers.items()
    ]
    return made + [_cost_of_metric(name, own) for name, own in sorted(rows.items())]


def _score(one: Summary) -> ScoreLine:
    verdict, counts, score = one.verdict, one.counts, one.score
    return ScoreLine(
        one.measure.family, one.measure.metric, one.measure.direction, one.explainer, one.control,
        score.mean, score.low, score.high, score.n, one.chance,
        *_told(verdict),
        counts.rows, counts.degenerate, counts.unsupported, counts.failed, counts.missing,
        counts.inapplicable, counts.degraded,
        one.status, one.reason, one.forwards, one.backwards, one.seconds,
    )  # fmt: skip


def _told(verdict: Verdict | None) -> tuple[str, float]:
    return ("", math.nan) if verdict is None else (verdict.answer, verdict.p_holm)


def _comparison(metric: str, direction: str, test: PairedTest) -> ComparisonLine:
    settled = test.p_holm <= LEVEL and test.median_difference != 0
    first_is_better = (test.median_difference > 0) == (direction == "higher")
    better = (test.first if first_is_better else test.second) if settled else ""
    return ComparisonLine(
        metric, test.first, test.second, test.median_difference, test.n, test.p, test.p_holm, better
    )


def _rank(standing: Standing, name: str, control: bool) -> RankLine:
    test, verdict = standing.friedman, standing.verdicts.get(name)
    answer, p_controls = _told(verdict)
    return RankLine(
        standing.level, standing.family, standing.name, name, control,
        test.mean_ranks.get(name, math.nan), len(test.mean_ranks), test.n, standing.left_out,
        test.statistic, test.p, test.critical_difference,
        answer or ("" if control else "untestable"), p_controls,
    )  # fmt: skip


def _cost_of_explainer(name: str, answers: Sequence[Answer], control: bool) -> CostLine:
    ran = [one for one in answers if one.status in ("ok", "degraded")]
    peaks = [one.peak_bytes for one in ran if one.peak_bytes is not None]
    return CostLine(
        "explainer", name, control, len(answers), *_fates(answers),
        mean(one.forwards for one in ran), mean(one.backwards for one in ran),
        *_seconds([(one.image, one.seconds) for one in ran]),
        float(max(peaks, default=math.nan)),
    )  # fmt: skip


def _cost_of_metric(name: str, rows: Sequence[ScoreRow]) -> CostLine:
    scored = [one for one in rows if not math.isnan(one.value)]
    return CostLine(
        "metric", name, False, len(rows), *_fates(rows),
        mean(one.metric_forwards for one in scored), mean(one.metric_backwards for one in scored),
        *_seconds([(one.image, one.metric_seconds) for one in scored]), math.nan,
    )  # fmt: skip


def _fates(made: Sequence[Answer] | Sequence[ScoreRow]) -> tuple[int, int, int, str]:
    """How many are degraded, unsupported and failed, and one reason of the worst."""
    statuses = [one.status for one in made]
    worst = max(made, key=lambda one: (SEVERITY.index(one.status), one.reason), default=None)
    degraded, unsupported, failed = (statuses.count(status) for status in SEVERITY[1:])
    return degraded, unsupported, failed, worst.reason if worst else ""


def _seconds(timed: Sequence[tuple[str, float]]) -> tuple[float, float, float]:
    """Mean over images, seeds averaged first, and its interval."""
    images: dict[str, list[float]] = {}
    for image, seconds in timed:
        images.setdefault(image, []).append(seconds)
    found = bootstrap_mean(np.array([mean(images[image]) for image in sorted(images)]))
    return found.mean, found.low, found.high
