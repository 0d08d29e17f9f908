"""Families of metrics as the page shows them, from ``benchmark/table.csv`` and ``ranks.csv``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan

from cellxai.report.benchmark_words import ABOUT, Row, ranks_rest_on, real, sentence
from cellxai.report.reading import Picture

BETTER = {"higher": 1, "lower": -1}
FATES = ("degraded", "degenerate", "unsupported", "failed", "missing")


@dataclass(frozen=True)
class Place:
    """One explainer in one family: a line of ``ranks.csv``.

    Args:
        family: Its name.
        explainer: Its name.
        rank: Its mean rank; NaN where it has no score.
        beats_controls: ``yes``, ``no``, ``untestable``, or empty for a control.
        ranked: How many images the ranks rest on, and whether they differ at all.
    """

    family: str
    explainer: str
    rank: float
    beats_controls: str
    ranked: str


@dataclass(frozen=True)
class Score:
    """One explainer under one metric: mean over the images and its interval, in its units.

    Args:
        explainer: Its name.
        control: Whether it knows nothing of the model.
        metric: Its name.
        family: Of the metric.
        direction: ``higher`` or ``lower`` is better.
        mean: NaN where no image has a score.
        low: Lower end of the interval.
        high: Upper end.
        chance: Of a map that knows nothing; NaN where theory has no answer.
        beats_controls: ``yes``, ``no``, ``untestable``, or empty for a control.
        counts: Of rows by what befell them, as in ``FATES``.
        reason: Of the worst of them.
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
        told = zip(self.counts, FATES, strict=True)
        return ", ".join(f"{count} {fate}" for count, fate in told if count)


@dataclass(frozen=True)
class Column:
    """One metric: its name, which scores are better, and the score of a map that knows nothing."""

    metric: str
    direction: str
    chance: float


@dataclass(frozen=True)
class Line:
    """One explainer in the table of a family.

    Args:
        explainer: Its name.
        control: Whether it knows nothing of the model.
        rank: Its mean rank in the family; NaN where it has no score.
        beats_controls: By the ranks of the images.
        cells: Its score under each metric; ``None`` where the table has none.
        best: Whether each is the best of its metric, controls left aside.
    """

    explainer: str
    control: bool
    rank: float
    beats_controls: str
    cells: tuple[Score | None, ...]
    best: tuple[bool, ...]


@dataclass(frozen=True)
class Family:
    """The metrics of one family.

    Args:
        name: Of the family.
        about: What it measures, for a newcomer.
        sentence: Who beats the controls in it.
        winners: Explainers that beat every control.
        n_methods: Explainers that are no controls.
        ranked: How many images the ranks rest on, and whether they differ.
        columns: Its metrics.
        lines: Explainers, best mean rank first, then the controls.
        pictures: Its own.
    """

    name: str
    about: str
    sentence: str
    winners: tuple[str, ...]
    n_methods: int
    ranked: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    pictures: tuple[Picture, ...]


def read_score(row: Row) -> Score:
    """A line of ``table.csv``."""
    return Score(
        row["explainer"], row["control"] == "yes", row["metric"], row["family"], row["direction"],
        real(row["mean"]), real(row["low"]), real(row["high"]), real(row["chance"]),
        row["beats_controls"], tuple(int(row[f"n_{fate}"] or 0) for fate in FATES), row["reason"],
    )  # fmt: skip


def read_places(rows: Sequence[Row]) -> list[Place]:
    """The lines of ``ranks.csv`` that are of families."""
    return [
        Place(
            row["family"], row["explainer"], real(row["mean_rank"]), row["beats_controls"],
            ranks_rest_on(row),
        )
        for row in rows
        if row["level"] == "family"
    ]  # fmt: skip


def read_family(
    name: str, scores: Sequence[Score], places: Sequence[Place], pictures: Sequence[Picture]
) -> Family:
    """One family.

    Args:
        name: Of the family.
        scores: Its own.
        places: In it; empty where there is no ``ranks.csv``.
        pictures: Its own.
    """
    columns = tuple(
        Column(metric, own[0].direction, next((s.chance for s in own if not isnan(s.chance)), nan))
        for metric in dict.fromkeys(score.metric for score in scores)
        if (own := [score for score in scores if score.metric == metric])
    )
    by_explainer = {place.explainer: place for place in places}
    lines = [
        _line([one for one in scores if one.explainer == name], columns, by_explainer, scores)
        for name in dict.fromkeys(score.explainer for score in scores)
    ]
    lines.sort(key=lambda one: (one.control, inf if isnan(one.rank) else one.rank, one.explainer))
    methods = [line for line in lines if not line.control]
    return Family(
        name,
        ABOUT.get(name, ""),
        sentence([line.beats_controls for line in methods], [line.explainer for line in methods]),
        tuple(line.explainer for line in methods if line.beats_controls == "yes"),
        len(methods),
        places[0].ranked if places else "not ranked",
        columns,
        tuple(lines),
        tuple(pictures),
    )


def best_means(scores: Sequence[Score]) -> dict[str, float]:
    """By metric, the best mean of an explainer that is no control."""
    found: dict[str, Score] = {}
    for one in scores:
        before = found.get(one.metric)
        if one.control or isnan(one.mean):
            continue
        if before is None or BETTER[one.direction] * (one.mean - before.mean) > 0:
            found[one.metric] = one
    return {metric: one.mean for metric, one in found.items()}


def _line(
    own: Sequence[Score],
    columns: Sequence[Column],
    places: Mapping[str, Place],
    scores: Sequence[Score],
) -> Line:
    by_metric, best = {one.metric: one for one in own}, best_means(scores)
    cells = tuple(by_metric.get(column.metric) for column in columns)
    place = places.get(own[0].explainer)
    return Line(
        own[0].explainer,
        own[0].control,
        place.rank if place else nan,
        place.beats_controls if place else "",
        cells,
        tuple(
            one is not None and not one.control and one.mean == best.get(one.metric)
            for one in cells
        ),
    )
