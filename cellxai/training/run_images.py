"""The images of a run in parts: from its settings to images that are not yet read."""

from dataclasses import replace

from cellxai.data.loading.datamodule import CellImages
from cellxai.data.records import Scan, note_blank_groups
from cellxai.data.splits import keep_common, split_records
from cellxai.training.run_settings import RunSettings


def load_images(settings: RunSettings) -> tuple[CellImages, Scan]:
    """The images of a run in parts, not read yet, and the data set that they are from.

    Raises:
        ValueError: If fewer than two classes are left.
    """
    scan = keep_common(settings.data.scan(), settings.split)
    if len(scan.classes) < 2:
        raise ValueError(
            f"found {len(scan.records)} sound images of {len(scan.classes)} class(es) and "
            f"{len(scan.faults)} faults, expected at least two classes; `cellxai check` lists them"
        )
    parts = split_records(scan.records, settings.split)
    images = CellImages(
        scan.records, parts, scan.classes, settings.transforms, settings.training.batch_size,
        settings.seed, settings.loading,
    )  # fmt: skip
    return images, replace(scan, notes=(*scan.notes, *note_blank_groups(scan.records)))
