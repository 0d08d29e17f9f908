"""Cells or tiles of the images that are to be scored, where the run was trained on such."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellxai.data.cells import SingleCells
from cellxai.data.csv_rows import read_rows
from cellxai.data.frames.reading import ImagePart
from cellxai.data.image_formats import count_pixels
from cellxai.data.masks.label_maps import CELLPOSE_LABELS, mask_loader
from cellxai.data.readers.folder import find_mask
from cellxai.data.readers.parts import suffix_of
from cellxai.data.records import Record, Scan, Source
from cellxai.data.tiles import Tiles
from cellxai.files.identity import describe_file


@dataclass(frozen=True)
class Given(Source):
    """Images that are at hand as records.

    Args:
        records: The images.
    """

    records: tuple[Record, ...]

    def scan(self) -> Scan:
        """See :meth:`Source.scan`."""
        return Scan(self.records)


def cut_images(
    records: Sequence[Record], cutter: Source | None, names: Sequence[str], masks: Path | None
) -> Scan:
    """The parts of images that a network takes: as in its training, or the images themselves.

    Args:
        records: The images.
        cutter: The data set that the network was trained on; ``None`` where it is not known.
        names: What the user named; a table among them may have a column ``mask``.
        masks: Folder of the label maps, by the names of the images; ``None`` for none.

    Raises:
        ValueError: If cells are to be cut and no image has a mask, or masks are of no use.
    """
    if not isinstance(cutter, SingleCells):
        if masks is not None:
            raise ValueError(f"masks={masks}: the run was trained on images, not on cells; omit it")
        tiled = isinstance(cutter, Tiles)
        return with_images(cutter, records).scan() if tiled else Scan(tuple(records))
    by_path, folder = masks_of_tables(names), None if masks is None else masks.resolve()
    records = without_masks(records, by_path, folder)
    found = {record.id: find_mask_of(record.path, by_path, folder) for record in records}
    if not any(found.values()):
        check_crops(records, cutter)
        return Scan(tuple(records))
    masked = [
        replace(record, load_mask=mask_loader(mask)) if (mask := found[record.id]) else record
        for record in records
    ]
    return with_images(cutter, masked).scan()


def with_images(source: Source, records: Sequence[Record]) -> Source:
    """The same cells or tiles of other images, which have no classes."""
    if isinstance(source, SingleCells):
        inner = with_images(source.source, records)
        return replace(source, source=inner, label="image", table=None)
    if isinstance(source, Tiles):
        return replace(source, source=with_images(source.source, records))
    return Given(tuple(records))


def masks_of_tables(names: Sequence[str]) -> dict[Path, Path]:
    """The label map of each image that a table names one for.

    Raises:
        FileNotFoundError: If a table does not exist.
        ValueError: If it is no CSV text.
    """
    tables = [Path(name) for name in names if name.lower().endswith(".csv")]
    return {
        (table.parent / row["path"]).resolve(): table.parent / row["mask"]
        for table in tables
        for row in read_rows(table, ("path",))
        if row["path"] and row["mask"]
    }


def without_masks(
    records: Sequence[Record], by_path: Mapping[Path, Path], folder: Path | None
) -> list[Record]:
    """The records that are no label maps: a folder of images may hold the folder of masks.

    Where all lie in the folder of masks, only cellpose's are told by their names.
    """
    inside = {record.id for record in records if folder in record.path.parents}
    maps = {path.resolve() for path in by_path.values()}
    if len(inside) == len(records):
        inside = {r.id for r in records if r.path.stem.endswith(CELLPOSE_LABELS)}
    return [r for r in records if r.id not in inside and r.path.resolve() not in maps]


def find_mask_of(path: Path, by_path: Mapping[Path, Path], folder: Path | None) -> Path | None:
    """The label map of an image: that of a table, or else that in the folder."""
    named = by_path.get(path.resolve())
    return named if named or folder is None else find_mask(folder / path.name, path)


def check_crops(records: Sequence[Record], cells: SingleCells) -> None:
    """Refuses images that are no crops of cells, where there is no mask to cut them by.

    Raises:
        ValueError: Naming the first.
    """
    if cells.larger == "shrink":
        return  # crops of any size
    for record in records:
        n_pixels = count_pixels(record.path)
        if n_pixels not in (0, cells.size_px**2):
            raise ValueError(
                f"{record.path} has {n_pixels:,} pixels, but the run takes single cells of "
                f"{cells.size_px}×{cells.size_px}; pass --masks FOLDER of label maps, or a table "
                "with columns path and mask"
            )


def key_of_record(record: Record) -> tuple[str, str]:
    """The file and the part of it that a record is, and when it was last changed, in nanoseconds.

    Of all its files, and the mask of a cell, the latest; empty where one is missing.
    """
    part, name = record.load_image, str(record.path.absolute())
    if isinstance(part, ImagePart) or (part is not None and not record.more_files):
        name = f"{name}#{record.id.rpartition('__')[2]}"
    if (record.series, record.time) != (None, None):
        name = f"{name}#{suffix_of(record.series, record.time).removeprefix('-')}"
    files = [*record.files]
    if isinstance(part, ImagePart) and part.mask_path is not None:
        files.append(part.mask_path)
    changes = [change for _, _, change in map(describe_file, files) if change is not None]
    return name, str(max(changes)) if len(changes) == len(files) else ""
