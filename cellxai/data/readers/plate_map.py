"""Plate maps: a table that says what is in each well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.data.csv_rows import TableRow, read_rows, table_faults
from cellxai.data.records import Fault
from cellxai.data.wells import place_of

Key = tuple[object, ...]


@dataclass(frozen=True)
class PlateMap:
    """What a table says of wells, by the columns that it shares with the images.

    Args:
        path: The table.
        keys: Names of those columns: plate, well, site …
        rows: The other cells of each row, by the values of the keys.
        faults: What is wrong with rows, which are left out.
    """

    path: Path
    keys: tuple[str, ...]
    rows: Mapping[Key, Mapping[str, str]]
    faults: tuple[Fault, ...]

    def look_up(self, fields: Mapping[str, str]) -> Mapping[str, str] | None:
        """What the table says of an image; ``None`` where it has no row of it."""
        return self.rows.get(key_of(fields, self.keys))

    def describe(self, fields: Mapping[str, str]) -> str:
        """The row that an image needs, in words."""
        return ", ".join(f"{name} {fields[name]!r}" for name in self.keys)


def read_plate_map(path: Path, names: Sequence[str]) -> PlateMap:
    """Reads a table whose rows are looked up by the columns that are among ``names``.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If it is no CSV text, or shares no column.
    """
    rows = read_rows(path, ())
    header = list(rows[0].cells) if rows else []
    keys = tuple(name for name in header if name.casefold() in names)
    if not keys:
        got = ", ".join(header) or "none"
        raise ValueError(
            f"{path}: shares no column with the images, expected some of {', '.join(names)}; got "
            f"{got}"
        )
    said: dict[Key, Mapping[str, str]] = {}
    first: dict[Key, str] = {}
    faults = table_faults(path, rows)
    for row in rows:
        cells = {name.casefold() if name in keys else name: row[name] for name in header if name}
        lowered = tuple(name.casefold() for name in keys)
        key = key_of(cells, lowered)
        if row.damage:
            continue
        if key in said:
            faults.append(Fault(row.where, f"says of {describe(row, keys)} what {first[key]} says"))
            continue
        first[key] = row.where
        said[key] = {name: cell for name, cell in cells.items() if name not in lowered}
    return PlateMap(path, tuple(name.casefold() for name in keys), said, tuple(faults))


def describe(row: TableRow, keys: Sequence[str]) -> str:
    """What a row is about."""
    return ", ".join(f"{name} {row[name]!r}" for name in keys)


def key_of(fields: Mapping[str, str], names: Sequence[str]) -> Key:
    """The values of some columns; of a well its place, so that ``A1`` is ``A01``."""
    values = ((name, fields.get(name, "")) for name in names)
    return tuple(place_of(value) or value if name == "well" else value for name, value in values)
