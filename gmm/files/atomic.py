"""Files that are written whole or not at all."""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

LEFTOVER_AGE_S = 24 * 3600.0
# Older than any write takes: what a writer left that was killed. Nothing tells it from a file that
# another process is writing now, perhaps in another container on the same disk.


@contextmanager
def atomic(path: Path, content: str = "file") -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    It lies in the same folder, since a rename is atomic only within one file system. What writers
    of the same ``path`` have left there that were killed is removed.

    Args:
        path: Where to write.
        content: What is written, for the error.

    Raises:
        OSError: If it cannot be written, as on a full disk; of the type that the cause has.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        # The suffix stays: writers such as matplotlib choose the format by it. The process alone
        # does not tell two containers apart that share a disk.
        number = f"{os.getpid()}{secrets.randbelow(10**9):09d}"
        temporary = path.with_name(f".{path.stem}.{number}{path.suffix}")
        try:
            temporary.touch(exist_ok=False)
            mode = temporary.stat().st_mode  # as the umask has it; some writers choose another
            temporary.unlink()  # a block that writes nothing must not leave an empty file
            yield temporary
            temporary.chmod(mode)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        kind = type(error) if isinstance(error, OSError) else OSError
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise kind(f"{path}: {reason}; could not write the {content} there") from error


def remove_leftovers(path: Path) -> None:
    """Removes what writers of ``path`` began more than a day ago and did not end."""
    name = re.compile(rf"\.{re.escape(path.stem)}\.\d+{re.escape(path.suffix)}")
    for leftover in path.parent.glob(".*"):
        if name.fullmatch(leftover.name) and leftover.is_file():
            age_s = time.time() - leftover.stat().st_mtime
            if age_s > LEFTOVER_AGE_S:
                leftover.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Writes UTF-8 text, atomically."""
    with atomic(Path(path), "text") as temporary:
        temporary.write_text(text, encoding="utf-8")
