"""What a table says of images beside their class: as groups, as strata, as columns of results."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cellxai.data.records import Record

OWN_COLUMNS = ("label", "group")  # that a record has by itself, and a split may name


def column_names(records: Sequence[Record]) -> tuple[str, ...]:
    """The further columns of any of the records, in the order in which they are met."""
    return tuple(dict.fromkeys(name for record in records for name in record.columns))


def value_of(record: Record, name: str) -> str:
    """What a column says of an image; empty where it says nothing."""
    if name == "label":
        return record.label
    return record.group or "" if name == "group" else record.columns.get(name, "")


def check_columns(option: str, names: Sequence[str], records: Sequence[Record]) -> None:
    """Refuses columns that the data has not, and ones in which every cell is blank.

    Args:
        option: That names the columns, for the message.
        names: The columns.
        records: The images.

    Raises:
        ValueError: Naming the first such column.
    """
    there = [*OWN_COLUMNS, *column_names(records)]
    for name in names if records else ():
        if name not in there:
            got = ", ".join(there)
            raise ValueError(f"{option}: no column {name!r} in the data, expected some of {got}")
        if not any(value_of(record, name) for record in records):
            raise ValueError(
                f"{option}: {name!r} is blank for all {len(records)} images; fill it in, or leave "
                "it out"
            )


def group_records(records: Sequence[Record], names: Sequence[str]) -> list[Record]:
    """The records, grouped by columns: those that are equal in all of them have one group.

    Args:
        records: The images.
        names: The columns; none leaves the groups as they are.

    Raises:
        ValueError: If a column is not there, or blank for an image.
    """
    if not names:
        return list(records)
    check_columns("split.group_by", names, records)
    for name in names:
        blank = [record.id for record in records if not value_of(record, name)]
        if blank:
            more = ", …" if len(blank) > 3 else ""
            raise ValueError(
                f"split.group_by: {name!r} is blank for {len(blank)} of {len(records)} images "
                f"({', '.join(blank[:3])}{more}), which might part them from their group; fill it "
                "in, or remove their rows"
            )
    return [replace(record, group=group_name(record, names)) for record in records]


def group_name(record: Record, names: Sequence[str]) -> str:
    """The value of one column, or the values of several with their names."""
    if len(names) == 1:
        return value_of(record, names[0])
    return ", ".join(f"{name}={value_of(record, name)}" for name in names)


def strata_of(records: Sequence[Record], names: Sequence[str]) -> dict[str, str]:
    """The stratum of each image by its id: class and values of the columns; empty without columns.

    Raises:
        ValueError: If a column is not there.
    """
    check_columns("split.stratify_by", names, records)
    if not set(names) - {"label"}:
        return {}
    every = ["label", *(name for name in names if name != "label")]
    return {record.id: group_name(record, every) for record in records}


def with_columns(
    rows: Sequence[Mapping[str, Any]], records: Sequence[Record]
) -> list[dict[str, Any]]:
    """Rows of a table, each with what is known of its image; a name that is taken gets a mark.

    Args:
        rows: One per image.
        records: The images.
    """
    return with_cells(rows, [record.columns for record in records])


def with_cells(
    rows: Sequence[Mapping[str, Any]], cells: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Rows of a table, each with cells of another, empty where there is none of that name.

    Args:
        rows: The rows.
        cells: For each row the cells by their names; a name that the rows have gets a mark.
    """
    taken = {name for row in rows for name in row}
    names = {
        name: free_name(name, taken)
        for name in dict.fromkeys(name for own in cells for name in own)
    }
    return [
        {**row, **{new: own.get(name, "") for name, new in names.items()}}
        for row, own in zip(rows, cells, strict=True)
    ]


def free_name(name: str, taken: set[str]) -> str:
    """The name of a column of the data beside those of a table of results."""
    while name in taken:
        name = f"data: {name}"
    return name
