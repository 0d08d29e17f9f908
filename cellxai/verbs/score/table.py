"""``scores.csv``: rows that are added chunk by chunk and outlive a kill at any moment.

A chunk is on disk before the next one is computed. If a kill leaves part of a row, the next start
cuts it off, and then computes only what is missing.
"""

import csv
import io
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cellxai.files.folder import atomic


@dataclass(frozen=True)
class ScoreRow:
    """One image as a row of the table, where every cell is text.

    Args:
        id: Name of the image, unique in the table.
        path: The file.
        modified_ns: When the file was last changed, in nanoseconds since 1970; empty where there
            is no file. Path and time together say whether an image has been scored.
        predicted: The likeliest class.
        probability: Probability of that class.
        p_known: P-value of being known: at most this share of known images is as strange.
        log_p: Natural logarithm of the p-value of the view that the image surprises most.
        unfamiliar: 1 where the image is flagged, else 0.
        view: That view.
        fault: Why the image could not be read; then all other cells but the first three are empty.
    """

    id: str
    path: str
    modified_ns: str
    predicted: str = ""
    probability: str = ""
    p_known: str = ""
    log_p: str = ""
    unfamiliar: str = ""
    view: str = ""
    fault: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """A file in one state, which is scored once."""
        return self.path, self.modified_ns


COLUMNS = tuple(field.name for field in fields(ScoreRow))


def read_scores(path: Path) -> list[ScoreRow]:
    """The complete rows of a table; none where there is no table."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(read_whole_rows(file))


def read_whole_rows(lines: Iterable[str]) -> Iterable[ScoreRow]:
    """The rows that are complete: a kill may have cut off the last one anywhere."""
    ended = (line for line in lines if line.endswith("\n"))
    for row in csv.DictReader(ended):
        # A row that lacks cells has None for them, and one that has too many keeps them under None.
        has_columns = set(row) == {*COLUMNS}
        if has_columns and None not in row.values() and is_whole(ScoreRow(**row)):
            yield ScoreRow(**row)


def is_whole(row: ScoreRow) -> bool:
    """Whether a row says what became of its image."""
    return bool(row.path) and (bool(row.fault) or row.unfamiliar in ("0", "1"))


def mend_table(path: Path, wanted: Collection[tuple[str, str]]) -> list[ScoreRow]:
    """Removes rows that are incomplete or out of date from the file, and returns the others.

    Args:
        path: The table.
        wanted: Keys of the images that are to be scored: rows of the same files in another state
            are out of date.
    """
    rows = read_scores(path)
    files = {name for name, _ in wanted}
    kept = {row.key: row for row in rows if row.key in wanted or row.path not in files}
    content = encode_rows(list(kept.values()), header=True)
    if not path.is_file() or path.read_bytes() != content:
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    return list(kept.values())


def append_rows(path: Path, rows: Sequence[ScoreRow]) -> None:
    """Adds rows to a table; they are on disk when this returns."""
    with path.open("ab") as file:
        file.write(encode_rows(rows, header=False))
        file.flush()
        os.fsync(file.fileno())


def encode_rows(rows: Sequence[ScoreRow], header: bool) -> bytes:
    """Encodes rows as the bytes of a CSV file, one line each."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    if header:
        table.writeheader()
    for row in rows:
        # A name may contain a line break, which would make two lines of one row.
        table.writerow({name: " ".join(cell.splitlines()) for name, cell in asdict(row).items()})
    return text.getvalue().encode()
