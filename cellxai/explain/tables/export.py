"""The files that a benchmark is exported to: CSV, Parquet, Markdown and LaTeX."""

import csv
import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from cellxai.explain.results.score_arrays import Results, read_results
from cellxai.explain.results.store import Store
from cellxai.explain.tables.columns import (
    AgreementLine,
    ComparisonLine,
    CostLine,
    RankLine,
    ScoreLine,
)
from cellxai.explain.tables.latex import to_latex
from cellxai.explain.tables.lines import (
    agreement_lines,
    comparison_lines,
    cost_lines,
    rank_lines,
    score_lines,
)
from cellxai.explain.tables.markdown import to_markdown
from cellxai.explain.tables.wide import wide_tables
from cellxai.files.folder import atomic

ARROW = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}  # any other type is text


def write_tables(folder: Path, store: Store) -> None:
    """Writes every table of a benchmark, each whole or not at all, from its store alone.

    ``table`` is the benchmark: as ``.csv`` and ``.parquet`` with a line per explainer and metric
    (:class:`ScoreLine`), as ``.md`` and ``.tex`` with explainers down and the metrics of a family
    across. ``comparisons.csv``, ``ranks.csv``, ``agreement.csv`` and ``cost.csv`` hold what
    :mod:`cellxai.explain.tables.columns` says. Numbers are rounded in ``.md`` and ``.tex``
    alone.

    Args:
        folder: Where they go; usually that of the store.
        store: The results, finished or not.
    """
    write_results(folder, read_results(store))


def write_results(folder: Path, results: Results) -> None:
    """:func:`write_tables` of results that were read already."""
    scores, ranks = score_lines(results), rank_lines(results)
    write_lines(folder / "table.csv", ScoreLine, scores)
    write_parquet(folder / "table.parquet", ScoreLine, scores)
    wide = wide_tables(scores, ranks)
    write_text(folder / "table.md", to_markdown(wide))
    write_text(folder / "table.tex", to_latex(wide))
    write_lines(folder / "ranks.csv", RankLine, ranks)
    write_lines(folder / "comparisons.csv", ComparisonLine, comparison_lines(results))
    write_lines(folder / "agreement.csv", AgreementLine, agreement_lines(results))
    write_lines(folder / "cost.csv", CostLine, cost_lines(results))


def write_lines(path: Path, kind: type, lines: Sequence[Any]) -> None:
    """Lines as CSV under the names of their fields; without any line, only the names.

    Numbers are as long as it takes to read the same one back; what is not known is empty.
    """
    names = [field.name for field in fields(kind)]
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(names)
        table.writerows([_text(getattr(line, name)) for name in names] for line in lines)


def write_parquet(path: Path, kind: type, lines: Sequence[Any]) -> None:
    """The same as Parquet, with types; what is not known is null."""
    columns = {
        field.name: pa.array(
            [_known(getattr(line, field.name)) for line in lines],
            ARROW.get(field.type, pa.string()),  # type: ignore[arg-type]
        )
        for field in fields(kind)
    }
    with atomic(path) as temporary:
        parquet.write_table(pa.table(columns), temporary)


def write_text(path: Path, text: str) -> None:
    """A text, whole or not at all."""
    with atomic(path) as temporary:
        # A name may hold half a surrogate pair, which JSON can spell and UTF-8 cannot.
        temporary.write_text(text, encoding="utf-8", errors="replace")


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if _known(value) is None else str(value)
