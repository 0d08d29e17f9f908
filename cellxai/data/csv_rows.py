"""Rows of a CSV file, with the numbers by which a reader finds them in a spreadsheet."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.data.records import Fault, brief
from gmm.files.regular import NO_FILE, explain_unreadable

MOST_BYTES = 2**31  # of a table; that of the 73,585 cells of Sartorius has a twentieth
LONGEST_CELL = 2**27  # characters; Python's own limit, 131,072, is below the runs of a large cell
LINE_ENDS = ("\n", "\r")


@dataclass(frozen=True)
class TableRow:
    """One row of a table.

    Args:
        where: The file's name and the row's number, counted from 1 at the header.
        cells: Text by column, stripped of blanks; a cell that the row lacks is empty.
        damage: What is wrong with the row as such; empty where nothing is.
        ended: Whether a line end follows it, as everywhere but in a file that may have been cut.
    """

    where: str
    cells: dict[str, str]
    damage: str = ""
    ended: bool = True

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read_rows(path: Path, columns: Sequence[str]) -> list[TableRow]:
    """The rows of ``path``, which must have ``columns`` and may have more.

    A row that is damaged says so, and costs no other.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not CSV text, a column is missing, or two have one name.
    """
    text = read_text(path)
    lines = list(io.StringIO(text, newline=""))
    rows = parse_lines(lines, columns)
    header = [name.strip() for name in rows[0]] if rows else []
    check_header(path, header, columns)
    ended = not lines or lines[-1].endswith(LINE_ENDS)
    numbered = [(number, cells) for number, cells in enumerate(rows[1:], start=2) if cells]
    return [
        _row(path.name, number, header, cells, ended or number < len(rows))
        for number, cells in numbered
    ]


def read_text(path: Path) -> str:
    """The text of a table; bytes that are not UTF-8 stand for themselves, as surrogates.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no file, too large, or no text.
    """
    reason = explain_unreadable(path)
    if reason == NO_FILE:
        raise FileNotFoundError(f"{path}: no such file, expected a CSV table with a header")
    if reason is not None:
        raise ValueError(f"{path}: {reason}; expected a CSV table with a header")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path}: above {MOST_BYTES:,} bytes; expected a CSV table in UTF-8")
    with path.open("rb") as file:
        start = file.read(2**16)
        if b"\0" in start:  # UTF-16, or no text at all
            raise ValueError(f"{path}: holds zero bytes; expected a CSV table in UTF-8")
        content = start + file.read()
    # utf-8-sig, because spreadsheets write a mark in front that would become part of a column name.
    return content.decode("utf-8-sig", "surrogateescape")


def parse_lines(lines: Sequence[str], columns: Sequence[str]) -> list[list[str]]:
    """The cells of each row, the header first.

    A quote that nobody closed takes all that follows into one cell. Then each line is a row, so
    that it costs its own alone.
    """
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        try:
            rows = list(csv.reader(lines))
        except csv.Error:
            return [next(csv.reader([line]), []) for line in lines]
        header = [name.strip() for name in rows[0]] if rows else []
        needed = [place for place, name in enumerate(header) if name in columns]
        cells = (row[place] for row in rows for place in needed if place < len(row))
        if any(end in cell for cell in cells for end in LINE_ENDS):
            return [next(csv.reader([line]), []) for line in lines]
        return rows
    finally:
        csv.field_size_limit(before)


def check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    """Refuses a table without a needed column, or with two of one name.

    Raises:
        ValueError: Naming the column.
    """
    if any(is_not_utf8(name) for name in header):
        raise ValueError(f"{path}: a header that is not UTF-8; expected a CSV table in UTF-8")
    missing = [name for name in columns if name not in header]
    if missing:
        got = " ".join(", ".join(header).split())[:200] or "none"
        raise ValueError(f"{path}: no column {', '.join(map(repr, missing))}, got {got}")
    twice = [name for name, n in Counter(header).items() if name and n > 1]
    if twice:
        raise ValueError(f"{path}: two columns are called {brief(twice[0])}; rename or remove one")


def table_faults(path: Path, rows: Sequence[TableRow]) -> list[Fault]:
    """A line for each damaged row, and one where a table ends behind its header."""
    if not rows:
        return [Fault(path.name, "no rows below the header, expected one per image")]
    return [Fault(row.where, row.damage) for row in rows if row.damage]


def table_notes(rows: Sequence[TableRow]) -> list[Fault]:
    """A line where the last row has no line end, which a file that was cut has not."""
    what = "no line end after it: if the table was cut, its last cell is not whole"
    return [Fault(row.where, what) for row in rows if not row.ended and not row.damage]


def is_not_utf8(text: str) -> bool:
    """Whether text holds bytes that are not UTF-8."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _row(
    file: str, number: int, header: Sequence[str], cells: Sequence[str], ended: bool
) -> TableRow:
    stripped = {name: text.strip() for name, text in zip(header, cells, strict=False)}
    missing = dict.fromkeys(header[len(cells) :], "")
    where = f"{file} row {number}"
    return TableRow(where, stripped | missing, find_damage(header, cells, ended), ended)


def find_damage(header: Sequence[str], cells: Sequence[str], ended: bool) -> str:
    """What is wrong with a row, whatever it is about; empty where nothing is."""
    odd = next((cell for cell in cells if is_not_utf8(cell) or "\0" in cell), None)
    if odd is not None:
        return f"{odd[:40]!a} is not text in UTF-8; correct it, or save the table as UTF-8"
    n_cells, n_columns = len(cells), len(header)
    if any(end in cell for cell in cells[:n_columns] for end in LINE_ENDS) and n_cells < n_columns:
        return "a quote that is not closed; close it"
    if any(cell.strip() for cell in cells[n_columns:]):
        return f"{n_cells} cells, expected {n_columns}; put a cell with a comma into quotes"
    if n_cells < n_columns and not ended:
        return f"{n_cells} cells, expected {n_columns}: the table ends here; copy it again"
    return ""
