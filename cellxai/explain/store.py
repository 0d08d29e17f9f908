"""Results on disk: one row per image × explainer × metric × seed, safe at every moment.

Each write is one SQLite transaction in write-ahead mode: a process that is killed leaves all rows
of a write or none, and a second start computes the rest.
"""

import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from cellxai.explain.status import Status

SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    image TEXT, explainer TEXT, metric TEXT, seed INTEGER,
    value REAL, chance REAL,
    status TEXT NOT NULL, reason TEXT NOT NULL,
    forwards INTEGER NOT NULL, backwards INTEGER NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (image, explainer, metric, seed)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Key(NamedTuple):
    """What makes a row unique."""

    image: str
    explainer: str
    metric: str
    seed: int


@dataclass(frozen=True)
class Row:
    """One score.

    Args:
        image: Identifier of the image.
        explainer: Name of the explainer in the config.
        metric: Name of the metric in the config.
        seed: Seed of the explainer.
        value: The score; NaN for a degenerate map.
        chance: Score of a map that knows nothing; NaN where theory has no answer.
        status: Of the attribution.
        reason: Why the status is not ``ok``.
        forwards: Images that the explainer sent through the model.
        backwards: Images that it sent back.
        seconds: Time that the explainer took.
    """

    image: str
    explainer: str
    metric: str
    seed: int
    value: float
    chance: float
    status: Status
    reason: str
    forwards: int
    backwards: int
    seconds: float

    @property
    def key(self) -> Key:
        """What makes it unique."""
        return Key(self.image, self.explainer, self.metric, self.seed)


COLUMNS = ", ".join(field.name for field in fields(Row))
PLACES = ", ".join("?" for _ in fields(Row))


class Store:
    """The results of one benchmark in one file, created when it does not exist.

    Args:
        path: Usually ``runs/<name>/benchmark/results.sqlite``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    def write(self, rows: Iterable[Row]) -> None:
        """Adds rows, all or none; a row of an existing key takes its place."""
        with self._connected() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO results ({COLUMNS}) VALUES ({PLACES})",
                [astuple(row) for row in rows],
            )

    def rows(self) -> list[Row]:
        """All rows, ordered by key."""
        with self._connected() as connection:
            found = connection.execute(f"SELECT {COLUMNS} FROM results ORDER BY 1, 2, 3, 4")
            return [_row(values) for values in found]

    def missing(self, keys: Iterable[Key]) -> list[Key]:
        """Those of ``keys`` that have no row yet, in their order."""
        with self._connected() as connection:
            present = set(connection.execute("SELECT image, explainer, metric, seed FROM results"))
        return [key for key in keys if key not in present]

    def settings(self) -> dict[str, str]:
        """What the rows were made with, by name."""
        with self._connected() as connection:
            return dict(connection.execute("SELECT name, value FROM settings"))

    def bind(self, settings: Mapping[str, str]) -> None:
        """Records what rows are made with, so that no resume mixes results of two settings.

        Raises:
            ValueError: If rows of one of these names were made with another value.
        """
        before = self.settings()
        for name, value in settings.items():
            if before.get(name, value) != value:
                raise ValueError(
                    f"{self.path}: {name} was {before[name]}, now it is {value}; "
                    "use the former, a new name, or a new file"
                )
        with self._connected() as connection:
            connection.executemany("INSERT OR IGNORE INTO settings VALUES (?, ?)", settings.items())

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction: nothing stays open or locked between writes."""
        connection = sqlite3.connect(self.path, timeout=60)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def _row(values: tuple[Any, ...]) -> Row:
    # SQLite has no NaN and keeps NULL for it.
    columns: list[Any] = [math.nan if value is None else value for value in values]
    return Row(*columns)
