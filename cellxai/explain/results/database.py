"""The SQLite file behind a store: its tables, its transactions, and errors that name the file.

SQLite has no checksums. So every row of scores, attributions and measures has a digest, whenever
the writer was killed; and the whole file has its SHA-256 beside it while nobody writes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from cellxai.files.digest import check_digest, stop_vouching, vouch
from cellxai.files.identity import N_SHORT, hash_content

SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    image TEXT, explainer TEXT, metric TEXT, seed INTEGER,
    value REAL, chance REAL,
    status TEXT NOT NULL, reason TEXT NOT NULL,
    forwards INTEGER NOT NULL, backwards INTEGER NOT NULL, seconds REAL NOT NULL,
    metric_forwards INTEGER NOT NULL, metric_backwards INTEGER NOT NULL,
    metric_seconds REAL NOT NULL, digest TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (image, explainer, metric, seed)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    image TEXT, explainer TEXT, seed INTEGER, target INTEGER NOT NULL,
    status TEXT NOT NULL, reason TEXT NOT NULL,
    forwards INTEGER NOT NULL, backwards INTEGER NOT NULL, seconds REAL NOT NULL,
    peak_bytes INTEGER, batch_size INTEGER NOT NULL, dtype TEXT NOT NULL,
    surrogate_r2 REAL, ranking_stability REAL, completeness_gap REAL, evidence BLOB,
    digest TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (image, explainer, seed)
);
CREATE TABLE IF NOT EXISTS measures (
    metric TEXT PRIMARY KEY, title TEXT NOT NULL, family TEXT NOT NULL, direction TEXT NOT NULL,
    low REAL NOT NULL, high REAL NOT NULL, paper TEXT NOT NULL, digest TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inapplicable (
    image TEXT, metric TEXT, PRIMARY KEY (image, metric)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS choices (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
WITH_DIGEST = ("results", "answers", "measures")
EVIDENCE = np.dtype("<f8")  # of the blobs, on any machine
BEGIN_ANEW = (
    "expected results of this version of cellxai benchmark, move the file away to begin anew"
)
RESTORE = "it was damaged; copy it again from where it was written, or restore a backup"
NO_ROOM = "free some space and start again, what was written is kept"
ADVICE = {
    sqlite3.SQLITE_FULL: NO_ROOM,
    sqlite3.SQLITE_IOERR: f"if the disk is full, {NO_ROOM}",
    sqlite3.SQLITE_BUSY: "another process writes it; wait for it and start again",
    sqlite3.SQLITE_LOCKED: "another process writes it; wait for it and start again",
    sqlite3.SQLITE_READONLY: "it may not be written by you; ask its owner, or copy the run folder",
    sqlite3.SQLITE_CANTOPEN: "it may not be opened by you; ask its owner, or copy the run folder",
    sqlite3.SQLITE_NOTADB: BEGIN_ANEW,
    sqlite3.SQLITE_ERROR: BEGIN_ANEW,
}


class Database:
    """One file of results, created when it does not exist.

    Args:
        path: The file.

    Raises:
        ValueError: If it is damaged, is no such file, or is a link to another one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._shared: sqlite3.Connection | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_links(path)
        if not path.exists():
            stop_vouching(path)  # of one that its user has removed to start anew
        elif not has_pending_writes(path):
            check_digest(path, "copy it again from where it was written, or restore a backup")
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)
            for table in WITH_DIGEST:
                add_digest_column(connection, table)
            faults = [line for (line,) in connection.execute("PRAGMA integrity_check(1)")]
        if faults != ["ok"]:
            raise ValueError(f"{path}: {' '.join(' '.join(faults).split())}; {RESTORE}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction.

        Raises:
            ValueError: If the file cannot be read or written; says what to do.
        """
        connection = self._shared
        try:
            connection = connection or sqlite3.connect(self.path, timeout=60)
            # In write-ahead mode this is safe from a kill; after a power failure the last
            # transactions may be gone, and are computed again.
            connection.execute("PRAGMA synchronous = NORMAL")
            with connection:
                yield connection
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what extends it
            raise ValueError(f"{self.path}: {error}; {ADVICE.get(code, RESTORE)}") from error
        finally:
            if connection is not None and connection is not self._shared:
                connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction that changes the file.

        Raises:
            ValueError: If it cannot be written; says what to do.
        """
        stop_vouching(self.path)
        with self.reading() as connection:
            yield connection
        self._vouch()

    @contextmanager
    def keep_open(self) -> Iterator[None]:
        """One connection for all that is done in the block: opening and closing takes milliseconds.

        Nothing is locked between writes, and what was written is safe from a kill at once.
        """
        with self.reading() as connection:
            self._shared = connection
            try:
                yield
            finally:
                self._shared = None
        self._vouch()

    def _vouch(self) -> None:
        """Keeps the SHA-256 of the file, once all that was written is in it."""
        if self._shared is not None:
            return
        with self.reading() as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy and not has_pending_writes(self.path):
            vouch(self.path)


def refuse_links(path: Path) -> None:
    """Refuses links: in a folder from elsewhere they could be to any file of the reader.

    Raises:
        ValueError: If the file, or one that SQLite keeps beside it, is a link.
    """
    for beside in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + beside)
        if file.is_symlink():
            raise ValueError(f"{file} is a link, expected a file of its own; remove it")


def has_pending_writes(path: Path) -> bool:
    """Whether writes lie beside the file that are not in it yet."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def add_digest_column(connection: sqlite3.Connection, table: str) -> None:
    """Gives the table of an earlier version room for digests; its rows have none."""
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    if "digest" not in columns:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN digest TEXT NOT NULL DEFAULT ''")


def hash_record(record: Any) -> str:
    """The digest of a row: of all its values, as SQLite keeps them."""
    words = [_word(field.type, getattr(record, field.name)) for field in fields(record)]
    return hash_content("\x1f".join(words))[:N_SHORT]


def _word(kind: Any, value: Any) -> str:
    if isinstance(value, np.ndarray):
        return value.astype(EVIDENCE).tobytes().hex()
    return float(value).hex() if kind is float else str(value)
