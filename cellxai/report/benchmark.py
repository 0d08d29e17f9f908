"""Section about which explanation can be believed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.benchmark_families import (
    FATES,
    Family,
    Score,
    read_family,
    read_places,
    read_score,
)
from cellxai.report.benchmark_words import Row, real
from cellxai.report.reading import Card, Picture, Section, attempt, embed, read_json, read_rows

MOST_OPEN = 2  # families that are seen without a click, where there are more than three


@dataclass(frozen=True)
class Trouble:
    """An explainer whose scores are not all what they should be.

    Args:
        explainer: Its name.
        counts: Of its scores by what befell them, as in ``FATES``.
        reason: All reasons told.
    """

    explainer: str
    counts: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Price:
    """What one attribution of an explainer, or one score of a metric, takes on average.

    Args:
        name: Of the explainer or metric.
        forwards: Images through the model.
        backwards: Images whose gradient came back.
        seconds: Time.
        peak_mib: Most memory of any, beyond what was held before; NaN where nothing tells.
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
        families: What a family can prove first.
        n_open: So many of them are seen without a click.
        overview: Pictures of the whole benchmark.
        fates: What can befall a score.
        troubles: Explainers to which it did.
        costs: Of explainers, then of metrics, each under its heading.
        problems: Files that cannot be shown.
    """

    families: tuple[Family, ...]
    n_open: int
    overview: tuple[Picture, ...]
    fates: tuple[str, ...]
    troubles: tuple[Trouble, ...]
    costs: dict[str, tuple[Price, ...]]
    problems: tuple[str, ...]


def benchmark_section(folder: RunFolder, command: str) -> Section:
    """Every explainer of the logit under every metric, by family."""
    return _section(folder, folder.benchmark / "table.csv", command)


def benchmarks_of_scores(folder: RunFolder) -> list[Section]:
    """Likewise of each other score that was explained, such as the density."""
    found = []
    for source in sorted(folder.benchmark.glob("*/table.csv")):
        score = source.parent.name
        title = f"Benchmark of the {score.replace('_', ' ')}: can the explanation be believed?"
        section = _section(folder, source, "")
        found.append(replace(section, title=title, of=score, cards=()))
    return found


def _section(folder: RunFolder, source: Path, command: str) -> Section:
    found, problem = attempt(source, lambda: _read_benchmark(folder, source))
    return Section(
        "benchmark",
        "Benchmark: can the explanation be believed?",
        "Each explainer is measured on the same images, beside controls that know nothing of the "
        "model: whoever does not beat them has explained nothing. An image is one piece of "
        "evidence; its seeds are averaged first. To beat every control takes a signed-rank test "
        "over the images, corrected after Holm, at 5 %.",
        command,
        found,
        problem,
        () if found is None else (_card(found.families[0]),),
    )


def _card(family: Family) -> Card:
    value = f"{len(family.winners)} of {family.n_methods}"
    return Card("Explainers that beat the controls", value, f"in {family.name}, {family.ranked}")


def _read_benchmark(folder: RunFolder, source: Path) -> Benchmark:
    scores = [read_score(row) for row in read_rows(source)]
    places, no_ranks = _beside(source, "ranks.csv", lambda path: read_places(read_rows(path)))
    costs, no_costs = _beside(source, "cost.csv", lambda path: _costs(read_rows(path)))
    drawn, no_pictures = _beside(source, "pictures.json", lambda path: _pictures(folder, path))
    families = tuple(
        read_family(
            name,
            [score for score in scores if score.family == name],
            [place for place in places or () if place.family == name],
            [picture for family, picture in drawn or () if family == name],
        )
        for name in dict.fromkeys(score.family for score in scores)
    )
    return Benchmark(
        families,
        MOST_OPEN if len(families) > MOST_OPEN + 1 else len(families),
        tuple(picture for family, picture in drawn or () if not family),
        FATES,
        _troubles(scores),
        costs or {},
        tuple(filter(None, (no_ranks, no_costs, no_pictures))),
    )


def _beside(source: Path, name: str, read: Callable[[Path], Any]) -> tuple[Any, str]:
    """What a file beside the table holds, or the problem; neither where there is none."""
    path = source.with_name(name)
    return attempt(path, lambda: read(path))


def _pictures(folder: RunFolder, path: Path) -> list[tuple[str, Picture]]:
    """Pictures by family; that of no family is of the whole."""
    return [
        (str(one["family"]), embed(folder.root, path.parent / one["file"], str(one["alt"])))
        for one in read_json(path)
    ]


def _costs(rows: Sequence[Row]) -> dict[str, tuple[Price, ...]]:
    return {
        kind: tuple(_price(row) for row in rows if row["kind"] == kind)
        for kind in ("explainer", "metric")
    }


def _price(row: Row) -> Price:
    numbers = (real(row[key]) for key in ("forwards", "backwards", "seconds"))
    return Price(row["name"], *numbers, peak_mib=real(row["peak_bytes"]) / 2**20)


def _troubles(scores: Sequence[Score]) -> tuple[Trouble, ...]:
    found = []
    for explainer in dict.fromkeys(score.explainer for score in scores):
        own = [score for score in scores if score.explainer == explainer]
        counts = tuple(sum(counted) for counted in zip(*(one.counts for one in own), strict=True))
        reasons = dict.fromkeys(score.reason for score in own if score.reason)
        if any(counts):
            found.append(Trouble(explainer, counts, "; ".join(reasons)))
    return tuple(found)
