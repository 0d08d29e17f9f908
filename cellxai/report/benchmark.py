"""Section about which explanation can be believed."""

from dataclasses import dataclass
from pathlib import Path

from cellxai.report.reading import Card, Section, attempt, read_rows
from cellxai.runfolder import RunFolder

BETTER = {"higher": 1, "lower": -1}


@dataclass(frozen=True)
class Score:
    """Mean over the images with its confidence interval, in the units of the metric."""

    explainer: str
    metric: str
    mean: float
    low: float
    high: float
    n_images: int
    n_degenerate: int
    chance: float | None
    direction: str


@dataclass(frozen=True)
class Benchmark:
    """What the template draws.

    Args:
        explainers: Rows, best mean rank first.
        metrics: Columns.
        cells: By explainer and metric.
        about: One score of each metric, for what all of them share: chance and direction.
        best: Explainers of the best mean by metric.
        ranks: Mean rank over the metrics by explainer; 1 is best.
    """

    explainers: tuple[str, ...]
    metrics: tuple[str, ...]
    cells: dict[tuple[str, str], Score]
    about: dict[str, Score]
    best: dict[str, tuple[str, ...]]
    ranks: dict[str, float]


def benchmark_section(folder: RunFolder, command: str) -> Section:
    """Every explainer under every metric."""
    source = folder.benchmark / "table.csv"
    found, problem = attempt(source, lambda: _read_benchmark(source))
    return Section(
        "benchmark",
        "Benchmark: can the explanation be believed?",
        "Each explainer is measured on the same images: the mean, and in brackets the interval of "
        "its uncertainty. A value that does not clear the chance level tells nothing, and where "
        "intervals overlap the order is not settled.",
        command,
        found,
        problem,
        () if found is None or not found.ranks else (_card(found),),
    )


def _card(found: Benchmark) -> Card:
    best = found.explainers[0]
    n_metrics = len(found.best)
    return Card(
        "Best explainer", best, f"mean rank {found.ranks[best]:.1f} over {n_metrics} metrics"
    )


def _read_benchmark(source: Path) -> Benchmark:
    scores = [_read_score(row) for row in read_rows(source)]
    ranks = mean_ranks(scores)
    names = dict.fromkeys(score.explainer for score in scores)
    metrics = tuple(dict.fromkeys(score.metric for score in scores))
    return Benchmark(
        tuple(sorted(names, key=lambda name: ranks.get(name, float("inf")))),
        metrics,
        {(score.explainer, score.metric): score for score in scores},
        {score.metric: score for score in scores},
        {metric: best for metric in metrics if (best := _best(scores, metric))},
        ranks,
    )


def _read_score(row: dict[str, str]) -> Score:
    mean, low, high = (float(row[key] or "nan") for key in ("mean", "low", "high"))
    chance = float(row["chance"]) if row["chance"] else None
    n_images, n_degenerate = int(row["n_images"]), int(row["n_degenerate"] or 0)
    direction = row["direction"]
    return Score(
        row["explainer"], row["metric"], mean, low, high, n_images, n_degenerate, chance, direction
    )


def mean_ranks(scores: list[Score]) -> dict[str, float]:
    """Mean rank of each explainer over the metrics that say which direction is better.

    Ties share the better rank; a mean that is NaN ranks last. Ranks of different metrics may be
    averaged where their values, being in different units, may not.
    """
    ranks: dict[str, list[int]] = {}
    for score in scores:
        if score.direction in BETTER:
            rivals = [one for one in scores if one.metric == score.metric]
            ahead = sum(_worth(one) > _worth(score) for one in rivals)
            ranks.setdefault(score.explainer, []).append(1 + ahead)
    return {name: sum(places) / len(places) for name, places in ranks.items()}


def _worth(score: Score) -> float:
    if score.mean != score.mean:
        return float("-inf")
    return BETTER.get(score.direction, 0) * score.mean


def _best(scores: list[Score], metric: str) -> tuple[str, ...]:
    rivals = [one for one in scores if one.metric == metric and one.direction in BETTER]
    top = max(map(_worth, rivals), default=float("-inf"))
    return tuple(one.explainer for one in rivals if _worth(one) == top and one.mean == one.mean)
