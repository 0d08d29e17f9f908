"""SHA-256 kept beside a file, so that a bit that flips on disk or on the way is found.

``NAME.sha256`` has the form that ``sha256sum --check`` reads. A file without one, from elsewhere or
from a version before, is read all the same. Two files cannot take their places at one moment;
while a file is replaced, both the old and the new digest stand there, so that a kill in between
leaves a pair that fits.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellxai.files.identity import hash_file
from gmm.files.atomic import atomic, write_text

SUFFIX = ".sha256"
LINE = re.compile(r"([0-9a-f]{64})  [^\n]*\n")


@contextmanager
def vouched(path: Path) -> Iterator[Path]:
    """As :func:`atomic`, with the SHA-256 of the file beside it.

    Raises:
        WriteError: If the disk or the quota is full; the old file is kept.
    """
    with atomic(path) as temporary:
        yield temporary
        new = hash_file(temporary)
        old = kept_digests(path) or ([hash_file(path)] if path.is_file() else [])
        write_digests(path, [new, *old])
    write_digests(path, [new])


def check_digest(path: Path, way_out: str = "copy it again, or write it anew") -> None:
    """Compares a file with the SHA-256 beside it, if there is one.

    Args:
        path: The file.
        way_out: What whoever reads it may do.

    Raises:
        ValueError: If it has another, so that it was damaged or changed.
    """
    before = digest_text(path)
    if not path.is_file():  # whoever opens it says so
        return
    if before is None or hash_file(path) in kept_digests(path):
        return
    if digest_text(path) != before:  # it was replaced while we read
        return
    beside = digest_file(path)
    raise ValueError(
        f"{path}: does not have the SHA-256 in {beside.name}, so it was damaged or changed; "
        f"{way_out}; if you changed it yourself, remove {beside.name}"
    )


def vouch(path: Path) -> None:
    """Keeps the SHA-256 of a file that was written without :func:`vouched`."""
    write_digests(path, [hash_file(path)])


def stop_vouching(path: Path) -> None:
    """Removes the SHA-256 of a file that is about to be written in its place."""
    digest_file(path).unlink(missing_ok=True)


def digest_file(path: Path) -> Path:
    """Where the SHA-256 of a file is kept."""
    return path.with_name(path.name + SUFFIX)


def kept_digests(path: Path) -> list[str]:
    """The SHA-256 values that a file may have; empty where none is kept, or none is legible."""
    text = digest_text(path) or ""
    return LINE.findall(text) if LINE.sub("", text) == "" else []


def digest_text(path: Path) -> str | None:
    """What is kept beside a file; ``None`` where nothing is."""
    try:
        return digest_file(path).read_bytes().decode("ascii", "replace")
    except FileNotFoundError:
        return None


def write_digests(path: Path, digests: list[str]) -> None:
    """Keeps SHA-256 values beside a file."""
    name = path.name.encode("ascii", "backslashreplace").decode()
    write_text(digest_file(path), "".join(f"{digest}  {name}\n" for digest in digests))
