"""Rows of a CSV file, with the numbers by which a reader finds them in a spreadsheet."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.data.records import Fault


@dataclass(frozen=True)
class TableRow:
    """One row of a table.

    Args:
        where: The file's name and the row's number, counted from 1 at the header.
        cells: Text by column, stripped of blanks; a cell that the row lacks is empty.
    """

    where: str
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read_rows(path: Path, columns: Sequence[str]) -> list[TableRow]:
    """The rows of ``path``, which must have ``columns`` and may have more.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not CSV text, or a column is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected a CSV table with a header")
    # utf-8-sig, because spreadsheets write a mark in front that would become part of a column name.
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.DictReader(file)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            cells_of_rows = list(reader)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: {error}; expected a CSV table in UTF-8") from None
    missing = [name for name in columns if name not in header]
    if missing:
        raise ValueError(
            f"{path}: no column {', '.join(map(repr, missing))}, got {', '.join(header) or 'none'}"
        )
    return [_row(path.name, number, cells) for number, cells in enumerate(cells_of_rows, start=2)]


def empty_table_faults(path: Path, rows: Sequence[TableRow]) -> list[Fault]:
    """A line where a table ends behind its header."""
    return [] if rows else [Fault(path.name, "no rows below the header, expected one per image")]


def _row(file: str, number: int, cells: dict[str, str]) -> TableRow:
    # A row longer than the header keeps its surplus under None, a shorter one has None for text.
    stripped = {name: (text or "").strip() for name, text in cells.items() if name is not None}
    return TableRow(f"{file} row {number}", stripped)
