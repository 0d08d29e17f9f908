"""A table that names images wherever they lie."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cellxai.data.csv_rows import TableRow, read_rows, table_faults, table_notes
from cellxai.data.formats.suffixes import is_image_folder
from cellxai.data.ids import ids_of_paths
from cellxai.data.masks.label_maps import mask_loader
from cellxai.data.readers.parts import Each, check_each, split_records
from cellxai.data.records import Columns, Fault, Record, Scan, Source, brief
from gmm.files.regular import NO_FILE, explain_unreadable

OWN = ("path", "label", "mask", "group")  # all other columns are what else is known


@dataclass(frozen=True)
class Manifest(Source):
    """Images that a CSV table lists.

    Its columns are ``path`` and ``label``, and where known ``mask`` and ``group``. A blank mask is
    an image without one, a blank group an image that may go into any part. A mask is a label map, 0
    where there is no cell. Ids are made of the paths in the table. All further columns (plate,
    well, dose) stay with the image: a split can name them, and tables of results have them.

    Args:
        table: The CSV file.
        root: The folder that the paths in the table start from; ``null`` for the table's own.
        each: ``[series]``, ``[time]`` or both: a record for each of them in a file of several, as
            one group and without a mask, where the file itself says what it holds.
    """

    table: Path
    root: Path | None = None
    each: tuple[Each, ...] = ()

    def __post_init__(self) -> None:
        check_each(self.each)

    def scan(self) -> Scan:
        """One record per sound row.

        Raises:
            FileNotFoundError: If the table does not exist.
            ValueError: If it lacks a column.
        """
        root = self.table.parent if self.root is None else self.root
        all_rows = read_rows(self.table, ("path", "label"))
        rows = [row for row in all_rows if not row.damage]
        first = {row["path"]: row for row in reversed(rows)}
        ids = dict(zip(first, ids_of_paths([Path(path) for path in first]), strict=True))
        faults = {row.where: list(row_faults(row, root, first[row["path"]])) for row in rows}
        records = [record_of(row, root, ids[row["path"]]) for row in rows if not faults[row.where]]
        of_rows = [fault for of_row in faults.values() for fault in of_row]
        faults = (*table_faults(self.table, all_rows), *of_rows)
        parts = split_records(records, self.each)
        return Scan(tuple(parts), faults, tuple(table_notes(all_rows)))


def row_faults(row: TableRow, root: Path, first: TableRow) -> Iterable[Fault]:
    """What makes a row unusable.

    Args:
        row: The row.
        root: The folder that its paths start from.
        first: The first row with the same path.
    """
    if not row["path"]:
        yield Fault(row.where, "path is blank, expected an image file")
        return
    for column in ("path", "mask"):
        file = root / row[column]
        if row[column] and not is_image_folder(file) and (reason := explain_unreadable(file)):
            no_file = f"no such file as {brief(str(file))[1:-1]}" if reason == NO_FILE else reason
            yield Fault(row.where, f"{column} {brief(row[column])}: {no_file}")
    if not row["label"]:
        yield Fault(row.where, f"label of {brief(row['path'])} is blank, expected a class")
    if row["label"] != first["label"]:
        here, there = brief(row["label"]), brief(first["label"])
        two = f"{brief(row['path'])} is {here} here and {there} in {first.where}"
        yield Fault(row.where, f"{two}, expected one class per image")
    elif row is not first:
        yield Fault(row.where, f"{brief(row['path'])} is in {first.where} already; remove one")


def record_of(row: TableRow, root: Path, image_id: str) -> Record:
    """The record of a sound row."""
    return Record(
        id=image_id,
        path=root / row["path"],
        label=row["label"],
        group=row["group"] or None,
        load_mask=mask_loader(root / row["mask"]) if row["mask"] else None,
        columns=further_columns(row),
    )


def further_columns(row: TableRow) -> Columns:
    """The cells that are no part of the record itself."""
    return Columns({name: cell for name, cell in row.cells.items() if name and name not in OWN})
