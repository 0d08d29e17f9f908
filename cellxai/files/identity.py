"""What tells one thing from another: SHA-256 of its content, or its settings in words.

Equal content gives equal text, on any machine and in any session. Random numbers that belong to an
image are seeded elsewhere, and by another sum: see :mod:`cellxai.explain.seeding`.
"""

import hashlib
import inspect
import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

N_SHORT = 16  # hex digits: 64 bits, short enough for a line of text
ADDED_LATER = {"by_plane": False}  # arguments, unsaid where all is as before they were added
N_IN_ID = 8  # hex digits that stand for a path in the id of an image; ids are kept in run folders


def hash_content(*contents: Any) -> str:
    """SHA-256 of texts, bytes and arrays, one after another.

    Args:
        contents: Text is hashed as UTF-8, everything else as the bytes of its buffer.
    """
    total = hashlib.sha256()
    for content in contents:
        total.update(content.encode() if isinstance(content, str) else content)
    return total.hexdigest()


def hash_json(value: Any) -> str:
    """SHA-256 of a value that JSON can hold, whatever the order of its keys."""
    return hash_content(json.dumps(value, sort_keys=True))


def hash_file(path: Path) -> str:
    """SHA-256 of the content of a file, or of the names and contents of all files in a folder."""
    if path.is_dir():  # an image in a folder, as OME-Zarr
        return hash_json([[str(inner), hash_file(path / inner)] for inner in files_in(path)])
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_file(path: Path) -> tuple[str, int | None, int | None]:
    """Path, bytes and nanosecond of the last change; ``None`` where there is no such file.

    Of a folder, such as an image of OME-Zarr, the sums over the files in it.
    """
    try:
        inner = [path / name for name in files_in(path)] if path.is_dir() else [path]
        statuses = [file.stat() for file in inner]
    except OSError:
        return str(path.absolute()), None, None
    n_bytes = sum(status.st_size for status in statuses)
    return str(path.absolute()), n_bytes, sum(status.st_mtime_ns for status in statuses)


def files_in(folder: Path) -> list[Path]:
    """The files in a folder and in those below it, from the folder on, in the order of names."""
    return sorted(file.relative_to(folder) for file in folder.rglob("*") if not file.is_dir())


def hash_path(path: PurePath) -> str:
    """Eight hex digits that stand for a path in the id of an image."""
    return hash_content(path.as_posix().encode("utf-8", "backslashreplace"))[:N_IN_ID]


def hash_tensors(tensors: Mapping[str, Any]) -> str:
    """SHA-256 of names, types, shapes and contents, whatever the order of the names.

    Args:
        tensors: Tensors of torch on any device, such as a ``state_dict``.
    """
    total = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        total.update(f"{name} {array.dtype} {list(array.shape)}\n".encode())
        total.update(array)
    return total.hexdigest()


def hash_source(origin: type | ModuleType) -> str:
    """SHA-256 of the file that a class or a module is written in; empty where there is none.

    A class that its user edits between two starts is another one, under the same name.
    """
    try:
        source = inspect.getsourcefile(origin)
    except (TypeError, OSError):  # built in, or made on the command line
        return ""
    path = Path(source or "")
    return hash_file(path) if path.is_file() else ""


def shorten(sha256: str) -> str:
    """A hash as lines of text name it: ``sha256:`` and its first 16 digits."""
    return f"sha256:{sha256[:N_SHORT]}"


def describe_settings(settings: object) -> str:
    """Class and ``__init__`` arguments of a settings object, including nested ones.

    Raises:
        ValueError: If an argument is not kept as an attribute of the same name.
    """
    if type(settings).__repr__ is not object.__repr__:
        return repr(settings)
    kind = type(settings)
    name = f"{kind.__module__}.{kind.__qualname__}"
    arguments = []
    for argument in inspect.signature(kind).parameters:
        if not hasattr(settings, argument):
            raise ValueError(
                f"{name} keeps no attribute '{argument}', so its results cannot be told from "
                f"others; set self.{argument} = {argument} in __init__"
            )
        value = getattr(settings, argument)
        if argument not in ADDED_LATER or value != ADDED_LATER[argument]:
            arguments.append(f"{argument}={describe_settings(value)}")
    return f"{name}({', '.join(arguments)})"


def describe_with_code(settings: object) -> str:
    """Settings in words, and for a class outside cellxai also the hash of its file."""
    text, kind = describe_settings(settings), type(settings)
    if kind.__module__.startswith("cellxai.") or not (source := hash_source(kind)):
        return text
    return f"{text} {shorten(source)}"
