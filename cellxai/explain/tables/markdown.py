"""The tables of a benchmark as Markdown."""

import math
from collections.abc import Sequence

from cellxai.explain.tables.columns import ScoreLine
from cellxai.explain.tables.wide import (
    WideLine,
    WideTable,
    format_digits,
    remarks,
    what_ranks_rest_on,
)

ARROWS = {"higher": "↑", "lower": "↓"}
DASH = "–"
SPECIAL = "\\`*_{}[]<>|#!~&$"

LEGEND = (
    "Mean over images [95 % interval], seeds averaged first; ↑ higher is better, ↓ lower "
    "is better; the best of each metric is bold, *controls* left aside. *Beats controls*: better "
    "than every control by the ranks of the images (signed-rank test, Holm, 5 %)."
)


def to_markdown(tables: Sequence[WideTable]) -> str:
    """One table per family under a heading, with a legend on top."""
    return "\n\n".join([LEGEND, *map(_section, tables)]) + "\n"


def escape(text: str) -> str:
    """Text that Markdown and the HTML made of it show as it is, on one line."""
    one_line = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in SPECIAL else letter for letter in one_line)


def format_score(value: float) -> str:
    """A score, or a dash."""
    return DASH if math.isnan(value) else format_digits(value)


def _section(table: WideTable) -> str:
    metrics = [f"{escape(name)} {ARROWS[direction]}" for name, direction in table.metrics]
    header = ["explainer", "mean rank ↓", "beats controls", *metrics, "remarks"]
    aligned = ["---", "---:", ":-:", *["---:"] * len(metrics), "---"]
    lines = [header, aligned, *map(_line, table.lines)]
    if not all(map(math.isnan, table.chance)):
        lines.append(["chance", "", "", *map(format_score, table.chance), ""])
    drawn = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"### {escape(table.family)}\n\n{what_ranks_rest_on(table)}\n\n{drawn}"


def _line(line: WideLine) -> list[str]:
    name = escape(line.rank.explainer)
    rank = line.rank.mean_rank
    return [
        f"*{name}* (control)" if line.rank.control else name,
        DASH if math.isnan(rank) else f"{rank:.1f}",
        line.rank.beats_controls,
        *(_cell(cell, best) for cell, best in zip(line.cells, line.best, strict=True)),
        _remarks(line),
    ]


def _cell(cell: ScoreLine, best: bool) -> str:
    mean = f"**{format_score(cell.mean)}**" if best else format_score(cell.mean)
    return (
        mean
        if math.isnan(cell.low)
        else f"{mean} [{format_score(cell.low)}, {format_score(cell.high)}]"
    )


def _remarks(line: WideLine) -> str:
    """Remarks on its rows: written once where they are the same under all metrics."""
    by_cell = [remarks(cell) for cell in line.cells]
    if len(set(by_cell)) == 1:
        text = by_cell[0]
    else:
        pairs = zip(line.cells, by_cell, strict=True)
        text = "; ".join(f"{escape(cell.metric)}: {remark}" for cell, remark in pairs if remark)
    reason = next((cell.reason for cell in line.cells if cell.reason), "")
    return f"{text} ({escape(reason)})" if reason else text
