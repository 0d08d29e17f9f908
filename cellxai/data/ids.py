"""Ids of images: unique in their source, and safe as file names wherever a run folder is copied."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from cellxai.files.identity import hash_path

SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def is_safe_id(text: str) -> bool:
    """Whether ``text`` can be a file name as it is: no separator, no leading dot, nothing odd."""
    return SAFE_ID.fullmatch(text) is not None


def ids_of_paths(paths: Sequence[PurePath]) -> list[str]:
    """An id ``folder__name`` for each path; equal ones are told apart by a hash of the path.

    Args:
        paths: Different paths, relative to their source.
    """
    ids = [_readable_id(path) for path in paths]
    # Without case, because names that differ in case alone are one file on many disks.
    counts = Counter(text.casefold() for text in ids)
    return [
        text if counts[text.casefold()] == 1 else f"{text}-{hash_path(path)}"
        for text, path in zip(ids, paths, strict=True)
    ]


def _readable_id(path: PurePath) -> str:
    parts = [part for part in path.parent.parts if part != path.anchor]
    text = re.sub(r"[^A-Za-z0-9_.-]+", "-", "__".join([*parts, path.stem]))
    return text.lstrip(".-") or "image"
