"""Files that are written whole or not at all."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gmm.files.leftovers import sweep_leftovers, temporary_beside

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# How writers that are not Python's say the same: safetensors, and torch of anything it wrote.
FULL_IN_WORDS = re.compile(r"\(os error (\d+)\)|inline_container\.cc")


class WriteError(OSError):
    """A file that could not be written whole: one line that names it and says why."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    The temporary file lies in the same folder, because ``os.replace`` is atomic only within one
    file system. Its content is on disk before it gets the name, so a kill leaves the old file or
    the new one, and nothing in between but the temporary file, which the next writer removes.

    Raises:
        WriteError: If the disk or the quota is full; the old file is kept.
    """
    with name_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_leftovers(path.parent)
        temporary = temporary_beside(path)
        try:
            temporary.touch(exist_ok=False)
            mode = temporary.stat().st_mode  # of the umask, which only setting it would tell
            temporary.unlink()  # a block that writes nothing must not leave an empty file
            yield temporary
            temporary.chmod(mode)  # some writers, such as safetensors, let the owner alone read
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def name_full_disk(path: Path) -> Iterator[None]:
    """Turns the error of a full disk, whoever raises it, into one that names the file.

    Raises:
        WriteError: If the disk or the quota is full.
    """
    try:
        yield
    except Exception as error:
        number = number_of_full(error)
        if number is None:
            raise
        named = WriteError(
            f"{path}: {os.strerror(number)} while it was being written; free some space and start "
            "again, what was there before is kept"
        )
        named.errno = number
        raise named from error


def number_of_full(error: BaseException | None) -> int | None:
    """The system's number of a full disk or quota in an error or its causes; else ``None``."""
    while error is not None:
        if isinstance(error, WriteError):
            return None  # it has been named
        number = getattr(error, "errno", None)
        words = FULL_IN_WORDS.search(str(error)) if number is None else None
        if words and words[1]:
            number = int(words[1])
        if number in FULL:
            return number
        if words and not words[1] and error.__context__ is None:
            return errno.ENOSPC
        error = error.__cause__ or error.__context__
    return None


def write_text(path: Path | str, text: str) -> None:
    """Writes UTF-8 text, atomically."""
    with atomic(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
