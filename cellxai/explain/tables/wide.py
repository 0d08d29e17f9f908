"""One table per family to be read by people: explainers down, metrics across."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cellxai.explain.tables.columns import RankLine, ScoreLine

BETTER = {"higher": 1, "lower": -1}


@dataclass(frozen=True)
class WideTable:
    """The metrics of one family.

    Args:
        family: Its name.
        metrics: Names and directions of the columns.
        lines: Explainers, best mean rank first, then the controls.
        chance: Chance level of each metric; NaN where theory has no answer.
        standing: One line of the family's ranks, for what all share: images and tests.
    """

    family: str
    metrics: tuple[tuple[str, str], ...]
    lines: tuple["WideLine", ...]
    chance: tuple[float, ...]
    standing: RankLine


@dataclass(frozen=True)
class WideLine:
    """One explainer in the table of a family.

    Args:
        rank: Rank of the explainer in the family.
        cells: Its score under each metric.
        best: Whether each is the best of its metric, controls left aside.
    """

    rank: RankLine
    cells: tuple[ScoreLine, ...]
    best: tuple[bool, ...]


def wide_tables(scores: Sequence[ScoreLine], ranks: Sequence[RankLine]) -> list[WideTable]:
    """One per family, in the order of the ranks."""
    families = dict.fromkeys(line.family for line in ranks)
    return [
        _table(
            [line for line in scores if line.family == family],
            [line for line in ranks if line.family == family and line.level == "family"],
        )
        for family in families
    ]


def remarks(cell: ScoreLine) -> str:
    """What became of the rows without a plain score: ``2 degenerate, 1 failed``."""
    counts = {
        "degenerate": cell.n_degenerate,
        "unsupported": cell.n_unsupported,
        "failed": cell.n_failed,
        "missing": cell.n_missing,
        "degraded": cell.n_degraded,
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def format_digits(value: float) -> str:
    """``0.315``; three significant digits where three decimals would not show the size."""
    plain = value == 0 or 0.01 <= abs(value) < 1000
    return f"{value:.3f}" if plain else f"{value:.3g}"


def what_ranks_rest_on(table: WideTable) -> str:
    """How many images the ranks rest on, and whether they differ at all."""
    standing = table.standing
    left_out = f" ({standing.n_left_out} more incomplete)" if standing.n_left_out else ""
    images = f"{standing.n_images} complete image{'' if standing.n_images == 1 else 's'}{left_out}"
    if math.isnan(standing.friedman_p):
        return f"ranks over {images}"
    return (
        f"ranks over {images}; Friedman p = {standing.friedman_p:.2g}; "
        f"mean ranks differ beyond {standing.critical_difference:.1f}"
    )


def _table(scores: Sequence[ScoreLine], ranks: Sequence[RankLine]) -> WideTable:
    metrics = tuple(dict.fromkeys((line.metric, line.direction) for line in scores))
    cells = {(line.explainer, line.metric): line for line in scores}
    tops = [_top([line for line in scores if line.metric == name]) for name, _ in metrics]
    lines = []
    for rank in sorted(ranks, key=_position):
        own = tuple(cells[rank.explainer, name] for name, _ in metrics)
        best = (not rank.control and cell.mean == top for cell, top in zip(own, tops, strict=True))
        lines.append(WideLine(rank, own, tuple(best)))
    chance = tuple(_chance([line for line in scores if line.metric == name]) for name, _ in metrics)
    return WideTable(ranks[0].family, metrics, tuple(lines), chance, ranks[0])


def _position(rank: RankLine) -> tuple[bool, float, str]:
    unranked = math.isnan(rank.mean_rank)
    return rank.control, math.inf if unranked else rank.mean_rank, rank.explainer


def _top(lines: Sequence[ScoreLine]) -> float:
    """The best mean of a method; NaN where none has one, which equals nothing."""
    means = [line.mean for line in lines if not line.control and not math.isnan(line.mean)]
    sign = BETTER[lines[0].direction]
    return max(means, key=lambda value: sign * value, default=math.nan)


def _chance(lines: Sequence[ScoreLine]) -> float:
    return next((line.chance for line in lines if not math.isnan(line.chance)), math.nan)
