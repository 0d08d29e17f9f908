"""Sets of images with their features: the parts of a run, and other data sets beside them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cellxai.data.datamodule import CellImages
from cellxai.data.records import Fault, Record, Source
from cellxai.data.splits import PARTS
from cellxai.training.trained import TrainedRun


@dataclass(frozen=True)
class ImageSet:
    """Images that are scored together.

    Args:
        records: What they are.
        images: Their pixels, prepared.
        part: Which part of ``images``.
        features: Penultimate features.
        faults: What could not be read and was left out.
    """

    records: tuple[Record, ...]
    images: CellImages
    part: str
    features: Float[np.ndarray, "n f"]
    faults: tuple[Fault, ...]


def own_set(trained: TrainedRun, part: str) -> ImageSet:
    """The images of a part with their features in float64, where PCA and mixture are computed."""
    features = trained.outputs(part)[1].double().numpy()
    return ImageSet(trained.images.records(part), trained.images, part, features, ())


def other_sets(trained: TrainedRun, sources: Mapping[str, Source]) -> dict[str, ImageSet]:
    """Other data sets by name, prepared as the run's own.

    Raises:
        ValueError: If one bears the name of a part and would hide it, or has no readable image.
    """
    for name in sorted({*sources} & {*PARTS}):
        raise ValueError(f"unfamiliar={name!r}: a part of the run is named so; expected another")
    return {name: other_set(trained, name, source) for name, source in sources.items()}


def other_set(trained: TrainedRun, name: str, source: Source) -> ImageSet:
    """Images of another data set, prepared as the run's own; broken ones are left out.

    Raises:
        ValueError: If none of them can be read; names the set.
    """
    scan = source.scan()
    parts = {record.id: "test" for record in scan.records}
    images = CellImages(
        scan.records, parts, scan.classes, trained.transforms, loading=trained.images.loading
    )
    try:
        faults = (*scan.faults, *images.faults)
    except ValueError as error:
        raise ValueError(f"unfamiliar={name!r}: {error}") from error
    features = trained.outputs_of(images, "test")[1].double().numpy()
    return ImageSet(images.records("test"), images, "test", features, faults)
