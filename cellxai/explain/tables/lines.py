"""The lines of every exported table, from the results of a benchmark."""

import math
from collections.abc import Sequence

import numpy as np

from cellxai.explain.results.method_agreement import compare_methods
from cellxai.explain.results.rows import Answer, ScoreRow
from cellxai.explain.results.score_arrays import Results, mean
from cellxai.explain.results.score_summary import Summary, compare, summarise
from cellxai.explain.results.significance import LEVEL, PairedTest, Verdict, mean_over_images
from cellxai.explain.results.standings import Standing, rank_explainers
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
    return [_score(summary) for summary in summarise(results)]


def comparison_lines(results: Results) -> list[ComparisonLine]:
    """Every pair of explainers that have a score, by metric."""
    return [
        _comparison(metric, test) for metric, tests in compare(results).items() for test in tests
    ]


def rank_lines(results: Results) -> list[RankLine]:
    """Every explainer in every family, each followed by its metrics."""
    return [
        _rank(standing, name, name in results.controls)
        for standing in rank_explainers(results)
        for name in results.explainers
    ]


def agreement_lines(results: Results) -> list[AgreementLine]:
    """Every pair of explainers under every similarity."""
    return [
        AgreementLine(agreement.similarity, *pair, score.mean, score.low, score.high, score.n)
        for agreement in compare_methods(results.answers, results.explainers)
        for pair, score in agreement.pairs().items()
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


def _score(summary: Summary) -> ScoreLine:
    measure, counts, score = summary.measure, summary.counts, summary.score
    return ScoreLine(
        measure.family, measure.metric, measure.direction, summary.explainer, summary.control,
        score.mean, score.low, score.high, score.n, summary.chance,
        *_beats_controls(summary.verdict),
        counts.rows, counts.degenerate, counts.unsupported, counts.failed, counts.missing,
        counts.inapplicable, counts.degraded,
        summary.status, summary.reason, summary.forwards, summary.backwards, summary.seconds,
    )  # fmt: skip


def _beats_controls(verdict: Verdict | None) -> tuple[str, float]:
    return ("", math.nan) if verdict is None else (verdict.answer, verdict.p_holm)


def _comparison(metric: str, test: PairedTest) -> ComparisonLine:
    better = test.ahead if test.p_holm <= LEVEL else ""
    return ComparisonLine(
        metric, test.first, test.second, test.median_difference, test.n, test.p, test.p_holm, better
    )


def _rank(standing: Standing, name: str, control: bool) -> RankLine:
    test, verdict = standing.friedman, standing.verdicts.get(name)
    answer, p_controls = _beats_controls(verdict)
    return RankLine(
        standing.level, standing.family, standing.name, name, control,
        test.mean_ranks.get(name, math.nan), len(test.mean_ranks), test.n, standing.left_out,
        test.statistic, test.p, test.critical_difference,
        answer or ("" if control else "untestable"), p_controls,
    )  # fmt: skip


def _cost_of_explainer(name: str, answers: Sequence[Answer], control: bool) -> CostLine:
    ran = [answer for answer in answers if answer.status in ("ok", "degraded")]
    peaks = [answer.peak_bytes for answer in ran if answer.peak_bytes is not None]
    return CostLine(
        "explainer", name, control, len(answers), *_fates(answers),
        mean(answer.forwards for answer in ran), mean(answer.backwards for answer in ran),
        *_seconds([(answer.image, answer.seconds) for answer in ran]),
        float(max(peaks, default=math.nan)),
    )  # fmt: skip


def _cost_of_metric(name: str, rows: Sequence[ScoreRow]) -> CostLine:
    scored = [row for row in rows if not math.isnan(row.value)]
    return CostLine(
        "metric", name, False, len(rows), *_fates(rows),
        mean(row.metric_forwards for row in scored), mean(row.metric_backwards for row in scored),
        *_seconds([(row.image, row.metric_seconds) for row in scored]), math.nan,
    )  # fmt: skip


def _fates(records: Sequence[Answer] | Sequence[ScoreRow]) -> tuple[int, int, int, str]:
    """How many are degraded, unsupported and failed, and one reason of the worst."""
    statuses = [record.status for record in records]
    worst = max(records, key=_severity, default=None)
    degraded, unsupported, failed = (statuses.count(status) for status in SEVERITY[1:])
    return degraded, unsupported, failed, worst.reason if worst else ""


def _severity(record: Answer | ScoreRow) -> tuple[int, str]:
    return SEVERITY.index(record.status), record.reason


def _seconds(timed: Sequence[tuple[str, float]]) -> tuple[float, float, float]:
    """Mean over images, seeds averaged first, and its interval."""
    images: dict[str, list[float]] = {}
    for image, seconds in timed:
        images.setdefault(image, []).append(seconds)
    interval = mean_over_images(np.array([mean(own) for own in images.values()]), least=0.0)
    return interval.mean, interval.low, interval.high
