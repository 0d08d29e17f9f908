"""Whether a path is a file to be read, and the words for what it is instead."""

import os
import stat
from pathlib import Path

NO_FILE = "no such file"
KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


def explain_unreadable(path: Path) -> str | None:
    """Why a path is no file that can be read; ``None`` where it is one.

    A table from elsewhere may name anything: a pipe, which would be waited for without end, a
    device that never ends, a name that no disk takes.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return NO_FILE
    except PermissionError:
        return explain_permission(path)
    except (OSError, ValueError) as error:  # a name that is too long, a loop of links, a NUL
        return (getattr(error, "strerror", None) or str(error)).lower()
    if stat.S_ISREG(mode):
        return None if os.access(path, os.R_OK) else explain_permission(path)
    kind = next((words for is_kind, words in KINDS if is_kind(mode)), "something else")
    return f"{kind}, expected a file"


def explain_permission(path: Path) -> str:
    """That a file may not be read, with its owner and mode, or those of the folder that hides it.

    Of the folders above a file, the first that may not be entered is the one in the way.
    """
    for place in (*reversed(path.absolute().parents), path):
        is_folder = place != path
        if not os.access(place, os.X_OK if is_folder else os.R_OK):
            what = f"folder {place}" if is_folder else "file"
            return f"permission denied: the {what} {describe_rights(place)}; ask its owner"
    return "permission denied; ask its owner"


def describe_rights(path: Path) -> str:
    """Owner and mode of a file, as ``ls -l`` has them."""
    try:
        status = path.stat()
        return f"belongs to {name_owner(path)} and has mode {stat.filemode(status.st_mode)}"
    except OSError:
        return "does not tell its owner"


def name_owner(path: Path) -> str:
    """The owner's name, or number where it has none here."""
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"
