"""The tables of a benchmark as LaTeX, for a document that uses the package ``booktabs``."""

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

ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$"}
SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "[": "{[}", "]": "{]}",  # after \\ a bracket would be an optional argument
}  # fmt: skip


def to_latex(tables: Sequence[WideTable]) -> str:
    """One ``table`` environment per family."""
    return "\n\n".join(["% \\usepackage{booktabs}", *map(_environment, tables)]) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX sets as it is, on one line."""
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def format_score(value: float) -> str:
    """A score with a true minus, or a dash."""
    return "--" if math.isnan(value) else format_digits(value).replace("-", "$-$")


def _environment(table: WideTable) -> str:
    header = ["explainer", "mean rank", "beats controls"]
    header += [f"{escape(name)} {ARROWS[direction]}" for name, direction in table.metrics]
    methods = [line for line in table.lines if not line.rank.control]
    controls = [line for line in table.lines if line.rank.control]
    blocks = [[header], [_line(line) for line in methods], [_line(line) for line in controls]]
    if not all(map(math.isnan, table.chance)):
        blocks.append([["chance", "", "", *map(format_score, table.chance)]])
    ruled = "\n\\midrule\n".join("\n".join(map(_row, block)) for block in blocks if block)
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escape(table.family).capitalize()}: {_legend(table)}}}",
            rf"\begin{{tabular}}{{lrl{'r' * len(table.metrics)}}}",
            rf"\toprule{chr(10)}{ruled}{chr(10)}\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _legend(table: WideTable) -> str:
    all_remarks = "; ".join(filter(None, map(_remarks, table.lines)))
    return (
        "mean over images with its 95\\,\\% interval, the best in bold; "
        f"{escape(what_ranks_rest_on(table))}."
        + (f" Remarks: {all_remarks}." if all_remarks else "")
    )


def _remarks(line: WideLine) -> str:
    """The longest remark on an explainer under a metric of the family."""
    longest = max((remarks(cell) for cell in line.cells), key=len)
    return f"{escape(line.rank.explainer)} ({escape(longest)})" if longest else ""


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _line(line: WideLine) -> list[str]:
    name, rank = escape(line.rank.explainer), line.rank.mean_rank
    return [
        rf"\emph{{{name}}}" if line.rank.control else name,
        "--" if math.isnan(rank) else f"{rank:.1f}",
        line.rank.beats_controls,
        *(_cell(cell, best) for cell, best in zip(line.cells, line.best, strict=True)),
    ]


def _cell(cell: ScoreLine, best: bool) -> str:
    mean = rf"\textbf{{{format_score(cell.mean)}}}" if best else format_score(cell.mean)
    if math.isnan(cell.low):
        return mean
    return rf"{mean} {{\scriptsize[{format_score(cell.low)}, {format_score(cell.high)}]}}"
