"""The images of a run in parts: from its settings to images that are not yet read."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cellxai.data.csv_rows import read_rows
from cellxai.data.grouping import group_records
from cellxai.data.loading.copied_images import with_copies_grouped
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.measuring import with_levels
from cellxai.data.records import Fault, Scan, note_blank_groups
from cellxai.data.splits import group_scan, keep_common, read_split, split_records
from cellxai.training.run_settings import RunSettings


def load_images(settings: RunSettings) -> tuple[CellImages, Scan]:
    """The images of a run in parts, and the data set that they are from.

    They are not read yet, but for the training images where the rule for 16 bits asks for their
    levels.

    Raises:
        ValueError: If fewer than two classes are left, or the split does not fit the data.
    """
    scan = keep_common(group_scan(settings.data.scan(), settings.split), settings.split)
    if len(scan.classes) < 2:
        raise ValueError(
            f"found {len(scan.records)} sound images of {len(scan.classes)} class(es) and "
            f"{len(scan.faults)} faults, expected at least two classes; `cellxai check` lists them"
        )
    together = settings.split.keep_copies_together
    parts = split_records(
        with_copies_grouped(scan.records, settings.transforms.stack) if together else scan.records,
        settings.split,
    )
    training = [record for record in scan.records if parts.get(record.id) == "train"]
    transforms = with_levels(settings.transforms, training)
    images = part_images(replace(settings, transforms=transforms), scan, parts)
    return images, replace(scan, notes=(*scan.notes, *note_blank_groups(scan.records)))


def load_known_images(settings: RunSettings, split: Path) -> tuple[CellImages, tuple[Fault, ...]]:
    """The images of a trained run, and those that have come since: they are in no part.

    Args:
        settings: Of the run.
        split: Its table of images and parts.

    Raises:
        ValueError: If an image of the table is no longer there.
    """
    scan = settings.data.scan()
    listed = {row["id"] for row in read_rows(split, ("id", "part"))}
    known = group_records(
        [record for record in scan.records if record.id in listed], settings.split.group_by
    )
    new = tuple(
        Fault(f"image {record.id}", f"not in {split}: new since the training")
        for record in scan.records
        if record.id not in listed
    )
    parts = read_split(split, known)
    return part_images(settings, replace(scan, records=tuple(known)), parts), new


def part_images(settings: RunSettings, scan: Scan, parts: Mapping[str, str]) -> CellImages:
    """The images of a scan in their parts, not read yet."""
    return CellImages(
        scan.records, parts, scan.classes, settings.transforms, settings.training.batch_size,
        settings.seed, settings.loading,
    )  # fmt: skip
