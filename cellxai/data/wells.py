"""Wells of plates: which one an image is from, and where it lies on its plate."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

NAME = re.compile(r"([A-Za-z]{1,2})0*([1-9][0-9]?)")
PLATES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
"""Rows and columns of plates of 6, 12, 24, 48, 96, 384 and 1536 wells."""

Place = tuple[int, int]


class Well(NamedTuple):
    """A well.

    Args:
        plate: Name of its plate; empty where nothing names it.
        well: Its name on the plate, such as ``A01``.
    """

    plate: str
    well: str


def well_of(columns: Mapping[str, str]) -> Well | None:
    """The well that the columns ``plate`` and ``well`` name; ``None`` where ``well`` is blank."""
    cells = {name.strip().casefold(): cell for name, cell in columns.items()}
    well = cells.get("well", "")
    return Well(cells.get("plate", ""), well) if well else None


def place_of(name: str) -> Place | None:
    """Row and column, from 0, of a well named as ``A1``, ``A01`` or ``AF48``; ``None`` of others.

    After ``Z`` rows go on with ``AA``, as on plates of 1536 wells.
    """
    match = NAME.fullmatch(name.strip())
    if match is None:
        return None
    row = 0
    for letter in match[1].upper():
        row = 26 * row + ord(letter) - ord("A") + 1
    return row - 1, int(match[2]) - 1


def row_name(row: int) -> str:
    """The letters of a row, counted from 0."""
    return chr(ord("A") + row) if row < 26 else row_name(row // 26 - 1) + row_name(row % 26)


def plate_shape(places: Iterable[Place]) -> Place:
    """Rows and columns of the smallest usual plate that has all places, or of a larger one."""
    rows, columns = (max(numbers) + 1 for numbers in zip(*places, strict=True))
    fitting = (shape for shape in PLATES if rows <= shape[0] and columns <= shape[1])
    return next(fitting, (rows, columns))


def in_plate_order(well: Well) -> tuple[str, bool, Place, str]:
    """Sorts wells by plate, row and column, names that are no places last."""
    place = place_of(well.well)
    return well.plate, place is None, place or (0, 0), well.well
