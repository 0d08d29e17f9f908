"""Names of files that are being written, and what is left of them when their writer is killed."""

import functools
import hashlib
import os
import re
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path

# `.NAME.MACHINE-PROCESS-RANDOM.SUFFIX`
TEMPORARY = re.compile(r"\..*\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}(?:\.[^.]*)?")
LONGEST_STEM = 60  # characters, of at most 4 bytes: the whole name has to fit into 255 bytes
DAY_SECONDS = 24 * 3600
SWEEP_SECONDS = 0.1  # between two looks into a folder, which may hold many thousand files

_last_sweeps: dict[Path, float] = {}


def temporary_beside(path: Path) -> Path:
    """A name in the folder of ``path`` that no other writer has, on any machine that shares it.

    The suffix stays: writers such as matplotlib choose the format by it.
    """
    own = f"{identify_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.stem[:LONGEST_STEM]}.{own}{path.suffix}")


def sweep_leftovers(folder: Path) -> None:
    """Removes the temporary files of writers that are no more; those of live ones stay."""
    now = time.monotonic()
    if now - _last_sweeps.get(folder, -SWEEP_SECONDS) < SWEEP_SECONDS:
        return
    _last_sweeps[folder] = now
    for name in hidden_names(folder):
        match = TEMPORARY.fullmatch(name)
        if match and is_abandoned(folder / name, match["machine"], int(match["process"])):
            with suppress(OSError):
                (folder / name).unlink()


def hidden_names(folder: Path) -> list[str]:
    """Names in a folder that begin with a dot; none where it may not be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.name.startswith(".")]
    except OSError:
        return []


def is_abandoned(path: Path, machine: str, process: int) -> bool:
    """Whether the writer of a temporary file is no more.

    Of processes on this machine the system knows. A writer on another one, or in another
    container, is given up when nothing was written for a day.
    """
    if machine == identify_machine():
        return not is_alive(process)
    try:
        return time.time() - path.lstat().st_mtime > DAY_SECONDS
    except OSError:  # it has its name by now
        return False


def is_alive(process: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(process, 0)
    except PermissionError:  # it is another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


@functools.cache
def identify_machine() -> str:
    """Eight hex digits that stand for the set of processes whose numbers are told apart here.

    Containers may share a disk and a name, and count their processes apart.
    """
    words = [socket.gethostname()]
    with suppress(OSError):
        words.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        words.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:8]
