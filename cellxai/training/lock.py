"""One process at a time trains into a run folder."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

LOCK = ".lock"


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Holds the folder until the block ends, or the process does, however it is killed.

    The system holds the lock, and the text in the file only says who has it: no process id that was
    given to another program meanwhile keeps anybody out. A lock by ``lockf`` rather than ``flock``,
    for worker processes would inherit that one and survive their parent by seconds.

    Raises:
        ValueError: If another process trains into the folder.
    """
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    file = acquired(folder)
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        file.close()
        if created:
            with suppress(OSError):  # it is not empty: the run has begun
                folder.rmdir()


def acquired(folder: Path) -> IO[str]:
    """The open lock file of a folder, locked for this process."""
    path = folder / LOCK
    while True:
        file = path.open("a+")
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            owner = file.read() or "another process"
            file.close()
            raise ValueError(
                f"{folder} is being trained by {owner}; wait for it, stop it, or choose "
                "another --run"
            ) from None
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()  # its owner removed it between our two calls: it locks nothing any more
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file
