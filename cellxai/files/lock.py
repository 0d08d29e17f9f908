"""One process at a time writes: into a run folder, or into one file of it."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from gmm.files.atomic import name_full_disk

LOCK = ".lock"


@contextmanager
def run_lock(
    folder: Path, verb: str = "trained", way_out: str = "choose another --run"
) -> Iterator[None]:
    """Holds a folder, created if need be, as :func:`hold` does.

    Args:
        folder: The folder; its lock is the file ``.lock`` in it.
        verb: What is done to the folder, for the message to a process that is refused.
        way_out: What that process may do besides waiting, for the same message.

    Raises:
        ValueError: If another process holds it.
    """
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with hold(folder / LOCK, f"{folder} is being {verb}", way_out):
            yield
    finally:
        if created:
            with suppress(OSError):  # it is not empty: the run has begun
                folder.rmdir()


@contextmanager
def file_lock(path: Path, verb: str, way_out: str) -> Iterator[None]:
    """Holds a file that need not be there yet, as :func:`hold` does; its folder is created.

    Args:
        path: The file; its lock lies beside it, since SQLite has its own inside, of another kind.
        verb: What is done to the file, for the message to a process that is refused.
        way_out: What that process may do besides waiting, for the same message.

    Raises:
        ValueError: If another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with hold(path.with_name(f".{path.name}{LOCK}"), f"{path} is being {verb}", way_out):
        yield


@contextmanager
def hold(path: Path, what: str, way_out: str) -> Iterator[None]:
    """Holds a lock file until the block ends, or the process does, however it is killed.

    The system holds the lock, and the text in the file only says who has it: no process id that was
    given to another program meanwhile keeps anybody out. A lock by ``lockf`` rather than ``flock``,
    for worker processes would inherit that one and survive their parent by seconds.

    Raises:
        ValueError: If another process holds it.
    """
    file = acquire(path, what, way_out)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def open_own(path: Path) -> IO[str]:
    """The lock file, made if need be.

    Raises:
        ValueError: If it is a link: in a folder from elsewhere that could be to any file of the
            reader, which would then be emptied.
    """
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ValueError(f"{path} is a link, expected a file of its own; remove it") from None
    return os.fdopen(number, "a+")


def acquire(path: Path, what: str, way_out: str) -> IO[str]:
    """The open lock file, locked for this process."""
    while True:
        file = open_own(path)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            owner = file.read() or "another process"
            file.close()
            raise ValueError(f"{what} by {owner}; wait for it, stop it, or {way_out}") from None
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()  # its owner removed it between our two calls: it locks nothing any more
    with name_full_disk(path):
        write_owner(file, path)
    return file


def write_owner(file: IO[str], path: Path) -> None:
    """Writes into a lock file who holds it; on a full disk it is removed."""
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
    except OSError:
        path.unlink()
        with suppress(OSError):  # to close it is to write again
            file.close()
        raise
