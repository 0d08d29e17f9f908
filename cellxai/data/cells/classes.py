"""The class of a cell: that of its image, of its annotation, or of a table."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from cellxai.data.csv_rows import TableRow, read_rows, table_faults, table_notes
from cellxai.data.records import Fault, Record, brief

COLUMNS = ("image", "cell", "label")
LONGEST_NUMBER = 10  # digits of a label
MOST_NAMED = 3  # in a line; there may be thousands


class CellClasses(ABC):
    """Says which class a cell is of."""

    @abstractmethod
    def of(self, frame: Record, label: int) -> str | None:
        """The class of a cell of an image; ``None`` where nobody says."""

    @abstractmethod
    def faults(self, cells: Mapping[str, Collection[int]]) -> list[Fault]:
        """What is wrong, once all cells are known: numbers of the cells by the id of the image."""

    def notes(self) -> list[Fault]:
        """What is not wrong and yet has to be known."""
        return []


class ClassOfImage(CellClasses):
    """Every cell is of the class of its image."""

    def of(self, frame: Record, label: int) -> str | None:
        """See :meth:`CellClasses.of`."""
        return frame.label

    def faults(self, cells: Mapping[str, Collection[int]]) -> list[Fault]:
        """See :meth:`CellClasses.faults`."""
        return []


class ClassOfAnnotation(CellClasses):
    """A cell is of the category that its annotation names, as COCO's do."""

    def of(self, frame: Record, label: int) -> str | None:
        """See :meth:`CellClasses.of`."""
        return frame.cell_classes[label - 1] if label <= len(frame.cell_classes) else None

    def faults(self, cells: Mapping[str, Collection[int]]) -> list[Fault]:
        """See :meth:`CellClasses.faults`."""
        return []


class ClassOfTable(CellClasses):
    """A table names the class of each cell: columns ``image`` (its id), ``cell`` and ``label``.

    Raises:
        FileNotFoundError: If there is no such table.
        ValueError: If it lacks a column.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = read_rows(path, COLUMNS)
        self.by_cell: dict[tuple[str, int], TableRow] = {}
        self.wrong: list[Fault] = table_faults(path, self.rows)
        for row in self.rows:
            if row.damage:
                continue
            if reason := self._refuse(row):
                self.wrong.append(Fault(row.where, reason))
            else:
                self.by_cell[row["image"], int(row["cell"])] = row

    def of(self, frame: Record, label: int) -> str | None:
        """See :meth:`CellClasses.of`."""
        row = self.by_cell.get((frame.id, label))
        return None if row is None else row["label"]

    def faults(self, cells: Mapping[str, Collection[int]]) -> list[Fault]:
        """See :meth:`CellClasses.faults`."""
        unknown = [
            Fault(row.where, describe_unknown(image, cell, cells))
            for (image, cell), row in self.by_cell.items()
            if cell not in cells.get(image, ())
        ]
        return [*self.wrong, *unknown]

    def notes(self) -> list[Fault]:
        """See :meth:`CellClasses.notes`."""
        return table_notes(self.rows)

    def _refuse(self, row: TableRow) -> str | None:
        image, cell, label = (row[column] for column in COLUMNS)
        if not (cell.isascii() and cell.isdecimal() and len(cell) <= LONGEST_NUMBER):
            return f"cell {brief(cell)} of image {brief(image)}, expected its number in the mask"
        if not label:
            return f"label of cell {cell} of image {brief(image)} is blank, expected a class"
        first = self.by_cell.get((image, int(cell)))
        if first is not None:
            return f"cell {cell} of image {brief(image)} is in {first.where} already; remove one"
        return None


def describe_unknown(image: str, cell: int, cells: Mapping[str, Collection[int]]) -> str:
    """Why a row of a table is about no cell."""
    if image not in cells:
        some = ", ".join(sorted(cells)[:MOST_NAMED]) or "none"
        return f"image {brief(image)} is not the id of an image with cells, such as {some}"
    some = ", ".join(map(str, sorted(cells[image])[:MOST_NAMED])) or "none"
    return f"image {brief(image)} has no cell {cell}, but such as {some}"


def name_some(names: Sequence[str]) -> str:
    """The first of some names, and whether there are more."""
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
