"""Ids of images: unique in their source, and safe as file names wherever a run folder is copied."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from cellxai.files.identity import N_IN_ID, hash_path

SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
LONGEST_ID = 180  # characters: a file name has 255, and what is made of an image has an ending


ROOM = LONGEST_ID - N_IN_ID - 1  # of the path itself, where equal ids are told apart by a hash


def is_safe_id(text: str) -> bool:
    """Whether ``text`` can be a file name as it is: no separator, no leading dot, nothing odd.

    Long ones are none, either: names of maps and pictures begin with the id.
    """
    return len(text) <= LONGEST_ID and SAFE_ID.fullmatch(text) is not None


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


def id_of_part(image_id: str, part: str) -> str:
    """The id ``image__part`` of a part of an image; a long one is cut and told by a hash."""
    text = f"{image_id}__{part}"
    if len(text) <= LONGEST_ID:
        return text
    room = LONGEST_ID - len(part) - N_IN_ID - 3
    return f"{image_id[:room]}-{hash_path(PurePath(image_id))}__{part}"


def _readable_id(path: PurePath) -> str:
    parts = [part for part in path.parent.parts if part != path.anchor]
    text = re.sub(r"[^A-Za-z0-9_.-]+", "-", "__".join([*parts, path.stem]))
    text = text.lstrip(".-") or "image"
    return text if len(text) <= ROOM else f"{text[: ROOM - N_IN_ID - 1]}-{hash_path(path)}"
