"""Results on disk: one row per image × explainer × metric × seed, safe at every moment.

Each write is one SQLite transaction in write-ahead mode: a process that is killed leaves all rows
of a write or none, and a second start computes the rest.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cellxai.explain.results.database import EVIDENCE, RESTORE, Database, hash_record
from cellxai.explain.results.rows import Answer, Key, Measure, ScoreRow

KEYS = {
    "results": ("image", "explainer", "metric", "seed"),
    "answers": ("image", "explainer", "seed"),
    "measures": ("metric",),
}
Kept = TypeVar("Kept", ScoreRow, Answer, Measure)


class Store:
    """The results of one benchmark in one file, created when it does not exist.

    ``results`` holds the scores, ``answers`` each attribution's cost and its evidence by
    superpixel, ``measures`` what the metrics are, ``inapplicable`` which of them an image lacks the
    truth for, ``settings`` what must be the same at the next start, ``choices`` what was tried out
    once and is kept.

    Args:
        path: Usually ``runs/<name>/benchmark/results.sqlite``.

    Raises:
        ValueError: If the file is damaged, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path)

    def write(
        self,
        rows: Iterable[ScoreRow],
        answer: Answer | None = None,
        inapplicable: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Adds rows with their attribution, all or none; what is new takes the place of the old.

        An attribution that failed does not take the place of one that did not.

        Args:
            rows: Scores.
            answer: The attribution that they judge.
            inapplicable: Images and the metrics whose truth is not known of them.
        """
        with self._database.writing() as connection:
            connection.executemany(_upsert("results", ScoreRow), map(_to_sql, rows))
            if answer is not None:
                unless = " WHERE excluded.status != 'failed' OR answers.status = 'failed'"
                connection.execute(_upsert("answers", Answer) + unless, _to_sql(answer))
            connection.executemany("INSERT OR IGNORE INTO inapplicable VALUES (?, ?)", inapplicable)

    def rows(self) -> list[ScoreRow]:
        """All scores, ordered by key."""
        return self._all("results", ScoreRow)

    def answers(self) -> list[Answer]:
        """All attributions, ordered by image, explainer and seed."""
        return self._all("answers", Answer)

    def measures(self) -> dict[str, Measure]:
        """What the metrics are, by their name in the config."""
        return {measure.metric: measure for measure in self._all("measures", Measure)}

    def inapplicable(self) -> list[tuple[str, str]]:
        """Images and metrics that need a truth which is not known of them, ordered."""
        with self._database.reading() as connection:
            return list(connection.execute("SELECT image, metric FROM inapplicable ORDER BY 1, 2"))

    def missing_keys(self, keys: Iterable[Key], retry_failed: bool = False) -> list[Key]:
        """The ``keys`` that have no row yet and could have one, in their order.

        Args:
            keys: What is wanted.
            retry_failed: Whether a row that failed counts as missing, and a truth that was not
                known as known by now.
        """
        counted = "status != 'failed'" if retry_failed else "TRUE"
        query = f"SELECT image, explainer, metric, seed FROM results WHERE {counted}"
        with self._database.reading() as connection:
            there = set(connection.execute(query))
        hopeless = set() if retry_failed else set(self.inapplicable())
        return [key for key in keys if key not in there and (key.image, key.metric) not in hopeless]

    def settings(self) -> dict[str, str]:
        """What the rows were made with, by name."""
        return self._texts("settings")

    def choice(self, name: str) -> str | None:
        """What was chosen once for all starts, such as a batch size; None where nothing was."""
        return self._texts("choices").get(name)

    def choose(self, name: str, value: str) -> None:
        """Keeps a choice; the first one stays."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO choices VALUES (?, ?)", (name, value))

    def bind(self, settings: Mapping[str, str], measures: Sequence[Measure] = ()) -> None:
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
        with self._database.writing() as connection:
            connection.executemany("INSERT OR IGNORE INTO settings VALUES (?, ?)", settings.items())
            connection.executemany(_upsert("measures", Measure), map(_to_sql, measures))

    def keep_open(self) -> AbstractContextManager[None]:
        """One connection for all that is done in the block: opening and closing takes milliseconds.

        Nothing is locked between writes, and what was written is safe from a kill at once.
        """
        return self._database.keep_open()

    def _all(self, table: str, kind: type[Kept]) -> list[Kept]:
        """All records of a table.

        Raises:
            ValueError: If one of them is not what was written.
        """
        names = ", ".join(field.name for field in fields(kind))
        order = ", ".join(KEYS[table])
        with self._database.reading() as connection:
            query = f"SELECT digest, {names} FROM {table} ORDER BY {order}"
            rows = connection.execute(query).fetchall()
        return [self._sound(table, digest, kind, values) for digest, *values in rows]

    def _sound(self, table: str, digest: str, kind: type[Kept], values: Sequence[Any]) -> Kept:
        try:
            record = _from_sql(kind, values)
            if digest in ("", hash_record(record)):  # rows of earlier versions have none
                return record
        except (TypeError, ValueError):  # a value of another type than was written
            pass
        by_name = dict(zip((field.name for field in fields(kind)), values, strict=True))
        key = ", ".join(f"{name} {by_name[name]!r}" for name in KEYS[table])
        raise ValueError(f"{self.path}: the row of {key} is not what was written: {RESTORE}")

    def _texts(self, table: str) -> dict[str, str]:
        with self._database.reading() as connection:
            return dict(connection.execute(f"SELECT name, value FROM {table}"))


def _upsert(table: str, kind: type[ScoreRow | Answer | Measure]) -> str:
    """The statement that adds a record, or puts it in the place of that of the same key."""
    names = [*(field.name for field in fields(kind)), "digest"]
    changed = ", ".join(f"{name} = excluded.{name}" for name in names)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)}) "
        f"ON CONFLICT ({', '.join(KEYS[table])}) DO UPDATE SET {changed}"
    )


def _to_sql(record: ScoreRow | Answer | Measure) -> list[Any]:
    values = (getattr(record, field.name) for field in fields(record))
    kept = [v.astype(EVIDENCE).tobytes() if isinstance(v, np.ndarray) else v for v in values]
    return [*kept, hash_record(record)]


def _from_sql(kind: type[Kept], values: Sequence[Any]) -> Kept:
    columns = zip(fields(kind), values, strict=True)
    return kind(*[_python_value(field.type, value) for field, value in columns])


def _python_value(kind: Any, value: Any) -> Any:
    if isinstance(value, bytes):
        return np.frombuffer(value, EVIDENCE)
    # SQLite has no NaN and keeps NULL for it.
    return math.nan if value is None and kind is float else value
