"""A small table that is returned to Python: named columns, one row per thing.

Without pandas, which nothing here needs; ``pandas.DataFrame(frame)`` takes it as it is.
"""

import csv
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, overload

from cellxai.files.folder import atomic, read_csv

MOST_ROWS = 30  # that are printed; all are there
MOST_LETTERS = 60  # of a printed text


class Frame(Sequence[dict[str, Any]]):
    """Rows of equal columns: ``frame[0]`` is a row, ``frame["status"]`` a column.

    Args:
        rows: One mapping per row; all have the same names, in the same order.
        columns: The names, where there may be no row.

    Raises:
        ValueError: If rows differ in their names.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None
    ) -> None:
        self.columns = tuple(columns if columns is not None else rows[0] if rows else ())
        self._rows = [dict(row) for row in rows]
        for number, row in enumerate(self._rows):
            if tuple(row) != self.columns:
                raise ValueError(f"row {number} has columns {tuple(row)}, expected {self.columns}")

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> "Frame": ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: int | slice | str) -> Any:
        if isinstance(key, str):
            if key not in self.columns:
                raise KeyError(f"no column {key!r}; there are {', '.join(self.columns)}")
            return [row[key] for row in self._rows]
        return Frame(self._rows[key], self.columns) if isinstance(key, slice) else self._rows[key]

    def where(self, **values: Any) -> "Frame":
        """The rows with these values: ``frame.where(status="ok")``.

        Raises:
            KeyError: If there is no such column.
        """
        kept = [set(_places(self[name], value)) for name, value in values.items()]
        rows = [row for place, row in enumerate(self) if all(place in places for places in kept)]
        return Frame(rows, self.columns)

    def to_dict(self) -> dict[str, list[Any]]:
        """Every column by its name."""
        return {name: self[name] for name in self.columns}

    def to_pandas(self) -> Any:
        """The same as a ``pandas.DataFrame``.

        Raises:
            ImportError: If pandas is not installed, which nothing else here needs.
        """
        try:
            import pandas as pd  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ImportError(
                "pandas is not installed; install it, or read .columns and .to_dict()"
            ) from None
        return pd.DataFrame(self._rows, columns=list(self.columns))

    def save(self, path: str | Path) -> Path:
        """Writes it as CSV, whole or not at all; what is not known is empty."""
        path = Path(path)
        with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(self.columns)
            table.writerows(["" if _unknown(x) else x for x in row.values()] for row in self)
        return path

    def __repr__(self) -> str:
        lines = [
            self.columns,
            *([_text(x) for x in row.values()] for row in self._rows[:MOST_ROWS]),
        ]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        numeric = [_is_numeric(self[name]) for name in self.columns]
        printed = [
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(line, widths, numeric, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*printed, *self._rest()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_text(x))}</td>" for x in row.values()) + "</tr>"
            for row in self._rows[:MOST_ROWS]
        )
        rest = "".join(f"<p>{line}</p>" for line in self._rest())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"

    def _rest(self) -> list[str]:
        hidden = len(self) - MOST_ROWS
        return [f"… and {hidden} more rows"] if hidden > 0 else []


def _places(column: Sequence[Any], value: Any) -> list[int]:
    return [place for place, other in enumerate(column) if other == value]


def _unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_numeric(column: Sequence[Any]) -> bool:
    known = [x for x in column if x is not None]
    return all(isinstance(x, int | float) and not isinstance(x, bool) for x in known)


def _text(value: Any) -> str:
    if _unknown(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def read_frame(path: Path, text: Collection[str] = ()) -> Frame:
    """A table that a verb wrote as CSV, with numbers as numbers and blanks as None.

    Args:
        path: The file.
        text: Columns that stay text although all their cells are numbers, such as ids.
    """
    rows = read_csv(path)
    columns = list(rows[0]) if rows else []
    kinds = {name: _kind([row[name] for row in rows]) for name in columns if name not in text}
    typed = [
        {name: kinds.get(name, str)(cell) if cell else None for name, cell in row.items()}
        for row in rows
    ]
    return Frame(typed, columns)


def _kind(cells: Sequence[str]) -> type:
    """The narrowest of int, float and str that takes every cell that is not blank."""
    for kind in (int, float):
        try:
            [kind(cell) for cell in cells if cell]
        except ValueError:
            continue
        return kind
    return str
