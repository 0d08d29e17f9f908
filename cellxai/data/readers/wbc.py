"""White blood cells with the mask of each: the layout of Zheng et al.'s data set.

Zheng X. et al. (2018), *Fast and robust segmentation of white blood cell images by self-supervised
learning*, Micron 107.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from cellxai.data.csv_rows import TableRow, read_rows, table_faults, table_notes
from cellxai.data.image_formats import ImageFault
from cellxai.data.masks.label_maps import KnownMask, mask_loader, read_mask
from cellxai.data.records import Fault, MaskLoader, Record, Scan, Source, brief
from gmm.files.regular import NO_FILE, explain_unreadable

TABLE = "Class Labels of Dataset 1.csv"
FOLDER = "Dataset 1"
CELL_TYPES = {
    "1": "neutrophil",
    "2": "lymphocyte",
    "3": "monocyte",
    "4": "eosinophil",
    "5": "basophil",
}
LONGEST_NUMBER = 20  # digits
GREY_LEVELS = np.array([0, 128, 255])  # in this order labels 0, 1, 2


@dataclass(frozen=True)
class WhiteBloodCells(Source):
    """One stained white blood cell per colour image, of five types.

    Ids are the images' three digits. In the label maps 0 is background, 1 cytoplasm and 2 nucleus.

    Args:
        root: The folder that holds the class table and ``Dataset 1``: as published, each ``.bmp``
            with its mask of the same name as ``.png`` beside it, or all ``.png`` and ``masks``
            inside.
        min_per_class: Cell types with fewer images are left out and reported; there is only
            one basophil, which no split can share out.
    """

    root: Path
    min_per_class: int = 1

    def scan(self) -> Scan:
        """One record per image of the cell types that are common enough.

        Raises:
            FileNotFoundError: If the class table does not exist.
            ValueError: If it lacks a column.
        """
        all_rows = read_rows(self.root / TABLE, ("image ID", "class label"))
        rows = [row for row in all_rows if not row.damage]
        first = {row["image ID"].zfill(3): row for row in reversed(rows)}
        cells = [
            read_cell(self.root / FOLDER, row, first[row["image ID"].zfill(3)]) for row in rows
        ]
        records = [record for record in cells if isinstance(record, Record)]
        counts = Counter(record.label for record in records)
        common = [record for record in records if counts[record.label] >= self.min_per_class]
        faults = table_faults(self.root / TABLE, all_rows)
        faults += [fault for fault in cells if isinstance(fault, Fault)]
        for label, n in sorted(counts.items()):
            if n < self.min_per_class:
                expected = f"expected at least min_per_class={self.min_per_class}; left out"
                faults.append(Fault(f"class {label}", f"too few images: {n}, {expected}"))
        return Scan(tuple(common), tuple(faults), tuple(table_notes(all_rows)))


def read_cell(folder: Path, row: TableRow, first: TableRow) -> Record | Fault:
    """The record of one row of the class table, or what is wrong with it.

    Args:
        folder: Where the images lie.
        row: The row.
        first: The first row of the same image.
    """
    number, label = row["image ID"], row["class label"]
    if label not in CELL_TYPES:
        expected = ", ".join(f"{key} ({name})" for key, name in CELL_TYPES.items())
        return Fault(
            row.where, f"unknown class {brief(label)} of image {brief(number)}, expected {expected}"
        )
    if row is not first:
        return Fault(row.where, f"image {number!r} is in {first.where} already; remove one")
    if not (number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER):
        return Fault(row.where, f"image ID {brief(number)}, expected a number as 7 or 007")
    image, mask = files_of_cell(folder, number.zfill(3))
    for file in (image, mask):
        if reason := explain_unreadable(file):
            no_file = f"no such file as {file}" if reason == NO_FILE else f"{file}: {reason}"
            return Fault(row.where, f"image ID {number!r}: {no_file}")
    return Record(number.zfill(3), image, CELL_TYPES[label], load_mask=cell_loader(mask))


def files_of_cell(folder: Path, name: str) -> tuple[Path, Path]:
    """Image and mask: as published a .bmp beside its .png, or two .png, one of them in masks."""
    published = folder / f"{name}.bmp"
    if published.is_file():
        return published, folder / f"{name}.png"
    return folder / f"{name}.png", folder / "masks" / f"{name}.png"


def cell_loader(path: Path) -> MaskLoader:
    """Reads a mask of three grey levels as labels when called.

    The loader raises an :class:`ImageFault` for any other level, which a lossy copy would have.
    """

    def load() -> Int32[np.ndarray, "h w"]:
        levels = read_mask(path)
        others = np.setdiff1d(levels, GREY_LEVELS)
        if others.size:
            raise ImageFault(f"{path}: grey level {others[0]}, expected {GREY_LEVELS.tolist()}")
        return np.searchsorted(GREY_LEVELS, levels).astype(np.int32)

    return KnownMask(load, mask_loader(path).identify)
