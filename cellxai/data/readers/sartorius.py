"""Kaggle's Sartorius layout: a table with one row per *cell*, and a folder of images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from cellxai.data.csv_rows import TableRow, read_rows, table_faults, table_notes
from cellxai.data.ids import LONGEST_ID, is_safe_id
from cellxai.data.image_formats import MAX_PIXELS
from cellxai.data.masks.label_maps import KnownMask, draw_label_map, mask_loader
from cellxai.data.masks.rle import parse_rle, pixels_of
from cellxai.data.records import Fault, MaskLoader, Record, Scan, Source, brief
from cellxai.files.identity import hash_content
from gmm.files.regular import NO_FILE, explain_unreadable

CELL_TYPES = ("astro", "cort", "shsy5y")
LONGEST_NUMBER = 9  # digits
COLUMNS = ("id", "annotation", "width", "height", "cell_type")


@dataclass(frozen=True)
class Sartorius(Source):
    """Images of the Kaggle competition *Sartorius Cell Instance Segmentation*, or laid out like it.

    The table has one row per cell; there is one record per image. Images that were taken in the
    same well at the same time are one group; an image that lacks ``sample_id`` or ``plate_time`` is
    a group of its own, and a note says so where others have both.
    Where a folder ``causes`` lies beside the images, ``causes/<id>.png`` is the planted cause.
    Images that no table names are left out.

    Args:
        root: The folder that holds the table and the images.
        table: The table's name: columns id, annotation, width, height, cell_type, and optionally
            plate_time and sample_id.
        images: Name of the folder of ``<id>.png``.
        labels: Name of a second table with columns id and cell_type, which adds images that have a
            class and no annotated cell; ``null`` for none.
        classes: The classes that may occur; ``null`` for the competition's three.
    """

    root: Path
    table: str = "train.csv"
    images: str = "train"
    labels: str | None = None
    classes: list[str] | None = None

    def scan(self) -> Scan:
        """One record per image that the tables name.

        Raises:
            FileNotFoundError: If the image folder or a table does not exist.
            ValueError: If a table lacks a column.
        """
        folder = self.root / self.images
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder, expected the images <id>.png")
        rows = read_rows(self.root / self.table, COLUMNS)
        faults, notes = table_faults(self.root / self.table, rows), table_notes(rows)
        if self.labels is not None:
            added = read_rows(self.root / self.labels, ("id", "cell_type"))
            faults += [Fault(row.where, row.damage) for row in added if row.damage]
            rows, notes = rows + added, notes + table_notes(added)
        sound = [row for row in rows if not row.damage]
        damaged = {row["id"] for row in rows if row.damage}
        images = [
            self._image(image_id, cells, image_id not in damaged)
            for image_id, cells in rows_by_id(sound).items()
        ]
        records = [record for record, _ in images if record is not None]
        faults += [fault for _, faults in images for fault in faults]
        return Scan(tuple(records), tuple(faults), tuple(notes))

    def _image(
        self, image_id: str, rows: list[TableRow], has_all_rows: bool
    ) -> tuple[Record | None, list[Fault]]:
        """The record of one image from its rows, or what prevents it."""
        path = self.root / self.images / f"{image_id}.png"
        faults = image_faults(image_id, rows, path, self.classes or CELL_TYPES)
        if faults:
            return None, faults
        cells = [row for row in rows if "annotation" in row.cells]
        shape, faults = read_shape(cells)
        faults += [] if shape is None else [*rle_faults(cells, shape), *repeated_faults(cells)]
        complete = shape is not None and not faults and has_all_rows
        cause = self.root / "causes" / f"{image_id}.png"
        record = Record(
            id=image_id,
            path=path,
            label=rows[0]["cell_type"],
            group=group_of(rows[0]),
            # An incomplete mask would count sound attributions as misses: all cells, or no mask.
            load_mask=label_map_loader(cells, shape) if complete and shape else None,
            load_cause=None if explain_unreadable(cause) == NO_FILE else mask_loader(cause),
        )
        return record, faults


def rows_by_id(rows: Sequence[TableRow]) -> dict[str, list[TableRow]]:
    """The rows of each image, in the order of the table."""
    grouped: dict[str, list[TableRow]] = {}
    for row in rows:
        grouped.setdefault(row["id"], []).append(row)
    return grouped


def image_faults(
    image_id: str, rows: list[TableRow], path: Path, classes: Sequence[str]
) -> list[Fault]:
    """What makes an image unusable: its id, its file, its class, or two classes."""
    first = rows[0]
    if not is_safe_id(image_id):
        expected = (
            f"expected letters, digits, '_', '-' and '.' only and at most {LONGEST_ID} of them, as "
            "ids become file names"
        )
        return [Fault(first.where, f"id {brief(image_id)}, {expected}")]
    reason = explain_unreadable(path)
    faults = [Fault(str(path), f"{reason}, but {first.where} names it")] if reason else []
    label = first["cell_type"]
    if label not in classes:
        expected = f"expected one of {', '.join(classes)}; correct the row or pass classes"
        faults.append(
            Fault(first.where, f"unknown class {brief(label)} of id {image_id!r}, {expected}")
        )
    other = next((row for row in rows if row["cell_type"] != label), None)
    if other is not None:
        here, there = brief(other["cell_type"]), brief(label)
        two = f"id {image_id!r} is {here} here and {there} in {first.where}"
        faults.append(Fault(other.where, f"{two}, expected one class per image"))
    return faults


def read_shape(cells: list[TableRow]) -> tuple[tuple[int, int] | None, list[Fault]]:
    """Height and width that all rows of an image agree on; ``None`` without rows or agreement."""
    sizes = [(row["height"], row["width"]) for row in cells]
    for row, size in zip(cells, sizes, strict=True):
        if not all(is_side(text) for text in size) or int(size[0]) * int(size[1]) > MAX_PIXELS:
            what = f"height {brief(size[0])} and width {brief(size[1])} of id {row['id']!r}"
            expected = f"expected positive numbers, of {MAX_PIXELS:,} pixels at most"
            return None, [Fault(row.where, f"{what}, {expected}")]
        if size != sizes[0]:
            what = f"height {size[0]} and width {size[1]} of id {row['id']!r}"
            first = f"{cells[0].where} says {sizes[0][0]} and {sizes[0][1]}"
            return None, [Fault(row.where, f"{what}, but {first}")]
    return (int(sizes[0][0]), int(sizes[0][1])) if sizes else None, []


def is_side(text: str) -> bool:
    """Whether a cell says how high or wide an image is."""
    return text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER and int(text) > 0


def repeated_faults(cells: list[TableRow]) -> list[Fault]:
    """Every cell that a row before it drew already: it would count twice."""
    first = {row["annotation"]: row for row in reversed(cells)}
    return [
        Fault(row.where, f"the same cell of id {row['id']!r} as {other.where}; remove one")
        for row in cells
        if row is not (other := first[row["annotation"]]) and row["annotation"]
    ]


def rle_faults(cells: list[TableRow], shape: tuple[int, int]) -> list[Fault]:
    """Every annotation that is not a run-length encoding of this shape."""
    faults = []
    for row in cells:
        if not row["annotation"] and len(cells) > 1:
            what = f"annotation of id {row['id']!r} is empty, expected a cell; remove the row"
            faults.append(Fault(row.where, what))
        try:
            parse_rle(row["annotation"], shape[0] * shape[1])
        except ValueError as error:
            faults.append(Fault(row.where, f"annotation of id {row['id']!r}: {error}"))
    return faults


def label_map_loader(cells: list[TableRow], shape: tuple[int, int]) -> MaskLoader:
    """Decodes the cells when called: cell i of the table gets label i, from 1.

    Neighbours overlap by a few pixels in the real data; there the later row is drawn on top.
    """

    def pixels_of_row(row: TableRow) -> Int64[np.ndarray, " p"]:
        return pixels_of(parse_rle(row["annotation"], shape[0] * shape[1]))

    return KnownMask(
        lambda: draw_label_map(map(pixels_of_row, cells), shape),
        lambda: hash_content(str(shape), *(f"{row['annotation']}\n" for row in cells)),
    )


def group_of(row: TableRow) -> str | None:
    """Well and time of an image, or ``None`` where the table leaves one of them blank."""
    well, time = row["sample_id"], row["plate_time"]
    return f"{well}/{time}" if well and time else None
