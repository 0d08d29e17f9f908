"""``scores.csv``: rows that are added chunk by chunk and outlive a kill at any moment.

A chunk is on disk before the next one is computed. If a kill leaves part of a row, the next start
cuts it off, and then computes only what is missing.
"""

import csv
import io
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from scipy.stats import false_discovery_control

from cellxai.files.folder import atomic
from gmm.files.atomic import name_full_disk

NO_COLUMNS: Mapping[tuple[str, str], Mapping[str, str]] = {}
OF_CLASS = "p_"  # begins the name of a column, here as in evaluation/predictions.csv
# A file's name may be no UTF-8: its bytes are written as they are.
ENCODING, ERRORS = "utf-8", "surrogateescape"


@dataclass(frozen=True)
class ScoreRow:
    """One image as a row of the table, where every cell is text.

    Args:
        id: Name of the image, unique in the table.
        path: The file.
        modified_ns: When the file was last changed, in nanoseconds since 1970; empty where there
            is no file. Path and time together say whether an image has been scored.
        predicted: The likeliest class.
        probability: Probability of that class, calibrated where ``evaluate`` was called.
        possible_classes: The conformal set: classes that the image may have, the likeliest first;
            ``(none)`` where it may have none, empty where ``evaluate`` was not called.
        known_p: P-value of being known: at most this share of known images is as strange; empty, as
            all up to ``strange``, without a density.
        q_value: Of all images of the call that are as strange or stranger, the share that is
            expected to be known (Benjamini and Hochberg 1995).
        log_p: Mean natural logarithm of the p-values of the views that the image surprises most.
        unfamiliar: 1 where the image is flagged, else 0.
        view: That view.
        strange: What is strange about an image that surprises that view.
        fault: Why the image could not be read; then all other cells but the first three are empty.
        probabilities: Probability of each class, by the name of its column.
        columns: What a table of the images says beside their paths, by column.
    """

    id: str
    path: str
    modified_ns: str
    predicted: str = ""
    probability: str = ""
    possible_classes: str = ""
    known_p: str = ""
    q_value: str = ""
    log_p: str = ""
    unfamiliar: str = ""
    view: str = ""
    strange: str = ""
    fault: str = ""
    probabilities: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """A file in one state, which is scored once."""
        return self.path, self.modified_ns

    @property
    def cells(self) -> dict[str, str]:
        """The cells by their columns."""
        own = {name: getattr(self, name) for name in COLUMNS}
        return {**own, **self.probabilities, **self.columns}


COLUMNS = tuple(f.name for f in fields(ScoreRow) if f.name not in ("probabilities", "columns"))


def name_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """What a table says of an image, under names that no column of ours has."""
    return {
        name if name not in COLUMNS and not name.startswith(OF_CLASS) else f"data: {name}": cell
        for name, cell in columns.items()
    }


def probability_columns(classes: Sequence[str]) -> list[str]:
    """The columns of the probabilities, in the order of the classes."""
    return [OF_CLASS + "\\n".join(name.splitlines()) for name in classes]


def read_scores(path: Path) -> list[ScoreRow]:
    """The complete rows of a table; none where there is no table."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding=ENCODING, errors=ERRORS) as file:
        return list(read_whole_rows(file))


def read_whole_rows(lines: Iterable[str]) -> Iterable[ScoreRow]:
    """The rows that are complete: a kill may have cut off the last one anywhere."""
    ended = (line for line in lines if line.endswith("\n"))
    for row in csv.DictReader(ended):
        # A row that lacks cells has None for them, and one that has too many keeps them under None.
        if None in row or None in row.values():
            continue
        own = {name: row.pop(name) for name in COLUMNS if name in row}
        shares = {name: row.pop(name) for name in [*row] if name.startswith(OF_CLASS)}
        if len(own) == len(COLUMNS):
            scored = ScoreRow(**own, probabilities=shares, columns=row)
            if is_whole(scored):
                yield scored


def is_whole(row: ScoreRow) -> bool:
    """Whether a row says what became of its image."""
    return bool(row.path) and bool(row.fault or row.predicted)


def mend_table(
    path: Path, wanted: Collection[tuple[str, str]], classes: Sequence[str]
) -> list[ScoreRow]:
    """Removes rows that are incomplete or out of date from the file, and returns the others.

    Args:
        path: The table.
        wanted: Keys of the images that are to be scored: rows of the same files in another state
            are out of date.
        classes: Whose probabilities a row has to hold.
    """
    columns = set(probability_columns(classes))
    rows = [row for row in read_scores(path) if set(row.probabilities) == columns]
    files = {name for name, _ in wanted}
    kept = {row.key: row for row in rows if row.key in wanted or row.path not in files}
    write_table(path, list(kept.values()), classes)
    return list(kept.values())


def write_table(path: Path, rows: Sequence[ScoreRow], classes: Sequence[str]) -> None:
    """Writes all rows, atomically, unless the file has them already."""
    further = tuple(dict.fromkeys(name for row in rows for name in row.columns))
    content = encode_header(classes, further) + encode_rows(rows, classes, further)
    # In the place of a link, for rows would be added to another file.
    if path.is_symlink() or not path.is_file() or path.read_bytes() != content:
        with atomic(path) as temporary:
            temporary.write_bytes(content)


def fill_in(
    path: Path,
    wanted: Collection[tuple[str, str]],
    classes: Sequence[str],
    columns: Mapping[tuple[str, str], Mapping[str, str]] = NO_COLUMNS,
) -> list[ScoreRow]:
    """Writes what only the whole call can say of its images, and returns their rows with it.

    The q-values belong to the images that are asked about together, and the further columns are
    those of all tables. Other rows keep theirs.

    Args:
        path: The table.
        wanted: Keys of the images of the call.
        classes: Names of the classes.
        columns: What tables of the images say, by the keys.
    """
    every = [
        replace(row, columns=name_columns(columns.get(row.key, {}))) if row.key in wanted else row
        for row in read_scores(path)
    ]
    judged = [row for row in every if row.key in wanted and row.known_p]
    shares = false_discovery_control([float(row.known_p) for row in judged]) if judged else ()
    filled = {
        row.key: replace(row, q_value=f"{share:.6f}")
        for row, share in zip(judged, shares, strict=True)
    }
    every = [filled.get(row.key, row) for row in every]
    write_table(path, every, classes)
    return [row for row in every if row.key in wanted]


def append_rows(path: Path, rows: Sequence[ScoreRow], classes: Sequence[str]) -> None:
    """Adds rows to a table; they are on disk when this returns."""
    content = encode_rows(rows, classes, further_columns(path, classes))
    with name_full_disk(path), path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def further_columns(path: Path, classes: Sequence[str]) -> tuple[str, ...]:
    """The columns of a table behind ours; none where there is no table."""
    if not path.is_file():
        return ()
    with path.open(newline="", encoding=ENCODING, errors=ERRORS) as file:
        header = next(csv.reader(file), [])
    return tuple(header[len(COLUMNS) + len(probability_columns(classes)) :])


def encode_header(classes: Sequence[str], further: Sequence[str] = ()) -> bytes:
    """Encodes the first line of a table."""
    names = [*COLUMNS, *probability_columns(classes), *further]
    return encode_lines([dict(zip(names, names, strict=True))], classes, further)


def encode_rows(
    rows: Sequence[ScoreRow], classes: Sequence[str], further: Sequence[str] = ()
) -> bytes:
    """Encodes rows as the bytes of a CSV file, one line each."""
    # A name may contain a line break, which would make two lines of one row.
    flat = [{name: " ".join(cell.splitlines()) for name, cell in row.cells.items()} for row in rows]
    return encode_lines(flat, classes, further)


def encode_lines(
    rows: Iterable[Mapping[str, str]], classes: Sequence[str], further: Sequence[str]
) -> bytes:
    """Encodes cells as lines, those that a row lacks empty."""
    text = io.StringIO()
    columns = [*COLUMNS, *probability_columns(classes), *further]
    csv.DictWriter(text, columns, restval="", lineterminator="\n").writerows(rows)
    return text.getvalue().encode(ENCODING, ERRORS)
