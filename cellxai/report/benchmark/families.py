"""Families of metrics as the page shows them, from ``benchmark/table.csv`` and ``ranks.csv``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan

from cellxai.report.benchmark.bars import Scale, scale_of
from cellxai.report.benchmark.words import (
    ABOUT,
    describe_ranking,
    parse_number,
    winners_sentence,
)
from cellxai.report.pieces import Picture
from cellxai.report.saved_files import CsvRow

BETTER = {"higher": 1, "lower": -1}
STATUSES = ("degraded", "degenerate", "unsupported", "failed", "missing")


@dataclass(frozen=True)
class FamilyRank:
    """One explainer in one family: a line of ``ranks.csv``.

    Args:
        family: Name of the family.
        explainer: Name of the explainer.
        rank: Mean rank of the explainer; NaN where it has no score.
        beats_controls: ``yes``, ``no``, ``untestable``, or empty for a control.
        ranked: How many images the ranks rest on, and whether they differ at all.
    """

    family: str
    explainer: str
    rank: float
    beats_controls: str
    ranked: str


@dataclass(frozen=True)
class MetricScore:
    """One explainer under one metric: mean over the images and its interval, in its units.

    Args:
        explainer: Name of the explainer.
        control: Whether it knows nothing of the model.
        metric: Name of the metric.
        family: Family of the metric.
        direction: ``higher`` or ``lower`` is better.
        mean: NaN where no image has a score.
        low: Lower end of the interval.
        high: Upper end.
        chance: Score of a map that knows nothing; NaN where theory has no answer.
        beats_controls: ``yes``, ``no``, ``untestable``, or empty for a control.
        counts: Number of rows of each of the ``STATUSES``.
        reason: Reason of the worst of them.
    """

    explainer: str
    control: bool
    metric: str
    family: str
    direction: str
    mean: float
    low: float
    high: float
    chance: float
    beats_controls: str
    counts: tuple[int, ...]
    reason: str

    @property
    def remarks(self) -> str:
        """``2 degenerate, 1 failed``."""
        counted = zip(self.counts, STATUSES, strict=True)
        return ", ".join(f"{count} {status}" for count, status in counted if count)


@dataclass(frozen=True)
class MetricColumn:
    """One metric: its name, which scores are better, what knows nothing scores, and its range."""

    metric: str
    direction: str
    chance: float
    scale: Scale


@dataclass(frozen=True)
class FamilyLine:
    """One explainer in the table of a family.

    Args:
        explainer: Name of the explainer.
        control: Whether it knows nothing of the model.
        rank: Its mean rank in the family; NaN where it has no score.
        beats_controls: Whether it beats every control by its ranks in this family.
        cells: Its score under each metric; ``None`` where the table has none.
        best: Whether each cell is the best of its metric, controls left aside.
    """

    explainer: str
    control: bool
    rank: float
    beats_controls: str
    cells: tuple[MetricScore | None, ...]
    best: tuple[bool, ...]


@dataclass(frozen=True)
class Family:
    """The metrics of one family.

    Args:
        name: Name of the family.
        about: What it measures, for a newcomer.
        sentence: Which methods beat the controls in it.
        winners: Explainers that beat every control.
        n_methods: Number of explainers that are not controls.
        ranked: How many images the ranks rest on, and whether they differ.
        columns: One per metric.
        lines: Explainers, best mean rank first, then the controls.
        pictures: Pictures of this family.
    """

    name: str
    about: str
    sentence: str
    winners: tuple[str, ...]
    n_methods: int
    ranked: str
    columns: tuple[MetricColumn, ...]
    lines: tuple[FamilyLine, ...]
    pictures: tuple[Picture, ...]

    @property
    def is_untested(self) -> bool:
        """Whether no method could be compared with the controls."""
        methods = [line for line in self.lines if not line.control]
        return all(line.beats_controls not in ("yes", "no") for line in methods)


def read_score(row: CsvRow) -> MetricScore:
    """A line of ``table.csv``."""
    mean, low, high, chance = (
        parse_number(row[name]) for name in ("mean", "low", "high", "chance")
    )
    counts = tuple(int(row[f"n_{status}"] or 0) for status in STATUSES)
    return MetricScore(
        row["explainer"], row["control"] == "yes", row["metric"], row["family"], row["direction"],
        mean, low, high, chance, row["beats_controls"], counts, row["reason"],
    )  # fmt: skip


def read_family_ranks(rows: Sequence[CsvRow]) -> list[FamilyRank]:
    """The lines of ``ranks.csv`` about families."""
    return [
        FamilyRank(
            row["family"], row["explainer"], parse_number(row["mean_rank"]), row["beats_controls"],
            describe_ranking(row),
        )
        for row in rows
        if row["level"] == "family"
    ]  # fmt: skip


def read_family(
    name: str,
    scores: Sequence[MetricScore],
    ranks: Sequence[FamilyRank],
    pictures: Sequence[Picture],
) -> Family:
    """One family.

    Args:
        name: Name of the family.
        scores: Scores of its metrics.
        ranks: Those of its explainers; empty where there is no ``ranks.csv``.
        pictures: Pictures of this family.
    """
    columns = _read_columns(scores)
    lines = _read_lines(scores, columns, {rank.explainer: rank for rank in ranks})
    methods = [line for line in lines if not line.control]
    return Family(
        name,
        ABOUT.get(name, ""),
        winners_sentence(
            [line.beats_controls for line in methods], [line.explainer for line in methods]
        ),
        tuple(line.explainer for line in methods if line.beats_controls == "yes"),
        len(methods),
        ranks[0].ranked if ranks else "not ranked",
        columns,
        tuple(lines),
        tuple(pictures),
    )


def _read_columns(scores: Sequence[MetricScore]) -> tuple[MetricColumn, ...]:
    """The metrics of a family, in the order of the table."""
    by_metric: dict[str, list[MetricScore]] = {}
    for score in scores:
        by_metric.setdefault(score.metric, []).append(score)
    return tuple(
        MetricColumn(
            metric,
            own[0].direction,
            _first_number(score.chance for score in own),
            scale_of(value for s in own for value in (s.low, s.mean, s.high, s.chance)),
        )
        for metric, own in by_metric.items()
    )


def _first_number(values: Iterable[float]) -> float:
    return next((value for value in values if not isnan(value)), nan)


def _read_lines(
    scores: Sequence[MetricScore], columns: Sequence[MetricColumn], ranks: Mapping[str, FamilyRank]
) -> list[FamilyLine]:
    """The explainers of a family, best mean rank first, then the controls."""
    by_explainer: dict[str, list[MetricScore]] = {}
    for score in scores:
        by_explainer.setdefault(score.explainer, []).append(score)
    return sorted((_line(own, columns, ranks, scores) for own in by_explainer.values()), key=_order)


def best_means(scores: Sequence[MetricScore]) -> dict[str, float]:
    """By metric, the best mean of an explainer that is not a control."""
    best: dict[str, MetricScore] = {}
    for score in scores:
        if score.control or isnan(score.mean):
            continue
        before = best.get(score.metric)
        if before is None or BETTER[score.direction] * (score.mean - before.mean) > 0:
            best[score.metric] = score
    return {metric: score.mean for metric, score in best.items()}


def _order(line: FamilyLine) -> tuple[bool, float, str]:
    """Controls last, then by rank; an explainer without a rank stands behind the others."""
    return line.control, inf if isnan(line.rank) else line.rank, line.explainer


def _line(
    own: Sequence[MetricScore],
    columns: Sequence[MetricColumn],
    ranks: Mapping[str, FamilyRank],
    scores: Sequence[MetricScore],
) -> FamilyLine:
    by_metric, best = {score.metric: score for score in own}, best_means(scores)
    cells = tuple(by_metric.get(column.metric) for column in columns)
    rank = ranks.get(own[0].explainer)
    return FamilyLine(
        own[0].explainer,
        own[0].control,
        rank.rank if rank else nan,
        rank.beats_controls if rank else "",
        cells,
        tuple(
            cell is not None and not cell.control and cell.mean == best.get(cell.metric)
            for cell in cells
        ),
    )
