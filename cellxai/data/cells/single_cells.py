"""One record per cell of another data set's masks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cellxai.data.cells.classes import (
    CellClasses,
    ClassOfAnnotation,
    ClassOfImage,
    ClassOfTable,
    name_some,
)
from cellxai.data.cells.cut import NEIGHBOURS, CellCut, Neighbours
from cellxai.data.cells.find import INSTANCES, FoundCell, Instances, window_around
from cellxai.data.cells.listing import CellList, list_cells
from cellxai.data.ids import id_of_part
from cellxai.data.image_formats import count_pixels
from cellxai.data.records import Fault, Record, Scan, Source, note_blank_groups

Label = Literal["image", "category", "table"]
LABELS = ("image", "category", "table")
BORDERS = ("drop", "keep")
LARGER = ("cut", "shrink", "drop")
SIDES = range(1, 4097)  # pixels


@dataclass(frozen=True)
class SingleCells(Source):
    """One record per cell: a square around each cell of a data set with masks.

    No file is written: an image is decoded once for all of its cells, and crops are prepared and
    kept as images are. Ids are ``<image>__cell<number>``, the number being that in the mask. Cells
    of an image are one group, which no split parts; an image that has a group passes it on. The
    mask of a record shows its own cell alone.

    Bits, planes and CLAHE are those of the whole image (see ``cellxai/data/frames/reading.py``);
    the window is cut out of it then, and resized. What lies beyond the image shows the background:
    the median of its pixels outside all cells.

    Args:
        source: The data set of whole images.
        size_px: Side of the square, in pixels of the file.
        margin_px: Pixels that a cell should have around it, at least; a cell is too large where it
            and its margins exceed ``size_px``.
        larger: What becomes of a cell that is too large: ``cut`` shows its middle, so that all are
            of one scale; ``shrink`` takes a larger square, which the resize brings to the size of
            the others; ``drop`` leaves it out.
        neighbours: ``keep`` shows what else is in the square; ``blank`` shows background in the
            place of other cells.
        border: ``drop`` leaves out cells with a pixel in the first or last row or column of the
            image, of which a part may be missing; ``keep`` keeps them.
        min_area_px: Cells with fewer pixels are left out.
        max_area_px: Cells with more pixels are left out; ``null`` for no limit.
        instances: ``labels`` takes each label of a mask for a cell; ``connected`` takes each piece
            of labelled pixels, for masks that only tell cells from background, or label the parts
            of a cell.
        label: Where the class is from: the ``image``; the ``category`` of the cell's annotation;
            or a ``table``.
        table: With ``label=table``: a CSV file with columns ``image`` (its id), ``cell`` (its
            number) and ``label``. Cells without a row are left out.
        index: A folder that keeps the list of cells, so that masks are read in the first scan
            alone; it may be that of ``loading.cache``. ``null`` reads them in each scan.

    Raises:
        ValueError: If an option is not one of those named, or two do not go together.
    """

    source: Source
    size_px: int = 96
    margin_px: int = 0
    larger: Literal["cut", "shrink", "drop"] = "cut"
    neighbours: Neighbours = "keep"
    border: Literal["drop", "keep"] = "drop"
    min_area_px: int = 1
    max_area_px: int | None = None
    instances: Instances = "labels"
    label: Label = "image"
    table: Path | None = None
    index: Path | None = None

    def __post_init__(self) -> None:
        check_choices(self, neighbours=NEIGHBOURS, border=BORDERS, larger=LARGER)
        check_choices(self, instances=INSTANCES, label=LABELS)
        if self.size_px not in SIDES:
            raise ValueError(f"size_px={self.size_px}: expected {SIDES[0]}…{SIDES[-1]} pixels")
        if self.margin_px < 0 or self.min_area_px < 1:
            name = "margin_px" if self.margin_px < 0 else "min_area_px"
            least = 0 if self.margin_px < 0 else 1
            raise ValueError(f"{name}={getattr(self, name)}: expected {least} or more pixels")
        if self.max_area_px is not None and self.max_area_px < self.min_area_px:
            raise ValueError(
                f"max_area_px={self.max_area_px}: expected at least min_area_px={self.min_area_px}"
            )
        if (self.label == "table") != (self.table is not None):
            raise ValueError(
                f"label={self.label} and table={self.table}: a table goes with label=table"
            )
        if self.label == "category" and self.instances == "connected":
            raise ValueError("label=category needs instances=labels: a piece may be of two cells")

    def scan(self) -> Scan:
        """One record per cell, image by image, in the order of the numbers.

        Raises:
            FileNotFoundError: If the data set or the table does not exist.
            ValueError: If the data set or the table cannot be read at all.
        """
        return self.cut(self.source.scan())

    def cut(self, scan: Scan) -> Scan:
        """The cells of images that were scanned.

        Raises:
            FileNotFoundError: If the table does not exist.
            ValueError: If it lacks a column.
        """
        classes = self._classes()
        frames = [record for record in scan.records if record.load_mask is not None]
        listed = list_cells(frames, self.instances, self.index)
        tally = Tally()
        cells: dict[str, list[int]] = {}
        records: list[Record] = []
        faults: list[Fault] = [*scan.faults, *missing_masks(scan.records)]
        for frame, found in zip(frames, listed, strict=True):
            fault = found if isinstance(found, Fault) else other_size(frame, found)
            if fault is not None or isinstance(found, Fault):
                faults += [] if fault is None else [fault]
                continue
            cells[frame.id] = [cell.label for cell in found.cells]
            records += self._cells_of(frame, found, classes, tally)
        faults += [*classes.faults(cells), *tally.faults(self)]
        notes = (*scan.notes, *note_blank_groups(frames), *classes.notes(), *tally.notes(self))
        return Scan(tuple(records), tuple(faults), notes)

    def _classes(self) -> CellClasses:
        if self.table is not None:
            return ClassOfTable(self.table)
        return ClassOfImage() if self.label == "image" else ClassOfAnnotation()

    def _cells_of(
        self, frame: Record, found: CellList, classes: CellClasses, tally: "Tally"
    ) -> Iterator[Record]:
        for cell in found.cells:
            label = classes.of(frame, cell.label)
            name = id_of_part(frame.id, f"cell{cell.label}")
            if not self._is_wanted(cell, found, tally):
                continue
            if label is None:
                tally.nameless.append(name)
                continue
            side_px = max(cell.box.shape) + 2 * self.margin_px
            if side_px > self.size_px:
                tally.larger.append(side_px)
                if self.larger == "drop":
                    continue
            side_px = max(side_px, self.size_px) if self.larger == "shrink" else self.size_px
            cut = CellCut(
                frame, cell.label, window_around(cell.box, side_px), self.neighbours,
                self.instances, found.mask_hash,
            )  # fmt: skip
            yield replace(
                frame, id=name, label=label, corruptions=(), cell_classes=(), load_image=cut,
                group=frame.id if frame.group is None else frame.group, load_mask=cut.mask,
                load_cause=None if frame.load_cause is None else cut.cause,
            )  # fmt: skip

    def _is_wanted(self, cell: FoundCell, found: CellList, tally: "Tally") -> bool:
        tally.n_cells += 1
        if self.border == "drop" and cell.box.touches(found.shape):
            tally.dropped["at the border"] += 1
            return False
        if cell.area_px < self.min_area_px:
            tally.dropped[f"below min_area_px={self.min_area_px}"] += 1
            return False
        if self.max_area_px is not None and cell.area_px > self.max_area_px:
            tally.dropped[f"above max_area_px={self.max_area_px}"] += 1
            return False
        return True


@dataclass
class Tally:
    """What became of the cells of a data set.

    Args:
        n_cells: All of them.
        dropped: How many were left out by each rule.
        larger: Side of each cell that is too large, with its margins, in pixels.
        nameless: Ids of those without a class.
    """

    n_cells: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    larger: list[int] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)

    def faults(self, settings: SingleCells) -> list[Fault]:
        """A line where cells have no class."""
        if not self.nameless:
            return []
        where = f"table {settings.table}" if settings.label == "table" else "categories"
        n = len(self.nameless)
        what = f"no class for {n} of {self.n_cells} cells ({name_some(self.nameless)}); left out"
        return [Fault(where, what)]

    def notes(self, settings: SingleCells) -> list[Fault]:
        """A line for the rules that left cells out, and one for cells that are too large."""
        notes = []
        if self.dropped:
            counts = ", ".join(f"{n} {why}" for why, n in sorted(self.dropped.items()))
            notes.append(Fault("cells", f"of {self.n_cells} left out: {counts}"))
        if self.larger:
            done = {"cut": "cut at the square", "shrink": "shrunk", "drop": "left out"}
            what = (
                f"{len(self.larger)} of {self.n_cells} need more than size_px={settings.size_px} "
                f"with their margins, {max(self.larger)} at most; {done[settings.larger]}"
            )
            notes.append(Fault("cells", what))
        return notes


def check_choices(settings: SingleCells, **choices: Sequence[str]) -> None:
    """Refuses an option that is none of its choices.

    Raises:
        ValueError: Naming it.
    """
    for name, expected in choices.items():
        if getattr(settings, name) not in expected:
            got = getattr(settings, name)
            raise ValueError(f"{name}={got!r}: expected {', '.join(expected)}")


def missing_masks(records: Sequence[Record]) -> list[Fault]:
    """A line where images have no mask."""
    without = [record.id for record in records if record.load_mask is None]
    if not without:
        return []
    what = (
        f"none for {len(without)} of {len(records)} images ({name_some(without)}), which are left "
        "out: no cell is known of them"
    )
    return [Fault("masks", what)]


def other_size(frame: Record, found: CellList) -> Fault | None:
    """What is wrong where image and mask have unequal numbers of pixels, by the image's header."""
    n_pixels = 0 if frame.load_image is not None else count_pixels(frame.path)
    height, width = found.shape
    if n_pixels in (0, height * width):
        return None
    what = f"{height}×{width} pixels, but {frame.path} has {n_pixels:,} of them"
    return Fault(f"mask of image {frame.id}", what)
