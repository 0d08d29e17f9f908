"""Which explanation can be believed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.benchmark.families import (
    STATUSES,
    Family,
    MetricScore,
    read_family,
    read_family_ranks,
    read_score,
)
from cellxai.report.benchmark.standings import Standing, read_standings
from cellxai.report.benchmark.words import parse_number
from cellxai.report.pieces import Card, Doubt, Picture, Section
from cellxai.report.saved_files import CsvRow, attempt, embed, fill, read_json, read_rows

MUST_BEAT = ("truth", "faithfulness", "sanity")
"""Families in which a method that explains anything beats a map that knows nothing."""


@dataclass(frozen=True)
class Trouble:
    """An explainer whose scores are not all what they should be.

    Args:
        explainer: Name of the explainer.
        counts: Number of its scores of each of the ``STATUSES``.
        reason: All reasons that were given.
    """

    explainer: str
    counts: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Price:
    """What one attribution of an explainer, or one score of a metric, takes on average.

    Args:
        name: Name of the explainer or metric.
        forwards: Number of images through the model.
        backwards: Number of images whose gradient was computed.
        seconds: How long it takes.
        peak_mib: Largest memory beyond what was held before; NaN where it cannot be measured.
    """

    name: str
    forwards: float
    backwards: float
    seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Benchmark:
    """What the template draws.

    Args:
        families: The families of metrics, the one that can prove most first.
        standings: Every explainer in all of them.
        overview: Pictures of the whole benchmark.
        statuses: Each status that a score can have beside ``ok``.
        troubles: Explainers with such scores.
        costs: Mean cost of each explainer, then of each metric, by kind.
        problems: Files that cannot be shown.
    """

    families: tuple[Family, ...]
    standings: tuple[Standing, ...]
    overview: tuple[Picture, ...]
    statuses: tuple[str, ...]
    troubles: tuple[Trouble, ...]
    costs: dict[str, tuple[Price, ...]]
    problems: tuple[str, ...]

    @property
    def tested(self) -> tuple[Family, ...]:
        """Families in which explainers could be compared with the controls."""
        return tuple(family for family in self.families if not family.is_untested)

    @property
    def untested(self) -> tuple[str, ...]:
        """The names of the others."""
        return tuple(family.name for family in self.families if family.is_untested)


def benchmark_section(folder: RunFolder, command: str) -> Section:
    """Every explainer of the logit under every metric, by family."""
    return _section(folder, folder.benchmark / "table.csv", command)


def benchmarks_of_scores(folder: RunFolder) -> list[Section]:
    """A section for each other score that was explained, such as the density."""
    sections = []
    for source in sorted(folder.benchmark.glob("*/table.csv")):
        score = source.parent.name
        title = f"Benchmark of the {score.replace('_', ' ')}: can the explanation be believed?"
        section = _section(folder, source, "")
        sections.append(replace(section, title=title, variant=score, cards=()))
    return sections


def _section(folder: RunFolder, source: Path, command: str) -> Section:
    empty = Section(
        "benchmark",
        "Benchmark: can the explanation be believed?",
        "Each explainer is measured on the same images, beside controls that know nothing of the "
        "model: a method that does not beat them has explained nothing. An image is one piece of "
        "evidence; its seeds are averaged first. A method beats every control if a signed-rank "
        "test over the images says so, with Holm's correction, at 5 %.",
        command,
    )
    return fill(empty, source, lambda: _read_benchmark(folder, source), _make_cards, _find_doubts)


def _make_cards(benchmark: Benchmark) -> tuple[Card, ...]:
    family = benchmark.families[0]
    value = f"{len(family.winners)} of {family.n_methods}"
    detail = f"in {family.name}, {family.ranked}"
    return (Card("Explainers that beat the controls", value, detail),)


def _find_doubts(benchmark: Benchmark) -> tuple[Doubt, ...]:
    """Families in which no method is better than a map that knows nothing."""
    lost = [family for family in benchmark.tested if not family.winners]
    doubts = [
        Doubt(
            f"No explainer beats the controls in {family.name}, {family.ranked}: there its maps "
            "say no more than maps that know nothing of the model."
        )
        for family in lost
        if family.name in MUST_BEAT
    ]
    if benchmark.untested:
        where = ", ".join(benchmark.untested)
        what = f"Too few images to tell explainers from controls in {where}"
        doubts.append(Doubt(f"{what}: ask for more with --images_per_class."))
    return tuple(doubts)


def _read_benchmark(folder: RunFolder, source: Path) -> Benchmark:
    scores = [read_score(row) for row in read_rows(source)]
    ranks, no_ranks = _read_beside(
        source, "ranks.csv", lambda path: read_family_ranks(read_rows(path))
    )
    costs, no_costs = _read_beside(source, "cost.csv", lambda path: _read_costs(read_rows(path)))
    drawn, no_pictures = _read_beside(
        source, "pictures.json", lambda path: _read_pictures(folder, path)
    )
    families = tuple(
        read_family(
            name,
            [score for score in scores if score.family == name],
            [rank for rank in ranks or () if rank.family == name],
            [picture for family, picture in drawn or () if family == name],
        )
        for name in dict.fromkeys(score.family for score in scores)
    )
    return Benchmark(
        families,
        read_standings(families),
        tuple(picture for family, picture in drawn or () if not family),
        STATUSES,
        _find_troubles(scores),
        costs or {},
        tuple(filter(None, (no_ranks, no_costs, no_pictures))),
    )


def _read_beside(source: Path, name: str, read: Callable[[Path], Any]) -> tuple[Any, str]:
    """What a file beside the table holds, or the problem; neither where there is no such file."""
    path = source.with_name(name)
    return attempt(path, lambda: read(path))


def _read_pictures(folder: RunFolder, path: Path) -> list[tuple[str, Picture]]:
    """Pictures with their family; a picture without a family is of the whole benchmark."""
    return [
        (str(entry["family"]), embed(folder.root, path.parent / entry["file"], str(entry["alt"])))
        for entry in read_json(path)
    ]


def _read_costs(rows: Sequence[CsvRow]) -> dict[str, tuple[Price, ...]]:
    return {
        kind: tuple(_read_price(row) for row in rows if row["kind"] == kind)
        for kind in ("explainer", "metric")
    }


def _read_price(row: CsvRow) -> Price:
    numbers = (parse_number(row[key]) for key in ("forwards", "backwards", "seconds"))
    return Price(row["name"], *numbers, peak_mib=parse_number(row["peak_bytes"]) / 2**20)


def _find_troubles(scores: Sequence[MetricScore]) -> tuple[Trouble, ...]:
    troubles = []
    for explainer in dict.fromkeys(score.explainer for score in scores):
        own = [score for score in scores if score.explainer == explainer]
        counts = tuple(
            sum(counted) for counted in zip(*(score.counts for score in own), strict=True)
        )
        reasons = dict.fromkeys(score.reason for score in own if score.reason)
        if any(counts):
            troubles.append(Trouble(explainer, counts, "; ".join(reasons)))
    return tuple(troubles)
