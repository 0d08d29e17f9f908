"""A data set in parts: from a reader and settings to the images of a run, not yet read."""

from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Fault, Source
from cellxai.data.splits import SplitSettings, keep_common, split_records


def load_images(
    data: Source,
    split: SplitSettings,
    transforms: Transforms,
    batch_size: int,
    seed: int,
    loading: LoadingSettings = LoadingSettings(),
) -> tuple[CellImages, tuple[Fault, ...]]:
    """The data set in parts, not read yet, and what the reader found wrong with it.

    Raises:
        ValueError: If fewer than two classes are left.
    """
    scan = keep_common(data.scan(), split)
    if len(scan.classes) < 2:
        raise ValueError(
            f"found {len(scan.records)} sound images of {len(scan.classes)} class(es) and "
            f"{len(scan.faults)} faults, expected at least two classes; `cellxai check` lists them"
        )
    parts = split_records(scan.records, split)
    images = CellImages(scan.records, parts, scan.classes, transforms, batch_size, seed, loading)
    return images, scan.faults
